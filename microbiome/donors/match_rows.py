"""The material of the match: what each taxon of donor or baseline was before FMT, and whether it is there after."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from microbiome.donors.match_folds import JOIN
from microbiome.donors.names import sgb_id
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.study import Study
from microbiome.subject_groups import no_such_column
from microbiome.triads import checked_detection, triads
from microbiome.visits import analysis_samples

__all__ = [
    "MOST_ROWS",
    "ROW_COLUMNS",
    "combine_rows",
    "describe",
    "drawn_rows",
    "match_rows",
    "taxon_keys",
    "with_keys",
]

logger = logging.getLogger(__name__)

#: From so many rows on more of them teach next to nothing, and take hours.
MOST_ROWS = 100_000
#: Columns of the rows of a match, but for the description of abundance (:func:`describe`).
ROW_COLUMNS = (
    "cohort",
    "subject",
    "donor",
    "sample",
    "day",
    "taxon",
    "genus",
    "donor_abundance",
    "baseline_abundance",
    "donor_rank",
    "baseline_rank",
    "donor_richness",
    "baseline_richness",
    "donor_present",
    "baseline_present",
    "present",
)


def taxon_keys(taxa: pd.Index) -> list[str]:
    """Return what a taxon is called in every database: its SGB without ``t__`` and ``_group``, else its own name."""
    return [sgb_id(taxon) or taxon for taxon in taxa]


def with_keys(abundance: pd.DataFrame) -> pd.DataFrame:
    """Return the abundances with columns called by :func:`taxon_keys`; those of one key are summed."""
    keyed = abundance.set_axis(taxon_keys(abundance.columns), axis=1)
    if keyed.columns.is_unique:
        return keyed
    return keyed.T.groupby(level=0, sort=False).sum(min_count=1).T


def genera(taxa: pd.Index, lineage: pd.DataFrame | None) -> dict[str, str]:
    """Return the genus of each taxon key; without lineage, or without genus, none."""
    if lineage is None or "genus" not in lineage:
        return {}
    found = lineage["genus"].reindex(taxa)
    return {key: name for key, name in zip(taxon_keys(taxa), found, strict=True) if isinstance(name, str)}


def describe(donor: np.ndarray, baseline: np.ndarray, detection: float) -> dict[str, np.ndarray]:
    """Return what is known before FMT of the taxa of one donor set and one baseline.

    Returns
    -------
    dict
        Per taxon, from two vectors of abundance: ``*_abundance`` (0 where not detected), ``*_present``, ``*_rank``
        (share of the taxa detected there that are not more abundant; else 0), ``*_richness`` (taxa detected).
    """
    out: dict[str, np.ndarray] = {}
    for name, values in (("donor", donor), ("baseline", baseline)):
        there = values > detection
        clean = np.where(there, values, 0.0)
        rank = np.zeros(len(values))
        if there.any():
            rank[there] = np.searchsorted(np.sort(clean[there]), clean[there], side="right") / there.sum()
        out[f"{name}_abundance"], out[f"{name}_rank"] = clean, rank
        out[f"{name}_present"] = there.astype(np.int8)
        out[f"{name}_richness"] = np.full(len(values), int(there.sum()))
    return out


def match_rows(
    abundance: pd.DataFrame,
    study: Study,
    lineage: pd.DataFrame | None = None,
    detection: float = 0.0,
    cohort: str = "",
    window: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return one row per post sample that counts and taxon that its donor set or its baseline has.

    Samples that count are those of the visits that all have (:func:`microbiome.visits.analysis_samples`), one per
    subject and visit, of subjects who received a donor. Taxa that neither donor nor baseline has ("double zeroes") are
    left out, as in Ianiro et al. 2022 (10.1038/s41591-022-01964-3): to foretell their absence is no art.

    Parameters
    ----------
    abundance
        **sample x taxon**, fractions.
    study
        Samples, doses, and with `cohort` subjects.
    lineage
        Gives the genus.
    detection
        A taxon is detected above this abundance.
    cohort
        Column of the subjects table; empty for one cohort, called ``all``.
    window
        First and last day that count.

    Returns
    -------
    DataFrame
        Columns :data:`ROW_COLUMNS`. ``taxon`` is the SGB without ``_group`` (so that studies of different databases fit
        together), ``donor`` the donors received by then, joined by `` + ``.

    Raises
    ------
    InputError
        When the column of cohorts does not exist, is empty for a recipient, or no sample has a profiled donor and
        baseline.
    """
    checked_detection(abundance, detection)
    keyed = with_keys(abundance)
    aligned = triads(keyed, study)
    posts = aligned.posts
    # Donors without a profile link their recipients, too.
    sets = aligned.products.groupby("sample")["donor"].agg(lambda names: JOIN.join(sorted(set(names))))
    donor_of = posts["sample"].map(sets)
    profiled = (posts["donor_products"] > posts["donor_products_unprofiled"]).astype(bool)
    usable = profiled & posts["baseline_sample"].notna()
    if not usable.any():
        message = "no post sample has a profile of a donor that was received by then and of a baseline"
        raise InputError(Problem(message, "compare the sample names of profile, samples and doses table"))
    analysis = analysis_samples(posts[usable], window)
    logger.info("match: %s", analysis.note)
    counts = analysis.samples.drop_duplicates(["subject", "visit"])
    if counts.empty:
        raise InputError(Problem("no post sample lies in the window", "give other days", value=str(window)))
    cohorts = _cohorts(study, cohort, counts["subject"])
    genus = genera(abundance.columns, lineage)
    names = aligned.taxa.to_numpy(dtype=object)
    genus_of = np.array([genus.get(name) for name in names], dtype=object)
    frames = []
    for place in counts.index:
        known = describe(aligned.donor[place], aligned.baseline[place], detection)
        keep = (known["donor_present"] | known["baseline_present"]).astype(bool)
        row = posts.loc[place]
        frame = pd.DataFrame({"taxon": names[keep], "genus": genus_of[keep], **{k: v[keep] for k, v in known.items()}})
        frame["present"] = (aligned.post[place][keep] > detection).astype(np.int8)
        frames.append(
            frame.assign(
                cohort=cohorts[row["subject"]],
                subject=row["subject"],
                donor=donor_of[place],
                sample=row["sample"],
                day=int(row["day"]),
            )
        )
    return pd.concat(frames, ignore_index=True)[list(ROW_COLUMNS)]


