"""What all null models rest on: who was treated, what was detected at one depth, which samples can count."""

from __future__ import annotations

import difflib
import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.diversity.factors import with_subjects
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.repair import Repaired
from microbiome.study import Study
from microbiome.subject_groups import as_groups

__all__ = ["Material", "dose_products", "groups_of", "material", "strata_of"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """A study ready to be compared.

    Parameters
    ----------
    posts
        One row per profiled post sample, by subject and day (index 0, 1, ...): ``subject``, ``sample``, ``day``,
        ``baseline_sample``, ``baseline_day``, ``lag`` (days between them, NaN without baseline), ``group``
        (``treated``, ``untreated``, or None for who counts as neither), ``stratum`` (None where it is unknown).
    products
        One row per treated subject and product: ``subject``, ``day`` (first received), ``donor``, ``donor_sample``,
        ``profiled``.
    treated
        Every subject that received a dose, in the order of the samples table; also those without post samples.
    untreated
        Every subject without doses, likewise.
    shallow
        Subjects of whom the repair of depth left out a sample.
    taxa
        Names of the columns of `present`.
    present
        **sample x taxon**, boolean: detected.
    rows
        Position of each profiled sample in `present`.
    stratum
        Stratum of each subject.
    repaired
        Which repair of depth was made.
    depth
        In words, where depth differs.
    """

    posts: pd.DataFrame
    products: pd.DataFrame
    treated: tuple[str, ...]
    untreated: tuple[str, ...]
    shallow: frozenset[str]
    taxa: pd.Index
    present: np.ndarray
    rows: dict[str, int]
    stratum: dict[str, str | None]
    repaired: Repaired
    depth: tuple[str, ...]

    def said_of_repair(self) -> str:
        """Say why and how the depth was repaired; nothing where it was not."""
        if self.repaired.method == "none":
            return ""
        gone = f"too shallow and left out: {', '.join(self.repaired.left_out)}" if self.repaired.left_out else ""
        return "; ".join(part for part in (*self.depth, f"repaired: {self.repaired.note}", gone) if part)

    def detected(self, samples: pd.Series | list[str]) -> np.ndarray:
        """Return the rows of `present` of these samples (sample x taxon, boolean)."""
        return self.present[[self.rows[sample] for sample in samples]]


def dose_products(study: Study, profiled: pd.Index) -> pd.DataFrame:
    """List the products of each dose schedule.

    Returns
    -------
    DataFrame
        ``subject``, ``day`` (first day the product was received), ``donor``, ``donor_sample``, ``profiled``. A dose
        without ``donor_sample`` stands for all samples of its donor; of a donor without samples it is None.
    """
    donors = study.samples.loc[study.samples["role"] == "donor", ["subject", "sample"]]
    given = study.doses[["subject", "day", "donor", "donor_sample"]].merge(
        donors.rename(columns={"subject": "donor"}), on="donor", how="left"
    )
    named = given["donor_sample"].notna()
    given["donor_sample"] = given["donor_sample"].where(named, given["sample"])
    given = given.astype({"day": np.int64}).sort_values(["subject", "day", "donor", "donor_sample"], kind="stable")
    given = given.drop_duplicates(["subject", "donor", "donor_sample"])
    given = given.assign(profiled=given["donor_sample"].isin(profiled))
    return given[["subject", "day", "donor", "donor_sample", "profiled"]].reset_index(drop=True)


def groups_of(study: Study) -> pd.Series:
    """Tell who was treated.

    Returns
    -------
    Series
        By subject (recipients and controls, in the order of the samples table): ``treated`` with doses, ``untreated``
        without. None for a recipient without doses in an arm in which others have them: their doses may only be
        missing from the table, so that they are in neither group; they are named in the log.
    """
    people = study.samples.loc[study.samples["role"] != "donor", ["subject", "role"]].drop_duplicates("subject")
    dosed = people["subject"].isin(study.doses["subject"]).to_numpy()
    group = pd.Series(np.where(dosed, "treated", "untreated"), index=pd.Index(people["subject"]), dtype=object)
    if "arm" in study.subjects:
        arms = group.index.to_series().map(study.subjects.set_index("subject")["arm"])
        of_dosed = set(arms[dosed].dropna())
        recipient = (people["role"] == "recipient").to_numpy()
        unclear = ~dosed & recipient & arms.isin(of_dosed).to_numpy()
        # An arm that everybody has says nothing of who was meant to be treated.
        if len(set(arms.dropna())) > 1 and unclear.any():
            logger.warning(
                "without doses in an arm in which others have them, and neither treated nor untreated here: %s",
                ", ".join(map(str, group.index[unclear])),
            )
            group[unclear] = None
    return group


def strata_of(study: Study, column: str | None) -> dict[str, str | None]:
    """Return the stratum of each recipient or control.

    Parameters
    ----------
    study
        Its samples or subjects table has the column.
    column
        None: everybody is in one stratum.

    Raises
    ------
    InputError
        When there is no such column, or a subject has several values of it.
    """
    frame = with_subjects(study)
    frame = frame[frame["role"] != "donor"]
    if column is None:
        return dict.fromkeys(map(str, frame["subject"].unique()), "")
    if column not in frame:
        near = difflib.get_close_matches(column, map(str, frame.columns), n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(str, frame.columns))}"
        raise InputError(Problem(f"there is no column {column!r}", fix, column=column, value=column))
    values = as_groups(frame[column])
    found: dict[str, str | None] = {}
    problems = []
    for subject, group in values.groupby(frame["subject"], sort=False):
        several = list(dict.fromkeys(group.dropna()))
        if len(several) > 1:
            text = f"{subject} has several values: {', '.join(several)}"
            problems.append(Problem(text, "strata are of subjects: give each one value", column=column, value=text))
        found[str(subject)] = several[0] if several else None
    raise_problems(problems)
    return found


def material(
    posts: pd.DataFrame,
    study: Study,
    repaired: Repaired,
    group: pd.Series,
    stratum: dict[str, str | None],
    depth: tuple[str, ...],
) -> Material:
    """Put together what was detected, with the profiled post samples (:func:`microbiome.study.post_samples`)."""
    values = repaired.abundance.to_numpy(dtype=float)
    profiled = ~np.isnan(values).any(axis=1)
    names = repaired.abundance.index
    posts = posts[["subject", "sample", "day", "baseline_sample", "baseline_day"]]
    posts = posts.astype({"day": np.int64}).sort_values(["subject", "day", "sample"]).reset_index(drop=True)
    lag = (posts["day"] - posts["baseline_day"]).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    posts = posts.assign(
        lag=lag,
        group=posts["subject"].map(group),
        stratum=[stratum.get(subject) for subject in posts["subject"]],
    )
    return Material(
        posts=posts,
        products=dose_products(study, names[profiled]),
        treated=tuple(group.index[group == "treated"]),
        untreated=tuple(group.index[group == "untreated"]),
        shallow=frozenset(study.samples.loc[study.samples["sample"].isin(repaired.left_out), "subject"]),
        taxa=repaired.abundance.columns,
        present=values > repaired.detection,
        rows={name: row for row, name in enumerate(names) if profiled[row]},
        stratum=stratum,
        repaired=repaired,
        depth=depth,
    )
