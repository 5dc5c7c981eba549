"""Response rates of a cohort and of its groups, with intervals, and the differences between groups."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from microbiome.clinical.best import Rules
from microbiome.clinical.proportions import compare_proportions
from microbiome.clinical.response_groups import EVERYBODY, Part, grouped, response_problems
from microbiome.clinical.response_known import BENEFIT_DAYS, counts, disagreeing, remarks, response_rates
from microbiome.clinical.response_tables import CLINICAL_RESPONSE, QUANTITIES, TEST_METHODS
from microbiome.errors import Problem, raise_problems
from microbiome.stats.intervals import proportion_interval
from microbiome.stats.multiplicity import benjamini_hochberg
from microbiome.validation import as_table

__all__ = ["COMPARED", "INTERVALS", "clinical_response"]

#: Intervals of a proportion.
INTERVALS = ("clopper_pearson", "wilson")
#: Quantities that are compared between groups.
COMPARED = ("orr", "dcr", "clinical_benefit")
#: Empty numbers of a row that cannot be computed.
_NUMBERS = ("events", "events_reference", "estimate", "ci_low", "ci_high", "statistic", "p_value", "p_floor")


def clinical_response(
    subjects: pd.DataFrame,
    lesions: pd.DataFrame | None = None,
    by: Sequence[str] | None = None,
    interval: str = "clopper_pearson",
    evaluable: bool = False,
    benefit_days: float = BENEFIT_DAYS,
    criteria: str = "recist_1_1",
    rules: Rules | None = None,
    group_order: Sequence[str] = (),
    level: float = 0.95,
    among: Mapping[str, str] | None = None,
    donors: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return response rates with intervals, and their differences between groups.

    Parameters
    ----------
    subjects
        Subjects table. Its ``best_response`` is used where there are no `lesions`; ``pfs_days`` and ``pfs_event`` tell
        how long SD lasted. Where ``best_response`` is empty, ``responder`` is used: for the objective response rate
        only, the others then say that they are not available.
    lesions
        Lesions table: best responses (and how long SD lasted) are computed from it instead
        (:func:`microbiome.clinical.assessments.best_responses`).
    by
        Columns of the subjects table that make groups, each on its own. None takes ``arm`` where it is there; empty
        makes no groups.
    interval
        Of a proportion: ``clopper_pearson`` or ``wilson``.
    evaluable
        Leave subjects with NE out of the denominator. By default they are in it, as subjects without response
        (intention to treat). Of clinical benefit, also those whose SD is not known to have lasted.
    benefit_days
        How long SD must last to be clinical benefit: 183 days (6 months) or more by default, until progression, death
        or the end of follow-up, counted from day 0.
    criteria, rules
        How lesions are judged.
    group_order
        Groups in order, the reference first; by default no, placebo, control, then by the alphabet.
    level
        Confidence level.
    among
        Only subjects with these values, by column.
    donors
        Subjects who gave stool: left out of everything. None where that is not known.

    Returns
    -------
    DataFrame
        See :data:`microbiome.clinical.response_tables.CLINICAL_RESPONSE`. Subjects without any best response are not
        counted (where `donors` is not given, donors are among them); their number is in ``n_missing``, and they are
        named in the log. A column with one
        group only keeps rows of the tests that say so.

    Raises
    ------
    InputError
        A subject twice, an unknown word, lesions of unknown subjects, no such column, nobody with a response.
    """
    rules = rules or Rules()
    problems = response_problems(subjects, with_lesions=lesions is not None)
    if interval not in INTERVALS:
        problems.append(Problem(f"no interval is named {interval!r}", f"use {', '.join(INTERVALS)}", column="interval"))
    if not 0 < level < 1:
        problems.append(Problem(f"level {level:g} is not between 0 and 1", "give 0.95", column="level"))
    if not 0 <= benefit_days < math.inf:
        problems.append(Problem(f"{benefit_days:g} benefit days", "give 0 or more, such as 183", column="benefit_days"))
    raise_problems(problems)
    subjects = subjects[~subjects["subject"].isin(set(donors or ())).to_numpy()]
    known = response_rates(subjects, lesions, criteria, rules, benefit_days)
    parts = grouped(subjects, known.index, by, group_order, among)
    source = "best_response"
    if lesions is not None:
        source = criteria + ("_confirmed" if rules.confirmed else "")
    elif not known["response"].isin(("CR", "PR", "SD", "PD", "NE")).any():
        source = "responder"
    common = {"level": level, "criteria": source, "denominator": "evaluable" if evaluable else "all"}
    differ = set(disagreeing(subjects)) if lesions is None else set()
    told = donors is not None
    rows: list[dict[str, object]] = []
    for part in parts:
        cells = {group: known.loc[members] for group, members in part.groups.items()}
        for group, own in cells.items():
            conflicts = len(differ & set(own.index))
            for quantity in QUANTITIES:
                row: dict[str, object] = {"by": part.by, "group": group, "quantity": quantity}
                row |= {"measure": "proportion", "method": interval}
                row |= {**common, **_proportion(own, quantity, interval, evaluable, level, benefit_days)}
                said = f"responder is not what best_response says of {conflicts}: best_response counts"
                rows.append(_with_missing(row, part, [group], told, said if conflicts and quantity == "orr" else ""))
        pairs: list[dict[str, object]] = []
        for reference, group in itertools.combinations(cells, 2) if part.by is not None else []:
            pair: dict[str, object] = {"by": part.by, "group": group, "reference": reference, **common}
            for quantity in COMPARED:
                found = _compared(cells[group], cells[reference], quantity, evaluable, level, benefit_days)
                pairs += [
                    _with_missing({**pair, "quantity": quantity, **row}, part, [group, reference], told)
                    for row in found
                ]
        rows += _corrected(pairs)
        if part.by is not None and len(cells) < 2:
            rows += [{**common, **row} for row in _untestable(part, cells, evaluable, told)]
    return as_table(rows, CLINICAL_RESPONSE)


