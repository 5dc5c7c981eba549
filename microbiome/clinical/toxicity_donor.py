"""The test of toxicity that keeps the recipients of a donor together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microbiome.clinical.toxicity_grades import Recipients, ToxicitySettings
from microbiome.clinical.toxicity_rows import Row, joined, outcome_reason, tested, untestable
from microbiome.clinical.toxicity_tests import donor_permutation
from microbiome.stats import group_permutation, restrict

__all__ = ["donor_row"]

_ROUNDING = 1e-10


def donor_row(
    factor: str,
    part: Recipients,
    groups: np.ndarray,
    outcome: np.ndarray,
    settings: ToxicitySettings,
    of_donor: Mapping[str, str] | None = None,
) -> Row:
    """Return the test of an outcome against groups in which recipients of a donor are not taken as independent.

    Groups that are a property of the donors (`of_donor`, or equal for all recipients of each donor): it is permuted
    between donors. Groups of recipients that differ within donors: they are permuted between the recipients of a donor
    (of the same donors, where there are several). Recipients without doses have no donor and are left out.
    """
    row: Row = {"factor": factor, "unit": "donor", "method": "donor_permutation", "n": len(part.names)}
    row |= {"n_donors": part.n_donors, "events": int(part.severe.sum())}
    if part.donors is None:
        return row | {"n_donors": None} | untestable("no doses table: nobody's donor is known")
    untreated = [name for name, own in zip(part.names, part.donors, strict=True) if not own]
    row |= _tested(row, factor, part, groups, outcome, settings, of_donor)
    left = f"without a donor and left out: {', '.join(untreated)}" if untreated else None
    return row | {"note": joined(row.get("note"), left)}


def _tested(
    row: Row,
    factor: str,
    part: Recipients,
    groups: np.ndarray,
    outcome: np.ndarray,
    settings: ToxicitySettings,
    of_donor: Mapping[str, str] | None,
) -> Row:
    """Return the row with the test among recipients with donors, or with the reason why there is none."""
    part, groups, outcome = _with_donors(part, groups, outcome)
    row = row | {"n": len(part.names), "n_donors": part.n_donors, "events": int(part.severe.sum())}
    sets = ["+".join(own) for own in part.donors or []]
    names = sorted(set(sets))
    if factor == "donor":
        return row | untestable("the groups are the donors: only recipients could change places")
    if not len(sets):
        return row | untestable("no recipient has a donor")
    if np.ptp(outcome) == 0:
        return row | untestable(outcome_reason(part.severe) if set(outcome) <= {0, 1} else "all grades are alike")
    if len(set(groups)) < 2:
        only = f"all donors are of one group ({groups[0]})"
        return row | untestable(only if of_donor else f"only group {groups[0]} has recipients with donors")
    numbers = np.unique(groups.astype(str), return_inverse=True)[1]
    note = None
    if of_donor is None:
        within = any(len({g for g, own in zip(groups, sets, strict=True) if own == name}) > 1 for name in names)
        if within:
            return row | {"method": "permutation_within_donors", **_within(outcome, numbers, np.array(sets), settings)}
        # Each set of donors has one group: sets change groups as wholes.
        received = np.array([[own == name for name in names] for own in sets], dtype=bool)
        codes = np.array([numbers[sets.index(name)] for name in names])
        if sum(len(name.split("+")) for name in names) > (part.n_donors or 0):
            note = "some donors belong to several sets of donors, which are taken as independent"
    else:
        donors, received = part.received()
        codes = np.unique([of_donor[donor] for donor in donors], return_inverse=True)[1]
    if len(codes) < 2:
        return row | untestable("one donor")
    if len(set(codes.tolist())) < 2:
        return row | untestable("all donors are of one group")
    binary = len(set(codes.tolist())) == 2
    test = donor_permutation(
        outcome,
        received,
        np.unique(codes, return_inverse=True)[1],
        "correlation" if binary else "groups",
        settings.several,
        settings.permutations,
        settings.seed,
    )
    return row | tested(test) | {"note": note}


def _within(outcome: np.ndarray, labels: np.ndarray, sets: np.ndarray, settings: ToxicitySettings) -> Row:
    """Return the test that permutes the groups between the recipients of each donor.

    Where all arrangements are looked at, ``p_floor`` is the share of those that reach the largest statistic: grades
    have many ties, and one arrangement in all is then more than what these outcomes could have given.
    """
    numbers = np.unique(sets, return_inverse=True)[1]
    tells = np.array([len(set(labels[numbers == own])) > 1 for own in numbers], dtype=bool)
    y, given, block = (part[tells] for part in (outcome, labels, numbers))
    note = "groups permuted between the recipients of each donor"
    if not tells.all():
        note += f"; {int((~tells).sum())} whose donor has recipients of one group only tell nothing"
    apart = y - np.array([y[block == own].mean() for own in block])
    if np.ptp(apart) < _ROUNDING:
        return untestable("the recipients of each donor all fared alike") | {"method": "permutation_within_donors"}
    found = tested(group_permutation(outcome, labels, sets, settings.permutations, settings.seed))
    design = restrict(np.unique(given, return_inverse=True)[1], np.unique(block, return_inverse=True)[1])
    if design.exact(settings.permutations):
        spread = np.concatenate([_between(apart, rows) for rows in design.pieces(settings.permutations, settings.seed)])
        found["p_floor"] = float((spread >= spread.max() - _ROUNDING * (1 + spread.max())).mean())
    return found | {"note": note}


def _between(apart: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the sum of squares between groups for each arrangement (row) of labels."""
    total = np.zeros(len(rows))
    for group in range(int(rows.max()) + 1):
        own = rows == group
        total += (own @ apart) ** 2 / np.maximum(own.sum(axis=1), 1)
    return total


def _with_donors(
    part: Recipients, groups: np.ndarray, outcome: np.ndarray
) -> tuple[Recipients, np.ndarray, np.ndarray]:
    treated = np.array([bool(own) for own in part.donors or []], dtype=bool)
    return part.part(treated), groups[treated], outcome[treated]
