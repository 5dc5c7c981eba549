"""What became of one patient's taxa and tumour: main losses and gains, change of the sum of diameters."""

from __future__ import annotations

import pandas as pd

from microbiome.report.counting import named_taxa, unique_names
from microbiome.report.data import Tables
from microbiome.report.data_clinical import complete
from microbiome.tables import OUTCOMES

__all__ = ["CHANGE_COLUMNS", "GAINS", "LOSSES", "changes_of", "sum_changes", "tumour_change"]

CHANGE_COLUMNS = [
    "taxon",
    "name",
    "lineage",
    "change",
    "outcome",
    "baseline_abundance",
    "post_abundance",
    "donor_abundance",
    "changed_in",
    "post_samples",
    "strain_outcome",
    "donor_fraction",
    "strain_reason",
    "certainty",
]
#: Outcomes that are a loss, and those that are a gain.
LOSSES, GAINS = ("depleted", "shared_depleted"), ("engrafted", "gained")
_MOST = 8


def sum_changes(lesions: pd.DataFrame) -> pd.DataFrame:
    """Return the change of each assessment's sum of diameters from the subject's baseline, in percent.

    The baseline is the last assessment with day <= 0; change = 100 (sum - baseline) / baseline. Columns ``subject, day,
    sum_diameters, baseline_sum, change_percent, new_lesion``; subjects without a baseline sum above 0 have no rows, and
    an assessment without a sum has a missing change.
    """
    rows = []
    for _, part in lesions.sort_values("day", kind="stable").groupby("subject", sort=False):
        before = part[(part["day"] <= 0) & part["sum_diameters"].notna()]
        if before.empty or not float(before["sum_diameters"].iloc[-1]) > 0:
            continue
        base, start = float(before["sum_diameters"].iloc[-1]), before["day"].iloc[-1]
        later = part[part["day"] >= start]
        new = later["new_lesion"].fillna(0).astype(int) if "new_lesion" in later else 0
        change = 100 * (later["sum_diameters"].astype(float) - base) / base
        kept = later[["subject", "day", "sum_diameters"]]
        rows.append(kept.assign(baseline_sum=base, change_percent=change, new_lesion=new))
    columns = ["subject", "day", "sum_diameters", "baseline_sum", "change_percent", "new_lesion"]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)


def tumour_change(lesions: pd.DataFrame) -> pd.DataFrame:
    """Return :func:`sum_changes` without the assessments that have no sum."""
    return sum_changes(lesions).dropna(subset=["change_percent"]).reset_index(drop=True)


def changes_of(tables: Tables) -> pd.DataFrame | None:
    """Return the taxa lost and gained between the baseline and the last post sample with outcomes, per subject.

    Lost: ``depleted`` or ``shared_depleted``; gained: ``engrafted`` or ``gained``. ``changed_in`` counts the post
    samples in which the taxon was lost (gained), of ``post_samples``. Losses by their baseline abundance, gains by
    their abundance after; strain evidence is that of the same sample. None without outcomes.
    """
    outcomes = tables.outcomes
    if outcomes is None or outcomes.empty:
        return None
    known = complete(outcomes, OUTCOMES)
    known = known[known["outcome"].notna()]
    if known.empty:
        return None
    kind = pd.Series(None, index=known.index, dtype=object)
    kind = kind.mask(known["outcome"].isin(LOSSES), "lost").mask(known["outcome"].isin(GAINS), "gained")
    known = known.assign(change=kind)
    number = known.groupby("subject")["sample"].nunique()
    changed = known[known["change"].notna()]
    times = changed.groupby(["subject", "taxon", "change"]).size().rename("changed_in").reset_index()
    days = known.sort_values("day", kind="stable").drop_duplicates("subject", keep="last")
    last = changed[changed["sample"].isin(set(days["sample"]))]
    last = last.merge(times, on=["subject", "taxon", "change"], how="left")
    last = last.assign(post_samples=last["subject"].map(number))
    last = _with_strains(last, tables.strains.get("resolved"))
    named = named_taxa(last, tables.lineages)
    named = named.assign(name=unique_names(named) if len(named) else named["name"])
    weight = named["baseline_abundance"].where(named["change"] == "lost", named["post_abundance"]).astype(float)
    named = named.assign(_weight=weight, _gain=named["change"] == "gained")
    named = named.sort_values(["subject", "_gain", "_weight", "name"], ascending=[True, True, False, True])
    named = named.assign(_rank=named.groupby(["subject", "change"]).cumcount())
    number_of = named.groupby(["subject", "change"])["taxon"].transform("size")
    named = named.assign(of=number_of)
    return named.loc[named["_rank"] < _MOST, ["subject", "sample", "day", *CHANGE_COLUMNS, "of"]].reset_index(drop=True)


def _with_strains(frame: pd.DataFrame, resolved: pd.DataFrame | None) -> pd.DataFrame:
    names = {"strain_outcome": "strain_outcome", "donor_fraction": "donor_fraction", "reason": "strain_reason"}
    if resolved is None or resolved.empty:
        return frame.assign(strain_outcome=None, donor_fraction=float("nan"), strain_reason=None)
    evidence = resolved.reindex(columns=["sample", "taxon", *names]).rename(columns=names)
    return frame.drop(columns=list(names.values()), errors="ignore").merge(evidence, on=["sample", "taxon"], how="left")