def _with_missing(
    row: dict[str, object], part: Part, groups: Sequence[str], told: bool, more: str = ""
) -> dict[str, object]:
    """Return the row with the number of subjects who are not counted for want of a response or of a group."""
    missing = sum(part.missing.get(group, 0) for group in groups)
    said = [str(row["note"]) if row.get("note") else "", more]
    donors = "" if told else " (donors may be among them)"
    said.append(f"{missing} without best response not counted{donors}" if missing else "")
    said += [f"no response known of any of {number} of {group}" for group, number in part.empty.items()]
    said.append(f"{part.ungrouped} without {part.by} in no group" if part.ungrouped else "")
    return {**row, "n_missing": missing, "note": "; ".join(text for text in said if text) or None}


def _untestable(part: Part, cells: Mapping[str, pd.DataFrame], evaluable: bool, told: bool) -> list[dict[str, object]]:
    """Return the rows of the tests of a column that has fewer than two groups."""
    rows: list[dict[str, object]] = []
    group, own = next(iter(cells.items()), (EVERYBODY, None))
    why = f"one group ({group})" if own is not None else f"no subject has a value of {part.by}"
    for quantity, method in itertools.product(COMPARED, TEST_METHODS):
        row: dict[str, object] = {"by": part.by, "group": group, "quantity": quantity}
        row |= {"measure": "test", "method": method}
        row["note"] = f"not testable: {why}"
        if own is not None:
            row["events"], row["n"] = counts(own, quantity, evaluable)
        rows.append(_with_missing(row, part, [group], told))
    return rows


def _corrected(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows of all pairs of groups with q-values over the pairs, where there are several."""
    families: dict[tuple[object, object], list[dict[str, object]]] = {}
    for row in rows:
        if row["measure"] == "test":
            families.setdefault((row["quantity"], row["method"]), []).append(row)
    for family in families.values():
        if len(family) > 1:
            values = [math.nan if row["p_value"] is None else float(str(row["p_value"])) for row in family]
            for row, value in zip(family, benjamini_hochberg(values), strict=True):
                row["q_value"] = float(value)
    return rows


def _proportion(
    own: pd.DataFrame, quantity: str, interval: str, evaluable: bool, level: float, benefit_days: float
) -> dict[str, object]:
    events, n = counts(own, quantity, evaluable)
    note, nothing = remarks(own, quantity, evaluable, benefit_days)
    found = proportion_interval(events, n, interval, level)
    numbers = {"estimate": found.estimate, "ci_low": found.low, "ci_high": found.high}
    if not n and not nothing:
        note = "; ".join(text for text in ("no subject counts", note) if text)
    return {
        "n": n,
        "events": None if nothing else events,
        "n_not_evaluable": int(own["response"].eq("NE").sum()),
        **({} if nothing else numbers),
        "benefit_days": benefit_days if quantity == "clinical_benefit" else None,
        "note": note or None,
    }


def _compared(
    own: pd.DataFrame, other: pd.DataFrame, quantity: str, evaluable: bool, level: float, benefit_days: float
) -> list[dict[str, object]]:
    events, n = counts(own, quantity, evaluable)
    events_reference, n_reference = counts(other, quantity, evaluable)
    said = [remarks(part, quantity, evaluable, benefit_days) for part in (own, other)]
    nothing = any(stop for _, stop in said)
    words = list(dict.fromkeys(text for text, _ in said if text))
    rows = []
    for found in compare_proportions(events, n, events_reference, n_reference, level):
        estimate, low, high = found.estimate, found.low, found.high
        notes = [found.note] if found.note else []
        if math.isinf(estimate):
            notes.append("the odds ratio is infinite")
        elif math.isinf(high):
            notes.append("the upper bound is infinite")
        row: dict[str, object] = {
            "measure": found.measure,
            "method": found.method,
            "n": n,
            "events": events,
            "n_reference": n_reference,
            "events_reference": events_reference,
            "n_not_evaluable": int(own["response"].eq("NE").sum() + other["response"].eq("NE").sum()),
            "benefit_days": benefit_days if quantity == "clinical_benefit" else None,
            "estimate": None if math.isinf(estimate) else estimate,
            "ci_low": low,
            "ci_high": None if math.isinf(high) else high,
            "statistic": found.statistic,
            "df": 1 if found.method.startswith("chi2") else None,
            "p_value": found.p_value,
            "p_floor": found.p_floor,
            "note": "; ".join([*notes, *words]) or None,
        }
        if nothing:
            for name in _NUMBERS:
                row[name] = None
            row["note"] = ("not testable: " if found.measure == "test" else "") + "; ".join(words)
        rows.append(row)
    return rows
