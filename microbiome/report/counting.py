"""What is counted for the figures and tables: outcomes, rates by group, taxa by the subjects concerned."""

from __future__ import annotations

import pandas as pd

from microbiome.report.roster import by_group
from microbiome.report.theme import natural_key
from microbiome.stats import mean_interval
from microbiome.tables import OUTCOME_NAMES, RATES

__all__ = [
    "RATE_NAMES",
    "label_taxa",
    "largest_analysis",
    "named_taxa",
    "outcome_bars",
    "rates_by_group",
    "share_bars",
    "taxon_counts",
    "timed",
    "unique_names",
]

#: Rate, and the columns of the rates table that add up to its numerator and to its denominator.
RATE_NAMES = {
    "engraftment_rate": (("engrafted",), ("engrafted", "not_engrafted")),
    "depletion_rate": (("lost_taxa",), ("baseline_taxa",)),
    "depletion_rate_donor_absent": (("depleted",), ("depleted", "persisted")),
    "donor_recovery": (("donor_taxa_present",), ("donor_taxa",)),
    "baseline_recovery": (("baseline_taxa_present",), ("baseline_taxa",)),
}

_BAR_KEYS = ["subject", "arm", "response", "sample", "day", "time", "order"]
# Shares of the abundance, and the outcome whose colour they have.
_SHARES = {
    "post_engrafted": "engrafted",
    "post_persisted": "persisted",
    "post_shared": "shared_kept",
    "post_gained": "gained",
    "baseline_depleted": "depleted",
    "baseline_shared_depleted": "shared_depleted",
}

# Outcomes of the taxa that were detected in each source.
_DETECTED = {
    "donor": ("engrafted", "not_engrafted", "shared_kept", "shared_depleted"),
    "baseline": ("shared_kept", "shared_depleted", "persisted", "depleted"),
    "post": ("engrafted", "shared_kept", "persisted", "gained"),
}


