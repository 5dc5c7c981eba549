"""Which tables the report can be made of, and where the workflow puts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microbiome.errors import InputError, Problem

__all__ = ["INPUT_NAMES", "WORDS", "Inputs", "inputs", "metric_of"]

#: What the report can be made of besides the tables of the study, and what each of them holds.
WORDS = {
    "profile": "abundance profiles",
    "reads": "read accounting",
    "alpha": "alpha diversity",
    "limits": "limit of detection of every sample",
    "outcomes": "outcome of every taxon in every post sample",
    "rates": "counts and rates per post sample",
    "nulls": "engraftment and depletion against chance",
    "compare": "comparison of rates between groups",
    "trajectories": "rates over time, by group",
    "sensitivity": "every comparison over detection thresholds, depths and units of analysis",
    "decomposition": "shares of the abundance of every post sample",
    "taxa": "loss and engraftment of every taxon",
    "retention": "baseline taxa still present, by visit",
    "changes": "presence and abundance of every taxon before and after",
    "strain_resolved": "whose strain every taxon of every post sample is",
    "strain_sources": "part of each donor in every taxon of every post sample",
    "strain_rates": "engraftment and persistence of strains per post sample",
    "strain_summary": "rates of strains over subjects",
    "strain_persistence": "strains that two samples of a person have in common",
    "strain_compare": "comparison of rates of strains between groups",
    "strain_sweep": "strains shared at every cut",
    "strain_thresholds": "cut between same and different strains of every taxon",
    "strain_audit": "whose sample each is by its strains",
    "lesions": "tumour assessments of the study",
    "toxicities": "immune-related adverse events of the study",
    "treatments": "treatments of the study besides the transplants",
    "clinical_response": "response rates and best responses by group",
    "clinical_assessments": "response of every tumour assessment",
    "clinical_best_responses": "best response of every subject from its assessments",
    "clinical_survival": "survival: medians, landmarks, tests, hazard ratios",
    "clinical_curves": "Kaplan-Meier curves",
    "clinical_toxicity": "worst grade of toxicity by group, donor and taxon",
    "clinical_toxicity_curves": "time to severe toxicity",
    "clinical_donor_clusters": "clusters of donors by composition",
    "clinical_donor_cluster_choice": "how the number of clusters of donors was chosen",
    "donor_table": "donors, a row each",
    "donor_spread": "how much donors differ in what became of their recipients",
    "donor_taxa": "taxa of concern and of benefit in every donor",
    "donor_match": "prediction of the taxa present after FMT",
    "associations": "associations of features, every pair tested",
    "joins": "rows of the tables of features that were joined, and that were not",
    "function_alpha": "alpha diversity of functions",
    "function_outcomes": "outcome of every function in every post sample",
    "function_rates": "counts and rates of functions per post sample",
    "function_nulls": "engraftment and depletion of functions against chance",
    "function_contributions": "taxa behind gained and lost functions",
    "function_compare": "comparison of rates of functions between groups",
    "function_pcoa": "ordination of functions",
    "function_permanova": "PERMANOVA of functions",
    "function_similarity": "similarity of functions to donor and baseline",
    "function_reads": "what HUMAnN had to work with",
    "function_names": "names of functions",
    "pcoa": "ordination",
    "permanova": "PERMANOVA",
    "similarity": "similarity to donor and baseline",
    "provenance": "versions, databases, parameters, checksums",
    "link": "further result",
}
INPUT_NAMES = tuple(WORDS)

_STRAINS = {
    "strain_resolved": "resolved",
    "strain_sources": "sources",
    "strain_rates": "rates",
    "strain_summary": "trajectories",
    "strain_persistence": "persistence",
    "strain_sweep": "sweep",
    "strain_thresholds": "thresholds",
    "strain_audit": "audit",
}
# Tables on patients, and where they are below the results folder; several of one kind where the place has a star.
_CLINICAL = {
    "clinical_response": ("clinical/response.tsv",),
    "clinical_assessments": ("clinical/assessments.tsv",),
    "clinical_best_responses": ("clinical/best_responses.tsv",),
    "clinical_survival": ("clinical/survival.tsv",),
    "clinical_curves": ("clinical/curves.tsv",),
    "clinical_toxicity": ("clinical/toxicity.tsv",),
    "clinical_toxicity_curves": ("clinical/toxicity_curves.tsv",),
    "clinical_donor_clusters": ("clinical/donor_clusters.tsv",),
    "clinical_donor_cluster_choice": ("clinical/donor_cluster_choice.tsv",),
    "donor_table": ("clinical/donors.tsv",),
    "donor_spread": ("clinical/donor_spread.tsv",),
    "donor_taxa": ("clinical/donor_taxa.tsv",),
    "donor_match": ("clinical/donor_match_scores.tsv",),
    "joins": ("association/joins.tsv",),
}
_GIVEN = ("lesions", "toxicities", "treatments")
_SINGLE = (
    *("reads", "alpha", "limits", "outcomes", "rates", "nulls", "decomposition", "provenance"),
    *_STRAINS,
    *_GIVEN,
    *_CLINICAL,
    *("function_reads", "function_names"),
)

# Where the workflow puts each of them, below its results folder; of those made by a column `table_COLUMN.tsv`.
_PLACES: dict[str, tuple[str, ...]] = {
    "profile": ("profiles/merged.tsv",),
    "reads": ("qc/reads.tsv",),
    "alpha": ("diversity/alpha.tsv",),
    "limits": ("outcomes/limits.tsv",),
    "outcomes": ("outcomes/outcomes.tsv",),
    "rates": ("outcomes/rates.tsv",),
    "nulls": ("outcomes/nulls.tsv",),
    "decomposition": ("outcomes/decomposition.tsv",),
    "pcoa": ("diversity/pcoa_*.tsv",),
    "permanova": ("diversity/permanova_*.tsv",),
    "similarity": ("diversity/similarity_*.tsv",),
    "provenance": ("provenance.json",),
} | {
    name: (f"outcomes/{name}.tsv", f"outcomes/{name}_*.tsv")
    for name in ("compare", "trajectories", "sensitivity", "taxa", "retention", "changes")
}
_PLACES |= {name: (f"strains/{file}.tsv",) for name, file in _STRAINS.items()}
_PLACES["strain_compare"] = ("strains/compare.tsv", "strains/compare_*.tsv")
_PLACES |= _CLINICAL
_PLACES["associations"] = ("association/associations.tsv", "association/associations_*.tsv")
# By kind of function: `table_KIND.tsv`; of groups `table_KIND_COLUMN.tsv`, of metrics `table_METRIC_KIND.tsv`.
_KINDS = ("ec", "ko", "pathway", "genefamilies")
_PLACES |= {
    f"function_{name}": tuple(f"function/{name}_{kind}.tsv" for kind in _KINDS)
    for name in ("alpha", "outcomes", "rates", "nulls", "contributions")
}
_PLACES |= {
    f"function_{name}": tuple(f"function/{name}_*_{kind}.tsv" for kind in _KINDS)
    for name in ("pcoa", "permanova", "similarity")
}
_PLACES["function_compare"] = tuple(f"function/compare_{kind}{ending}.tsv" for kind in _KINDS for ending in ("", "_*"))
_PLACES |= {"function_reads": ("function/reads.tsv",), "function_names": ("function/names.tsv",)}
# Linked besides: what belongs to what is shown, and tables of parts that are not shown here.
_LINKED = (
    "qc/multiqc.html",
    "diversity/beta_*.tsv",
    "outcomes/*.tsv",
    "strains/*.tsv",
    "function/*.tsv",
    "clinical/*.tsv",
    "association/*.tsv",
)


@dataclass(frozen=True)
class Inputs:
    """Paths of the tables; None or empty where there is none."""

    profile: tuple[str, ...] = ()
    reads: str | None = None
    alpha: str | None = None
    limits: str | None = None
    outcomes: str | None = None
    rates: str | None = None
    nulls: str | None = None
    compare: tuple[str, ...] = ()
    trajectories: tuple[str, ...] = ()
    sensitivity: tuple[str, ...] = ()
    decomposition: str | None = None
    taxa: tuple[str, ...] = ()
    retention: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    strain_resolved: str | None = None
    strain_sources: str | None = None
    strain_rates: str | None = None
    strain_summary: str | None = None
    strain_persistence: str | None = None
    strain_compare: tuple[str, ...] = ()
    strain_sweep: str | None = None
    strain_thresholds: str | None = None
    strain_audit: str | None = None
    pcoa: tuple[str, ...] = ()
    permanova: tuple[str, ...] = ()
    similarity: tuple[str, ...] = ()
    lesions: str | None = None
    toxicities: str | None = None
    treatments: str | None = None
    clinical_response: str | None = None
    clinical_assessments: str | None = None
    clinical_best_responses: str | None = None
    clinical_survival: str | None = None
    clinical_curves: str | None = None
    clinical_toxicity: str | None = None
    clinical_toxicity_curves: str | None = None
    clinical_donor_clusters: str | None = None
    clinical_donor_cluster_choice: str | None = None
    donor_table: str | None = None
    donor_spread: str | None = None
    donor_taxa: str | None = None
    donor_match: str | None = None
    associations: tuple[str, ...] = ()
    joins: str | None = None
    function_alpha: tuple[str, ...] = ()
    function_outcomes: tuple[str, ...] = ()
    function_rates: tuple[str, ...] = ()
    function_nulls: tuple[str, ...] = ()
    function_contributions: tuple[str, ...] = ()
    function_compare: tuple[str, ...] = ()
    function_pcoa: tuple[str, ...] = ()
    function_permanova: tuple[str, ...] = ()
    function_similarity: tuple[str, ...] = ()
    function_reads: str | None = None
    function_names: str | None = None
    provenance: str | None = None
    link: tuple[str, ...] = ()


def inputs(results: str | Path | None = None, **given: str | Sequence[str] | None) -> Inputs:
    """Put the paths together: those given by name, and for the others what lies in the results folder of the workflow.

    Parameters
    ----------
    results
        Folder; None for no other tables than the given ones.
    given
        Keys of :data:`INPUT_NAMES`. None is looked for in `results`; an empty string or list means that there is none,
        whatever lies there (a table of an earlier configuration, for example).

    Raises
    ------
    InputError
        When `results` is not a folder.
    """
    unknown = set(given) - set(INPUT_NAMES)
    if unknown:
        raise TypeError(f"not an input of the report: {', '.join(sorted(unknown))}")
    chosen: dict[str, Any] = {}
    folder = None if results is None else Path(results)
    if folder is not None and not folder.is_dir():
        raise InputError(
            Problem("the results folder does not exist", "name the folder that the workflow wrote", str(results))
        )
    for name in INPUT_NAMES:
        value = given.get(name)
        paths = [path for path in ([value] if isinstance(value, str) else list(value or [])) if path]
        if value is None and folder is not None and name in _PLACES:
            paths = _found(folder, _PLACES[name])
        chosen[name] = (paths[0] if paths else None) if name in _SINGLE else tuple(paths)
    if folder is not None:
        shown = {metric_of(path) for name in ("pcoa", "permanova", "similarity") for path in chosen[name]}
        # What is read is listed anyway; what lies in the place of a table that was given is of another configuration.
        placed = {path for patterns in _PLACES.values() for path in _found(folder, patterns)}
        extra = [
            path
            for path in _found(folder, _LINKED)
            if path not in placed and (not Path(path).name.startswith("beta_") or metric_of(path) in shown)
        ]
        chosen["link"] = tuple(dict.fromkeys([*chosen["link"], *extra]))
    return Inputs(**chosen)


def _found(folder: Path, patterns: Sequence[str]) -> list[str]:
    return [str(path) for pattern in patterns for path in sorted(folder.glob(pattern))]


def metric_of(path: str) -> str:
    """Return the metric, or column, that a file name ends with: ``pcoa_bray_curtis.tsv`` gives ``bray_curtis``."""
    stem = Path(path).name.removesuffix(".gz").removesuffix(".tsv")
    return stem.split("_", 1)[1] if "_" in stem else stem
