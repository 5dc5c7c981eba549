"""Baseline, donor set and post sample of every comparison, side by side as matrices."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.study import Study, donor_products, post_samples

__all__ = ["Triads", "align", "checked_detection", "triads"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Triads:
    """Every profiled post sample with what it is compared to.

    Parameters
    ----------
    posts
        One row per profiled post sample: ``subject``, ``sample``, ``day``, ``baseline_sample``, ``baseline_day``,
        ``arm``, ``donor_products`` (received by then), ``donor_products_unprofiled``.
    products
        One row per post sample and product, as :func:`microbiome.study.donor_products` gives them.
    taxa
        Names of the columns of the matrices.
    baseline, donor, post
        **post sample x taxon**, abundances. ``baseline`` is NaN without a profiled baseline; ``donor`` is the largest
        abundance among the profiled products, 0 where nothing was received, NaN where products were received and none
        is profiled.
    """

    posts: pd.DataFrame
    products: pd.DataFrame
    taxa: pd.Index
    baseline: np.ndarray
    donor: np.ndarray
    post: np.ndarray


def triads(abundance: pd.DataFrame, study: Study) -> Triads:
    """Align the abundances of every post sample with those of its baseline and of the donor products received by then.

    Parameters
    ----------
    abundance
        **sample x taxon**, any feature table (:func:`microbiome.metaphlan.read_abundance`). A sample that is no row
        of it, or a row of NaN, has no profile.
    study
        Samples, subjects and doses.

    Raises
    ------
    InputError
        When `abundance` has a negative value, or no post sample has a profile. Whatever else is missing is named in
        the log.
    """
    values = abundance.to_numpy(dtype=float)
    if (values < 0).any():
        raise InputError("the profile has negative abundances; give fractions of 0 or more")
    profiled = abundance.index[~np.isnan(values).any(axis=1)]
    _warn(
        "profiles of samples that are not in the samples table are not used",
        abundance.index.difference(study.samples["sample"]),
    )
    posts = post_samples(study, profiled)
    products = donor_products(study, profiled)
    _log_gaps(study, posts, products)
    posts = posts[posts["profiled"]].drop(columns="profiled").reset_index(drop=True)
    if posts.empty:
        raise InputError(
            "no sample with day > 0 of a recipient has a profile; compare the sample names of profile and samples table"
        )
    products = products[products["sample"].isin(posts["sample"])].reset_index(drop=True)
    number = posts["sample"].map(products.groupby("sample").size()).fillna(0).astype("Int64")
    there = products[products["profiled"]]
    profiled_number = posts["sample"].map(there.groupby("sample").size()).fillna(0).astype("Int64")
    posts = posts.assign(donor_products=number, donor_products_unprofiled=number - profiled_number)
    return align(abundance, posts, products)


def align(abundance: pd.DataFrame, posts: pd.DataFrame, products: pd.DataFrame) -> Triads:
    """Take the matrices of comparisons that are settled already from a table of abundances, thinned ones for example.

    Parameters
    ----------
    abundance
        **sample x taxon**, with a row of every sample that `posts` and `products` name as profiled.
    posts, products
        As in :class:`Triads`.
    """
    values = abundance.to_numpy(dtype=float)
    row_of = pd.Series(np.arange(len(abundance)), index=abundance.index)
    post = values[row_of[posts["sample"]].to_numpy()]
    baseline = np.full_like(post, np.nan)
    has_baseline = posts["baseline_sample"].notna().to_numpy()
    baseline[has_baseline] = values[row_of[posts.loc[has_baseline, "baseline_sample"]].to_numpy()]
    donor = np.zeros_like(post)
    received = posts["donor_products"]
    donor[((received > 0) & (posts["donor_products_unprofiled"] == received)).to_numpy(dtype=bool)] = np.nan
    there = products[products["profiled"]]
    place = pd.Series(np.arange(len(posts)), index=posts["sample"])
    sources = row_of[there["donor_sample"]].to_numpy()
    sets: dict[int, list[int]] = {}
    for target, source in zip(place[there["sample"]].to_numpy().tolist(), sources.tolist(), strict=True):
        sets.setdefault(target, []).append(source)
    for target, rows in sets.items():
        donor[target] = values[rows[0]] if len(rows) == 1 else values[rows].max(axis=0)
    return Triads(posts, products, abundance.columns, baseline, donor, post)


def checked_detection(abundance: pd.DataFrame, detection: float) -> float:
    """Return `detection`, or complain when nothing could be above it.

    Raises
    ------
    InputError
        When it is negative, not a number, or not below 1 and every abundance.
    """
    # Other units than fractions (counts, percentages) may need a larger threshold.
    if not 0 <= detection < max(1.0, float(np.nanmax(abundance.to_numpy(dtype=float), initial=0.0))):
        raise InputError(
            Problem(
                f"detection {detection:g} is not within 0 and the largest abundance", "give a fraction such as 1e-4"
            )
        )
    return detection


def _log_gaps(study: Study, posts: pd.DataFrame, products: pd.DataFrame) -> None:
    """Name everything that has no outcome, and why; and every baseline that is not the one of the samples table."""
    undated = study.samples[(study.samples["role"] != "donor") & study.samples["day"].isna()]
    _warn("samples without a day have no outcomes", undated["sample"])
    planned = post_samples(study).set_index("sample")["baseline_sample"]
    firsts = posts.drop_duplicates("subject").dropna(subset=["baseline_sample"])
    for row in firsts[firsts["sample"].map(planned) != firsts["baseline_sample"]].itertuples():
        logger.warning(
            "%s: the last sample before FMT, %s, has no profile; %s (day %s) is its baseline",
            row.subject,
            planned[row.sample],
            row.baseline_sample,
            row.baseline_day,
        )
    _warn("post samples without a profile have no outcomes", posts.loc[~posts["profiled"], "sample"])
    there = posts[posts["profiled"]]
    _warn(
        "subjects without a profiled baseline have no outcomes", there.loc[there["baseline_sample"].isna(), "subject"]
    )
    lacking = products[~products["profiled"]]
    labels = lacking["donor_sample"].where(lacking["donor_sample"].notna(), lacking["donor"] + " (no sample)")
    _warn("donor products without a profile are not counted as donor taxa", labels)
    profiled = products.groupby("sample")["profiled"].any()
    none = profiled.index[~profiled]
    _warn(
        "subjects of whose donor products none is profiled have no outcomes that need the donor",
        there.loc[there["sample"].isin(none), "subject"],
    )


def _warn(text: str, names: Iterable[object]) -> None:
    unique = list(dict.fromkeys(map(str, names)))
    if unique:
        logger.warning("%s: %s", text, ", ".join(unique))
