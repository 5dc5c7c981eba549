"""Profiles of a simulated trial as MetaPhlAn would print them: its sampling noise and its estimator, without reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.simulate.parameters import Parameters, stream
from microbiome.simulate.taxa import RANKS, marker_lengths
from microbiome.simulate.trial import Trial

__all__ = ["Profile", "exact_profile", "observe", "profile_text", "truncated_coverage"]

#: Fraction of markers cut off at either end before the coverage is taken (MetaPhlAn's ``--stat_q``).
STAT_Q = 0.2


@dataclass(frozen=True)
class Profile:
    """One profile: abundance of each taxon (of the classified part: sum 1, or all 0), unclassified fraction, reads."""

    abundance: pd.Series
    unclassified: float
    reads: int


def truncated_coverage(counts: np.ndarray, lengths: np.ndarray, read_length: float) -> np.ndarray:
    r"""Estimate coverage from reads per marker as MetaPhlAn 4 does by default (``tavg_g``).

    Markers are ordered by :math:`n_m / l_m`, with :math:`l_m = |length_m - read\_length| + 1`; the lowest and highest
    20 % are left out, and of the rest the coverage is :math:`\sum n_m / \sum l_m`.

    Parameters
    ----------
    counts
        taxon x marker, reads.
    lengths
        taxon x marker, base pairs.
    read_length
        Mean length of the reads, base pairs.

    Returns
    -------
    ndarray
        One coverage per taxon, in read starts per base pair; 0 where fewer than about a fifth of the markers were hit.
    """
    places = np.abs(lengths - read_length) + 1
    order = np.argsort(counts / places, axis=1, kind="stable")
    cut = int(STAT_Q * counts.shape[1])
    kept = order[:, cut : counts.shape[1] - cut]
    return np.asarray(
        np.take_along_axis(counts, kept, 1).sum(1) / np.take_along_axis(places, kept, 1).sum(1), dtype=float
    )


def observe(trial: Trial, sample: str) -> Profile:
    """Draw the profile of one sample at its depth.

    Fragments of taxon i are in proportion to abundance x genome length; the fragments on each marker are Poisson,
    each gives two reads (one where single); coverage is estimated by :func:`truncated_coverage`. Reads without host
    below ``min_reads`` give a profile without any taxon.
    """
    p = trial.parameters
    depth = trial.depth.loc[sample]
    mates = 2 if depth["layout"] == "paired" else 1
    nonhost = depth["fragments"] * (1 - depth["host"])
    reads = round(nonhost * mates)
    taxa = trial.taxa
    abundance = trial.abundance.loc[sample].to_numpy()
    genome = taxa["miniature_length"].to_numpy(dtype=float)
    if reads < p.min_reads:
        return Profile(pd.Series(0.0, index=taxa.index), 1.0, reads)
    fragments = depth["fragments"] * (1 - depth["host"] - depth["junk"])
    per_base = fragments * abundance / (abundance @ genome)
    lengths = np.array([marker_lengths(p, taxon) for taxon in taxa.index])
    places = np.abs(lengths - p.read_length) + 1
    rng = stream(p.seed, "profile", sample)
    counts = mates * rng.poisson(per_base[:, None] * places)
    coverage = truncated_coverage(counts, lengths, p.read_length)
    if not coverage.any():
        return Profile(pd.Series(0.0, index=taxa.index), 1.0, reads)
    unclassified = max(0.0, 1 - float(coverage @ genome) / reads)
    return Profile(pd.Series(coverage / coverage.sum(), index=taxa.index), unclassified, reads)


def exact_profile(trial: Trial, sample: str) -> Profile:
    """Return the truth itself as a profile, without sampling noise; too few reads give no taxon here too."""
    depth = trial.depth.loc[sample]
    nonhost = 1 - depth["host"]
    mates = 2 if depth["layout"] == "paired" else 1
    reads = round(depth["fragments"] * nonhost * mates)
    if reads < trial.parameters.min_reads:
        return Profile(pd.Series(0.0, index=trial.taxa.index), 1.0, reads)
    return Profile(trial.abundance.loc[sample], float(depth["junk"] / nonhost), reads)


def profile_text(profile: Profile, sample: str, taxa: pd.DataFrame, parameters: Parameters, database: str) -> str:
    """Return a profile in the form of MetaPhlAn 4.2 (``-t rel_ab``): every rank, percentages, UNCLASSIFIED first."""
    lines = [
        f"#{database}",
        f"#microbiome simulate --seed {parameters.seed} (simulated: these are no measurements)",
        f"#{profile.reads} reads processed",
        f"#SampleID\t{sample}",
        "#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species",
        f"UNCLASSIFIED\t-1\t{round(100 * profile.unclassified, 6)}\t",
    ]
    lineages, taxids = taxa["lineage"].to_dict(), taxa["taxids"].to_dict()
    clades: dict[str, tuple[str, float]] = {}
    for taxon, fraction in profile.abundance.items():
        if fraction <= 0:
            continue
        names = lineages[taxon].split("|")
        ids = taxids[taxon].split("|")
        for rank in range(1, len(RANKS) + 1):
            clade = "|".join(names[:rank])
            before = clades.get(clade, ("", 0.0))[1]
            clades[clade] = ("|".join(ids[:rank]), before + fraction)
    classified = 100 * (1 - profile.unclassified)
    for clade, (ids, fraction) in sorted(clades.items(), key=lambda item: (item[0].count("|"), -item[1][1], item[0])):
        lines.append(f"{clade}\t{ids}\t{round(classified * fraction, 6)}\t")
    return "\n".join(lines) + "\n"
