"""What became of each taxon: the eight cells of donor x baseline x post, and how sure each call is."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from microbiome.cells import CODE_OF_CELL, SOURCES
from microbiome.depth import repair_study, study_depth_warnings, study_limits
from microbiome.detection import MISSED, detection_limit, fit_curve, probability_detected
from microbiome.rates import rates
from microbiome.repair import chosen_repair, relevant_samples, repair
from microbiome.study import Study
from microbiome.tables import OUTCOME_NAMES, OUTCOMES
from microbiome.triads import Triads, checked_detection, triads

__all__ = ["outcomes", "rates", "study_limits", "tidy"]

logger = logging.getLogger(__name__)

# Post samples handled at once: bounds the memory at a few matrices of this many rows.
_BLOCK = 256
# Text of `unsure` by 4 donor + 2 baseline + post.
_UNSURE = np.array(
    [",".join(name for bit, name in zip((4, 2, 1), SOURCES, strict=True) if mask & bit) or None for mask in range(8)],
    dtype=object,
)


def outcomes(
    abundance: pd.DataFrame,
    study: Study,
    detection: float = 0.0,
    table: pd.DataFrame | None = None,
    method: str = "none",
    seed: int = 0,
    fitted: bool = True,
) -> pd.DataFrame:
    """Return the outcome of every taxon in every post sample, and whether the call is sure.

    A taxon is detected where its abundance is above `detection`: in the post sample (R), in the subject's baseline (B),
    and in at least one profiled donor product received on or before the post sample's day (D). At species level
    ``engrafted`` is a matter of presence, not proof of transfer; and a taxon too rare for the depth of a sample is
    absent from it (no rate of these has a depth-free meaning).

    **Certainty.** Wherever a taxon counts as absent, it may only have been missed. An absence is unsure where a taxon
    would have been missed there with a probability above 5 %, had it the abundance that it shows elsewhere: absent
    after FMT, that of the baseline, or where that lacks it too, of the donor; absent from the baseline, that after FMT,
    or else of the donor; absent from the donor, the larger of baseline and post, in the deepest product (and always
    where a product has no profile). A call with an
    unsure absence is ``below_limit``. The probability is that of :mod:`microbiome.detection`, with the detection curve
    of the study's own repeats where there are enough.

    Parameters
    ----------
    abundance
        **sample x taxon**, any feature table (:func:`microbiome.metaphlan.read_abundance`). A sample that is no row
        of it, or a row of NaN, has no profile.
    study
        Samples, subjects and doses.
    detection
        Threshold, in the unit of `abundance` (a fraction); >= 0.
    table
        Limits of detection (:func:`study_limits`); None for those of the study.
    method
        Repair of depth (:data:`microbiome.repair.REPAIRS`); ``auto`` thins where baselines and
        post samples differ in depth, or either does between arms or between responders and non-responders.
    seed
        Of ``thinning``.
    fitted
        Use a fitted detection curve where the study has enough repeats; otherwise the Poisson model alone.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.tables.OUTCOMES`, a row per post sample and taxon with D, B or R, in the order of
        the samples table, day and the taxa of `abundance`. A subject without doses has an empty donor set (D = 0
        everywhere, and surely so). Where products were received but none is profiled, ``donor_*`` and ``outcome`` are
        missing; where there is no profiled baseline, ``baseline_*`` and ``outcome`` are; ``certainty`` is missing with
        ``outcome``. Post samples without a profile have no rows. Each of these is named in the log.

    Raises
    ------
    InputError
        When `detection` is negative, not a number, or above every abundance, `abundance` has a negative value, `method`
        is unknown, or no post sample has a profile.
    """
    checked_detection(abundance, detection)
    aligned = triads(abundance, study)
    table = study_limits(abundance, study) if table is None else table
    compared = table[table["sample"].isin(relevant_samples(study, aligned.posts, aligned.products))]
    warned = study_depth_warnings(compared, study, aligned.posts)
    method = chosen_repair(method, bool(warned))
    if method == "none":
        for sentence in warned:
            logger.warning("%s; see --repair", sentence)
    if method == "none":
        repaired = repair(abundance, compared, method, detection)
    else:
        repaired = repair_study(abundance, study, table, method, detection, seed)
        logger.info("%s", repaired.note)
        aligned = triads(repaired.abundance, study)
    limit = repaired.limits
    # Thinned evidence is one by one: there is nothing left to fit.
    if fitted and method != "thinning":
        curve, text = fit_curve(abundance, study, table)
        logger.info("certainty: %s", text)
        limit = limit if curve is None else curve.apply(limit, repaired.detection)
    return tidy(aligned, repaired.detection, limit)


def tidy(aligned: Triads, detection: float, table: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes of aligned samples (:func:`outcomes` without its preparations).

    Parameters
    ----------
    aligned
        Of :func:`microbiome.triads.triads`.
    detection
        Threshold.
    table
        Limits (:data:`microbiome.tables.LIMITS`), scaled by a fitted curve where there is one.
    """
    unit = table.set_index("sample")["unit"]
    posts = aligned.posts
    there = aligned.products[aligned.products["profiled"]]
    deepest = there.assign(unit=there["donor_sample"].map(unit)).groupby("sample")["unit"].min()
    units = np.column_stack(
        [
            posts["sample"].map(deepest).to_numpy(dtype=float),
            posts["baseline_sample"].map(unit).to_numpy(dtype=float),
            posts["sample"].map(unit).to_numpy(dtype=float),
        ]
    )
    blocks = [_block(aligned, slice(start, start + _BLOCK), units, detection) for start in range(0, len(posts), _BLOCK)]
    frame = pd.concat(blocks, ignore_index=True)
    frame["taxon"] = aligned.taxa.to_numpy(dtype=object)[frame["taxon"].to_numpy()]
    silent = posts.loc[~posts["sample"].isin(frame["sample"].unique()), "sample"]
    if len(silent):
        logger.warning("no taxon is above detection %g for: %s", detection, ", ".join(silent))
    return frame[OUTCOMES.names]


def _block(aligned: Triads, rows: slice, units: np.ndarray, detection: float) -> pd.DataFrame:
    """Outcomes of some post samples; ``taxon`` is still the position of the column."""
    posts = aligned.posts.iloc[rows]
    donor, baseline, post = aligned.donor[rows], aligned.baseline[rows], aligned.post[rows]
    limit = detection_limit(units[rows], detection)
    in_donor, in_baseline, in_post = donor > detection, baseline > detection, post > detection
    cell = 4 * in_donor.astype(np.int8) + 2 * in_baseline.astype(np.int8) + in_post.astype(np.int8)
    row, taxon = np.nonzero(cell)
    cell = cell[row, taxon]
    d, b, r = donor[row, taxon], baseline[row, taxon], post[row, taxon]
    known = ~(np.isnan(d) | np.isnan(b))
    received = posts[["donor_products", "donor_products_unprofiled"]].to_numpy(dtype=float)[row]
    mask = _unsure_mask(d, b, r, cell, units[rows][row], detection, received)
    names = np.array([*OUTCOME_NAMES, None], dtype=object)
    code = np.where(known, CODE_OF_CELL[cell], len(OUTCOME_NAMES))
    mask[~known] = 0
    columns = posts[["subject", "sample", "day", "baseline_sample", "donor_products", "donor_products_unprofiled"]]
    frame = columns.iloc[row].reset_index(drop=True)
    frame["taxon"] = taxon
    frame["outcome"] = names[code]
    for name, bit, abundance in zip(SOURCES, (4, 2, 1), (d, b, r), strict=True):
        missing = np.isnan(abundance)
        frame[f"{name}_abundance"] = abundance
        frame[f"{name}_detected"] = pd.arrays.IntegerArray(((cell & bit) > 0).astype(np.int64), missing)
    certain = np.array(["sure", "below_limit", None], dtype=object)
    frame["certainty"] = certain[np.where(known, (mask > 0).astype(int), 2)]
    frame["unsure"] = _UNSURE[mask]
    frame["baseline_day"] = posts["baseline_day"].iloc[row].reset_index(drop=True)
    frame["baseline_limit"], frame["post_limit"] = limit[row, 1], limit[row, 2]
    return frame


def _unsure_mask(
    donor: np.ndarray,
    baseline: np.ndarray,
    post: np.ndarray,
    cell: np.ndarray,
    units: np.ndarray,
    detection: float,
    received: np.ndarray,
) -> np.ndarray:
    """Return 4 donor + 2 baseline + post: where the taxon is absent but may have been missed. See :func:`outcomes`.

    `received` holds the donor products received, and how many of them have no profile: what those held is not known,
    and nothing can have been missed in an empty donor set. A sample of which nothing is known (no taxon at all) may
    have missed everything.
    """
    in_baseline, in_post = (cell & 2) > 0, (cell & 1) > 0
    absent = [(cell & 4) == 0, ~in_baseline, ~in_post]
    expected = [np.fmax(baseline, post), np.where(in_post, post, donor), np.where(in_baseline, baseline, donor)]
    mask = np.zeros(len(cell), dtype=np.int8)
    for place, (bit, gone, there) in enumerate(zip((4, 2, 1), absent, expected, strict=True)):
        unit = units[:, place]
        look = np.flatnonzero(gone & ~np.isnan(unit))
        seen = probability_detected(there[look], unit[look], detection)
        unsure = gone & np.isnan(unit)
        unsure[look[seen < 1 - MISSED]] = True
        if bit == 4:
            unsure = (unsure | (gone & (received[:, 1] > 0))) & (received[:, 0] > 0)
        mask[unsure] += bit
    return mask
