"""Retention: how much of the baseline is still there, visit by visit, of all taxa and of each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.errors import Problem, raise_problems
from microbiome.stats import mean_interval
from microbiome.taxa.calls import checked_outcomes, detected, post_table
from microbiome.taxa.columns import clopper_pearson
from microbiome.taxa.frames import as_declared
from microbiome.taxa.groups import donor_matrix, groups_of, members_of
from microbiome.taxa.tables import RETENTION
from microbiome.visits import visits

__all__ = ["retention"]


def retention(
    outcomes: pd.DataFrame,
    subjects: pd.DataFrame | None = None,
    by: str | None = None,
    doses: pd.DataFrame | None = None,
) -> pd.DataFrame:
    r"""Return the share of the baseline that is still present, by visit.

    Visits are those of :func:`microbiome.visits.visits` over all post samples of subjects with a baseline; each subject
    counts once at each. With :math:`B_s` the baseline taxa of subject s and :math:`K_{sv}` those of them present at
    visit v:

    * all taxa: the mean over subjects of :math:`|K_{sv}| / |B_s|`, with a t interval on the logit of the mean;
    * one taxon: the share of the subjects who had it at baseline, and have a sample at v, that still have it, with the
      exact interval of a proportion (Clopper-Pearson).

    Of several samples of a subject at a visit (of one day) any can show that the taxon is still there.

    Parameters
    ----------
    outcomes
        :data:`microbiome.tables.OUTCOMES`, of any feature table.
    subjects, by
        Subjects table and its column that makes groups; besides each group there is ``all``, everybody.
    doses
        Doses table, to count donors.

    Returns
    -------
    DataFrame
        :data:`microbiome.taxa.tables.RETENTION`: all taxa first, then every taxon that anybody had at baseline.

    Raises
    ------
    InputError
        When columns are missing, `by` is no column or has a group called ``all``, or no sample has a baseline.

    Notes
    -----
    Not a survival curve: a taxon may come back, and who leaves the study is missing from then on (see
    ``n_subjects``). Absence includes dilution below detection, and follows the depth of the sample.
    """
    checked_outcomes(outcomes)
    posts = post_table(outcomes)
    posts = posts[posts["baseline_known"]].reset_index(drop=True)
    if posts.empty:
        raise_problems([Problem("no post sample has a baseline", "give outcomes of subjects with one", "outcomes")])
    posts["visit"] = visits(posts)
    names = sorted(posts["subject"].unique())
    members = members_of(groups_of(subjects, by, names, doses))
    donors = donor_matrix(doses, names)
    rows = outcomes[(detected(outcomes, "baseline") == 1) & outcomes["sample"].isin(posts["sample"])]
    place = pd.Index(posts["sample"]).get_indexer(rows["sample"])
    taxa = np.array(sorted(rows["taxon"].unique()), dtype=object)
    column = pd.Index(taxa).get_indexer(rows["taxon"]) if len(taxa) else np.zeros(0, dtype=np.int64)
    present = detected(rows, "post") == 1
    owner = pd.Index(names).get_indexer(posts["subject"])
    wholes, singles = [], []
    for visit, at in posts.groupby("visit", sort=True):
        here = np.isin(place, at.index)
        had = np.zeros((len(names), len(taxa)), dtype=bool)
        kept = had.copy()
        had[owner[place[here]], column[here]] = True
        kept[owner[place[here & present]], column[here & present]] = True
        samples = np.bincount(owner[at.index], minlength=len(names))
        head = {"visit": visit, "day_low": at["day"].min(), "day_high": at["day"].max()}
        for group, mask in members.items():
            own = at[at["subject"].map(dict(zip(names, mask, strict=True)))]
            common = head | {"group": group, "day_median": own["day"].astype(float).median()}
            # A subject without a sample at the visit has an empty row in `had`, and does not count.
            own_donors = None if donors is None else donors[mask]
            wholes.append(common | _whole(had[mask], kept[mask], samples[mask], own_donors))
            singles.append(_singles(taxa, had[mask], kept[mask], samples[mask], own_donors, common))
    table = as_declared(pd.concat([pd.DataFrame(wholes), *singles], ignore_index=True), RETENTION)
    rank = table["group"].map({group: i for i, group in enumerate(members)})
    order = table.assign(rank=rank).sort_values(["level", "taxon", "rank", "visit"], kind="stable", na_position="first")
    return table.loc[order.index].reset_index(drop=True)


def _whole(had: np.ndarray, kept: np.ndarray, samples: np.ndarray, donors: np.ndarray | None) -> dict[str, object]:
    """Return the row of all taxa at one visit of one group."""
    size = had.sum(axis=1)
    share = kept.sum(axis=1)[size > 0] / size[size > 0]
    interval = mean_interval(share)
    return {
        "level": "all",
        "n_subjects": len(share),
        "n_samples": samples[size > 0].sum(),
        "n_donors": pd.NA if donors is None else donors[size > 0].any(axis=0).sum(),
        "taxa_baseline": size.sum(),
        "taxa_kept": kept.sum(),
        "retention": interval.estimate,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "method": interval.method,
        "note": None if len(share) else "no subject with a baseline taxon has a sample at this visit",
    }


def _singles(
    taxa: np.ndarray,
    had: np.ndarray,
    kept: np.ndarray,
    samples: np.ndarray,
    donors: np.ndarray | None,
    common: dict[str, object],
) -> pd.DataFrame:
    """Return the rows of single taxa at one visit of one group."""
    n, still = had.sum(axis=0), kept.sum(axis=0)
    low, high = clopper_pearson(still, n)
    with np.errstate(invalid="ignore"):
        share = still / n
    frame = pd.DataFrame({"taxon": taxa, "n_subjects": n, "n_samples": samples @ had})
    frame["n_donors"] = pd.NA if donors is None else ((had.T.astype(float) @ donors) > 0).sum(axis=1)
    frame["taxa_baseline"], frame["taxa_kept"] = n, still
    frame["retention"], frame["ci_low"], frame["ci_high"] = share, low, high
    frame["note"] = pd.Series("nobody who had it has a sample at this visit", index=frame.index).where(n == 0, None)
    return frame.assign(level="taxon", method="clopper_pearson", **common)
