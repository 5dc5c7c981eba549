"""One row per donor: what it carries, who received it, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from microbiome.diversity import alpha
from microbiome.donors.lists import listed_taxa, taxon_lists
from microbiome.donors.shrink import shrink_means, shrink_proportions
from microbiome.donors.shrunken import Shrunken, Spread
from microbiome.donors.tables import DONOR_SPREAD, DONOR_TAXA, DONORS, LIST_NAMES
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.outcomes import outcomes
from microbiome.rates import rates
from microbiome.response import responder
from microbiome.stats.intervals import mean_interval, proportion_interval
from microbiome.stats.tests import group_permutation
from microbiome.study import Study
from microbiome.triads import checked_detection
from microbiome.visits import subject_means

__all__ = ["DonorTables", "donors", "recipients_of"]

_SEVERE = 3
_METHOD = (
    "clopper_pearson; logit_t over recipients; shrunken: beta_binomial_ml (proportions), random_intercept_reml (means)"
)


class DonorTables(NamedTuple):
    """What :func:`donors` returns.

    Parameters
    ----------
    donors, spread, taxa
        Columns of :data:`microbiome.donors.tables.DONORS`, ``DONOR_SPREAD`` and ``DONOR_TAXA``.
    """

    donors: pd.DataFrame
    spread: pd.DataFrame
    taxa: pd.DataFrame


def recipients_of(study: Study) -> pd.DataFrame:
    """Return who received whom: one row per subject and donor, ``subject``, ``donor``, ``sole`` (no other donor)."""
    pairs = study.doses[["subject", "donor"]].drop_duplicates().reset_index(drop=True)
    return pairs.assign(sole=~pairs["subject"].duplicated(keep=False))


def donors(
    abundance: pd.DataFrame,
    study: Study,
    lists: pd.DataFrame | None = None,
    lineage: pd.DataFrame | None = None,
    rate_table: pd.DataFrame | None = None,
    detection: float = 0.0,
    window: Sequence[int] | None = None,
    permutations: int = 9999,
    seed: int = 0,
    alpha_table: pd.DataFrame | None = None,
) -> DonorTables:
    """Describe every donor, and what became of its recipients, as it is and shrunken towards the mean of all donors.

    A recipient counts once: its response and its worst grade, and of rates its mean over the visits that all subjects
    with doses have (:func:`microbiome.visits.subject_means`). A recipient of several donors counts for each of them
    (``n_shared``); the test of the spread between donors is of the recipients of a single donor only. A difference
    between donors is not an effect of donors where recipients were not assigned to them at random.

    Parameters
    ----------
    abundance
        **sample x taxon**, fractions.
    study
        Samples, doses, and subjects with ``responder`` or ``best_response`` and ``irae_grade`` where known.
    lists
        Taxa of concern and of benefit (:func:`microbiome.donors.lists.taxon_lists`); None for the package's.
    lineage
        Of the taxa; without, only SGBs that the table of names knows, and taxa that are species, are found.
    rate_table
        As :func:`microbiome.rates.rates` returns it; None to compute it here.
    detection
        A taxon is detected above this abundance.
    window
        First and last day that count for the rates, instead of the visits that all have.
    permutations, seed
        Of the test of the spread.
    alpha_table
        ``sample``, ``richness``, ``shannon`` as :func:`microbiome.diversity.alpha` returns them, of rarefied profiles
        for example; None to compute them here.

    Returns
    -------
    DonorTables
        One row per donor of the samples or doses table, in that order; four rows of spread; one row per donor, list and
        taxon. What cannot be computed is missing, and the notes say why.

    Raises
    ------
    InputError
        When there is no donor, `detection` cannot be, or the lists cannot be read.
    """
    checked_detection(abundance, detection)
    samples = study.samples[study.samples["role"] == "donor"]
    names = list(dict.fromkeys([*samples["subject"], *study.doses["donor"]]))
    if not names:
        message = "no sample has role donor and no dose names a donor"
        raise InputError(Problem(message, "give the samples of the donors (role donor) and the doses table"))
    entries = listed_taxa(taxon_lists() if lists is None else lists, abundance.columns, lineage)
    of_donor = {name: list(samples.loc[samples["subject"] == name, "sample"]) for name in names}
    has = abundance.index[~abundance.isna().any(axis=1)]
    profiled = {name: [sample for sample in own if sample in has] for name, own in of_donor.items()}
    if rate_table is None:
        rate_table = rates(outcomes(abundance, study, detection, fitted=False))
    rows = pd.DataFrame(
        [_carries(abundance, name, of_donor[name], profiled[name], entries, detection) for name in names]
    )
    if alpha_table is not None:
        rows = rows.assign(**_given_alpha(alpha_table, of_donor))
    fates, counted = _fates(study, rate_table, window)
    spread = []
    for quantity, kind in _QUANTITIES.items():
        columns, between = _quantity(names, fates, quantity, kind)
        rows = pd.concat([rows, columns], axis=1)
        spread.append(_spread_row(fates, quantity, between, counted.get(quantity, ""), permutations, seed))
    pairs = recipients_of(study)
    counts = pairs.groupby("donor")["sole"].agg(["size", "sum"]).reindex(names, fill_value=0).astype(int)
    rows["n_recipients"], rows["n_sole"] = counts["size"].to_numpy(), counts["sum"].to_numpy()
    rows["n_shared"] = rows["n_recipients"] - rows["n_sole"]
    rows["method"] = _METHOD
    rows["note"] = [_note(row) for row in rows.to_dict("records")]
    return DonorTables(
        rows[DONORS.names],
        pd.DataFrame(spread)[DONOR_SPREAD.names],
        _taxon_rows(abundance, profiled, entries, detection),
    )


def _carries(
    abundance: pd.DataFrame, name: str, own: list[str], profiled: list[str], entries: pd.DataFrame, detection: float
) -> dict[str, object]:
    row: dict[str, object] = {"donor": name, "n_samples": len(own), "n_profiled": len(profiled)}
    table = abundance.loc[profiled]
    there = table > detection
    row["richness"] = float(there.sum(axis=1).mean()) if profiled else np.nan
    row["shannon"] = float(alpha(table, ["shannon"])["shannon"].mean()) if profiled else np.nan
    for kind in LIST_NAMES:
        found = entries[(entries["list"] == kind) & entries["taxon"].notna()].drop_duplicates("taxon")
        present = there[found["taxon"]].any(axis=0).to_numpy() if profiled else np.zeros(len(found), dtype=bool)
        row[f"{kind}_taxa"] = int(present.sum()) if profiled else pd.NA
        total = table[found["taxon"]].where(there[found["taxon"]], 0.0).sum(axis=1)
        row[f"{kind}_abundance"] = min(float(total.mean()), 1.0) if profiled else np.nan
        row[f"{kind}_names"] = "; ".join(dict.fromkeys(found.loc[present, "name"])) or None
    return row


def _given_alpha(table: pd.DataFrame, of_donor: dict[str, list[str]]) -> dict[str, list[float]]:
    problems = [
        Problem(f"column {name!r} is missing", "give the table that `microbiome alpha` writes", "alpha", column=name)
        for name in ("sample", "richness", "shannon")
        if name not in table
    ]
    raise_problems(problems)
    values = table.set_index("sample")
    return {
        name: [float(values[name].reindex(own).astype(float).mean()) for own in of_donor.values()]
        for name in ("richness", "shannon")
    }


# Quantity: column of n, column of events (empty for means).
_QUANTITIES = {
    "response_rate": ("n_evaluable", "n_responders"),
    "toxicity_rate": ("n_toxicity_known", "n_toxicity"),
    "engraftment_rate": ("n_engraftment", ""),
    "depletion_rate": ("n_depletion", ""),
}


def _fates(study: Study, rate_table: pd.DataFrame, window: Sequence[int] | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return one row per recipient and donor, one column per quantity (NaN where unknown), and which samples count."""
    pairs = recipients_of(study)
    answer = responder(study.subjects).map({"yes": 1.0, "no": 0.0})
    grade = (
        study.subjects.set_index("subject")["irae_grade"].astype("float64")
        if "irae_grade" in study.subjects
        else pd.Series(dtype="float64")
    )
    columns = {"response_rate": answer, "toxicity_rate": grade.ge(_SEVERE).astype(float).where(grade.notna())}
    treated = rate_table[rate_table["subject"].isin(pairs["subject"])]
    counted: dict[str, str] = {}
    for quantity in ("engraftment_rate", "depletion_rate"):
        columns[quantity], analysis = subject_means(treated, quantity, window)
        counted[quantity] = analysis.note
    table = pairs.assign(**{name: pairs["subject"].map(values).astype(float) for name, values in columns.items()})
    return table, counted


