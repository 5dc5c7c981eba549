"""Whose strain is it: distances between the strains of samples, calls, donor fractions and rates."""
