"""A whole simulated trial at the level of tables: design, true abundances, true strains and true outcomes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pandas as pd

from microbiome.simulate.clinic import lesions_table, toxicities_table, treatments_table
from microbiome.simulate.design import depths, doses_table, samples_table, subjects_table
from microbiome.simulate.ecology import communities
from microbiome.simulate.parameters import Parameters
from microbiome.simulate.tables import TRUTH_OUTCOMES
from microbiome.simulate.taxa import load_taxa
from microbiome.tables import OUTCOME_NAMES

__all__ = ["Trial", "simulate_trial", "true_outcomes"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """A simulated trial and its truth.

    Parameters
    ----------
    parameters
        What it was made with.
    taxa
        Index taxon: lineage, taxids, genome_length, miniature_length (:func:`microbiome.simulate.taxa.load_taxa`).
    samples, subjects, doses
        Input tables of the contract; ``samples`` has ``reads``.
    lesions, toxicities, treatments
        Tumour assessments, adverse events and drugs that fit the subjects (:mod:`microbiome.simulate.clinic`).
    depth
        Index sample: layout, units, fragments, host, junk, reads (:func:`microbiome.simulate.design.depths`).
    abundance
        sample x taxon: true fractions, each row sums to 1.
    strains
        True strains (:data:`microbiome.simulate.tables.TRUTH_STRAINS`).
    outcomes
        True outcomes (:data:`microbiome.simulate.tables.TRUTH_OUTCOMES`).
    """

    parameters: Parameters
    taxa: pd.DataFrame
    samples: pd.DataFrame
    subjects: pd.DataFrame
    doses: pd.DataFrame
    lesions: pd.DataFrame
    toxicities: pd.DataFrame
    treatments: pd.DataFrame
    depth: pd.DataFrame
    abundance: pd.DataFrame
    strains: pd.DataFrame
    outcomes: pd.DataFrame


def simulate_trial(parameters: Parameters) -> Trial:
    """Simulate a trial: no files, no sequences.

    The model is stated in :func:`microbiome.simulate.ecology.communities` (what the samples hold) and
    :mod:`microbiome.simulate.design` (who, when, how deep). Equal parameters give equal trials.
    """
    taxa = load_taxa(parameters)
    samples = samples_table(parameters)
    subjects = subjects_table(parameters)
    doses = doses_table(parameters)
    depth = depths(parameters, samples, subjects)
    samples = samples.assign(reads=samples["sample"].map(depth["reads"]).astype("Int64"))
    abundance, strains = communities(parameters, list(taxa.index), samples, subjects, doses)
    outcomes = true_outcomes(samples, doses, strains)
    absent = [name for name in OUTCOME_NAMES if name not in set(outcomes["outcome"])]
    if absent:
        logger.warning("no taxon of this trial has the outcome %s", ", ".join(absent))
    return Trial(
        parameters,
        taxa,
        samples,
        subjects,
        doses,
        lesions_table(parameters, subjects),
        toxicities_table(parameters, subjects),
        treatments_table(parameters, subjects),
        depth,
        abundance,
        strains,
        outcomes,
    )


def true_outcomes(samples: pd.DataFrame, doses: pd.DataFrame, strains: pd.DataFrame) -> pd.DataFrame:
    """Derive the outcome and strain outcome of every taxon in every post sample from what the samples truly hold.

    Deliberately not :func:`microbiome.outcomes.outcomes`: the truth must not share its mistakes.

    Parameters
    ----------
    samples, doses
        Tables of the contract.
    strains
        ``sample``, ``taxon``, ``strain``, ``fraction``: every strain present.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.simulate.tables.TRUTH_OUTCOMES`. A strain of the post sample counts as the
        donor's when a donor product received by then holds it and the baseline does not; as the recipient's when the
        baseline holds it and no product does; as common when both, as other when neither. ``strain_outcome`` is
        coexist with strains of donor and recipient, donor or recipient with those of one of the two, unresolved with
        common ones but none of either, else other.
    """
    held: dict[str, dict[str, dict[str, float]]] = {}
    for sample, taxon, strain, fraction in strains[["sample", "taxon", "strain", "fraction"]].itertuples(index=False):
        held.setdefault(sample, {}).setdefault(taxon, {})[strain] = fraction
    lots_of = samples[samples["role"] == "donor"].groupby("subject")["sample"].agg(list).to_dict()
    rows: list[dict[str, object]] = []
    for subject, group in samples[samples["role"] != "donor"].groupby("subject", sort=False):
        ordered = group.sort_values("day", kind="stable")
        before = ordered.loc[ordered["day"] <= 0, "sample"]
        if before.empty:
            continue
        baseline_sample = before.iloc[-1]
        baseline = held[baseline_sample]
        received = doses[doses["subject"] == subject]
        for sample, day in ordered.loc[ordered["day"] > 0, ["sample", "day"]].itertuples(index=False):
            donor: dict[str, set[str]] = {}
            for name, lot in received.loc[received["day"] <= day, ["donor", "donor_sample"]].itertuples(index=False):
                for product in lots_of[name] if lot is None else [lot]:
                    for taxon, given in held[product].items():
                        donor.setdefault(taxon, set()).update(given)
            post = held[sample]
            for taxon in sorted({*donor, *baseline, *post}):
                cell = (taxon in donor, taxon in baseline, taxon in post)
                rows.append(
                    {
                        "subject": subject,
                        "sample": sample,
                        "day": day,
                        "baseline_sample": baseline_sample,
                        "taxon": taxon,
                        "outcome": _OUTCOME[cell],
                        **_strain_outcome(post.get(taxon), donor.get(taxon, set()), set(baseline.get(taxon, ()))),
                    }
                )
    return pd.DataFrame(rows, columns=TRUTH_OUTCOMES.names).astype({"day": "Int64"})


# (donor, baseline, post): the contract's eight cells without the empty one.
_OUTCOME = {
    (True, False, True): "engrafted",
    (True, False, False): "not_engrafted",
    (True, True, True): "shared_kept",
    (True, True, False): "shared_depleted",
    (False, True, True): "persisted",
    (False, True, False): "depleted",
    (False, False, True): "gained",
}


def _strain_outcome(post: dict[str, float] | None, donor: set[str], baseline: set[str]) -> dict[str, object]:
    if post is None:
        return {}
    part = {"donor": 0.0, "baseline": 0.0, "common": 0.0, "other": 0.0}
    for strain, fraction in post.items():
        if strain in donor:
            part["common" if strain in baseline else "donor"] += fraction
        else:
            part["baseline" if strain in baseline else "other"] += fraction
    if part["donor"] and part["baseline"]:
        word = "coexist"
    elif part["donor"]:
        word = "donor"
    elif part["baseline"]:
        word = "recipient"
    else:
        word = "unresolved" if part["common"] else "other"
    return {"strain_outcome": word, **{f"{name}_fraction": value for name, value in part.items()}}
