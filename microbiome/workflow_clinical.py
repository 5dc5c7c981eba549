"""What the rules on patients and donors have to know: which results there are, and the options of their commands."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from microbiome.workflow_part import WorkflowPart

__all__ = ["ClinicalPlan"]

# What the report calls a table, and its file below the folder of clinical results.
_REPORTED = {
    "clinical-response": "response",
    "clinical-assessments": "assessments",
    "clinical-best-responses": "best_responses",
    "clinical-survival": "survival",
    "clinical-curves": "curves",
    "clinical-toxicity": "toxicity",
    "clinical-toxicity-curves": "toxicity_curves",
    "clinical-donor-clusters": "donor_clusters",
    "clinical-donor-cluster-choice": "donor_cluster_choice",
    "donor-table": "donors",
    "donor-spread": "donor_spread",
    "donor-taxa": "donor_taxa",
    "donor-match": "donor_match_scores",
}

# Columns of the subjects table that tell what became of somebody; those that are the response, and the worst grade.
_RESPONSES, _GRADES = ("responder", "best_response"), ("irae_grade",)
_KNOWN_LATER = (*_RESPONSES, *_GRADES)


class ClinicalPlan(WorkflowPart):
    """The work on patients and donors for one configuration: each part where its columns or tables are there."""

    place = "clinical"

    # ------------------------------------------------------------------ what there is

    @property
    def criteria(self) -> str:
        """Where best responses come from: ``given``, ``recist_1_1`` or ``irecist``; empty where there are none."""
        chosen: str = self.config["clinical"]["criteria"]
        given = "responder" in self.plan.columns  # Also where there is a best_response; alone it gives one rate.
        if chosen == "auto":
            named = "best_response" in self.plan.columns or not self.lesions()
            return ("given" if given else "") if named else "recist_1_1"
        return "" if chosen == "given" and not given else chosen

    @property
    def survives(self) -> bool:
        """Whether there are times to progression or death."""
        return bool({"pfs_days", "os_days"} & self.plan.columns)

    @property
    def graded(self) -> bool:
        """Whether grades of adverse events are known."""
        return bool(self.config["subjects"]) and ("irae_grade" in self.plan.columns or bool(self.config["toxicities"]))

    @property
    def timed(self) -> bool:
        """Whether the time to an adverse event can be told: with events and the follow-up."""
        return bool(self.config["toxicities"]) and {"os_days", "os_event"} <= self.plan.columns

    @property
    def dosed(self) -> bool:
        """Whether anybody received anything."""
        return bool(self.config["doses"])

    def lesions(self) -> list[str]:
        """Return the table of tumour assessments, where it is given."""
        return [self.config["lesions"]] if self.config["lesions"] and self.config["subjects"] else []

    def events(self) -> list[str]:
        """Return the tables of adverse events and of drugs, where they are given."""
        return [self.config[name] for name in ("toxicities", "treatments") if self.config[name]]

    def measured(self) -> list[str]:
        """Return the tables that the provenance and the report describe."""
        names = ["response"] if self.criteria else []
        names += ["assessments", "best_responses"] if self.criteria and self.lesions() else []
        names += ["survival", "curves"] if self.survives else []
        names += ["toxicity"] if self.graded else []
        names += ["toxicity_curves"] if self.timed else []
        if self.dosed:
            names += ["donor_clusters", "donor_cluster_choice", "donors", "donor_spread", "donor_taxa"]
            names += ["donor_match_scores", "donor_match", "donor_pairs"] if self.config["donors"]["match"] else []
        return [f"{self.folder}/{name}.tsv" for name in names]

    # ------------------------------------------------------------------ options of the commands

    def by(self) -> list[str]:
        """Return the columns that make groups."""
        return [column for column in self.config["clinical"]["by"] if column in self.plan.columns]

    def by_options(self, without: Collection[str] = ()) -> str:
        """Return ``--by`` with the columns that make groups, but for those of `without`."""
        columns = [column for column in self.by() if column not in without]
        return shlex.join(["--by", *columns] if columns else [])

    def response_groups(self) -> str:
        """Return ``--by`` with the groups that response is told by: not by itself; alone where there are none."""
        return shlex.join(["--by", *(column for column in self.by() if column not in _RESPONSES)])

    def toxicity_groups(self) -> str:
        """Return ``--by`` with the groups that adverse events are told by: not by their own worst grade."""
        columns = [column for column in self.by() if column not in _GRADES]
        return shlex.join(["--by", *columns] if columns else [])

    def survival_groups(self) -> str:
        """Return ``--by``, and the day on which response was known."""
        day = self.config["clinical"]["response_day"]
        later = [column for column in self.by() if column in _KNOWN_LATER]
        measured = shlex.join(["--measured", *(f"{column}={day}" for column in later)]) if day and later else ""
        return f"{self.by_options(() if day else _KNOWN_LATER)} {measured}".strip()

    def response_options(self) -> str:
        """Return criteria, interval and what counts as benefit; and where the tables of lesions go."""
        clinical = self.config["clinical"]
        words = ["--interval", clinical["interval"], "--benefit-days", str(clinical["benefit_days"])]
        if self.lesions():
            words += ["--lesions", *self.lesions(), "--criteria", self.criteria]
            words += ["--confirmed"] if clinical["confirmed"] else []
        return shlex.join(words)

    def survival_options(self) -> str:
        """Return landmarks, predictors, covariates, window and seed."""
        clinical = self.config["clinical"]
        words = ["--times", *map(str, clinical["landmarks"])] if clinical["landmarks"] else []
        words += ["--predictors", *clinical["predictors"]] if clinical["predictors"] else []
        words += ["--covariates", *clinical["covariates"]] if clinical["covariates"] else []
        return shlex.join([*words, *self._seed()])

    def survival_rates(self) -> list[str]:
        """Return the table of rates where rates are predictors."""
        return [f"{self.config['results']}/outcomes/rates.tsv"] if self.config["clinical"]["rates"] else []

    def rate_options(self) -> str:
        """Return the rates that are predictors, and the samples they are taken from."""
        if not self.survival_rates():
            return ""
        words = ["--features", *self.survival_rates(), "--rate", *self.config["clinical"]["rates"]]
        return shlex.join([*words, *self._window()])

    def event_options(self) -> str:
        """Return the events, the drugs and the grade from which an event counts."""
        given = [name for name in ("toxicities", "treatments") if self.config[name]]
        words = [word for name in given for word in (f"--{name}", self.config[name])]
        return shlex.join([*words, "--threshold", str(self.config["clinical"]["grade"])])

    def toxicity_options(self) -> str:
        """Return the interval and the seed; the donors' profiles where anybody received anything."""
        words = ["--interval", self.config["clinical"]["interval"], *self._seed()]
        if self.dosed:
            words += ["--profile", self.plan.profile, "--rank", self.config["profile"]["rank"]]
            words += ["--detection", f"{self.config['profile']['detection']:g}"]
        return shlex.join(words)

    def clusters(self) -> list[str]:
        """Return the table of clusters of donors."""
        return [f"{self.folder}/donor_clusters.tsv"] if self.dosed else []

    def list_options(self) -> str:
        """Return the list of taxa, where one is given."""
        lists = self.config["donors"]["lists"]
        return shlex.join(["--list", lists] if lists else [])

    def lists(self) -> list[str]:
        """Return the list of taxa, where one is given."""
        return [self.config["donors"]["lists"]] if self.config["donors"]["lists"] else []

    def donor_options(self) -> str:
        """Return detection, window and seed of what is measured of donors."""
        words = ["--detection", f"{self.config['profile']['detection']:g}", *self._window(), *self._seed()]
        return shlex.join(words)

    def match_options(self) -> str:
        """Return the cohorts that are left out in turn."""
        cohort = self.config["donors"]["cohort"]
        return shlex.join(["--cohort", cohort] if cohort else [])

    def report_options(self) -> list[str]:
        """Return the tables that the report shows, by name; one that is not made is named as none."""
        made = self.measured()
        words = []
        for name, table in _REPORTED.items():
            path = f"{self.folder}/{table}.tsv"
            words += [f"--{name}", path if path in made else ""]
        given = [name for name in ("lesions", "toxicities", "treatments") if self.config[name]]
        return words + [word for name in given for word in (f"--{name}", self.config[name])]

    def _window(self) -> list[str]:
        window = self.config["compare"]["window"]
        return ["--window", *map(str, window)] if window else []

    def _seed(self) -> list[str]:
        return ["--seed", str(self.config["seed"])]
