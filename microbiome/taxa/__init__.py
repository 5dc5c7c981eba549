"""What became of each taxon over all subjects: lost, engrafted, retained, changed, and how much that is of a sample."""
