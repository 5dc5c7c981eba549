"""What two samples are to each other: who is the same person, who gave to whom, who is unrelated."""

from __future__ import annotations

import logging
from collections import defaultdict

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.strains.tables import RELATIONS
from microbiome.study_tables import Study

__all__ = ["PEOPLE", "once", "people", "relations", "unknown_samples"]

logger = logging.getLogger(__name__)

#: More people than this are in no study.
PEOPLE = 1 << 30
_SHOWN = 10


def relations(pairs: pd.DataFrame, study: Study) -> pd.Series:
    """Name the relation of every pair of samples.

    - ``same_person``: one subject, and no dose between the two. The first dose is given on day 0 after that day's
      sample, later ones count from their day on (as the donor set of a post sample does), so that a sample of day
      d > 0 follows the doses with day <= d, and one of day d <= 0 none. Samples of a donor, a placebo recipient or a
      control always are; two lots of a donor are no other thing.
    - ``before_after``: one recipient, with a dose between.
    - ``own_donor``: a post sample, and any sample of a donor of which the recipient had received a product by then.
    - ``other_donor``: a post sample (day > 0; also of placebo) and a sample of a donor not received by then.
    - ``shared_donor``: post samples of two recipients who had received one same donor by then.
    - ``unrelated``: all other pairs of two people, such as a baseline against the later donor.

    Parameters
    ----------
    pairs
        ``sample_1``, ``sample_2``.
    study
        The study.

    Returns
    -------
    Series
        One of :data:`microbiome.strains.tables.RELATIONS` for each row, same index; None where the samples table lacks
        one of the two, which is said once with their names.

    Raises
    ------
    InputError
        When the samples table has none of the samples.
    """
    first, second = _positions(pairs, study)
    known = (first >= 0) & (second >= 0)
    names = np.array([*RELATIONS, None], dtype=object)
    codes = np.full(len(pairs), len(RELATIONS))
    codes[known] = _matrix(study)[first[known], second[known]]
    return pd.Series(names[codes], index=pairs.index, name="relation", dtype=object)


def people(pairs: pd.DataFrame, study: Study) -> pd.Series:
    """Return a number for the person of a pair of samples, or for its two people whichever comes first.

    Returns
    -------
    Series of int
        Pairs with the same number come from the same person or the same two people, whose positions among the subjects
        of the samples table are number // PEOPLE and number % PEOPLE; -1 where the samples table lacks
        one of the samples. Same index.
    """
    first, second = _positions(pairs, study)
    subject, _ = pd.factorize(study.samples["subject"])
    a, b = subject[first], subject[second]
    number = np.minimum(a, b).astype(np.int64) * PEOPLE + np.maximum(a, b)
    return pd.Series(np.where((first >= 0) & (second >= 0), number, -1), index=pairs.index, name="people")


def once(*labels: np.ndarray) -> np.ndarray:
    """Return weights that sum to 1 over the rows with the same labels (whole numbers), so that they count once."""
    code = np.zeros(len(labels[0]), dtype=np.int64)
    for label in labels:
        # Renumbered each time: products of large numbers would overflow.
        values, number = np.unique(label, return_inverse=True)
        _, code = np.unique(code * len(values) + number, return_inverse=True)
    _, inverse, sizes = np.unique(code, return_inverse=True, return_counts=True)
    return 1 / sizes[inverse]


def unknown_samples(pairs: pd.DataFrame, study: Study) -> list[str]:
    """Return the samples of the pairs that the samples table lacks, sorted; say so once.

    Raises
    ------
    InputError
        When it has none of them.
    """
    found = pd.unique(pd.concat([pairs["sample_1"], pairs["sample_2"]], ignore_index=True))
    known = set(study.samples["sample"])
    missing = sorted(sample for sample in found if sample not in known)
    if not missing:
        return missing
    listed = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
    if len(missing) == len(found):
        raise InputError(
            Problem(
                f"the samples table has none of the samples of the distances: {listed}",
                "give both the same names, without endings of files",
                column="sample",
            )
        )
    logger.warning(
        "the samples table lacks %d samples of the distances, whose relations stay empty: %s", len(missing), listed
    )
    return missing


def _positions(pairs: pd.DataFrame, study: Study) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the samples table of both samples, -1 where there is none."""
    index = pd.Index(study.samples["sample"])
    # Far quicker than looking up each of millions of names.
    codes, names = pd.factorize(pd.concat([pairs["sample_1"], pairs["sample_2"]], ignore_index=True))
    rows = index.get_indexer(pd.Index(names))[codes]
    return rows[: len(pairs)], rows[len(pairs) :]


def _matrix(study: Study) -> np.ndarray:
    """Return the relation of every two samples of the samples table as a position in RELATIONS, sample x sample."""
    samples = study.samples
    subject, _ = pd.factorize(samples["subject"])
    day = samples["day"].astype("Float64").fillna(0).to_numpy(dtype=float)
    is_donor = (samples["role"] == "donor").to_numpy()
    post = ~is_donor & (day > 0)

    donors = pd.Index(pd.unique(study.doses["donor"]) if len(study.doses) else [], dtype=object)
    doses: dict[str, list[tuple[int, int]]] = defaultdict(list)
    if len(study.doses):
        columns = (study.doses["subject"], study.doses["day"], donors.get_indexer(study.doses["donor"]))
        for person, dose_day, donor in zip(*columns, strict=True):
            doses[person].append((int(dose_day), int(donor)))
    count = np.zeros(len(samples), dtype=int)
    received = np.zeros((len(samples), len(donors)), dtype=np.float32)
    for row in np.flatnonzero(post):
        had = [(d, donor) for d, donor in doses.get(samples["subject"].iloc[row], []) if d <= day[row]]
        count[row] = len({d for d, _ in had})
        received[row, [donor for _, donor in had]] = 1

    code = {name: position for position, name in enumerate(RELATIONS)}
    result = np.full((len(samples), len(samples)), code["unrelated"], dtype=np.int8)
    result[received @ received.T > 0] = code["shared_donor"]
    of_donor = np.zeros((len(samples), len(donors)), dtype=np.float32)
    own = donors.get_indexer(samples["subject"])
    rows = np.flatnonzero(is_donor & (own >= 0))
    of_donor[rows, own[rows]] = 1
    to_donor = post[:, None] & is_donor[None, :]
    given = received @ of_donor.T > 0
    for name, cells in (("other_donor", to_donor & ~given), ("own_donor", to_donor & given)):
        result[cells | cells.T] = code[name]
    same = subject[:, None] == subject[None, :]
    result[same] = code["same_person"]
    result[same & (count[:, None] != count[None, :])] = code["before_after"]
    return result
