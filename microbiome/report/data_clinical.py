"""Reading the tables on patients, donors and associations that the report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from microbiome.errors import InputError, Problem, collecting
from microbiome.report.places import Inputs, metric_of
from microbiome.study import Study
from microbiome.tables import LESIONS, TOXICITIES, TREATMENTS, Table
from microbiome.tsv import read_result, read_table
from microbiome.validation import typed

__all__ = ["CLINICAL_TABLES", "clinical_strangers", "complete", "read_clinical"]

_GIVEN = {"lesions": LESIONS, "toxicities": TOXICITIES, "treatments": TREATMENTS}
#: Option of each table on patients, and the name under which it is declared.
CLINICAL_TABLES = {
    "clinical_response": "clinical_response",
    "clinical_assessments": "assessments",
    "clinical_best_responses": "best_responses",
    "clinical_survival": "clinical_survival",
    "clinical_curves": "survival_curves",
    "clinical_toxicity": "clinical_toxicity",
    "clinical_toxicity_curves": "toxicity_curves",
    "clinical_donor_clusters": "donor_clusters",
    "clinical_donor_cluster_choice": "donor_cluster_choice",
    "donor_table": "donors",
    "donor_spread": "donor_spread",
    "donor_taxa": "donor_taxa",
    "donor_match": "donor_match_scores",
    "joins": "joins",
}


def _declared(name: str) -> Table | None:
    from microbiome.declared import RESULT_TABLES

    return next((table for table in RESULT_TABLES if table.name == name), None)


def read_clinical(paths: Inputs, problems: list[Problem]) -> dict[str, Any]:
    """Read the tables of the study on patients, and the results made of them; problems are added to `problems`."""
    found: dict[str, Any] = {}
    for name, table in _GIVEN.items():
        path = getattr(paths, name)
        if path:
            with collecting(problems):
                found[name] = complete(read_table(path, table), table).reset_index(drop=True)
    clinical: dict[str, pd.DataFrame] = {}
    for name, declared in CLINICAL_TABLES.items():
        path = getattr(paths, name)
        if path:
            with collecting(problems):
                clinical[name.removeprefix("clinical_")] = _read(path, declared)
    associations: dict[str, pd.DataFrame] = {}
    for path in paths.associations:
        with collecting(problems):
            key = metric_of(path)
            if key in associations:
                raise InputError(Problem(f"a second table of associations called {key!r}", "rename one of them", path))
            associations[key] = _read(path, "associations")
    return found | {"clinical": clinical, "associations": associations}


def complete(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Add the declared columns that a table does not have, without values."""
    lacking = [column for column in table.columns if column.name not in frame]
    return frame.assign(**{c.name: typed([None] * len(frame), c.kind, frame.index) for c in lacking})


def _read(path: str, name: str) -> pd.DataFrame:
    table = _declared(name)
    if table is None:
        raise RuntimeError(f"no table is declared as {name!r}")
    return complete(read_result(path, table), table)


def clinical_strangers(study: Study, paths: Inputs, found: Mapping[str, Any]) -> list[Problem]:
    """Tables on patients can name nobody who is not in the study: where they do, they belong to another one."""
    known = set(study.samples["subject"]) | set(study.subjects["subject"])
    tables = [(getattr(paths, name), found.get(name)) for name in _GIVEN]
    for name in ("clinical_assessments", "clinical_best_responses"):
        tables.append((getattr(paths, name), found["clinical"].get(name.removeprefix("clinical_"))))
    problems = []
    for path, frame in tables:
        if frame is None or "subject" not in frame:
            continue
        strange = [str(name) for name in frame["subject"].dropna().unique() if name not in known]
        if strange:
            message = f"{len(strange)} subjects are in neither the samples nor the subjects table, such as"
            text = f"{message} {strange[0]!r}"
            problems.append(Problem(text, "give the tables of one study", str(path), None, "subject", strange[0]))
    return problems
