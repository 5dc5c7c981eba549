"""Tables of rates for tests of comparisons: counts drawn directly, without taxa."""

from __future__ import annotations

import numpy as np
import pandas as pd


def rates_and_subjects(
    rng: np.random.Generator,
    subjects: int = 10,
    days: tuple[int, ...] = (7, 28, 56, 84),
    responders: int | None = None,
    donors: int = 2,
    subject_sd: float = 0.4,
    donor_sd: float = 0.0,
    day_slope: float = 0.1,
    drop_out: float = 0.0,
    richness_effect: float = 0.0,
    effect: float = 0.0,
    aligned: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return rates, subjects and doses of a trial.

    Parameters
    ----------
    drop_out
        Probability that a non-responder comes to no visit after one to which he came.
    day_slope
        Added to the logit of loss per unit of log day.
    richness_effect, effect
        Added to the log of baseline richness and to the logit of loss of responders.
    aligned
        Responders are those of the first donor for the most part (3 of 5), and nobody else.
    """
    names = [f"R{i + 1:03d}" for i in range(subjects)]
    donor = np.arange(subjects) % donors
    yes = rng.permutation(np.arange(subjects) < (subjects // 2 if responders is None else responders))
    if aligned:
        first = np.flatnonzero(donor == 0)
        yes = np.isin(np.arange(subjects), rng.choice(first, round(0.6 * len(first)), replace=False))
    richness = np.maximum(20, np.exp(rng.normal(np.log(150), 0.25, subjects) + richness_effect * yes)).astype(int)
    level = -1.0 + rng.normal(0, subject_sd, subjects) + rng.normal(0, donor_sd, donors)[donor] + effect * yes
    baseline_limit = np.exp(rng.normal(np.log(2e-5), 0.3, subjects))
    rows = []
    for i in range(subjects):
        for visit, day in enumerate(days):
            if visit and not yes[i] and rng.random() < drop_out:
                break
            p = 1 / (1 + np.exp(-(level[i] + day_slope * np.log(day / 28) + rng.normal(0, 0.2))))
            lost = int(rng.binomial(richness[i], p))
            engrafted = int(rng.binomial(100, 0.2))
            rows.append(
                {
                    "subject": names[i],
                    "sample": f"{names[i]}-T{visit + 1}",
                    "day": day,
                    "baseline_sample": f"{names[i]}-T0",
                    "engrafted": engrafted,
                    "not_engrafted": 100 - engrafted,
                    "depleted": lost,
                    "persisted": richness[i] - lost,
                    "baseline_taxa": richness[i],
                    "lost_taxa": lost,
                    "engraftment_rate": engrafted / 100,
                    "depletion_rate": lost / richness[i],
                    "depletion_rate_donor_absent": lost / richness[i],
                    "donor_products": 1,
                    "baseline_day": 0,
                    "baseline_limit": baseline_limit[i],
                    "post_limit": float(np.exp(rng.normal(np.log(2e-5), 0.3))),
                }
            )
    table = pd.DataFrame(rows)
    persons = pd.DataFrame({"subject": names, "responder": np.where(yes, "yes", "no")})
    doses = pd.DataFrame({"subject": names, "day": 0, "donor": [f"D{k + 1}" for k in donor], "donor_sample": None})
    return table, persons, doses
