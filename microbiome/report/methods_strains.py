"""The methods of strains as paragraphs, from what the tables say was done."""

from __future__ import annotations

from microbiome.report.data import Tables

__all__ = ["strain_methods"]

_DISTANCES = {
    "consensus": "the part of the marker positions covered in both samples whose most frequent bases differ (1 - "
    "conANI of inStrain [@instrain])",
    "shared_alleles": "the part of the marker positions covered in both samples without any base in common (1 - popANI "
    "of inStrain [@instrain])",
    "ngd": "the normalised distance in StrainPhlAn [@strainphlan] trees: patristic distance over the total branch "
    "length [@valles_colomer]",
    "mutation_rate": "the mutation rate that StrainPhlAn [@strainphlan] writes",
    "samestr": "1 - the maximum variant similarity of SameStr [@samestr]",
    "table": "distances of a table that was given",
}
_ORIGINS = {
    "model": "a mixture of same and different strains fitted to the distances of the taxon",
    "model_pooled": "the same mixture fitted to all taxa together, where a taxon has too few pairs",
    "youden": "Youden's index [@youden] between pairs of one person and unrelated pairs",
    "youden_pooled": "Youden's index [@youden] over all taxa together",
    "percentile_5": "the 5th percentile of the unrelated pairs [@valles_colomer]",
    "percentile_3": "the 3rd percentile of the unrelated pairs [@valles_colomer]",
    "percentile_table": "the percentile of the unrelated pairs that MetaPhlAn's table gives [@valles_colomer]",
    "fixed": "a fixed value",
}


def strain_methods(tables: Tables) -> list[str]:
    """Tell how strains were told apart, what the rates are made of, and how labels were checked."""
    found = tables.strains
    paragraphs = []
    thresholds = found.get("thresholds")
    if thresholds is not None and len(thresholds):
        used = [_DISTANCES[name] for name in dict.fromkeys(thresholds["method"].dropna()) if name in _DISTANCES]
        origins = thresholds["threshold_origin"].value_counts()
        parts = [f"{_ORIGINS[name]} ({number} taxa)" for name, number in origins.items() if name in _ORIGINS]
        text = "Strains. Distance of two samples in a taxon: " + "; ".join(used) + "." if used else "Strains."
        text += f" The largest distance that counts as the same strain came from {'; '.join(parts)}." if parts else ""
        paragraphs.append(text)
    resolved = found.get("resolved")
    if resolved is not None and len(resolved):
        kinds = set(resolved["method"].dropna())
        text = "Whose strain."
        if "alleles" in kinds:
            text += (
                " At marker positions where the alleles of donor products, baseline and others differ [@schmidt], the "
                "fractions of the post sample that come from each were estimated by maximum likelihood from the counts "
                "of the reads, with 95 % intervals by resampling markers."
            )
        if "calls" in kinds:
            text += (
                " From calls of pairs: the strain of a post sample is the donor's, the recipient's, both or neither as "
                "it is called the same as in a received product and in the baseline."
            )
        paragraphs.append(text + " What could not be told is unresolved, and counts in no rate.")
    if "rates" in found:
        paragraphs.append(
            "Strain engraftment has two denominators: the strains of the donor set that could be seen in the post "
            "sample (resolved there, or absent at a depth that would have shown them), and the taxa whose strains were "
            "compared between the post sample and a received product [@ianiro]. Beside it stands what the baseline "
            "shares with the same products, and the post sample with donors that were not received."
        )
    if "audit" in found and len(found["audit"]):
        paragraphs.append(
            "Labels. The strains that a sample shares with each sample unrelated by label were compared with what "
            "unrelated people share of each taxon (Poisson-binomial, times the number of samples), counting only what "
            "is more than unrelated people of this study have in common anyway (Tukey's outer fence), and those that "
            "it shares with its own person with what one person's samples share (beta-binomial); q-values over the "
            "samples [@bh]. Sharing with a donor received by then, with recipients of the same donor, and the loss of "
            "own strains after FMT speak against no label. Of the mistakes that would explain a doubtful label the "
            "likeliest is named."
        )
    return paragraphs
