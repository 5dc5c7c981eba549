"""A trial whose every string would run a script, were it not escaped: names, words, notes, titles, folders.

Each string says where it stands: a browser that runs one of them collects its place in ``window.hacked``.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.cli import main
from microbiome.function.tables import FUNCTION_CONTRIBUTIONS
from microbiome.report.data_clinical import complete

#: Ways out of text, of an attribute, of a script element, of a comment, of JSON, of a template and of SVG.
FORMS = (
    "<script>hack('{}')</script>",
    "</script><script>hack('{}')</script>",
    "<!--<script>hack('{}')//-->",
    "x\"><img src=x onerror=hack('{}')>",
    "' onmouseover=hack('{}') autofocus onfocus=hack('{}') x='",
    "<svg/onload=hack('{}')>",
    "</title></style></textarea><img src=x onerror=hack('{}')>",
    "javascript:hack('{}')",
    "\\u003cimg src=x onerror=hack('{}')\\u003e",
    "{{{{ hack('{}') }}}}{{% raise %}}",
    "&lt;img src=x onerror=hack('{}')&gt;&#60;script&#62;",
    "</text></svg><img src=x onerror=hack('{}')>",
)
_DAYS = (-3, 20, 60)
_PER_ARM = 4
#: The folder of the results: its name stands in the links of the page.
FOLDER = "<img src=x onerror=hack(1)> '\"&%3Cscript%3E"


class Names:
    """Hostile strings, each other than all before it; the forms in turn."""

    def __init__(self) -> None:
        self._forms = itertools.cycle(FORMS)
        self.made: list[str] = []

    def __call__(self, place: str, number: int | str = "") -> str:
        form = next(self._forms)
        text = form.format(*[f"{place} {number}".strip()] * form.count("{}"))
        self.made.append(text)
        return text


def write_hostile(folder: Path) -> tuple[list[str], list[str]]:
    """Write the tables, and what the commands make of them; return the options of ``report``, and all strings."""
    names = Names()
    results = folder / FOLDER
    for part in ("profiles", "diversity", "outcomes", "clinical", "association", "function", "qc"):
        (results / part).mkdir(parents=True)
    rng = np.random.default_rng(3)
    people = [names("subject", i) for i in range(2 * _PER_ARM)]
    donors = [names("donor", i) for i in range(2)]
    arms = [names("arm", i) for i in range(2)]
    column, cohorts = names("column"), [names("cohort", i) for i in range(2)]
    samples = [(f"s{i}.{j}", who, "recipient", day) for i, who in enumerate(people) for j, day in enumerate(_DAYS)]
    samples += [(f"d{i}.{j}", who, "donor", "") for i, who in enumerate(donors) for j in range(2)]
    frame = pd.DataFrame(samples, columns=["sample", "subject", "role", "day"])
    study = {"samples": frame.assign(note=[names("sample note", i) for i in range(len(frame))])}
    n = len(people)
    study["subjects"] = pd.DataFrame(
        {
            "subject": [*people, *donors],
            "arm": [arms[i // _PER_ARM] for i in range(n)] + ["", ""],
            column: [cohorts[i % 2] for i in range(n)] + ["", ""],
            "best_response": ["CR", "PD", "PR", "SD"] * (n // 4) + ["", ""],
            "pfs_days": [*(100 + 10 * i for i in range(n)), "", ""],
            "pfs_event": [*([1, 1, 0, 1] * (n // 4)), "", ""],
            "os_days": [*(200 + 10 * i for i in range(n)), "", ""],
            "os_event": [*([1, 0, 1, 1] * (n // 4)), "", ""],
        }
    )
    treated = people[:_PER_ARM]
    study["doses"] = pd.DataFrame([(who, 0, donors[i % 2], "") for i, who in enumerate(treated)])
    study["doses"].columns = ["subject", "day", "donor", "donor_sample"]
    # By the lesions everybody is stable: other than the subjects table says.
    lesions = [(who, day, size, 0) for who in people for day, size in ((-5, 50), (40, 52), (80, 54))]
    study["lesions"] = pd.DataFrame(lesions, columns=["subject", "day", "sum_diameters", "new_lesion"])
    events = [(who, 30, 1 + i % 4, names("toxicity", i), 40) for i, who in enumerate(people)]
    study["toxicities"] = pd.DataFrame(events, columns=["subject", "day", "grade", "term", "end_day"])
    other = [(who, 5, 9, names("kind", i % 2), names("treatment", i)) for i, who in enumerate(people)]
    study["treatments"] = pd.DataFrame(other, columns=["subject", "day", "end_day", "kind", "name"])
    for name, table in study.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False, quoting=3)
    profile = results / "profiles" / "merged.tsv"
    taxa = [names("taxon", i) for i in range(24)]
    _abundance(taxa, frame["sample"], rng).to_csv(profile, sep="\t", index_label="feature", quoting=3)
    molecules = pd.DataFrame(rng.gamma(2.0, size=(len(frame), 3)), columns=[names("molecule", i) for i in range(3)])
    molecules.insert(0, "sample", frame["sample"])
    molecules[frame["role"] != "donor"].iloc[1:].to_csv(folder / "molecules.tsv", sep="\t", index=False, quoting=3)
    functions = [names("function", i) for i in range(12)]
    ec = results / "function" / "ec.tsv"
    _abundance(functions, frame["sample"], rng).to_csv(ec, sep="\t", index_label="feature", quoting=3)
    pd.DataFrame({"function": functions, "name": [names("function name", i) for i in range(12)]}).to_csv(
        results / "function" / "names.tsv", sep="\t", index=False, quoting=3
    )
    _run(folder, results, column)
    _contributions(results, functions, people, names)
    _spoil_notes(results, names)
    software = {names("software"): [names("version"), "1"], "metaphlan": names("version")}
    parameters = {"host_index": names("parameter"), "min_reads": 1000, "profile": {"detection": 0.0}}
    database = {"name": names("database")}
    provenance = {"microbiome": names("version"), "software": software, "parameters": parameters, "database": database}
    (results / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    given = [word for name in study for word in (f"--{name}", str(folder / f"{name}.tsv"))]
    return [*given, "--results", str(results), "--title", names("title")], names.made


def _abundance(features: list[str], samples: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    values = rng.gamma(0.7, size=(len(features), len(samples))) * (rng.random((len(features), len(samples))) < 0.6)
    return pd.DataFrame(values / values.sum(axis=0), index=features, columns=list(samples)).round(6)


def _run(folder: Path, results: Path, column: str) -> None:
    """Make the tables of every section, as the workflow does."""
    study = [word for name in ("samples", "subjects", "doses") for word in (f"--{name}", str(folder / f"{name}.tsv"))]
    profile = ["--profile", str(results / "profiles" / "merged.tsv"), "--no-close"]
    places = {name: results / name for name in ("diversity", "outcomes", "clinical", "association", "function")}
    outcomes, rates = f"{places['outcomes']}/outcomes.tsv", f"{places['outcomes']}/rates.tsv"
    few = ["--permutations", "49"]
    commands = [
        ["alpha", *profile, "--metric", "richness", "-o", f"{places['diversity']}/alpha.tsv"],
        ["outcomes", *profile, *study, "-o", outcomes],
        ["rates", "--outcomes", outcomes, "-o", rates],
        ["nulls", *profile, *study, *few, "-o", f"{places['outcomes']}/nulls.tsv"],
        ["decomposition", "--outcomes", outcomes, "-o", f"{places['outcomes']}/decomposition.tsv"],
    ]
    for by in ("arm", column):
        word = "arm" if by == "arm" else "other"
        groups = ["--by", by, *study[2:]]
        commands += [
            ["compare", "--rates", rates, *groups, *few, "-o", f"{places['outcomes']}/compare_{word}.tsv"],
            ["trajectories", "--rates", rates, *groups, "-o", f"{places['outcomes']}/trajectories_{word}.tsv"],
        ]
        where = f"{places['outcomes']}/taxa_{word}.tsv"
        commands.append(["taxa", "--outcomes", outcomes, *groups, *few, "-o", where])
    beta = f"{places['diversity']}/beta_bray_curtis.tsv"
    coordinates, similar = (f"{places['diversity']}/{name}_bray_curtis.tsv" for name in ("pcoa", "similarity"))
    tested = f"{places['diversity']}/permanova_bray_curtis.tsv"
    commands += [
        ["beta", *profile, "--metric", "bray_curtis", "-o", beta],
        ["ordinate", "--distances", beta, "-o", coordinates],
        ["similarity", "--distances", beta, *study, "-o", similar],
        ["permanova", "--distances", beta, *study[:4], "--factor", column, "--permutations", "9", "-o", tested],
    ]
    clinical, subjects = places["clinical"], study[2:4]
    events = ["--toxicities", str(folder / "toxicities.tsv")]
    commands += [
        [
            *("clinical", "response", *subjects, "--by", column, "--lesions", str(folder / "lesions.tsv")),
            *("--assessments", f"{clinical}/assessments.tsv", "--best", f"{clinical}/best_responses.tsv"),
            *("-o", f"{clinical}/response.tsv"),
        ],
        [
            *("clinical", "survival", *subjects, "--by", column, "--predictors", "arm", *few),
            *("--curves", f"{clinical}/curves.tsv", "-o", f"{clinical}/survival.tsv"),
        ],
        ["clinical", "toxicity", *study, *events, "--by", column, "donor", "-o", f"{clinical}/toxicity.tsv"],
        ["clinical", "time-to-toxicity", *study, *events, "--by", "donor", "-o", f"{clinical}/toxicity_curves.tsv"],
        [
            *("donors", *profile, *study, "--rates", rates, "--outcomes", outcomes, *few),
            *("--spread", f"{clinical}/donor_spread.tsv", "-o", f"{clinical}/donors.tsv"),
        ],
    ]
    molecules = f"molecules={folder / 'molecules.tsv'}"
    joined = places["association"] / "joins.tsv"
    commands += [
        [
            *("associate", *profile, *study[:4], "--features", molecules, "--by", "arm", "--at", "post", *few),
            *("-o", f"{places['association']}/associations_subjects.tsv"),
        ],
        ["join", "--profile", profile[1], *study[:4], "--features", molecules, "-o", str(joined)],
    ]
    ec = ["--profile", str(places["function"] / "ec.tsv"), "--no-close"]
    commands += [
        ["outcomes", *ec, *study, "-o", f"{places['function']}/outcomes_ec.tsv"],
        ["rates", "--outcomes", f"{places['function']}/outcomes_ec.tsv", "-o", f"{places['function']}/rates_ec.tsv"],
        ["alpha", *ec, "--metric", "richness", "-o", f"{places['function']}/alpha_ec.tsv"],
    ]
    for command in commands:
        assert main(["--quiet", *command]) == 0, command


def _contributions(results: Path, functions: list[str], people: list[str], names: Names) -> None:
    """Write which taxa are behind the change of functions, as `microbiome function contributions` does."""
    strata = [names("stratum", i) for i in range(3)]
    rows = [
        (who, f"s{i}.1", 20, function, "gained", stratum, 0.0, 0.1 + 0.01 * j, 0.1 + 0.01 * j, 0.3, 1 / 3)
        for i, who in enumerate(people)
        for j, (function, stratum) in enumerate(itertools.product(functions[:4], strata))
    ]
    columns = ["subject", "sample", "day", "function", "outcome", "taxon", "baseline_abundance", "post_abundance"]
    columns += ["change", "function_change", "share"]
    frame = complete(pd.DataFrame(rows, columns=columns), FUNCTION_CONTRIBUTIONS)
    frame.to_csv(results / "function" / "contributions_ec.tsv", sep="\t", index=False, quoting=3)


def _spoil_notes(results: Path, names: Names) -> None:
    """Put a hostile note into every table of results that has notes: they may repeat any name of a sheet."""
    for path in sorted(results.glob("*/*.tsv")):
        lines = path.read_text(encoding="utf-8").split("\n")
        comments = [line for line in lines if line.startswith("#")]
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3, skiprows=len(comments))
        if "note" not in table or table.empty:
            continue
        table["note"] = [names("note", f"{path.stem} {i % 3}") for i in range(len(table))]
        text = table.to_csv(sep="\t", index=False, quoting=3)
        path.write_text("\n".join([*comments, text]), encoding="utf-8")