def _quantity(
    names: list[str], fates: pd.DataFrame, quantity: str, kind: tuple[str, str]
) -> tuple[pd.DataFrame, Spread]:
    there = fates[fates[quantity].notna()]
    values = {name: there.loc[there["donor"] == name, quantity].to_numpy() for name in names}
    sizes = [len(values[name]) for name in names]
    out: dict[str, object] = {kind[0]: sizes}
    shrunken: Shrunken
    if kind[1]:
        events = [int(values[name].sum()) for name in names]
        out[kind[1]] = events
        bounds = [proportion_interval(x, n) if n else None for x, n in zip(events, sizes, strict=True)]
        shrunken, between = shrink_proportions(events, sizes)
    else:
        bounds = [mean_interval(values[name]) if len(values[name]) else None for name in names]
        shrunken, between = shrink_means(there[quantity], there["donor"], names)
    estimates = [np.nan if bound is None else bound.estimate for bound in bounds]
    out[quantity] = estimates
    out[f"{quantity}_ci_low"] = [np.nan if bound is None else bound.low for bound in bounds]
    out[f"{quantity}_ci_high"] = [np.nan if bound is None else bound.high for bound in bounds]
    out[f"{quantity}_shrunken"] = shrunken.estimate
    out[f"{quantity}_shrunken_low"], out[f"{quantity}_shrunken_high"] = shrunken.low, shrunken.high
    out[f"{quantity}_weight"] = shrunken.weight
    notes = []
    for n in sizes:
        own = "" if n > 1 else "one recipient" if n else "no recipient in whom it is known"
        if n == 1 and not kind[1]:
            own += ": no interval of its own"
        notes.append("; ".join(part for part in (own, shrunken.note) if part) or None)
    out[f"{quantity}_note"] = notes
    return pd.DataFrame(out), between


