"""What the rules for associations have to know: which tables meet, and the options of the command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from microbiome.response import responder
from microbiome.tables import RATE_NAMES, RATES
from microbiome.tables import SUBJECTS as SUBJECTS_TABLE
from microbiome.tsv import parse_table
from microbiome.workflow_part import WorkflowPart

__all__ = ["AssociationPlan"]

#: Associations with columns of the subjects table, and of rates with molecules; the others are named by their table.
SUBJECTS, OUTCOMES = "subjects", "outcomes"
_COUNTED = ("engrafted", "shared_kept", "lost_taxa", "gained")
_COMPARISON = re.compile(r"\s*[<>]=?.*$")


class AssociationPlan(WorkflowPart):
    """The associations for one configuration."""

    place = "association"

    @property
    def molecules(self) -> list[str]:
        """Names of the tables of other molecules and of cells."""
        return list(self.config["tables"])

    def by(self) -> list[str]:
        """Return the columns of subjects, and comparisons of them, that there are and of which anything is known.

        A column that is empty (nobody has a response yet, or all are NE) makes no groups, and is passed over.
        """
        known = self._known if self.config["subjects"] else set()
        return [text for text in self.config["associate"]["by"] if _COMPARISON.sub("", text) in known]

    def names(self) -> list[str]:
        """Return the word that stands for each table of associations in the names of files."""
        return [*([SUBJECTS] if self.by() else []), *([OUTCOMES] if self.molecules else []), *self.molecules]

    def measured(self) -> list[str]:
        """Return the tables that the provenance and the report describe."""
        joins = [f"{self.folder}/joins.tsv"] if self.molecules else []
        return [*(f"{self.folder}/associations_{name}.tsv" for name in self.names()), *joins]

    def files(self, name: str) -> list[str]:
        """Return the tables of features that an association reads."""
        rates = [f"{self.config['results']}/outcomes/rates.tsv"]
        profiles = [self.plan.profile, *self._functions().values()]
        molecules = [file for entry in self.entries(name) for file in (entry["file"], entry["limits"]) if file]
        return [*(rates if name == OUTCOMES else profiles), *molecules]

    def entries(self, name: str) -> list[dict[str, Any]]:
        """Return the tables of molecules that take part."""
        chosen = self.molecules if name in (SUBJECTS, OUTCOMES) else [name]
        return [self.config["tables"][table] for table in chosen]

    def options(self, name: str) -> str:
        """Return the tables of features and how they are read, what they are tested against, and how."""
        associate = self.config["associate"]
        molecules = self.molecules if name in (SUBJECTS, OUTCOMES) else [name]
        features = [f"{table}={self.config['tables'][table]['file']}" for table in molecules]
        if name == OUTCOMES:
            words = ["--features", f"rates={self.config['results']}/outcomes/rates.tsv", "--with", *features]
            others = [column for column in RATES.names if not _kept(column)]
            words += ["--at", "post", *self._reading(molecules, {"rates": others})]
        else:
            words = [*shlex.split(self.plan.profile_options())]
            own = [f"{group}={path}" for group, path in self._functions().items()]
            if name == SUBJECTS:
                words += ["--features", *own, *features] if own or features else []
                words += ["--by", *self.by(), "--part", "value", "presence", "abundance"]
            else:
                words += ["--features", *own] if own else []
                words += ["--with", *features]
            words += ["--at", "baseline", "post", "change", *self._reading(molecules)]
        words += ["--detection", f"{self.config['profile']['detection']:g}"] if name != OUTCOMES else []
        words += ["--window", str(min(self._windows(molecules), default=associate["window"]))]
        words += ["--covariate", *associate["covariates"]] if associate["covariates"] else []
        words += ["--strata", associate["strata"]] if associate["strata"] else []
        days = self.config["compare"]["window"]
        words += ["--days", *map(str, days)] if days else []
        return shlex.join(
            [*words, "--permutations", str(associate["permutations"]), "--seed", str(self.config["seed"])]
        )

    def joined(self) -> list[str]:
        """Return the tables that are joined."""
        return [self.plan.profile, *(entry["file"] for entry in self.config["tables"].values())]

    def join_options(self) -> str:
        """Return the tables that are joined, and the window."""
        features = [f"{table}={entry['file']}" for table, entry in self.config["tables"].items()]
        window = min(self._windows(self.molecules), default=self.config["associate"]["window"])
        left = {name: entry["leave_out"] for name, entry in self.config["tables"].items() if entry["leave_out"]}
        without = [f"{name}={','.join(columns)}" for name, columns in left.items()]
        words = ["--features", *features, *(["--leave-out", *without] if without else [])]
        return shlex.join([*words, "--profile", self.plan.profile, "--window", str(window)])

    def report_options(self) -> list[str]:
        """Return the tables that the report shows."""
        joins = f"{self.folder}/joins.tsv" if self.molecules else ""
        return [
            "--associations",
            *[f"{self.folder}/associations_{name}.tsv" for name in self.names()],
            "--joins",
            joins,
        ]

    @cached_property
    def _known(self) -> set[str]:
        table = parse_table(self.config["subjects"], SUBJECTS_TABLE)[0]
        if "subject" not in table:
            return set()
        table = table.assign(responder=responder(table).to_numpy())
        return {name for name in self.plan.columns if name in table and table[name].notna().any()}

    def _functions(self) -> dict[str, str]:
        functions = self.plan.functions
        return {group: f"{functions.folder}/{group}.tsv" for group in functions.groups if group != "genefamilies"}

    def _windows(self, molecules: list[str]) -> list[int]:
        """Return the window of each table: its own, else the common one."""
        common = self.config["associate"]["window"]
        windows = [self.config["tables"][table]["window"] for table in molecules]
        return [common if window is None else window for window in windows]

    def _reading(self, molecules: list[str], others: Mapping[str, list[str]] | None = None) -> list[str]:
        """Return how tables of molecules are read; `others` are the columns that are no features of another table."""
        words: list[str] = []
        for option in ("transform", "unit", "limits", "lod"):
            given = {table: self.config["tables"][table][option] for table in molecules}
            values = [f"{table}={value}" for table, value in given.items() if value not in (None, "", "none")]
            words += [f"--{option}", *values] if values else []
        left = {table: self.config["tables"][table]["leave_out"] for table in molecules} | dict(others or {})
        values = [f"{table}={','.join(columns)}" for table, columns in left.items() if columns]
        return [*words, "--leave-out", *values] if values else words


def _kept(column: str) -> bool:
    """Tell whether a column of the rates is a measure of what the transplant did."""
    return column in (*_COUNTED, *RATE_NAMES, "sample")
