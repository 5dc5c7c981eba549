"""A trial of three patients, small enough to know every number of: its tables, and what the commands make of them."""

from __future__ import annotations

from pathlib import Path

from microbiome.cli import main

#: A name that would be code if it were not escaped.
CODE = "<b>P3</b>"
# A tilde is an empty cell at the end of a line.
_TABLES = {
    "samples": """sample	subject	role	day
a0	P1	recipient	-1
a1	P1	recipient	30
a2	P1	recipient	90
b0	P2	recipient	0
b1	P2	recipient	28
b2	P2	recipient	28
c0	<b>P3</b>	recipient	0
d1	D1	donor	~
""",
    "subjects": """subject	arm	best_response	pfs_days	pfs_event	os_days	os_event
P1	fmt	PR	200	1	900	0
P2	fmt	PD	40	1	60	1
<b>P3</b>	placebo	SD	100	0	120	0
D1						~
""",
    "doses": "subject\tday\tdonor\tdonor_sample\nP1\t0\tD1\td1\nP1\t14\tD1\td1\nP2\t0\tD1\td1\n",
    "lesions": """subject	day	sum_diameters	new_lesion
P1	-7	80	0
P1	-2	100	0
P1	50	60	0
P1	100	40	0
P2	-3	50	0
P2	40	65	1
""",
    "toxicities": """subject	day	grade	term	end_day
P1	20	3	colitis	50
P1	70	1	rash	~
P2		4	myocarditis	~
""",
    "treatments": """subject	day	end_day	kind	name
P1	-3	-1	antibiotic	vancomycin
P1	7		immunotherapy	nivolumab
P1	28		immunotherapy	nivolumab
""",
}
STUDY = {name: text.replace("~", "") for name, text in _TABLES.items()}
_FEATURES = """feature	a0	a1	a2	b0	b1	b2	c0	d1
kept	0.5	0.4	0.5	0.5	0.5	0.5	0.5	0
lost	0.3	0	0	0.2	0.2	0	0.5	0
lost_once	0.2	0	0.1	0	0	0	0	0
engrafted	0	0.6	0.3	0	0.1	0.1	0	0.7
gained	0	0	0.1	0	0	0.2	0	0
missed	0	0	0	0.3	0.2	0.2	0	0.3
"""


def write_patients(folder: Path) -> list[str]:
    """Write the tables, and what the commands make of them below ``results``; return the options of ``report``."""
    for name, text in {**STUDY, "features": _FEATURES}.items():
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8")
    results = folder / "results"
    for name in ("diversity", "outcomes", "clinical"):
        (results / name).mkdir(parents=True)
    study = [word for name in ("samples", "subjects", "doses") for word in (f"--{name}", str(folder / f"{name}.tsv"))]
    profile = ["--profile", str(folder / "features.tsv"), "--no-close"]
    outcomes, distances = f"{results}/outcomes/outcomes.tsv", f"{results}/diversity/beta_bray_curtis.tsv"
    clinical = f"{results}/clinical"
    commands = [
        ["outcomes", *profile, *study, "-o", outcomes],
        ["rates", "--outcomes", outcomes, "-o", f"{results}/outcomes/rates.tsv"],
        ["alpha", *profile, "--metric", "richness", "shannon", "-o", f"{results}/diversity/alpha.tsv"],
        ["beta", *profile, "--metric", "bray_curtis", "-o", distances],
        ["similarity", "--distances", distances, *study, "-o", f"{results}/diversity/similarity_bray_curtis.tsv"],
        [
            *("clinical", "response", "--subjects", str(folder / "subjects.tsv")),
            *("--lesions", str(folder / "lesions.tsv"), "--assessments", f"{clinical}/assessments.tsv"),
            *("--best", f"{clinical}/best_responses.tsv", "-o", f"{clinical}/response.tsv"),
        ],
        [
            *("clinical", "survival", "--subjects", str(folder / "subjects.tsv"), "--by", "arm"),
            *("--predictors", "arm", "--permutations", "99", "--curves", f"{clinical}/curves.tsv"),
            *("-o", f"{clinical}/survival.tsv"),
        ],
    ]
    for command in commands:
        assert main(["--quiet", *command]) == 0, command
    more = [
        word for name in ("lesions", "toxicities", "treatments") for word in (f"--{name}", str(folder / f"{name}.tsv"))
    ]
    return [*study, *more, "--results", str(results)]