def _spread_row(
    fates: pd.DataFrame, quantity: str, between: Spread, counted: str, permutations: int, seed: int
) -> dict[str, object]:
    sole = fates[fates["sole"] & fates[quantity].notna()]
    test = group_permutation(sole[quantity], sole["donor"], permutations=permutations, seed=seed)
    notes = [between.note, counted]
    dropped = fates.loc[~fates["sole"] & fates[quantity].notna(), "subject"].nunique()
    if dropped:
        notes.append(f"{dropped} recipients of several donors count for each, and are not in the test")
    if np.isnan(test.p_value) and not between.note.startswith("not testable"):
        notes.append("not testable: fewer than two donors have a recipient of theirs alone")
    return {
        "quantity": quantity,
        "n_donors": between.groups,
        "n_subjects": int(fates.loc[fates[quantity].notna(), "subject"].nunique()),
        "mean": between.mean,
        "ci_low": between.low,
        "ci_high": between.high,
        "between_sd": between.between_sd,
        "q_statistic": between.statistic,
        "df": between.df,
        "i_squared": between.i_squared,
        "p_value": test.p_value,
        "p_floor": test.p_floor,
        "permutations": test.permutations,
        "method": f"{between.method}; recipients permuted between donors ({test.scheme})",
        "note": "; ".join(part for part in notes if part) or None,
    }


def _taxon_rows(
    abundance: pd.DataFrame, profiled: dict[str, list[str]], entries: pd.DataFrame, detection: float
) -> pd.DataFrame:
    frames = []
    known = entries["taxon"].notna().to_numpy()
    for name, own in profiled.items():
        frame = entries.assign(donor=name, abundance=np.nan, prevalence=np.nan, n_samples=len(own), note=None)
        if own:
            table = abundance.loc[own, entries.loc[known, "taxon"]]
            frame.loc[known, "abundance"] = table.mean(axis=0).to_numpy()
            frame.loc[known, "prevalence"] = (table > detection).mean(axis=0).to_numpy()
        else:
            frame["note"] = "the donor has no profile"
        frame.loc[~known, "note"] = (
            "no row of the profile goes by this name: absent from all samples, or called otherwise"
        )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)[DONOR_TAXA.names]


def _note(row: dict[str, object]) -> str | None:
    parts = []
    if not row["n_samples"]:
        parts.append("no sample in the samples table")
    elif not row["n_profiled"]:
        parts.append("no sample has a profile")
    elif row["n_profiled"] != row["n_samples"]:
        parts.append(f"{row['n_profiled']} of {row['n_samples']} samples have a profile")
    if not row["n_recipients"]:
        parts.append("nobody received it")
    elif row["n_shared"]:
        parts.append(f"{row['n_shared']} of {row['n_recipients']} recipients received other donors, too")
    return "; ".join(parts) or None
