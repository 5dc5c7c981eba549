"""Toxicity against the taxa that donors brought: every taxon, recipients and donors as what is independent."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from microbiome.clinical.toxicity_grades import Recipients, ToxicitySettings
from microbiome.clinical.toxicity_groups import odds_ratio
from microbiome.clinical.toxicity_rows import Row, outcome_reason, tested, untestable
from microbiome.clinical.toxicity_tests import donor_permutation, exposure
from microbiome.stats import benjamini_hochberg, cliffs_delta, difference_interval, tests_needed

__all__ = ["taxon_rows"]

logger = logging.getLogger(__name__)


def taxon_rows(
    prefix: str,
    mean: pd.DataFrame,
    largest: pd.DataFrame,
    recipients: Recipients,
    settings: ToxicitySettings,
    notes: dict[str, str] | None = None,
) -> list[Row]:
    """Return four rows per taxon: presence and abundance in the donors, at the level of recipients and of donors.

    Presence: the odds ratio of being severe, of recipients of whom any donor has the taxon against the others (Fisher);
    and the difference of donors' shares of severe recipients, with the donor permutation test. Abundance: Cliff's delta
    of what severe and other recipients were given; and its donor permutation test.

    Parameters
    ----------
    prefix
        Of the factor: nothing, or ``named_``.
    mean, largest
        donor x taxon (:func:`microbiome.clinical.donor_clusters_profiles.donor_profiles`).
    recipients, settings
        Whom it is about, and how. Recipients without doses, or with a donor that has no profile, are left out.
    notes
        By taxon, said in its rows.

    Returns
    -------
    list of dict
        Rows of :data:`microbiome.clinical.toxicity_tables.CLINICAL_TOXICITY`; q-values over all taxa given.
    """
    donors_of = recipients.donors or [() for _ in recipients.names]
    told = np.array([bool(own) and all(donor in mean.index for donor in own) for own in donors_of], dtype=bool)
    part = recipients.part(told)
    donors, received = part.received()
    single = bool((received.sum(axis=1) == 1).all())
    left = [name for name, has in zip(recipients.names, told, strict=True) if not has]
    shared = {
        "grade": settings.threshold,
        "n": len(part.names),
        "n_donors": len(donors),
        "events": int(part.severe.sum()),
        "level": settings.level,
    }
    why = outcome_reason(part.severe)
    abundance = mean.reindex(donors).to_numpy(dtype=float)
    present = (largest.reindex(donors).to_numpy(dtype=float) > settings.detection).astype(np.int64)
    seen: dict[tuple[object, ...], tuple[Row, Row]] = {}
    rows: list[Row] = []
    for place, taxon in enumerate(mean.columns):
        has, values = present[:, place], abundance[:, place]
        ranks = np.unique(values, return_inverse=True)[1]
        # The largest of several, and single donors, keep the order of ranks; a mean does not.
        amounts = ranks.astype(float) if single or settings.several == "any" else values
        for kind, given in (("presence", has), ("abundance", amounts)):
            key = (kind, *given.tolist())
            if key not in seen:
                made = _presence if kind == "presence" else _abundance
                seen[key] = (untestable(why), untestable(why)) if why else made(given, part, received, settings)
            for unit, found in zip(("recipient", "donor"), seen[key], strict=True):
                rows.append(_named(kind, unit) | shared | found | {"factor": f"{prefix}taxon_{kind}", "taxon": taxon})
    extra = f"{len(left)} left out: no donor, or one without profile" if left else None
    if left:
        logger.warning("without a donor, or with one that has no profile, and left out: %s", ", ".join(left))
    for row in rows:
        said = (row.get("note"), (notes or {}).get(str(row["taxon"])), extra)
        row["note"] = "; ".join(text for text in said if text) or None
    _add_q(rows)
    return rows


def _named(kind: str, unit: str) -> Row:
    """Return what a row is of."""
    quantity = {
        ("presence", "recipient"): ("odds_ratio", "conditional_exact"),
        ("presence", "donor"): ("risk_difference", "welch_over_donors, donor_permutation"),
        ("abundance", "recipient"): ("cliffs_delta", "feng_cliff, wilcoxon_permutation"),
        ("abundance", "donor"): ("cliffs_delta", "donor_permutation"),
    }[kind, unit]
    groups = {"group": "present", "reference": "absent"} if kind == "presence" else {"group": None, "reference": None}
    return {"unit": unit, "quantity": quantity[0], "method": quantity[1], **groups}


def _presence(has: np.ndarray, part: Recipients, received: np.ndarray, settings: ToxicitySettings) -> tuple[Row, Row]:
    """Return the rows of presence at the level of recipients and of donors."""
    if has.all() or not has.any():
        reason = "every donor has it" if has.all() else "no donor has it"
        return untestable(reason), untestable(reason)
    exposed = exposure(received, has, "any")
    table = np.array([[int((part.severe[exposed == e] == s).sum()) for s in (0, 1)] for e in (0, 1)])
    if (table.sum(axis=1) == 0).any():
        first = untestable("every recipient has a donor with it, or none has")
    else:
        first = odds_ratio(table, settings.level)
    test = donor_permutation(
        part.severe, received, has, "correlation", settings.several, settings.permutations, settings.seed
    )
    second = tested(test)
    if (received.sum(axis=1) == 1).all():
        shares = np.array([part.severe[received[:, donor]].mean() for donor in range(len(has))])
        found = difference_interval(shares[has == 0], shares[has == 1], settings.level)
        # A difference of shares lies in -1..1; the t interval of a few donors does not know that.
        second |= {"estimate": found.estimate, "ci_low": max(found.low, -1.0), "ci_high": min(found.high, 1.0)}
        if found.low < -1 or found.high > 1:
            second["note"] = "interval cut at -1 and 1: too few donors to tell"
        if np.isnan(found.low):
            second |= {"ci_low": np.nan, "ci_high": np.nan}
            second["note"] = "no interval: one donor on a side, or donors that do not differ"
    else:
        amount = exposure(received, has, settings.several)
        if np.ptp(amount) > 0:
            second["estimate"] = float(np.cov(amount, part.severe)[0, 1] / amount.var(ddof=1))
        second["note"] = f"of recipients, per unit of the {settings.several} over their donors; no interval"
    return first, second


def _abundance(
    amounts: np.ndarray, part: Recipients, received: np.ndarray, settings: ToxicitySettings
) -> tuple[Row, Row]:
    """Return the rows of abundance at the level of recipients and of donors."""
    from scipy.stats import rankdata

    from microbiome.taxa.exchange import column_tests

    if len(amounts) < 2:
        return untestable("one donor"), untestable("one donor")
    if np.ptp(amounts) == 0:
        return untestable("all donors have as much of it"), untestable("all donors have as much of it")
    given = exposure(received, amounts, settings.several)
    # Means that differ by rounding only are equal.
    given = np.round(given / max(float(given.max()), 1e-300), 12)
    found = cliffs_delta(given[part.severe == 0], given[part.severe == 1], settings.level)
    ranks = rankdata(given)[:, np.newaxis]
    test = column_tests(ranks, part.severe == 1, settings.permutations, settings.seed).iloc[0]
    first: Row = {"estimate": found.estimate, "ci_low": found.low, "ci_high": found.high}
    first |= {"p_value": test["p_value"], "p_floor": test["p_attainable"], "scheme": test["scheme"]}
    first["permutations"] = min(int(test["permutations"]), 10**18)
    if np.isnan(found.low):
        first["note"] = "no interval: one recipient on a side, or all were given as much"
    second = tested(
        donor_permutation(
            part.severe, received, amounts, "delta", settings.several, settings.permutations, settings.seed
        )
    )
    return first, second | {"estimate": found.estimate, "note": "no interval at the level of donors"}


def _add_q(rows: list[Row]) -> None:
    """Add q-values: one family for each factor, quantity, unit and method."""
    families: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        families.setdefault((row["factor"], row["quantity"], row["unit"]), []).append(row)
    for family in families.values():
        q = benjamini_hochberg([row["p_value"] if row.get("p_value") is not None else np.nan for row in family])
        for row, value in zip(family, q, strict=True):
            row["q_value"] = float(value)
        floors = [row["p_floor"] for row in family if row.get("p_value") is not None]
        needed = tests_needed(min(floors), len(floors)) if floors else 1
        if needed > 1:
            unless = (
                f" unless {needed} of {len(floors)} taxa have it" if needed <= len(floors) else ", whatever the data"
            )
            said = f"{family[0]['factor']}, {family[0]['unit']}: the smallest possible p-value is {min(floors):.3g}"
            logger.info("%s, so that no q-value can be below 0.05%s", said, unless)
