"""A small made-up trial for the tests of the report, awkward names and all, its tables written by the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microbiome.cli import main

#: Names that would be code if they were not escaped, and ids that look like something else.
SCRIPT = "<script>alert(1)</script>"
ARM = "fmt</script><img src=x onerror=alert(2)>"
SUBJECTS = (SCRIPT, "007", "NA", "1e5", "pt10")
TITLE = "Trial of <b>A & B</b></title>"
METRICS = ("bray_curtis", "robust_aitchison")
#: Columns by which the commands compare.
COLUMNS = ("responder", "arm")
_DAYS = (-7, 0, 7, 28)


@dataclass(frozen=True)
class Trial:
    """Folder of the trial, with ``samples.tsv``, ``subjects.tsv``, ``doses.tsv`` and ``results``."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def study(self) -> list[str]:
        return [
            word
            for name in ("samples", "subjects", "doses")
            for word in (f"--{name}", str(self.folder / f"{name}.tsv"))
        ]

    def report(self, *options: str, output: str = "results/report.html") -> str:
        """Run the command and return the page."""
        path = self.folder / output
        assert main(["report", *self.study, *options, "-o", str(path)]) == 0
        return path.read_text(encoding="utf-8")


def write_trial(folder: Path, unprofiled: Sequence[str] = ()) -> Trial:
    """Write tables of 5 recipients, one of them on placebo, and 2 donors, and everything the commands make of them.

    Nothing is classified in the samples `unprofiled`, nor ever in the third one.
    """
    trial = Trial(folder)
    rng = np.random.default_rng(5)
    taxa = [
        f"k__Bacteria|p__P{i % 3}|c__C{i % 3}|o__O{i % 5}|f__F{i % 7}|g__G{i}|s__G{i}_sp|t__SGB{i + 1}"
        for i in range(40)
    ]
    taxa[3] = taxa[3].replace("s__G3_sp", "s__<i>G3</i>_sp")
    samples, doses = [], []
    for n, subject in enumerate(SUBJECTS):
        days = _DAYS[1:] if n else _DAYS
        samples += [(f"s{n}.{day + 7}", subject, "recipient", str(day)) for day in days]
        if n < len(SUBJECTS) - 1:
            doses += [(subject, "0", f"D{n % 2}", ""), (subject, "14", "D0", "d0.2")]
    samples += [("d0.1", "D0", "donor", ""), ("d0.2", "D0", "donor", ""), ("d1.1", "D1", "donor", "")]
    _write(folder / "samples.tsv", ("sample", "subject", "role", "day"), samples)
    arms = [ARM] * (len(SUBJECTS) - 1) + ["placebo"]
    best = ["CR", "PD", "", "SD", "PR"]
    _write(
        folder / "subjects.tsv",
        ("subject", "arm", "best_response"),
        [*zip(SUBJECTS, arms, best, strict=True), ("D0", "", ""), ("D1", "", "")],
    )
    _write(folder / "doses.tsv", ("subject", "day", "donor", "donor_sample"), doses)

    abundance = rng.gamma(0.6, size=(len(taxa), len(samples))) * (rng.random((len(taxa), len(samples))) < 0.55)
    abundance[:, 2] = 0  # a sample with nothing classified
    names = [row[0] for row in samples]
    abundance[:, [names.index(name) for name in unprofiled]] = 0
    abundance *= 100 / np.maximum(abundance.sum(axis=0), 1e-12)
    lines = ["#mpa_vTest", "\t".join(["clade_name", *names])]
    lines += [
        "\t".join([taxon, *(f"{value:.5f}" for value in row)]) for taxon, row in zip(taxa, abundance, strict=True)
    ]
    merged = trial.results / "profiles" / "merged.tsv"
    merged.parent.mkdir(parents=True)
    merged.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_reads(trial, names, (abundance > 0).sum(axis=0), rng)
    _run_commands(trial, str(merged), refuse=bool(unprofiled))
    provenance = {
        "microbiome": "0.0.test",
        "software": {"fastp": ["1.2.3", "1.2.4"], "metaphlan": ["4.9"], "bowtie2": ["2.5.9"], "snakemake": "9.99"},
        "parameters": {"min_reads": 1234, "host_index": "host/<idx>", "profile": {"detection": 0.0}},
        "database": {"name": "mpa_vTest"},
    }
    (trial.results / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    return trial


def _write_reads(trial: Trial, names: list[str], taxa: np.ndarray, rng: np.random.Generator) -> None:
    rows = []
    for name, n in zip(names, taxa, strict=True):
        raw = int(rng.integers(10_000, 90_000)) * 2
        trimmed, status, reason = int(raw * 0.9), "ok", ""
        nonhost = int(trimmed * 0.8)
        if n == 0:
            nonhost, status, reason = 12, "few_reads", "12 reads, fewer than <1234>"
        rows.append((name, "1", str(raw), str(trimmed), str(nonhost), str(nonhost), "0.25", str(n), status, reason))
    header = (
        "sample",
        "units",
        "reads_raw",
        "reads_trimmed",
        "reads_nonhost",
        "reads_profiled",
        "unclassified",
        "taxa",
        "status",
        "reason",
    )
    _write(trial.results / "qc" / "reads.tsv", header, rows)


def _run_commands(trial: Trial, profile: str, refuse: bool) -> None:
    """Run all commands; where samples lack profiles, those that compare may `refuse` (and write nothing)."""
    results, given = trial.results, ["--profile", profile]
    for folder in ("diversity", "outcomes"):
        (results / folder).mkdir()
    rates, outcomes = f"{results}/outcomes/rates.tsv", f"{results}/outcomes/outcomes.tsv"
    commands = [
        ["alpha", *given, "--metric", "richness", "shannon", "pielou", "-o", f"{results}/diversity/alpha.tsv"],
        ["limits", *given, *trial.study, "-o", f"{results}/outcomes/limits.tsv"],
        ["outcomes", *given, *trial.study, "-o", outcomes],
        ["rates", "--outcomes", outcomes, "-o", rates],
        ["nulls", *given, *trial.study, "--permutations", "49", "-o", f"{results}/outcomes/nulls.tsv"],
        ["decomposition", "--outcomes", outcomes, "-o", f"{results}/outcomes/decomposition.tsv"],
    ]
    tested = ("compare", "trajectories", "sensitivity", "taxa", "retention", "changes", "nulls", "decomposition")
    for column in COLUMNS[: 1 if refuse else None]:
        groups = ["--by", column, *trial.study[2:]]
        grid = ["--thresholds", "0", "1e-3", "--depths", "0.5", "--repeats", "1"]
        few = ["--permutations", "49"]
        for command in (
            ["compare", "--rates", rates, *groups, *few],
            ["trajectories", "--rates", rates, *groups],
            ["sensitivity", *given, *trial.study, "--by", column, *grid, *few],
            ["taxa", "--outcomes", outcomes, *groups, *given, *few],
            ["retention", "--outcomes", outcomes, *groups],
            ["changes", *given, *trial.study, "--by", column, *few],
        ):
            commands.append([*command, "-o", f"{results}/outcomes/{command[0]}_{column}.tsv"])
    for metric in METRICS:
        distances = f"{results}/diversity/beta_{metric}.tsv"
        where = ["--distances", distances]
        commands += [
            ["beta", *given, "--metric", metric, "-o", distances],
            ["ordinate", *where, "-o", f"{results}/diversity/pcoa_{metric}.tsv"],
            [
                "permanova",
                *where,
                *trial.study[:4],
                "--factor",
                "arm",
                "--strata",
                "subject",
                "--permutations",
                "9",
                "-o",
                f"{results}/diversity/permanova_{metric}.tsv",
            ],
            ["similarity", *where, *trial.study, "-o", f"{results}/diversity/similarity_{metric}.tsv"],
        ]
    for command in commands:
        code = main(["--quiet", *command])
        assert code == 0 or (code == 2 and refuse and command[0] in tested), command


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n", encoding="utf-8")
