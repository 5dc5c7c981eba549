"""What became of each taxon: the eight cells of donor x baseline x post, and the rates counted from them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.study import Study, donor_products, post_samples
from microbiome.tables import OUTCOME_NAMES, OUTCOMES, RATES
from microbiome.tsv import missing_columns

__all__ = ["outcome_codes", "outcomes", "rates"]

logger = logging.getLogger(__name__)

# Position of each outcome in OUTCOME_NAMES by 4 D + 2 B + R; the cell 0 0 0 is left out (-1).
_CELLS = ("", "gained", "depleted", "persisted", "not_engrafted", "engrafted", "shared_depleted", "shared_kept")
_CODE_OF_CELL = np.array([OUTCOME_NAMES.index(name) if name else -1 for name in _CELLS], dtype=np.int8)
# Post samples handled at once: bounds the memory at a few matrices of this many rows.
_BLOCK = 256


def outcome_codes(donor: np.ndarray, baseline: np.ndarray, post: np.ndarray) -> np.ndarray:
    """Return the outcome of each cell as its position in :data:`microbiome.tables.OUTCOME_NAMES`.

    Parameters
    ----------
    donor, baseline, post
        Boolean arrays of one shape: detected or not (D, B, R).

    Returns
    -------
    ndarray of int8
        Of the same shape. (D, B, R) = 101 engrafted, 100 not_engrafted, 111 shared_kept, 110 shared_depleted, 011
        persisted,
        010 depleted, 001 gained, 000 -1.
    """
    return _CODE_OF_CELL[4 * donor.astype(np.int8) + 2 * baseline.astype(np.int8) + post.astype(np.int8)]


def outcomes(abundance: pd.DataFrame, study: Study, detection: float = 0.0) -> pd.DataFrame:
    """Return the outcome of every taxon in every post sample.

    A taxon is detected where its abundance is above `detection`: in the post sample (R), in the subject's baseline
    (B), and in at least one
    profiled donor product received on or before the post sample's day (D). At species level ``engrafted`` is a matter
    of presence, not proof of
    transfer; and a taxon too rare for the depth of a sample is absent from it (no rate of these has a depth-free
    meaning).

    Parameters
    ----------
    abundance
        **sample x taxon**, any feature table (:func:`microbiome.metaphlan.read_abundance`). A sample that is no row
        of it, or a row of NaN,
        has no profile.
    study
        Samples, subjects and doses.
    detection
        Threshold, in the unit of `abundance` (a fraction); >= 0.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.tables.OUTCOMES`, a row per post sample and taxon with D, B or R, in the order of
        the samples table, day and the
        taxa of `abundance`. A subject without doses has an empty donor set (D = 0 everywhere). Where products were
        received but none is
        profiled, ``donor_*`` and ``outcome`` are missing; where there is no profiled baseline, ``baseline_*`` and
        ``outcome`` are. Post samples without a
        profile have no rows. Each of these is named in the log.

    Raises
    ------
    InputError
        When `detection` is negative, not a number, or above every abundance, `abundance` has a negative value, or no
        post sample has a profile.
    """
    values = abundance.to_numpy(dtype=float)
    # Other units than fractions (counts, percentages) may need a larger threshold.
    if not 0 <= detection < max(1.0, float(np.nanmax(values, initial=0.0))):
        raise InputError(
            Problem(
                f"detection {detection:g} is not within 0 and the largest abundance", "give a fraction such as 1e-4"
            )
        )
    if (values < 0).any():
        raise InputError("the profile has negative abundances; give fractions of 0 or more")
    profiled = abundance.index[~np.isnan(values).any(axis=1)]
    _warn(
        "profiles of samples that are not in the samples table are not used",
        abundance.index.difference(study.samples["sample"]),
    )
    posts = post_samples(study, profiled)
    products = donor_products(study, profiled)
    _log_gaps(study, posts, products)
    posts = posts[posts["profiled"]].reset_index(drop=True)
    if posts.empty:
        raise InputError(
            "no sample with day > 0 of a recipient has a profile; compare the sample names of profile and samples table"
        )
    row_of = pd.Series(np.arange(len(abundance)), index=abundance.index)
    blocks = [
        _block(values, row_of, posts.iloc[start : start + _BLOCK], products, detection)
        for start in range(0, len(posts), _BLOCK)
    ]
    frame = pd.concat(blocks, ignore_index=True)
    frame["taxon"] = abundance.columns.to_numpy(dtype=object)[frame["taxon"].to_numpy()]
    silent = posts.loc[~posts["sample"].isin(frame["sample"].unique()), "sample"]
    if len(silent):
        logger.warning("no taxon is above detection %g for: %s", detection, ", ".join(silent))
    return frame[OUTCOMES.names]


def rates(table: pd.DataFrame) -> pd.DataFrame:
    r"""Count the outcomes of each post sample and return the rates with their counts.

    * engraftment_rate = engrafted / (engrafted + not_engrafted)
    * depletion_rate = (depleted + shared_depleted) / :math:`|B|`
    * depletion_rate_donor_absent = depleted / (depleted + persisted)
    * donor_recovery = :math:`|D \cap R| / |D|`, the PEDS of q2-fmt
    * baseline_recovery = :math:`|B \cap R| / |B|`, its PPRS (= 1 - depletion_rate)

    Parameters
    ----------
    table
        As :func:`outcomes` returns it; the columns ``*_detected`` and ``donor_products*`` may be absent (then they
        follow from ``outcome``).

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.tables.RATES`, one row per post sample, in order of appearance. A rate with
        denominator 0 is missing; so is what needs a donor or a baseline without a profile.

    Raises
    ------
    InputError
        When a required column is missing, a sample is unnamed or has a taxon twice, an outcome is unknown, or
        contradicts
        the ``*_detected`` columns.
    """
    raise_problems(missing_columns(table, OUTCOMES, "outcomes"))
    unknown = sorted(set(table["outcome"].dropna()) - set(OUTCOME_NAMES))
    if unknown:
        raise InputError(
            Problem(f"outcomes {', '.join(map(repr, unknown))} are unknown", f"use {', '.join(OUTCOME_NAMES)}")
        )
    raise_problems(_contradictions(table))
    sample, keys = pd.factorize(table["sample"])
    first = np.unique(sample, return_index=True)[1]
    code = pd.Categorical(table["outcome"], categories=list(OUTCOME_NAMES)).codes
    donor, baseline, post = (_flags(table, name, code) for name in ("donor", "baseline", "post"))

    def count(cells: np.ndarray) -> np.ndarray:
        return np.bincount(sample[cells], minlength=len(keys)).astype(float)

    # A source without a profile is missing in every row of its sample.
    donor_known = count(donor < 0) == 0
    baseline_known = count(baseline < 0) == 0
    known = donor_known & baseline_known
    out: dict[str, object] = {
        name: table[name].to_numpy()[first] for name in ("subject", "sample", "day", "baseline_sample")
    }
    counts = {name: count(code == i) for i, name in enumerate(OUTCOME_NAMES)}
    donor_taxa, baseline_taxa, post_taxa = count(donor == 1), count(baseline == 1), count(post == 1)
    donor_present, baseline_present = count((donor == 1) & (post == 1)), count((baseline == 1) & (post == 1))
    lost = baseline_taxa - baseline_present
    for name, number in counts.items():
        out[name] = _integers(number, known)
    out["donor_taxa"] = _integers(donor_taxa, donor_known)
    out["baseline_taxa"] = _integers(baseline_taxa, baseline_known)
    out["post_taxa"] = _integers(post_taxa, count(post < 0) == 0)
    out["donor_taxa_present"] = _integers(donor_present, donor_known)
    out["baseline_taxa_present"] = _integers(baseline_present, baseline_known)
    out["lost_taxa"] = _integers(lost, baseline_known)
    engrafted, depleted = counts["engrafted"], counts["depleted"]
    out["engraftment_rate"] = _ratio(engrafted, engrafted + counts["not_engrafted"], known)
    out["depletion_rate"] = _ratio(lost, baseline_taxa, baseline_known)
    out["depletion_rate_donor_absent"] = _ratio(depleted, depleted + counts["persisted"], known)
    out["donor_recovery"] = _ratio(donor_present, donor_taxa, donor_known)
    out["baseline_recovery"] = _ratio(baseline_present, baseline_taxa, baseline_known)
    for name in ("donor_products", "donor_products_unprofiled"):
        if name in table:
            out[name] = pd.array(table[name].to_numpy()[first], dtype="Int64")
    return pd.DataFrame(out)[[name for name in RATES.names if name in out]].astype({"day": "Int64"})


def _block(
    values: np.ndarray, row_of: pd.Series, posts: pd.DataFrame, products: pd.DataFrame, detection: float
) -> pd.DataFrame:
    """Outcomes of some post samples; ``taxon`` is still the position of the column."""
    post = values[row_of[posts["sample"]].to_numpy()]
    baseline = np.full_like(post, np.nan)
    has_baseline = posts["baseline_sample"].notna().to_numpy()
    baseline[has_baseline] = values[row_of[posts.loc[has_baseline, "baseline_sample"]].to_numpy()]
    donor = np.zeros_like(post)
    n_products = np.zeros(len(posts), dtype=int)
    n_unprofiled = np.zeros(len(posts), dtype=int)
    groups = dict(tuple(products[products["sample"].isin(posts["sample"])].groupby("sample", sort=False)))
    for i, sample in enumerate(posts["sample"]):
        group = groups.get(sample)
        if group is None:
            continue
        there = group.loc[group["profiled"], "donor_sample"]
        n_products[i], n_unprofiled[i] = len(group), len(group) - len(there)
        donor[i] = values[row_of[there].to_numpy()].max(axis=0) if len(there) else np.nan
    in_donor, in_baseline, in_post = donor > detection, baseline > detection, post > detection
    code = outcome_codes(in_donor, in_baseline, in_post)
    unknown = np.isnan(donor) | np.isnan(baseline)
    row, taxon = np.nonzero(code >= 0)
    names = np.array([*OUTCOME_NAMES, None], dtype=object)
    frame = posts[["subject", "sample", "day", "baseline_sample"]].iloc[row].reset_index(drop=True)
    frame["taxon"] = taxon
    for name, abundance in (("donor", donor), ("baseline", baseline), ("post", post)):
        frame[f"{name}_abundance"] = abundance[row, taxon]
    frame["outcome"] = names[np.where(unknown[row, taxon], len(OUTCOME_NAMES), code[row, taxon])]
    for name, abundance, detected in (
        ("donor", donor, in_donor),
        ("baseline", baseline, in_baseline),
        ("post", post, in_post),
    ):
        flag = detected[row, taxon].astype(np.int64)
        frame[f"{name}_detected"] = pd.array(flag, dtype="Int64")
        frame.loc[np.isnan(abundance[row, taxon]), f"{name}_detected"] = pd.NA
    frame["donor_products"] = pd.array(n_products[row], dtype="Int64")
    frame["donor_products_unprofiled"] = pd.array(n_unprofiled[row], dtype="Int64")
    return frame


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
    flags = [f"{name}_detected" for name in ("donor", "baseline", "post")]
    if not set(flags) <= set(table.columns):
        return problems
    numbers = table[flags].apply(pd.to_numeric).astype("float64").to_numpy()
    known = ~np.isnan(numbers).any(axis=1)
    legal = np.isin(numbers[known], (0, 1)).all(axis=1)
    expected = np.full(len(table), None, dtype=object)
    places = np.flatnonzero(known)[legal]
    cells = numbers[places].astype(np.int8) @ np.array([4, 2, 1], dtype=np.int8)
    expected[places] = np.array(_CELLS, dtype=object)[cells]
    found = table["outcome"].astype(object).where(table["outcome"].notna(), None).to_numpy()
    wrong = np.flatnonzero(expected != found)
    if len(wrong):
        row = table.iloc[wrong[0]]
        message = f"{len(wrong)} outcomes are not those of *_detected, the first is {row['outcome']!r}"
        place = f"sample {row['sample']!r}, taxon {row['taxon']!r}"
        problems.append(Problem(f"{message} of {place}", "make the table again", "outcomes", value=str(row["outcome"])))
    return problems


def _log_gaps(study: Study, posts: pd.DataFrame, products: pd.DataFrame) -> None:
    """Name everything that has no outcome, and why; and every baseline that is not the one of the samples table."""
    undated = study.samples[(study.samples["role"] != "donor") & study.samples["day"].isna()]
    _warn("samples without a day have no outcomes", undated["sample"])
    planned = post_samples(study).set_index("sample")["baseline_sample"]
    for row in posts.drop_duplicates("subject").itertuples():
        if planned[row.sample] != row.baseline_sample and row.baseline_sample is not None:
            logger.warning(
                "%s: the last sample before FMT, %s, has no profile; %s (day %s) is its baseline",
                row.subject,
                planned[row.sample],
                row.baseline_sample,
                row.baseline_day,
            )
    _warn("post samples without a profile have no outcomes", posts.loc[~posts["profiled"], "sample"])
    there = posts[posts["profiled"]]
    _warn(
        "subjects without a profiled baseline have no outcomes", there.loc[there["baseline_sample"].isna(), "subject"]
    )
    lacking = products[~products["profiled"]]
    labels = lacking["donor_sample"].where(lacking["donor_sample"].notna(), lacking["donor"] + " (no sample)")
    _warn("donor products without a profile are not counted as donor taxa", labels)
    profiled = products.groupby("sample")["profiled"].any()
    none = profiled.index[~profiled]
    _warn(
        "subjects of whose donor products none is profiled have no outcomes that need the donor",
        there.loc[there["sample"].isin(none), "subject"],
    )


def _warn(text: str, names: Iterable[object]) -> None:
    unique = list(dict.fromkeys(map(str, names)))
    if unique:
        logger.warning("%s: %s", text, ", ".join(unique))


def _flags(table: pd.DataFrame, name: str, code: np.ndarray) -> np.ndarray:
    """Return per row 1 (detected), 0 or -1 (missing), from the source's own column or from the outcome."""
    column = f"{name}_detected"
    if column in table:
        return pd.to_numeric(table[column]).astype("Int64").fillna(-1).to_numpy(dtype=np.int8)
    place = ("donor", "baseline", "post").index(name)
    of_outcome = np.array([format(_CELLS.index(outcome), "03b")[place] == "1" for outcome in OUTCOME_NAMES] + [False])
    return np.where(code < 0, -1, of_outcome[code]).astype(np.int8)


def _integers(numbers: np.ndarray, known: np.ndarray) -> pd.api.extensions.ExtensionArray:
    result = pd.array(numbers.astype(np.int64), dtype="Int64")
    result[~known.astype(bool)] = pd.NA
    return result


def _ratio(numerator: np.ndarray, denominator: np.ndarray, known: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known & (denominator > 0), numerator / denominator, np.nan)