def outcome_bars(rates: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return one row per post sample and outcome.

    Columns ``subject, arm, response, sample, day, time, order, outcome, taxa, signed``: ``signed`` is negative for the
    outcomes of taxa that the post sample lacks; ``time`` is the day, made unique where a subject has two samples on one
    day; ``order`` counts a subject's samples. Counts that are missing have no row.
    """
    frame = timed(rates[["subject", "sample", "day", *OUTCOME_NAMES]], subjects)
    long = frame.melt(_BAR_KEYS, list(OUTCOME_NAMES), "outcome", "taxa")
    lacks = long["outcome"].isin(["depleted", "shared_depleted", "not_engrafted"])
    long["signed"] = long["taxa"].where(~lacks, -long["taxa"])
    return long.dropna(subset=["taxa"]).reset_index(drop=True)


def share_bars(shares: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return one row per post sample and share: as :func:`outcome_bars`, with ``share`` in the place of ``taxa``.

    The shares of the post sample (engrafted, persisted, shared_kept, gained) sum to 1; those of the baseline that was
    lost (depleted, shared_depleted) have a negative ``signed``. Shares that are missing have no row.

    Parameters
    ----------
    shares
        Columns of :data:`microbiome.taxa.tables.DECOMPOSITION`.
    subjects
        As :func:`people` returns it.
    """
    known = {column: name for column, name in _SHARES.items() if column in shares}
    frame = timed(shares[["subject", "sample", "day", *known]], subjects)
    long = frame.melt(_BAR_KEYS, list(known), "of", "share").dropna(subset=["share"])
    lost = long["of"].str.startswith("baseline_")
    long = long.assign(outcome=long["of"].map(known), signed=long["share"].where(~lost, -long["share"]))
    return long.drop(columns="of").reset_index(drop=True)


def timed(frame: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Add groups, the day as a unique label, and the order of samples; rows by subject and day."""
    frame = by_group(frame, subjects).sort_values("day", kind="stable")
    again = frame.groupby(["subject", "day"]).cumcount()
    frame["time"] = frame["day"].astype(str) + again.map(lambda n: f" ({n + 1})" if n else "")
    frame["order"] = frame.groupby("subject").cumcount()
    position = {name: i for i, name in enumerate(subjects["subject"])}
    frame["_subject"] = frame["subject"].map(position)
    return frame.sort_values(["_subject", "order"], kind="stable")


def rates_by_group(rates: pd.DataFrame, subjects: pd.DataFrame, group: str) -> pd.DataFrame:
    """Summarise each rate per group: mean over subjects of the subject's mean over its post samples, with the range.

    Repeated samples of a subject count as one. Columns ``group, rate, subjects, samples, mean, ci_low, ci_high`` (t on
    the logit of the mean), ``low, high`` (lowest and highest subject), ``bound_low, bound_high`` (the mean if every
    call below the limit of detection fell either way; missing where the rates have no bounds), ``numerator,
    denominator`` (counts added up over samples); groups without any value of a rate have ``subjects`` 0 and missing
    numbers.
    """
    frame = by_group(rates, subjects)
    rows = []
    for name in dict.fromkeys(subjects.loc[subjects["role"] != "donor", group]):
        part = frame[frame[group] == name]
        for rate, (over, under) in RATE_NAMES.items():
            known = part.dropna(subset=[rate])
            means = known.groupby("subject")[rate].mean()
            interval = mean_interval(means.to_numpy(dtype=float))
            bounds = [
                known.groupby("subject")[f"{rate}_{end}"].mean().mean() if f"{rate}_{end}" in known else float("nan")
                for end in ("low", "high")
            ]
            rows.append(
                {
                    "group": name,
                    "rate": rate,
                    "subjects": len(means),
                    "samples": len(known),
                    "mean": means.mean(),
                    "ci_low": interval.low,
                    "ci_high": interval.high,
                    "low": means.min(),
                    "high": means.max(),
                    "bound_low": bounds[0],
                    "bound_high": bounds[1],
                    "numerator": known[list(over)].sum(axis=1).sum() if len(known) else float("nan"),
                    "denominator": known[list(under)].sum(axis=1).sum() if len(known) else float("nan"),
                }
            )
    return pd.DataFrame(rows)


def taxon_counts(outcomes: pd.DataFrame, subjects: pd.DataFrame, event: str) -> pd.DataFrame:
    """Count, per taxon, the subjects and samples in which it engrafted or was depleted, of those in which it could.

    Parameters
    ----------
    outcomes
        Table of outcomes, with the columns ``*_detected``.
    subjects
        As :func:`people` returns it.
    event
        ``engrafted`` (in the donor set, not in the baseline: then in the post sample) or ``depleted`` (in the baseline:
        then not in the post sample, whether or not the donor has it).

    Returns
    -------
    DataFrame
        One row per taxon that could in any subject, most subjects first: ``taxon``, and for each of the groups ``fmt``
        (received a dose), ``no_fmt`` (did not), ``responder``, ``non_responder`` (of those who received one):
        ``subjects_GROUP`` with the event in at least one post sample, ``subjects_GROUP_possible``, ``samples_GROUP``,
        ``samples_GROUP_possible``.
    """
    donor, baseline, post = (_detected(outcomes, name) for name in _DETECTED)
    possible = (donor & ~baseline) if event == "engrafted" else baseline
    happened = possible & (post if event == "engrafted" else ~post)
    frame = pd.DataFrame({"taxon": outcomes["taxon"], "subject": outcomes["subject"], "happened": happened})[
        possible.fillna(False)
    ]
    known = subjects.set_index("subject")
    dosed = frame["subject"].map(known["products"]) > 0
    response = frame["subject"].map(known["response"])
    groups = {
        "fmt": dosed,
        "no_fmt": ~dosed,
        "responder": dosed & (response == "responder"),
        "non_responder": dosed & (response == "non-responder"),
    }
    result = pd.DataFrame(index=pd.Index(frame["taxon"].unique(), name="taxon", dtype=object))
    for name, rows in groups.items():
        part = frame[rows]
        counted = part.groupby("taxon")["happened"].agg(["sum", "size"])
        per_subject = part.groupby(["taxon", "subject"])["happened"].any().groupby("taxon").agg(["sum", "size"])
        result[f"subjects_{name}"], result[f"subjects_{name}_possible"] = per_subject["sum"], per_subject["size"]
        result[f"samples_{name}"], result[f"samples_{name}_possible"] = counted["sum"], counted["size"]
    result = result.fillna(0).astype("int64").reset_index()
    share = (result["subjects_fmt"] / result["subjects_fmt_possible"].clip(lower=1)).to_numpy()
    keys = [
        (-row.subjects_fmt, -fraction, -row.samples_fmt, natural_key(row.taxon))
        for row, fraction in zip(result.itertuples(), share, strict=True)
    ]
    return result.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)


def _detected(outcomes: pd.DataFrame, source: str) -> pd.Series:
    """Return D, B or R, missing where the source has no profile; from the outcome where there is no such column."""
    column = f"{source}_detected"
    if column in outcomes:
        return outcomes[column].astype("boolean")
    return outcomes["outcome"].isin(_DETECTED[source]).astype("boolean").mask(outcomes["outcome"].isna())


def largest_analysis(frame: pd.DataFrame) -> tuple[int, int]:
    """Return the subjects and samples (``n_subjects, n_samples``) of the largest analysis in a table of results."""
    most = [frame[name].max() if name in frame and len(frame) else 0 for name in ("n_subjects", "n_samples")]
    return (0 if pd.isna(most[0]) else int(most[0]), 0 if pd.isna(most[1]) else int(most[1]))


def named_taxa(frame: pd.DataFrame, lineages: pd.DataFrame) -> pd.DataFrame:
    """Add ``name`` and ``lineage`` (phylum and family) for reading, of the profile or else of the frame's columns."""
    labels = label_taxa(frame["taxon"], lineages)
    # A column without rows has no type.
    ranks = labels["lineage"].astype(object).str.split(" › ")
    labels["lineage"] = ranks.map(
        lambda names: " › ".join(dict.fromkeys([names[0], names[3]])) if len(names) > 3 else ""
    )
    if "species" in frame and not len(lineages):
        known = frame["species"].notna()
        plain, family = (
            frame[rank].fillna("").str.replace(r"^[a-z]__", "", regex=True).str.replace("_", " ")
            for rank in ("species", "family")
        )
        leaf = frame["taxon"].str.rsplit("|").str[-1].str.replace(r"^[a-z]__", "", regex=True).str.replace("_", " ")
        labels["name"] = labels["name"].where(~known, plain + " (" + leaf + ")")
        labels["lineage"] = labels["lineage"].where(~known, family)
    return frame.assign(name=labels["name"].to_numpy(), lineage=labels["lineage"].to_numpy())


def unique_names(frame: pd.DataFrame) -> pd.Series:
    """Return ``name`` with the taxon behind it where two taxa share one (profiles without SGBs)."""
    per_taxon = frame.drop_duplicates("taxon").set_index("taxon")["name"]
    twice = per_taxon.duplicated(keep=False)
    return frame["taxon"].map(per_taxon.where(~twice, per_taxon + " [" + per_taxon.index + "]"))


def label_taxa(taxa: pd.Series, lineages: pd.DataFrame) -> pd.DataFrame:
    """Return ``name`` (species and SGB, or the taxon itself) and ``lineage`` (``Firmicutes > ... ``) of each taxon."""
    known = lineages[~lineages.index.duplicated()].reindex(taxa)
    names, paths = [], []
    for taxon, lineage, species in zip(taxa, known["lineage"], known["species"], strict=True):
        leaf = str(taxon).rsplit("|", 1)[-1]
        bare = leaf[3:] if leaf[1:3] == "__" else leaf
        if isinstance(species, str) and not leaf.startswith("s__"):
            plain, sgb = species[3:].replace("_", " "), bare.replace("_", " ")
            names.append(plain if plain.endswith(sgb) else f"{plain} ({sgb})")
        else:
            names.append(bare.replace("_", " ") if leaf[1:3] == "__" else str(taxon))
        if isinstance(lineage, str):
            ranks = [part[3:].replace("_", " ") for part in lineage.split("|")]
            paths.append(" › ".join(ranks[1:6]))
        else:
            paths.append("")
    return pd.DataFrame({"name": names, "lineage": paths}, index=taxa.index)


if set(RATE_NAMES) - set(RATES.names):  # renamed in the declaration: the report must follow
    raise RuntimeError("microbiome/report/counting.py names rates that microbiome/tables.py does not declare")
