"""How close each recipient sample is to its donors, to its own baseline, and to donors it did not get."""

from __future__ import annotations

import logging
from collections import defaultdict

import numpy as np
import pandas as pd
import skbio

from microbiome.diversity.beta import BETA_METRICS, BOUNDED_METRICS
from microbiome.diversity.tables import SIMILARITY
from microbiome.study import Study

__all__ = ["similarity"]

logger = logging.getLogger(__name__)


def similarity(distances: skbio.DistanceMatrix, study: Study, metric: str = "") -> pd.DataFrame:
    """Compare every recipient (and control) sample with donors and baseline.

    Parameters
    ----------
    distances
        Distances between samples; a sample that is not in it has no profile.
    study
        Who gave and received what.
    metric
        What the distances are (:data:`microbiome.diversity.BETA_METRICS`). Of metrics that never exceed 1 the
        similarity 1 - distance is given too; of the others (Aitchison, Hellinger, raw weighted UniFrac) it has no
        meaning and is missing. ``""`` or another name: taken as bounded when no distance exceeds 1.

    Returns
    -------
    DataFrame
        One row per sample of role recipient or control, profiled or not, by subject (order of the samples table) and
        day; columns as in :data:`microbiome.diversity.tables.SIMILARITY`:

        - ``donor_distance``: mean over the donors whose products the subject received **at any time**; before it, the
        mean
          over the samples of that donor that were received. The set is the same for all samples of a subject (so also
          before FMT, and between two doses): a curve over time compares like with like.
          ``n_donor_samples_received`` tells how many of them had been given by the day of the sample (none before day
          1: the first dose follows that day's sample).
        - ``donor_distance_min``: the nearest single one of these donor samples.
        - ``baseline_distance``: to the subject's last profiled sample with day <= 0; missing for that sample itself.
        - ``other_donor_distance``: mean over all donors of whom the subject received nothing, of all their samples
        (other
          samples of an own donor are in neither set). Missing when there is no other donor.
        - ``distance_difference``: own minus other donors; below 0 is closer to the own.

        A recipient without doses (placebo, control) has no own donors, and all donors are other ones.
        Missing is what has no profile on either side; the counts tell how many donor samples there were.

    Notes
    -----
    Descriptive: samples of one subject, and subjects of one donor, are not independent. Whether recipients resemble
    their own donors more is a question of donors permuted between subjects, not of a one-sample test of the
    differences.
    """
    place = {sample: position for position, sample in enumerate(distances.ids)}
    samples = study.samples[study.samples["role"].isin(["recipient", "control"])]
    donors = study.samples[study.samples["role"] == "donor"]
    of_donor: dict[str, list[str]] = defaultdict(list)
    for sample, donor in zip(donors["sample"], donors["subject"], strict=True):
        of_donor[donor].append(sample)
    received = _received(study, of_donor)
    _log_gaps(place, study)
    matrix = distances.data
    rows: list[dict[str, object]] = []
    for subject, group in samples.groupby("subject", sort=False):
        group = group.sort_values("day", kind="stable")
        own = received.get(str(subject), {})
        own_places = _places({donor: list(products) for donor, products in own.items()}, place)
        other_places = _places({donor: found for donor, found in of_donor.items() if donor not in own}, place)
        products = [(product, day) for given in own.values() for product, day in given.items()]
        before = group.loc[(group["day"] <= 0).fillna(False) & group["sample"].isin(place), "sample"]
        baseline = None if before.empty else before.iloc[-1]
        for sample, day, role in group[["sample", "day", "role"]].itertuples(index=False):
            row: dict[str, object] = {
                "subject": subject,
                "sample": sample,
                "role": role,
                "day": day,
                "baseline_sample": baseline,
                "profiled": int(sample in place),
                "n_donors": len(own_places),
                "n_donor_samples": sum(map(len, own_places)),
                "n_donor_samples_unprofiled": sum(product not in place for product, _ in products),
                "n_donor_samples_received": sum(
                    product in place and pd.notna(day) and day > 0 and given <= day for product, given in products
                ),
                "n_other_donors": len(other_places),
                "n_other_donor_samples": sum(map(len, other_places)),
            }
            if sample in place:
                here = matrix[place[sample]]
                row["donor_distance"] = _mean_of_means(here, own_places)
                row["donor_distance_min"] = min((here[at].min() for at in own_places), default=np.nan)
                row["other_donor_distance"] = _mean_of_means(here, other_places)
                if baseline is not None and baseline != sample:
                    row["baseline_distance"] = here[place[baseline]]
            rows.append(row)
    frame = pd.DataFrame(rows, columns=SIMILARITY.names)
    dtypes = {"integer": "Int64", "flag": "Int64", "number": "float64"}
    frame = frame.astype({column.name: dtypes[column.kind] for column in SIMILARITY.columns if column.kind in dtypes})
    frame["distance_difference"] = frame["donor_distance"] - frame["other_donor_distance"]
    if _bounded(metric, matrix):
        frame["similarity_donor"] = 1 - frame["donor_distance"]
        frame["similarity_donor_max"] = 1 - frame["donor_distance_min"]
        frame["similarity_baseline"] = 1 - frame["baseline_distance"]
        frame["similarity_other_donors"] = 1 - frame["other_donor_distance"]
        frame["similarity_difference"] = frame["similarity_donor"] - frame["similarity_other_donors"]
    return frame


def _received(study: Study, of_donor: dict[str, list[str]]) -> dict[str, dict[str, dict[str, int]]]:
    """Return per subject and donor the products received, each with the first day it was."""
    received: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    doses = study.doses[["subject", "day", "donor", "donor_sample"]]
    for subject, day, donor, product in doses.itertuples(index=False):
        # A donor without any sample gave one product that has no profile; no sample is called "".
        for name in [product] if pd.notna(product) else of_donor.get(donor) or [""]:
            days = received[subject][donor]
            days[name] = min(int(day), days.get(name, int(day)))
    return received


def _places(samples: dict[str, list[str]], place: dict[str, int]) -> list[np.ndarray]:
    """Return the rows of the profiled samples of each donor that has any."""
    found = [np.array([place[name] for name in names if name in place], dtype=int) for names in samples.values()]
    return [at for at in found if len(at)]


def _mean_of_means(here: np.ndarray, places: list[np.ndarray]) -> float:
    """Average within each donor first, so that a donor does not count more for having more samples."""
    return float(np.mean([here[at].mean() for at in places])) if places else np.nan


def _bounded(metric: str, matrix: np.ndarray) -> bool:
    if metric in BOUNDED_METRICS or metric in BETA_METRICS:
        return metric in BOUNDED_METRICS
    bounded = bool(matrix.max(initial=0.0) <= 1)
    logger.info(
        "the metric is not known; %s", "no distance exceeds 1, so 1 - distance is given" if bounded else "some exceed 1"
    )
    return bounded


def _log_gaps(place: dict[str, int], study: Study) -> None:
    known = study.samples["sample"]
    without = known[~known.isin(place)]
    if len(without):
        logger.warning("%d samples have no distances: %s", len(without), ", ".join(map(str, without)))
    listed = set(known)
    unknown = [sample for sample in place if sample not in listed]
    if unknown:
        logger.warning(
            "%d samples of the distance matrix are not in the samples table: %s", len(unknown), ", ".join(unknown)
        )
