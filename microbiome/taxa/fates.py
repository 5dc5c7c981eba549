"""What became of each taxon: lost by whom, engrafted in whom, and whether that goes with a group of subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.stats import benjamini_hochberg, tests_needed
from microbiome.taxa.calls import Calls, Tally, calls, rolled_up
from microbiome.taxa.columns import column_means, mover
from microbiome.taxa.exchange import check_permutations, column_tests
from microbiome.taxa.frames import as_declared
from microbiome.taxa.groups import cautions, donor_matrix, groups_of, pairs_of_groups
from microbiome.taxa.lineage import clades_of, with_lineage
from microbiome.taxa.tables import QUANTITIES, TAXA

__all__ = ["ORDERS", "remarks", "taxa", "top"]

_AT_RISK = {
    "loss": "had it at baseline",
    "engraftment": "lacked it and received it",
    "gain": "lacked it and did not receive it",
    "arrival": "lacked it at baseline",
}
#: By what :func:`top` sorts, and whether the largest comes first.
ORDERS = {"n_event": False, "rate": False, "effect": False, "p_value": True, "q_value": True}


def taxa(
    outcomes: pd.DataFrame,
    subjects: pd.DataFrame | None = None,
    by: str | None = None,
    lineage: pd.DataFrame | None = None,
    rank: str | None = None,
    doses: pd.DataFrame | None = None,
    window: Sequence[int] | None = None,
    permutations: int = 9999,
    seed: int = 0,
) -> tuple[pd.DataFrame, list[str]]:
    r"""Return for every taxon how often it was lost, engrafted, was gained or arrived, and compare groups of subjects.

    Each subject counts once: its share of the common visits (:func:`microbiome.taxa.calls.calls`) at which the taxon
    was gone (loss), there (the others). ``rate`` is the mean over the subjects at risk, those of whom it could be said
    at all, with a t interval on the logit of the mean.

    Groups are compared among the subjects at risk: the difference of means with an interval
    (:func:`microbiome.taxa.columns.mover`) and a permutation test of the labels
    (:func:`microbiome.taxa.exchange.column_tests`), with one visit a test of Fisher's kind. ``q_value`` is
    Benjamini-Hochberg over the testable taxa of a quantity and pair of groups: those for which some arrangement of the
    labels has p < 1. That depends on who is at risk and on the shares in both groups together, not on the result.

    Parameters
    ----------
    outcomes
        Any table of outcomes: taxa, ECs, pathways (:func:`microbiome.outcomes.outcomes`).
    subjects, by
        Subjects table and its column that makes the groups, or ``donor``; without `by` there is no comparison.
    lineage
        :func:`microbiome.taxa.lineage.read_lineage`; gives the columns species, genus, family.
    rank
        Sum taxa to clades of this rank (needs `lineage`): a subject's share is then that of the clade's taxa at risk
        to which it happened, with the taxa in ``taxa_event`` and ``taxa_at_risk``.
    doses
        Doses table, to count donors.
    window
        First and last day that count, instead of the common visits.
    permutations, seed
        Of the tests.

    Returns
    -------
    table
        :data:`microbiome.taxa.tables.TAXA`: a row per taxon, quantity and pair of groups, by quantity, pair and name.
    comments
        Which samples count, what besides the group may make a difference (few donors, donors that go with the group,
        depth), and how many taxa would have to be at the floor (:func:`remarks`).

    Raises
    ------
    InputError
        When columns are missing, `by` is no column, the window is none, or `rank` lacks a lineage.

    Notes
    -----
    Engraftment where one group received nothing (placebo) is not testable: a taxon that it was not given cannot
    engraft. ``arrival`` compares such groups without a donor set. Loss includes dilution below detection.
    """
    check_permutations(permutations)
    found = calls(outcomes, window)
    if rank is not None:
        found = rolled_up(found, clades_of(found.taxa, lineage, rank))
    label = groups_of(subjects, by, found.subjects, doses)
    pairs = pairs_of_groups(label)
    donors = donor_matrix(doses, found.subjects)
    blocks = []
    for quantity in QUANTITIES:
        block = _overall(found, quantity, donors)
        if pairs:
            blocks += [_compared(block, found, quantity, label, pair, by, permutations, seed) for pair in pairs]
        else:
            note = pd.Series(_nobody(block, quantity), index=block.index, dtype=object)
            if by is not None:
                there = label.dropna().unique()
                only = f"all subjects are {there[0]}" if len(there) else "no subject has a value"
                note[:] = f"not testable: {only} ({by})"
            blocks.append(block.assign(by=by, note=note))
    table = with_lineage(pd.concat(blocks, ignore_index=True), None if rank is not None else lineage)
    counted = outcomes.drop_duplicates("sample")
    counted = counted[counted["sample"].isin(found.analysis.samples["sample"])]
    table = as_declared(table, TAXA)
    days = f"samples: {found.analysis.note}"
    return table, [days, *cautions(label, by, doses, counted), *remarks(table)]


def _overall(found: Calls, quantity: str, donors: np.ndarray | None) -> pd.DataFrame:
    tally = found.tallies[quantity]
    share = tally.share
    there = tally.risk > 0
    mean = column_means(share, "logit_t")
    block = pd.DataFrame({"taxon": found.taxa, "quantity": quantity, "n_taxa": found.members})
    block["n_subjects"], block["n_samples"] = int(tally.subjects.sum()), int(tally.samples.sum())
    block["n_donors"] = pd.NA if donors is None else ((there.T.astype(float) @ donors) > 0).sum(axis=1)
    block["n_at_risk"], block["n_event"] = mean["n"], np.nansum(share, axis=0)
    block["n_always"] = (there & (tally.event >= tally.risk)).sum(axis=0)
    block["n_ever"] = (tally.event > 0).sum(axis=0)
    block["taxa_at_risk"] = tally.risk.sum(axis=0) / tally.scale
    block["taxa_event"] = tally.event.sum(axis=0) / tally.scale
    block["n_calls"], block["n_below_limit"] = tally.calls, tally.below_limit
    block["rate"], block["ci_low"], block["ci_high"] = mean["mean"], mean["low"], mean["high"]
    return block.assign(method="logit_t")


def _nobody(block: pd.DataFrame, quantity: str) -> np.ndarray:
    return np.array([f"nobody {_AT_RISK[quantity]}" if n == 0 else None for n in block["n_at_risk"]], dtype=object)


def _compared(
    block: pd.DataFrame,
    found: Calls,
    quantity: str,
    label: pd.Series,
    pair: tuple[str, str],
    by: str | None,
    permutations: int,
    seed: int,
) -> pd.DataFrame:
    """Add the comparison of two groups to the rows of a quantity."""
    tally = found.tallies[quantity]
    first, second = pair
    masks = [(label == name).to_numpy(dtype=bool) for name in pair]
    shares = [tally.share[mask] for mask in masks]
    means = [column_means(share, "logit_t") for share in shares]
    block = block.assign(by=by, groups=f"{second} - {first}", group_1=first, group_2=second)
    for place, (share, mean) in enumerate(zip(shares, means, strict=True), start=1):
        block[f"n_at_risk_{place}"], block[f"n_event_{place}"] = mean["n"], np.nansum(share, axis=0)
        block[f"rate_{place}"] = mean["mean"]
        block[f"rate_{place}_ci_low"], block[f"rate_{place}_ci_high"] = mean["low"], mean["high"]
    difference = mover(*means)
    block["effect"] = difference["difference"]
    # Rounding must not lead out of the range of a difference of shares.
    block["effect_ci_low"], block["effect_ci_high"] = (difference[end].clip(-1, 1) for end in ("low", "high"))
    block["effect_method"] = "mover_logit_t"
    test = column_tests(np.concatenate(shares), np.repeat([False, True], [len(s) for s in shares]), permutations, seed)
    block["note"] = _reasons(test, means, tally, masks, pair, quantity)
    testable = block["note"].isna()
    for name in ("p_value", "p_floor", "p_attainable", "permutations", "scheme"):
        block[name] = test[name].where(testable)
    block["q_value"] = benjamini_hochberg(block["p_value"])
    return block


def _reasons(
    test: pd.DataFrame,
    means: list[pd.DataFrame],
    tally: Tally,
    masks: list[np.ndarray],
    pair: tuple[str, str],
    quantity: str,
) -> np.ndarray:
    """Say why a taxon is not testable; None where it is."""
    n1, n2 = (mean["n"].to_numpy() for mean in means)
    note = np.full(len(test), None, dtype=object)
    stuck = test["p_attainable"].to_numpy() >= 1
    for i in np.flatnonzero(stuck):
        note[i] = f"not testable: with {n1[i]} and {n2[i]} subjects at risk no arrangement has p < 1"
    flat = stuck & ((means[0]["mean"] == means[1]["mean"]).to_numpy())
    for i in np.flatnonzero(flat):
        if means[0]["mean"][i] in (0.0, 1.0):
            whom = "nobody" if means[0]["mean"][i] == 0 else "everybody"
            note[i] = f"not testable: {quantity} in {whom} of the {n1[i] + n2[i]} subjects at risk"
    for n, name in ((n2, pair[1]), (n1, pair[0])):
        note[n == 0] = f"not testable: nobody of {name} {_AT_RISK[quantity]}"
    note[(n1 == 0) & (n2 == 0)] = f"not testable: nobody {_AT_RISK[quantity]}"
    for mask, name in zip(masks, pair, strict=True):
        if quantity == "engraftment" and not tally.subjects[mask].any():
            note[:] = f"not testable: {name} received nothing that has a profile, nothing can engraft; see arrival"
    return note


def remarks(table: pd.DataFrame, q: float = 0.05) -> list[str]:
    """Say for each quantity and pair of groups what the false discovery rate asks for at this number of subjects.

    Parameters
    ----------
    table
        Of :func:`taxa`, also read back from a file.
    q
        The false discovery rate.

    Returns
    -------
    list of str
        Such as "loss, yes - no: at this n, q < 0.05 needs at least 96 taxa at the floor (p = 0.00476) of 1000
        testable; not reached even with every taxon at its smallest attainable p".
    """
    found = []
    tested = table[table["p_value"].notna()]
    for (quantity, groups), some in tested.groupby(["quantity", "groups"], sort=False):
        floor = float(some["p_attainable"].min())
        needed = tests_needed(floor, len(some), q)
        if needed > len(some):
            found.append(
                f"{quantity}, {groups}: at this n, q < {q:g} cannot be reached: {len(some)} testable "
                f"{'taxon' if len(some) == 1 else 'taxa'}, smallest possible p {floor:.3g}"
            )
            continue
        text = (
            f"{quantity}, {groups}: at this n, q < {q:g} needs at least {needed} "
            f"{'taxon' if needed == 1 else 'taxa'} at the floor (p = {floor:.3g}) of {len(some)} testable"
        )
        if not (benjamini_hochberg(some["p_attainable"]) < q).any():
            text += "; not reached even with every taxon at its smallest attainable p"
        found.append(text)
    return found


def top(table: pd.DataFrame, quantity: str, n: int = 10, order: str = "n_event") -> pd.DataFrame:
    """Return the taxa with most of a quantity: a sorted view of the table, not a selection by significance.

    Parameters
    ----------
    table
        Of :func:`taxa`.
    quantity
        ``loss`` for the top lost, ``engraftment`` for the top engrafted, ``gain`` or ``arrival``.
    n
        At most so many rows.
    order
        One of :data:`ORDERS`: ``n_event`` (then rate), ``rate``, ``effect`` (by size), ``p_value`` or ``q_value``
        (smallest first).

    Returns
    -------
    DataFrame
        Rows of `table` in which it happened at all; ties by the other of n_event and rate, then by name.
    """
    if order not in ORDERS or quantity not in QUANTITIES:
        raise InputError(
            Problem(
                f"no such order or quantity: {order!r}, {quantity!r}",
                f"order is one of {', '.join(ORDERS)}; quantity of {', '.join(QUANTITIES)}",
            )
        )
    some = table[(table["quantity"] == quantity) & (table["n_event"] > 0) & table[order].notna()]
    keys = dict.fromkeys([order, "n_event", "rate"])
    sizes = pd.DataFrame({key: (1 if ORDERS[key] else -1) * some[key].abs() for key in keys})
    sizes["taxon"] = some["taxon"]
    return some.loc[sizes.sort_values(list(sizes), kind="stable").index[:n]]
