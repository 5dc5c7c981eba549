"""Counts and rates of each post sample, as called and if every unsure call fell either way."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from microbiome.cells import CELLS, SOURCES
from microbiome.errors import Problem, raise_problems
from microbiome.tables import OUTCOME_NAMES, OUTCOMES, RATE_NAMES, RATES
from microbiome.tsv import missing_columns

__all__ = ["RATE_COUNTS", "rates", "rates_of_tallies"]

#: Outcomes in the numerator and in the denominator of each rate.
RATE_COUNTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "engraftment_rate": (("engrafted",), ("engrafted", "not_engrafted")),
    "depletion_rate": (
        ("depleted", "shared_depleted"),
        ("depleted", "shared_depleted", "persisted", "shared_kept"),
    ),
    "depletion_rate_donor_absent": (("depleted",), ("depleted", "persisted")),
    "donor_recovery": (
        ("engrafted", "shared_kept"),
        ("engrafted", "shared_kept", "not_engrafted", "shared_depleted"),
    ),
    "baseline_recovery": (
        ("persisted", "shared_kept"),
        ("depleted", "shared_depleted", "persisted", "shared_kept"),
    ),
}


def rates(table: pd.DataFrame) -> pd.DataFrame:
    r"""Count the outcomes of each post sample and return the rates with their counts and bounds.

    * engraftment_rate = engrafted / (engrafted + not_engrafted)
    * depletion_rate = (depleted + shared_depleted) / :math:`|B|`
    * depletion_rate_donor_absent = depleted / (depleted + persisted)
    * donor_recovery = :math:`|D \cap R| / |D|`, the PEDS of q2-fmt
    * baseline_recovery = :math:`|B \cap R| / |B|`, its PPRS (= 1 - depletion_rate)

    ``RATE_low`` and ``RATE_high`` are the smallest and the largest value that the rate can take when every absence
    that ``unsure`` names is called absent or present, whichever way moves the rate furthest. They hold what the depth
    leaves open, not sampling error; the rate lies between them.

    Parameters
    ----------
    table
        As :func:`microbiome.outcomes.outcomes` returns it; the columns ``*_detected``, ``donor_products*``,
        ``certainty``, ``unsure`` and the limits may be absent (the first follow from ``outcome``; without certainty
        there are no bounds; without ``unsure`` every absence of a call below the limit is taken as unsure).

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.tables.RATES`, one row per post sample, in order of appearance. A rate with
        denominator 0 is missing; so is what needs a donor or a baseline without a profile.

    Raises
    ------
    InputError
        When a required column is missing, a sample is unnamed or has a taxon twice, an outcome or certainty is
        unknown, or contradicts the ``*_detected`` columns.
    """
    raise_problems(missing_columns(table, OUTCOMES, "outcomes"))
    raise_problems(_unknown_words(table))
    raise_problems(_contradictions(table))
    sample, keys = pd.factorize(table["sample"])
    first = np.unique(sample, return_index=True)[1]
    code = pd.Categorical(table["outcome"], categories=list(OUTCOME_NAMES)).codes
    donor, baseline, post = (_flags(table, name, code) for name in SOURCES)

    cell = 4 * (donor == 1) + 2 * (baseline == 1) + (post == 1)
    mask = _masks(table, cell) if "certainty" in table else np.zeros(len(cell), dtype=np.int64)
    tally = np.bincount((sample * 8 + cell) * 8 + mask, minlength=64 * len(keys)).reshape(len(keys), 8, 8)
    # A source without a profile is missing in every row of its sample.
    there = [np.bincount(sample[flags < 0], minlength=len(keys)) == 0 for flags in (donor, baseline, post)]
    out: dict[str, object] = {
        name: table[name].to_numpy()[first] for name in ("subject", "sample", "day", "baseline_sample")
    }
    out |= rates_of_tallies(tally, there[0], there[1], there[2], "certainty" in table)
    for name in ("donor_products", "donor_products_unprofiled"):
        if name in table:
            out[name] = pd.array(table[name].to_numpy()[first], dtype="Int64")
    if "certainty" in table:
        below = np.bincount(sample[table["certainty"].to_numpy() == "below_limit"], minlength=len(keys))
        out["below_limit"] = _integers(below, there[0] & there[1])
    for name in ("baseline_day", "baseline_limit", "post_limit"):
        if name in table:
            out[name] = table[name].to_numpy()[first]
    integers = {name: "Int64" for name in ("day", "baseline_day") if name in out}
    return pd.DataFrame(out)[[name for name in RATES.names if name in out]].astype(integers)


def rates_of_tallies(
    tally: np.ndarray, donor_known: np.ndarray, baseline_known: np.ndarray, post_known: np.ndarray, bounds: bool
) -> dict[str, object]:
    """Return counts and rates from how many taxa of each post sample are in each cell.

    Parameters
    ----------
    tally
        **post sample x cell x mask**: taxa by 4 donor + 2 baseline + post detected, and by the same of the absences
        that are unsure.
    donor_known, baseline_known, post_known
        Whether the source has a profile, per post sample.
    bounds
        Also ``RATE_low`` and ``RATE_high``.

    Returns
    -------
    dict
        Columns of :data:`microbiome.tables.RATES` by name.
    """
    known = donor_known & baseline_known
    cells = tally.sum(axis=2).astype(float)
    counts = {name: cells[:, CELLS.index(name)] for name in OUTCOME_NAMES}
    donor_taxa, baseline_taxa, post_taxa = (cells[:, [c for c in range(8) if c & bit]].sum(axis=1) for bit in (4, 2, 1))
    donor_present, baseline_present = cells[:, 5] + cells[:, 7], cells[:, 3] + cells[:, 7]
    lost = baseline_taxa - baseline_present
    out: dict[str, object] = {name: _integers(number, known) for name, number in counts.items()}
    out["donor_taxa"] = _integers(donor_taxa, donor_known)
    out["baseline_taxa"] = _integers(baseline_taxa, baseline_known)
    out["post_taxa"] = _integers(post_taxa, post_known)
    out["donor_taxa_present"] = _integers(donor_present, donor_known)
    out["baseline_taxa_present"] = _integers(baseline_present, baseline_known)
    out["lost_taxa"] = _integers(lost, baseline_known)
    engrafted, depleted = counts["engrafted"], counts["depleted"]
    out["engraftment_rate"] = _ratio(engrafted, engrafted + counts["not_engrafted"], known)
    out["depletion_rate"] = _ratio(lost, baseline_taxa, baseline_known)
    out["depletion_rate_donor_absent"] = _ratio(depleted, depleted + counts["persisted"], known)
    out["donor_recovery"] = _ratio(donor_present, donor_taxa, donor_known)
    out["baseline_recovery"] = _ratio(baseline_present, baseline_taxa, baseline_known)
    # Where a source is unknown the calls are, too: bounds then are those of the rate itself.
    for name in RATE_NAMES if bounds else ():
        rate = np.asarray(out[name], dtype=float)
        low, high = (_bound(tally, name, side) for side in (0, 1))
        defined = ~np.isnan(rate)
        out[f"{name}_low"] = np.where(defined, np.fmin(low, rate), np.nan)
        out[f"{name}_high"] = np.where(defined, np.fmax(high, rate), np.nan)
    return out


def _bounds_of_cells() -> dict[str, np.ndarray]:
    """Return what a cell adds to (numerator, denominator) in the worst case, by rate: side x cell x mask x 2.

    A call of (1, 1) never lowers a fraction in 0..1 and one of (0, 1) never raises it, so that each cell can be
    settled by itself.
    """
    found = {}
    for rate, (over, under) in RATE_COUNTS.items():
        table = np.zeros((2, 8, 8, 2), dtype=np.int8)
        for cell, mask in itertools.product(range(8), range(8)):
            cells = {cell | extra for extra in range(8) if extra & mask == extra}
            options = {(int(CELLS[c] in over), int(CELLS[c] in under)) for c in cells}
            for side, preference in enumerate([((0, 1), (0, 0), (1, 1)), ((1, 1), (0, 0), (0, 1))]):
                table[side, cell, mask] = next(option for option in preference if option in options)
        found[rate] = table
    return found


_BOUNDS = _bounds_of_cells()


def _bound(tally: np.ndarray, rate: str, side: int) -> np.ndarray:
    over, under = (np.einsum("scm,cm->s", tally, _BOUNDS[rate][side][..., i].astype(tally.dtype)) for i in (0, 1))
    return _ratio(over.astype(float), under.astype(float), np.ones(len(tally), dtype=bool))


def _masks(table: pd.DataFrame, cell: np.ndarray) -> np.ndarray:
    """Return 4 donor + 2 baseline + post of the absences that are unsure."""
    below = table["certainty"].to_numpy() == "below_limit"
    if "unsure" not in table:
        return np.where(below, 7 - cell, 0)
    names = table["unsure"].astype("category")
    bits = dict(zip(SOURCES, (4, 2, 1), strict=True))
    masks = [sum(bits[word] for word in set(str(name).split(","))) for name in names.cat.categories]
    return np.where(below, np.array([*masks, 0])[names.cat.codes.to_numpy()], 0)


def _unknown_words(table: pd.DataFrame) -> list[Problem]:
    problems = []
    for column, allowed in (("outcome", OUTCOME_NAMES), ("certainty", ("sure", "below_limit"))):
        unknown = sorted(set(table[column].dropna()) - set(allowed)) if column in table else []
        if unknown:
            words = f"{column} {', '.join(map(repr, unknown))} unknown"
            problems.append(Problem(words, f"use {', '.join(allowed)}", "outcomes", column=column))
    if "unsure" in table:
        found = {word for text in table["unsure"].dropna().unique() for word in str(text).split(",")}
        if found - set(SOURCES):
            words = f"unsure {', '.join(map(repr, sorted(found - set(SOURCES))))} unknown"
            problems.append(Problem(words, f"use {', '.join(SOURCES)}", "outcomes", column="unsure"))
    return problems


def _contradictions(table: pd.DataFrame) -> list[Problem]:
    """Return what cannot be in a table of outcomes: it would change counts without a word."""
    problems: list[Problem] = []
    unnamed = int(table[["sample", "taxon"]].isna().any(axis=1).sum())
    if unnamed:
        problems.append(Problem(f"{unnamed} rows have no sample or no taxon", "make the table again", "outcomes"))
    twice = table[table.duplicated(["sample", "taxon"])]
    if len(twice):
        sample, taxon = twice[["sample", "taxon"]].iloc[0]
        message = f"{len(twice)} rows stand twice, the first is sample {sample!r}, taxon {taxon!r}"
        problems.append(Problem(message, "make the table again", "outcomes", value=str(sample)))
    flags = [f"{name}_detected" for name in SOURCES]
    if not set(flags) <= set(table.columns):
        return problems
    numbers = table[flags].apply(pd.to_numeric).astype("float64").to_numpy()
    known = ~np.isnan(numbers).any(axis=1)
    legal = np.isin(numbers[known], (0, 1)).all(axis=1)
    expected = np.full(len(table), None, dtype=object)
    places = np.flatnonzero(known)[legal]
    cells = numbers[places].astype(np.int8) @ np.array([4, 2, 1], dtype=np.int8)
    expected[places] = np.array([*(name or None for name in CELLS)], dtype=object)[cells]
    found = table["outcome"].astype(object).where(table["outcome"].notna(), None).to_numpy()
    wrong = np.flatnonzero(expected != found)
    if len(wrong):
        row = table.iloc[wrong[0]]
        message = f"{len(wrong)} outcomes are not those of *_detected, the first is {row['outcome']!r}"
        place = f"sample {row['sample']!r}, taxon {row['taxon']!r}"
        problems.append(Problem(f"{message} of {place}", "make the table again", "outcomes", value=str(row["outcome"])))
    return problems


def _flags(table: pd.DataFrame, name: str, code: np.ndarray) -> np.ndarray:
    """Return per row 1 (detected), 0 or -1 (missing), from the source's own column or from the outcome."""
    column = f"{name}_detected"
    if column in table:
        return pd.to_numeric(table[column]).astype("Int64").fillna(-1).to_numpy(dtype=np.int8)
    place = SOURCES.index(name)
    of_outcome = np.array([format(CELLS.index(outcome), "03b")[place] == "1" for outcome in OUTCOME_NAMES] + [False])
    return np.where(code < 0, -1, of_outcome[code]).astype(np.int8)


def _integers(numbers: np.ndarray, known: np.ndarray) -> pd.api.extensions.ExtensionArray:
    result = pd.array(numbers.astype(np.int64), dtype="Int64")
    result[~known.astype(bool)] = pd.NA
    return result


def _ratio(numerator: np.ndarray, denominator: np.ndarray, known: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known & (denominator > 0), numerator / denominator, np.nan)