def drawn_rows(rows: pd.DataFrame, most: int = MOST_ROWS, seed: int = 0) -> tuple[pd.DataFrame, str]:
    """Return the rows of as many post samples, drawn at random, as have `most` rows together, and say so.

    Persons come before visits: a second sample of anybody is drawn only when everybody has one.

    Parameters
    ----------
    rows
        Of :func:`match_rows` or :func:`combine_rows`.
    most
        Rows; 0 for all.
    seed
        Of the draw.

    Returns
    -------
    rows
        In their order; all of them where there are no more than `most`.
    text
        What was drawn; empty where nothing was left out.

    Raises
    ------
    InputError
        `most` is negative.
    """
    if most < 0:
        raise InputError(Problem(f"{most} rows are too few", "give 1 or more, or 0 for all", value=str(most)))
    if not most or len(rows) <= most:
        return rows, ""
    size = rows.groupby(["subject", "sample"], sort=True).size().sample(frac=1, random_state=seed)
    turn = size.groupby("subject").cumcount()
    size = size.iloc[np.argsort(turn.to_numpy(), kind="stable")]
    chosen = size.index.get_level_values("sample")[(size.cumsum() <= most).to_numpy()]
    kept = rows[rows["sample"].isin(chosen)]
    text = (
        f"learnt from and judged on {len(chosen)} of {len(size)} post samples, of {kept['subject'].nunique()} of "
        f"{rows['subject'].nunique()} subjects, drawn at random: together they have {len(kept)} of {len(rows)} taxa, "
        f"and at most {most} are taken"
    )
    return kept, text


def _cohorts(study: Study, column: str, subjects: pd.Series) -> dict[str, str]:
    wanted = list(dict.fromkeys(subjects))
    if not column:
        return dict.fromkeys(wanted, "all")
    if column not in study.subjects:
        names = [str(name) for name in study.subjects if name != "subject"]
        if names:
            raise InputError(no_such_column(column, names, "cohort", "subjects"))
        text = f"cohorts are told by {column!r} of the subjects table, which is not given"
        raise InputError(Problem(text, "give the subjects table (--subjects)", column="cohort", value=column))
    values = study.subjects.set_index("subject")[column].to_dict()
    problems = [
        Problem(f"subject {name!r} has no {column}", "fill it in", "subjects", column=column, value=name)
        for name in wanted
        if pd.isna(values.get(name))
    ]
    raise_problems(problems)
    return {name: str(values[name]) for name in wanted}


def combine_rows(cohorts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Put rows of several studies together, each a cohort; profiles of different databases must come this way.

    Parameters
    ----------
    cohorts
        Name of the cohort and its rows, as :func:`match_rows` gives them.

    Raises
    ------
    InputError
        When there is none, or two cohorts have a subject or a sample of the same name: are they the same person?
    """
    if not cohorts:
        raise InputError("there is no cohort to combine")
    problems = []
    for column in ("subject", "sample"):
        first: dict[str, str] = {}
        for name, rows in cohorts.items():
            for value in rows[column].unique():
                other = first.setdefault(value, name)
                if other != name:
                    message = f"{column} {value!r} is in cohort {other} and in cohort {name}"
                    problems.append(Problem(message, "give them different names", column=column, value=value))
    raise_problems(problems)
    return pd.concat([rows.assign(cohort=name) for name, rows in cohorts.items()], ignore_index=True)
