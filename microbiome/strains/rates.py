"""Rates of strains: engraftment with both denominators, persistence, donor fractions, per post sample."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.errors import InputError
from microbiome.strains.calls import pair_calls
from microbiome.strains.rate_counts import (
    call_counts,
    cell_counts,
    context,
    donor_counts,
    known_taxa,
    ratio,
    resolved_cells,
)
from microbiome.strains.rate_tables import STRAIN_RATE_COUNTS, STRAIN_RATES
from microbiome.study import Study, donor_products, post_samples
from microbiome.validation import typed

__all__ = ["strain_rates"]

_NO_PRODUCT = "no donor product received by then"


def strain_rates(
    study: Study,
    resolved: pd.DataFrame | None = None,
    shared: pd.DataFrame | None = None,
    outcomes: pd.DataFrame | None = None,
    method: str | None = None,
) -> pd.DataFrame:
    r"""Return the rates of strains of every post sample, each with its numerator and denominator.

    With :math:`s(t)` the ``strain_outcome`` of taxon t in the post sample, D the taxa of the donor set, B of the
    baseline, R of the post sample (as ``outcome`` says), all over taxa that are not unresolved:

    * ``strain_engraftment_rate_donor`` = :math:`|\{t \in D \cap R: s \in \{donor, coexist\}\}| /
      (|\{t \in D \cap R\}| + |\{t \in D \setminus R: surely\}|)`. The absent ones count where a received product's
      strain of the taxon is known (it was compared with that of any sample) and the absence is no matter of depth
      (``unsure`` does not name the post sample). Needs `outcomes`. ``_low`` and ``_high`` are its values if no strain,
      or every strain, of those left open (unresolved, or perhaps missed) had engrafted.
    * ``strain_engraftment_rate_profiled`` = taxa with the same strain in the post sample and any received product /
      taxa with a call between them. That of Ianiro et al. Beside it, the same between baseline and these products
      (``donor_sharing_rate_before``), and between the post sample and other donors (``other_donor_sharing_rate``): what
      is shared without this FMT.
    * ``engrafted_confirmed_rate``: of taxa with outcome engrafted, those with the donor's strain.
    * ``strain_persistence_rate`` = :math:`|\{t \in B \cap R: s \in \{recipient, coexist\}\}| / |\{t \in B \cap R\}|`,
      and ``strain_persistence_rate_profiled``, the same over taxa with a call between baseline and post sample.
    * ``weighted_donor_fraction`` = :math:`\sum_t a_t f_t / \sum_t a_t` with the abundance in the post sample and the
      ``donor_fraction``, over the taxa with both; for the baseline, what both have in common, and other likewise.

    Parameters
    ----------
    study
        The study; every sample with day > 0 of a recipient or control gives a row.
    resolved
        Columns of :data:`microbiome.strains.tables.STRAIN_RESOLVED`; None leaves missing what rests on it.
    shared
        Columns of :data:`microbiome.strains.tables.STRAIN_SHARED`; None likewise.
    outcomes
        As :func:`microbiome.outcomes.outcomes` returns them; None leaves the first rate missing. Taxa that are in the
        post sample and in donor or baseline, and have no row in `resolved`, are unresolved.
    method
        Which distance of `shared` to use (:func:`microbiome.strains.calls.pair_calls`).

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.strains.rate_tables.STRAIN_RATES`. A rate with denominator 0 is missing, and so is
        what needs a donor where no product was received, a baseline where there is none, or a table that is not given.

    Raises
    ------
    InputError
        When neither `resolved` nor `shared` is given, a column is missing, a row stands twice, or `resolved` and
        `outcomes` contradict each other.

    References
    ----------
    Ianiro et al., Nat Med 28:1913 (2022), 10.1038/s41591-022-01964-3.
    """
    if resolved is None and shared is None:
        raise InputError("rates of strains need the table of strains resolved, the table of pairs, or both")
    posts = _with_baselines(post_samples(study).reset_index(drop=True), study, resolved, outcomes)
    products = donor_products(study)
    calls = None if shared is None else pair_calls(shared, study.samples["sample"].tolist(), method)
    out = posts[["subject", "sample", "day", "baseline_sample", "baseline_day"]].copy()
    out["donor_products"] = posts["sample"].map(products["sample"].value_counts()).fillna(0).astype("Int64")
    if resolved is not None:
        cells = resolved_cells(resolved, outcomes, set(posts["sample"]))
        out = out.assign(**cell_counts(cells, posts["sample"]))
    if resolved is not None and outcomes is not None:
        known = None if calls is None else known_taxa(calls, products)
        out = out.assign(**donor_counts(cells, outcomes, known, posts["sample"]))
    if calls is not None:
        out = out.assign(**call_counts(calls, study, posts, products), method=calls.method)
    if outcomes is not None:
        out = out.assign(**context(outcomes, posts["sample"]))
    out = _without_source(out)
    for rate, (over, under) in STRAIN_RATE_COUNTS.items():
        if under in out:
            out[rate] = ratio(out[over], out[under])
    if "donor_strains_seen" in out:
        all_of = out["donor_strains_seen"] + out["donor_strains_open"]
        out["strain_engraftment_rate_donor_low"] = ratio(out["donor_strains_engrafted"], all_of)
        high = out["donor_strains_engrafted"] + out["donor_strains_open"]
        out["strain_engraftment_rate_donor_high"] = ratio(high, all_of)
    out["note"] = _notes(out, resolved, shared, outcomes)
    columns = {c.name: typed(_column(out, c.name), c.kind, out.index) for c in STRAIN_RATES.columns}
    return pd.DataFrame(columns, index=out.index)


def _with_baselines(
    posts: pd.DataFrame, study: Study, resolved: pd.DataFrame | None, outcomes: pd.DataFrame | None
) -> pd.DataFrame:
    """Take the baselines of the tables where they name them: of several the last one with a profile counts there."""
    days = study.samples.set_index("sample")["day"]
    for frame in (resolved, outcomes):
        if frame is None or "baseline_sample" not in frame or frame.empty:
            continue
        named = posts["sample"].map(frame.drop_duplicates("sample").set_index("sample")["baseline_sample"])
        found = posts["baseline_sample"].where(named.isna(), named)
        posts = posts.assign(baseline_sample=found, baseline_day=found.map(days).astype("Int64"))
    return posts


def _column(frame: pd.DataFrame, name: str) -> list[object]:
    values = frame[name].tolist() if name in frame else [None] * len(frame)
    return [None if value is None or pd.isna(value) else value for value in values]


def _without_source(out: pd.DataFrame) -> pd.DataFrame:
    """Leave missing what needs a donor product, or a baseline, where there is none: nothing was counted there."""
    donor = [name for name in out if name.startswith(("donor_strains", "donor_taxa", "engrafted_"))]
    own = [name for name in out if name.startswith("own_") or name.endswith("_before")]
    out = out.astype(dict.fromkeys({*donor, *own}, "Int64"))
    out.loc[(out["donor_products"] == 0).to_numpy(), donor] = pd.NA
    for name in ("weighted_donor_fraction", "weighted_common_fraction"):
        if name in out:
            out.loc[(out["donor_products"] == 0).to_numpy(), name] = np.nan
    out.loc[out["baseline_sample"].isna().to_numpy(), own] = pd.NA
    return out


def _notes(
    out: pd.DataFrame, resolved: pd.DataFrame | None, shared: pd.DataFrame | None, outcomes: pd.DataFrame | None
) -> list[str | None]:
    common = [] if resolved is not None else ["no table of strains resolved"]
    common += [] if shared is not None else ["no table of pairs"]
    common += [] if outcomes is not None else ["no outcomes, so that strain_engraftment_rate_donor is missing"]
    if outcomes is not None and "certainty" not in outcomes:
        common.append("outcomes do not say how sure they are: every absence is taken for sure")
    if outcomes is not None and shared is None:
        common.append("every taxon of the donor set is taken for one whose strain is known")
    notes: list[str | None] = []
    for products, baseline in zip(out["donor_products"], out["baseline_sample"], strict=True):
        own = [_NO_PRODUCT] if products == 0 else []
        own += ["no baseline sample"] if baseline is None or pd.isna(baseline) else []
        notes.append("; ".join([*own, *common]) or None)
    return notes
