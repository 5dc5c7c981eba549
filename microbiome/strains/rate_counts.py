"""Counting what the rates of strains are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.strains.calls import Calls, counts_of_links, known_strains
from microbiome.strains.tables import PRESENT, STRAIN_RESOLVED
from microbiome.study import Study
from microbiome.tables import OUTCOMES
from microbiome.tsv import missing_columns

__all__ = ["call_counts", "cell_counts", "context", "donor_counts", "known_taxa", "ratio", "resolved_cells"]

_WITH_DONOR = ("engrafted", "shared_kept")
_WITH_BASELINE = ("shared_kept", "persisted")
_GONE = ("not_engrafted", "shared_depleted")
_WORDS = ("donor", "recipient", "coexist", "other")


def resolved_cells(resolved: pd.DataFrame, outcomes: pd.DataFrame | None, samples: set[str]) -> pd.DataFrame:
    """Return one row per taxon of a post sample that is in the donor set or the baseline too, checked."""
    problems = missing_columns(resolved, STRAIN_RESOLVED, "resolved")
    problems += [] if outcomes is None else missing_columns(outcomes, OUTCOMES, "outcomes")
    raise_problems(problems)
    for frame, name in ((resolved, "resolved"), (outcomes, "outcomes")):
        if frame is not None and frame.duplicated(["sample", "taxon"]).any():
            sample, taxon = frame.loc[frame.duplicated(["sample", "taxon"]), ["sample", "taxon"]].iloc[0]
            problems.append(
                Problem(f"sample {sample!r}, taxon {taxon!r} stands twice", "keep one row", name, value=str(sample))
            )
    strange = sorted(set(resolved["sample"]) - samples)
    if strange:
        message = f"{len(strange)} samples are no post samples of the study, such as {strange[0]!r}"
        problems.append(Problem(message, "give the tables of one study", "resolved", value=strange[0]))
    raise_problems(problems)
    names = ["sample", "taxon", "outcome", "strain_outcome", "donor_fraction", "baseline_fraction", "other_fraction"]
    names += [name for name in ("common_fraction", "post_abundance") if name in resolved]
    cells = resolved[names]
    if outcomes is not None:
        wanted = ["sample", "taxon", "outcome", *(["post_abundance"] if "post_abundance" in outcomes else [])]
        there = outcomes.loc[outcomes["outcome"].isin({*_WITH_DONOR, *_WITH_BASELINE}), wanted]
        there = there[there["sample"].isin(samples)]
        cells = cells.merge(there, "outer", ["sample", "taxon"], suffixes=("", "_called"))
        both = cells["outcome"].notna() & cells["outcome_called"].notna()
        wrong = cells[cells["outcome"].notna() & ~(both & (cells["outcome"] == cells["outcome_called"]))]
        if len(wrong):
            sample, taxon = wrong[["sample", "taxon"]].iloc[0]
            message = f"{len(wrong)} outcomes of taxa are not those of the outcomes table, the first is of sample"
            place = f"{sample!r}, taxon {taxon!r}"
            fix = "make both from the same profiles, with the same detection threshold"
            raise InputError(Problem(f"{message} {place}", fix, "resolved", value=str(sample)))
        cells["outcome"] = cells["outcome"].where(cells["outcome"].notna(), cells["outcome_called"])
        cells["strain_outcome"] = cells["strain_outcome"].where(cells["strain_outcome"].notna(), "unresolved")
        if "post_abundance_called" in cells:
            cells["post_abundance"] = cells["post_abundance"].fillna(cells["post_abundance_called"])
    return cells


def cell_counts(cells: pd.DataFrame, samples: pd.Series) -> dict[str, pd.Series]:
    """Count what is resolved in each post sample, and weigh the fractions by abundance."""
    word, outcome = cells["strain_outcome"], cells["outcome"]
    known = (word != "unresolved").to_numpy()
    own, new = outcome.isin(_WITH_BASELINE).to_numpy(), (outcome == "engrafted").to_numpy()
    # A strain that the donor has as well is the recipient's own all the same.
    in_common = np.zeros(len(cells), dtype=bool)
    if "common_fraction" in cells:
        in_common = (cells["common_fraction"].astype(float) >= PRESENT).to_numpy()
    masks = {
        "taxa_resolved": known,
        "taxa_unresolved": ~known,
        **{f"strains_{name}": (word == name).to_numpy() for name in _WORDS},
        "engrafted_confirmed": new & word.isin(["donor", "coexist"]).to_numpy(),
        "engrafted_resolved": new & known,
        "own_strains_kept": own & known & (word.isin(["recipient", "coexist"]).to_numpy() | in_common),
        "own_taxa_resolved": own & known,
        "own_taxa_unresolved": own & ~known,
    }
    found = {name: _count(cells["sample"], mask, samples) for name, mask in masks.items()}
    if "post_abundance" not in cells:
        return found
    abundance = cells["post_abundance"].astype(float)
    fractions = cells[["donor_fraction", "baseline_fraction", "other_fraction"]].astype(float)
    if "common_fraction" in cells:
        # Missing where no strain can be common: without a donor, or a baseline.
        known_part = cells["common_fraction"].astype(float).fillna(0.0).where(fractions.notna().all(axis=1))
        fractions = fractions.assign(common_fraction=known_part)
    # Of a strain that donor and baseline both have it is not known whose it is, but how much of the taxon it is.
    whole = (abundance.notna() & fractions.notna().all(axis=1)).to_numpy() & (known | in_common)
    total = _sum(cells["sample"], abundance.where(whole, 0.0), samples)
    for name in fractions:
        part = _sum(cells["sample"], (abundance * fractions[name]).where(whole, 0.0), samples)
        # Rounding of sums must not leave 0..1.
        found[f"weighted_{name}"] = ratio(part, total).clip(0.0, 1.0)
    found["resolved_abundance"] = total.clip(0.0, 1.0)
    rest = _sum(cells["sample"], abundance.where(~(known | in_common), 0.0).fillna(0.0), samples)
    found["unresolved_abundance"] = rest.clip(0.0, 1.0)
    return found


def known_taxa(calls: Calls, products: pd.DataFrame) -> set[tuple[str, str]]:
    """Return (post sample, taxon) for every taxon of which the strain of a received product is known."""
    given = products.dropna(subset=["donor_sample"])
    of_product: dict[str, set[str]] = {}
    for product, taxon in known_strains(calls, given["donor_sample"].unique().tolist()):
        of_product.setdefault(product, set()).add(taxon)
    pairs = zip(given["sample"], given["donor_sample"], strict=True)
    return {(sample, taxon) for sample, product in pairs for taxon in of_product.get(product, ())}


def donor_counts(
    cells: pd.DataFrame, outcomes: pd.DataFrame, known: set[tuple[str, str]] | None, samples: pd.Series
) -> dict[str, pd.Series]:
    """Count the strains of the donor set that could be seen, that engrafted, and that are left open."""

    def of_known(frame: pd.DataFrame) -> np.ndarray:
        if known is None:
            return np.ones(len(frame), dtype=bool)
        return np.array([key in known for key in zip(frame["sample"], frame["taxon"], strict=True)], dtype=bool)

    here = cells[cells["outcome"].isin(_WITH_DONOR)]
    word = here["strain_outcome"]
    gone = outcomes[outcomes["outcome"].isin(_GONE)]
    missed = np.zeros(len(gone), dtype=bool)
    if "certainty" in gone:
        missed = (gone["certainty"] == "below_limit").to_numpy()
        if "unsure" in gone:
            named = gone["unsure"].fillna("").astype(str).str.split(",")
            missed &= np.array(["post" in names for names in named], dtype=bool)
    there, lost = of_known(here), of_known(gone)
    unresolved = (word == "unresolved").to_numpy()
    return {
        "donor_strains_engrafted": _count(here["sample"], word.isin(["donor", "coexist"]).to_numpy(), samples),
        "donor_strains_seen": _count(here["sample"], ~unresolved, samples)
        + _count(gone["sample"], lost & ~missed, samples),
        "donor_strains_open": _count(here["sample"], unresolved & there, samples)
        + _count(gone["sample"], lost & missed, samples),
    }


def call_counts(calls: Calls, study: Study, posts: pd.DataFrame, products: pd.DataFrame) -> dict[str, pd.Series]:
    """Count the taxa compared, and those with the same strain, between each post sample and what it is compared to."""
    row = {sample: i for i, sample in enumerate(posts["sample"])}
    baseline = dict(zip(posts["sample"], posts["baseline_sample"], strict=True))
    given = pd.DataFrame(
        {"row": products["sample"].map(row), "one": products["sample"], "other": products["donor_sample"]}
    ).dropna()
    before = given.assign(one=given["one"].map(baseline)).dropna()
    own = pd.DataFrame({"row": range(len(posts)), "one": posts["sample"], "other": posts["baseline_sample"]}).dropna()
    found: dict[str, pd.Series] = {}
    for links, names in (
        (given, ("donor_taxa_compared", "donor_taxa_same_strain", "donor_taxa_uncalled")),
        (before, ("donor_taxa_compared_before", "donor_taxa_same_strain_before", "")),
        (own, ("own_taxa_compared", "own_taxa_same_strain", "")),
    ):
        counted = counts_of_links(calls, links, len(posts))
        numbers = zip(names, (counted["compared"], counted["same"], counted["uncalled"]), strict=True)
        found |= {name: pd.Series(number, index=posts.index, dtype="Int64") for name, number in numbers if name}
    return found | _of_other_donors(calls, study, posts, products)


def _of_other_donors(calls: Calls, study: Study, posts: pd.DataFrame, products: pd.DataFrame) -> dict[str, pd.Series]:
    received = set(zip(products["sample"], products["donor"], strict=True))
    donors = study.samples[study.samples["role"] == "donor"]
    persons = list(dict.fromkeys(donors["subject"]))
    links = [
        (i * len(persons) + k, sample, product)
        for i, sample in enumerate(posts["sample"])
        for k, person in enumerate(persons)
        if (sample, person) not in received
        for product in donors.loc[donors["subject"] == person, "sample"]
    ]
    size = len(posts) * len(persons)
    counted = counts_of_links(calls, pd.DataFrame(links, columns=["row", "one", "other"]), size)
    return {
        f"other_donor_taxa_{name}": pd.Series(
            counted[key].reshape(len(posts), -1).sum(axis=1) if size else 0, index=posts.index, dtype="Int64"
        )
        for name, key in (("compared", "compared"), ("same_strain", "same"))
    }


def context(outcomes: pd.DataFrame, samples: pd.Series) -> dict[str, pd.Series]:
    """Return what the comparison of rates holds constant: richness of the baseline, limits of detection."""
    found: dict[str, pd.Series] = {}
    if "baseline_detected" in outcomes:
        numbers = pd.to_numeric(outcomes["baseline_detected"]).groupby(outcomes["sample"]).sum(min_count=1)
        found["baseline_taxa"] = samples.map(numbers)
    first = outcomes.drop_duplicates("sample").set_index("sample")
    for name in ("baseline_limit", "post_limit"):
        if name in first:
            found[name] = samples.map(first[name])
    return found


def _count(of: pd.Series, mask: np.ndarray, samples: pd.Series) -> pd.Series:
    return samples.map(of[mask].value_counts()).fillna(0).astype("Int64")


def _sum(of: pd.Series, values: pd.Series, samples: pd.Series) -> pd.Series:
    return samples.map(values.groupby(of).sum()).fillna(0.0).astype(float)


def ratio(over: pd.Series, under: pd.Series) -> pd.Series:
    """Return over / under, missing where the denominator is 0 or missing."""
    one, other = (pd.to_numeric(column).astype("Float64").astype("float64") for column in (over, under))
    return one / other.where(other > 0)
