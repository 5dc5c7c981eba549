"""Abundance-weighted decomposition: whose abundance a post sample is, and what became of the baseline's and donor's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.taxa.calls import checked_outcomes, detected, post_table
from microbiome.taxa.frames import as_declared
from microbiome.taxa.tables import DECOMPOSITION
from microbiome.visits import visits

__all__ = ["decomposition"]

# Bits of donor, baseline and post.
_DONOR, _BASELINE, _POST = 4, 2, 1
# Column: abundance that is divided, and the cells (4 D + 2 B + R) that belong to the share.
_SHARES: dict[str, tuple[str, tuple[int, ...]]] = {
    "post_engrafted": ("post", (5,)),
    "post_persisted": ("post", (3,)),
    "post_shared": ("post", (7,)),
    "post_gained": ("post", (1,)),
    "baseline_depleted": ("baseline", (2,)),
    "baseline_shared_depleted": ("baseline", (6,)),
    "donor_engrafted": ("donor", (5,)),
}


def decomposition(outcomes: pd.DataFrame) -> pd.DataFrame:
    r"""Divide the abundance of each post sample, of its baseline and of its donor set among the outcomes.

    With a for the abundance in the post sample, the baseline or the donor set, over the taxa detected there:

    .. math:: post\_engrafted = \frac{\sum_{engrafted} a}{\sum_{R} a}, \qquad
              baseline\_lost = \frac{\sum_{B, not R} a}{\sum_{B} a}, \qquad
              donor\_taken\_up = \frac{\sum_{D, R} a}{\sum_{D} a}

    Engrafted, persisted, shared and gained sum to 1; so do lost and kept, and taken up and not. Abundances need not be
    closed to 1 (ECs, pathways): the shares are of the totals given beside them.

    Parameters
    ----------
    outcomes
        :data:`microbiome.tables.OUTCOMES`, of any feature table.

    Returns
    -------
    DataFrame
        :data:`microbiome.taxa.tables.DECOMPOSITION`, one row per post sample, by subject and day. What needs a donor
        or baseline without a profile is missing, and ``note`` says so; ``post_resident`` and the shares of the
        baseline lost and kept need no donor. A recipient of nothing has nothing engrafted or shared; a share of a
        total of 0 is missing.

    Raises
    ------
    InputError
        When columns or an abundance of a detected taxon are missing, or a sample has a taxon twice.
    """
    checked_outcomes(outcomes)
    posts = post_table(outcomes)
    visit = visits(posts)
    place = pd.Index(posts["sample"]).get_indexer(outcomes["sample"])
    cell = sum(
        bit * (detected(outcomes, name) == 1).astype(np.int64)
        for name, bit in (("donor", _DONOR), ("baseline", _BASELINE), ("post", _POST))
    )
    cell = np.asarray(cell)

    def total(source: str, cells: np.ndarray) -> np.ndarray:
        amount = outcomes[f"{source}_abundance"].to_numpy(dtype=float)[cells]
        return np.bincount(place[cells], weights=amount, minlength=len(posts))

    out = posts[["subject", "sample", "day"]].assign(visit=visit)
    first = outcomes.drop_duplicates("sample").set_index("sample")
    out["baseline_sample"] = posts["sample"].map(first["baseline_sample"]).astype(object)
    if "donor_products" in outcomes:
        out["donor_products"] = posts["sample"].map(first["donor_products"])
    baseline, donor = posts["baseline_known"].to_numpy(dtype=bool), posts["donor_known"].to_numpy(dtype=bool)
    known = {"post": np.ones(len(posts), dtype=bool), "baseline": baseline, "donor": donor}
    bits = {"post": _POST, "baseline": _BASELINE, "donor": _DONOR}
    totals = {source: total(source, (cell & bit) > 0) for source, bit in bits.items()}
    for source, amount in totals.items():
        out[f"{source}_total"] = np.where(known[source], amount, np.nan)

    def share(source: str, cells: np.ndarray, usable: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            # Rounding of sums must not lead to shares above 1.
            part = np.minimum(total(source, cells) / totals[source], 1)
        return np.where(usable & known[source] & (totals[source] > 0), part, np.nan)

    both = baseline & donor
    for name, (source, cells) in _SHARES.items():
        out[name] = share(source, np.isin(cell, cells), both)
    resident = (cell & (_BASELINE | _POST)) == _BASELINE | _POST
    out["post_resident"] = share("post", resident, baseline)
    out["baseline_kept"] = share("baseline", resident, baseline)
    out["baseline_lost"] = share("baseline", (cell & (_BASELINE | _POST)) == _BASELINE, baseline)
    taken = (cell & (_DONOR | _POST)) == _DONOR | _POST
    out["donor_taken_up"] = share("donor", taken, donor)
    out["donor_not_taken_up"] = share("donor", (cell & (_DONOR | _POST)) == _DONOR, donor)
    notes = [
        "; ".join(
            text
            for text, holds in (
                ("no profiled baseline", not b),
                ("no donor product has a profile", not d),
                ("nothing received: no donor shares", d and not t > 0),
            )
            if holds
        )
        or None
        for b, d, t in zip(baseline, donor, totals["donor"], strict=True)
    ]
    out["note"] = pd.Series(notes, index=out.index, dtype=object)
    return as_declared(out, DECOMPOSITION)
