"""Pair distances with known truth, as counts over positions, for the tests of thresholds and calls."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.study import Study

__all__ = ["STUDY", "pairs_of", "study_of"]


def study_of(samples: list[tuple[str, str, str, int | None]], doses: list[tuple[str, int, str]] = ()) -> Study:  # type: ignore[assignment]
    """Make a study of (sample, subject, role, day) and (subject, day, donor)."""
    frame = pd.DataFrame(samples, columns=["sample", "subject", "role", "day"]).astype({"day": "Int64"})
    given = pd.DataFrame(doses, columns=["subject", "day", "donor"]).astype({"day": "Int64"})
    given["donor_sample"] = None
    subjects = pd.DataFrame({"subject": frame["subject"].drop_duplicates().to_list()})
    return Study(frame.astype({"sample": object, "subject": object, "role": object}), subjects, given)


#: 24 people without FMT, two samples each, a month apart.
STUDY = study_of([(f"p{i:02d}-{day}", f"p{i:02d}", "control", day) for i in range(24) for day in (0, 30)])


def pairs_of(
    seed: int,
    taxa: int = 6,
    study: Study = STUDY,
    divergence: float = 0.01,
    shared: float = 0.06,
    kept: float = 0.9,
    mixed: float = 0.15,
    sites: tuple[int, int] = (300, 20000),
    error: float = 1e-4,
    columns: bool = True,
) -> pd.DataFrame:
    """Draw all pairs of samples of every taxon, with ``same`` (the truth), ``sites``, ``distance`` and ``noise``.

    A pair of one person has the same strain with probability `kept`, one of two people with `shared`; of the former
    a tenth of `mixed`, of the latter `mixed`, lie in between (up to 0.45 of the divergence). Divergence varies between
    strains with a relative standard deviation of 0.15, reading errors add `error` per position.
    """
    rng = np.random.default_rng(seed)
    names, subject = study.samples["sample"].to_numpy(), study.samples["subject"].to_numpy()
    i, j = np.triu_indices(len(names), 1)
    one = subject[i] == subject[j]
    frames = []
    for taxon in range(taxa):
        same = rng.random(len(i)) < np.where(one, kept, shared)
        between = rng.random(len(i)) < np.where(one, mixed / 10, mixed)
        rho = np.where(same, np.where(between, rng.uniform(0, 0.45, len(i)), 0), rng.normal(1, 0.15, len(i)).clip(0.5))
        n = np.exp(rng.uniform(np.log(sites[0]), np.log(sites[1]), len(i))).astype(int)
        k = rng.poisson(n * (rho * divergence * (1 + 0.3 * taxon / taxa) + error))
        frame = pd.DataFrame(
            {
                "taxon": f"t{taxon}",
                "sample_1": names[i],
                "sample_2": names[j],
                "sites": n,
                "distance": k / n,
                "method": "consensus",
                "same": same.astype(int),
            }
        )
        frames.append(frame.assign(noise=error * n) if columns else frame.drop(columns=["sites"]))
    return pd.concat(frames, ignore_index=True)
