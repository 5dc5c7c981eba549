"""How well and how fast strains are told apart, from FASTQ with truth: ours, StrainPhlAn and SameStr side by side.

For each divergence a strain trial is simulated (``microbiome.simulate.strain_panel``), profiled by MetaPhlAn, and its
alignments go to `strains alleles`, `distances`, `share` and `resolve`, to StrainPhlAn with strain_transmission.py, and
to SameStr. One table against the truth (what its columns are: ``bench/strain_scores.py``), then the times of all steps.
``best cut`` is the single distance that knows the truth: no rule on that distance can do better.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from measure import Run, measure
from strain_peers import PROGRAMS as SAMESTR
from strain_peers import (
    Steps,
    environment,
    run_samestr,
    run_strainphlan,
    samestr_calls,
    samestr_programs,
    transmission_calls,
)
from strain_scores import (
    best_cut,
    calls_of_triads,
    read,
    score_pairs,
    score_triads,
    show,
    truth_pairs,
    truth_triads,
)

from microbiome.simulate.database import DATABASE
from microbiome.simulate.strain_panel import StrainPanelParameters, simulate_strain_panel
from microbiome.simulate.strain_panel_write import write_strain_panel

COLUMNS = {
    "dominant_precision": "precision",
    "dominant_recall": "recall",
    "dominant_f1": "F1",
    "any_f1": "any F1",
    "any_unresolved": "any unres.",
    "unresolved": "unresolved",
    "unresolved_all": "unres. all",
    "balanced_accuracy": "triad acc.",
    "balanced_accuracy_all": "acc. all",
    "triads_unresolved": "triad unres.",
    "rmse": "RMSE",
    "rmse_50_sites": "RMSE 50",
    "coverage": "coverage",
}


def once(path: Path, make: Callable[..., pd.DataFrame], *arguments: object) -> pd.DataFrame:
    """Return the table of steps at `path`; where there is none yet, make it and keep it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        make(*arguments).to_csv(path, sep="\t", index=False)
    return pd.read_csv(path, sep="\t")


def make_trial(trial: Path, parameters: StrainPanelParameters) -> pd.DataFrame:
    """Write a trial and run MetaPhlAn on each of its samples."""
    write_strain_panel(simulate_strain_panel(parameters), trial)
    steps, env = Steps(), environment()
    for name in ("sams", "profiles"):
        (trial / name).mkdir(exist_ok=True)
    for sample in read(trial / "samples.tsv")["sample"]:
        mapout = trial / "profiles" / f"{sample}.mapout.bz2"
        mapout.unlink(missing_ok=True)
        reads = ",".join(str(trial / "fastq" / f"{sample}_R{mate}.fastq.gz") for mate in (1, 2))
        command = ["metaphlan", reads, "--input_type", "fastq", "--db_dir", str(trial / "database"), "-x", DATABASE]
        command += ["--offline", "--mapout", str(mapout), "--nproc", "2", "-t", "rel_ab_w_read_stats"]
        command += ["--sample_id", sample, "-s", str(trial / "sams" / f"{sample}.sam.bz2")]
        command += ["-o", str(trial / "profiles" / f"{sample}_profile.tsv")]
        steps.add("metaphlan", measure(command, env=env))
        mapout.unlink()
    return steps.table()


def run_ours(trial: Path, out: Path) -> pd.DataFrame:
    """Run route 2 from the alignments to the fractions."""
    steps, env = Steps(), environment()
    study: list[str | Path] = ["--samples", trial / "samples.tsv", "--doses", trial / "doses.tsv"]
    people: list[str | Path] = [*study, "--subjects", trial / "subjects.tsv"]

    def step(name: str, *words: str | Path) -> Run:
        return steps.add(name, measure(["microbiome", "strains", name, *words], env=env))

    sams = sorted((trial / "sams").glob("*.sam.bz2"))
    (out / "alleles").mkdir(parents=True, exist_ok=True)
    pickle = trial / "database" / f"{DATABASE}.pkl"
    commands: list[list[str | Path]] = []
    for sam in sams:
        file = out / "alleles" / sam.name.replace(".sam.bz2", ".alleles")
        commands.append(["microbiome", "strains", "alleles", "--alignment", sam, "--database", pickle, "-o", file])
    # Two samples at a time, as sample2markers.py -n 2 takes them.
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda command: measure(command, env=env), commands))
    wall = time.perf_counter() - start
    steps.add("alleles", Run(wall, sum(run.cpu for run in runs), max(run.peak_mb for run in runs)))
    alleles = sorted((out / "alleles").glob("*.alleles"))
    step("distances", "--alleles", *alleles, "-o", out / "distances.tsv")
    step("thresholds", "--distances", out / "distances.tsv", *people, "-o", out / "thresholds.tsv")
    step("share", "--distances", out / "distances.tsv", *people, "-o", out / "shared.tsv")
    step("resolve", "--alleles", *alleles, *study, "-o", out / "resolved.tsv")
    return steps.table()


def run_route_one(trial: Path, strainphlan: Path, out: Path) -> pd.DataFrame:
    """Run our reading of the trees of StrainPhlAn, and our rule on them."""
    steps, env = Steps(), environment()
    out.mkdir(parents=True, exist_ok=True)
    trees = sorted(strainphlan.glob("trees/*/RAxML_bestTree.*.StrainPhlAn4.tre"))
    command = ["microbiome", "strains", "distances", "--tree", *map(str, trees), "-o", str(out / "distances.tsv")]
    steps.add("distances", measure(command, env=env))
    command = [
        "microbiome",
        "strains",
        "share",
        "--distances",
        str(out / "distances.tsv"),
        "-o",
        str(out / "shared.tsv"),
    ]
    for name in ("samples", "subjects", "doses"):
        command += [f"--{name}", str(trial / f"{name}.tsv")]
    steps.add("share", measure(command, env=env))
    return steps.table()


def row(
    trial: Path, label: str, method: str, calls: pd.DataFrame, resolved: pd.DataFrame | None = None
) -> dict[str, object]:
    """Return the row of one method: pairs, and triads by its fractions or, without, by its calls of pairs."""
    pairs = score_pairs(truth_pairs(trial), calls, method)
    truth = truth_triads(trial)
    found = calls_of_triads(truth, calls, read(trial / "samples.tsv"), read(trial / "doses.tsv"))
    triads = score_triads(truth, found if resolved is None else resolved, method)
    deep = {**pairs.iloc[0], **triads.iloc[0]}
    deep["unresolved_all"] = pairs["unresolved"].iloc[1]
    deep["balanced_accuracy_all"] = triads["balanced_accuracy"].iloc[1]
    return {"divergence": label, "method": method} | {name: deep[column] for column, name in COLUMNS.items()}


def with_best_cut(trial: Path, calls: pd.DataFrame) -> pd.DataFrame:
    """Call by the distance that knows the truth."""
    cut = best_cut(truth_pairs(trial), calls)
    same = (calls["distance"] <= cut).astype(float).where(calls["distance"].notna())
    return calls[["taxon", "sample_1", "sample_2", "distance"]].assign(same_strain=same)


def score(trial: Path, label: str, peers: bool) -> list[dict[str, object]]:
    """Return the rows of one trial."""
    shared = read(trial / "ours" / "shared.tsv")
    rows = [
        row(trial, label, f"alleles, {method}", part, read(trial / "ours" / "resolved.tsv"))
        for method, part in shared.groupby("method")
    ]
    if peers:
        one = read(trial / "route_1" / "shared.tsv")
        rows.append(row(trial, label, "trees, our rule", one))
        found = {"strain_transmission.py": transmission_calls(trial / "peers" / "strainphlan")}
        if (trial / "peers" / "samestr.tsv").exists():
            found["SameStr"] = samestr_calls(trial / "peers" / "samestr")
        for name, calls in found.items():
            rows.append(row(trial, label, name, calls))
            rows.append(row(trial, label, f"{name}, best cut", with_best_cut(trial, calls)))
    return rows


def speed(trial: Path, label: str, steps: dict[str, pd.DataFrame]) -> str:
    """Return the time and memory of every step, and the ratios that are aimed at."""
    number = len(read(trial / "samples.tsv"))
    lines = [f"time at {label} divergence, {number} samples; MB of the largest process, this script's own at least"]
    wall: dict[tuple[str, str], float] = {}
    for program, table in steps.items():
        for name, part in table.groupby("step", sort=False):
            wall[program, str(name)] = float(part["wall"].sum())
            runs = f"{len(part)} runs" + (
                f", {int((part['code'] > 0).sum())} without result" if part["code"].any() else ""
            )
            lines.append(
                f"  {program:<12} {name:<16} {part['wall'].sum():8.1f} s {part['cpu'].sum():8.1f} s CPU "
                f"{part['peak_mb'].max():6.0f} MB  ({runs})"
            )
    if ("StrainPhlAn", "strainphlan") in wall:
        trees = wall["StrainPhlAn", "strainphlan"] + wall["StrainPhlAn", "extract_markers"]
        ours = wall["alleles", "distances"]
        lines.append(
            f"  all clades after extraction: StrainPhlAn / strains distances = {trees / ours:.1f} "
            f"(with share: {trees / (ours + wall['alleles', 'share']):.1f}); target >= 20"
        )
        ratio = wall["StrainPhlAn", "sample2markers"] / wall["alleles", "alleles"]
        lines.append(f"  extraction: sample2markers / strains alleles = {ratio:.2f}; target >= 1")
    sams = sum(path.stat().st_size for path in (trial / "sams").glob("*.sam.bz2"))
    files = sum(path.stat().st_size for path in (trial / "ours" / "alleles").glob("*.alleles"))
    lines.append(f"  size: alignments / allele files = {sams / files:.1f}; target 5 to 10")
    return "\n".join(lines)


def one_trial(
    base: Path, parameters: StrainPanelParameters, peers: bool, programs: Path
) -> tuple[list[dict[str, object]], str]:
    """Make one trial with all that is run on it; return its rows of the table, and its times as text."""
    label = f"{100 * parameters.divergence:g} %"
    trial = base / f"d{round(1000 * parameters.divergence):03d}"
    steps = {"MetaPhlAn": once(trial / "metaphlan.tsv", make_trial, trial, parameters)}
    steps["alleles"] = once(trial / "ours" / "steps.tsv", run_ours, trial, trial / "ours")
    if peers:
        one, two = trial / "peers" / "strainphlan", trial / "peers" / "samestr"
        steps["StrainPhlAn"] = once(trial / "peers" / "strainphlan.tsv", run_strainphlan, trial, one)
        path = samestr_programs(programs)
        if path is not None:
            steps["SameStr"] = once(trial / "peers" / "samestr.tsv", run_samestr, trial, two, path)
        steps["trees"] = once(trial / "route_1" / "steps.tsv", run_route_one, trial, one, trial / "route_1")
    return score(trial, label, peers), speed(trial, label, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--divergence", nargs="+", type=float, default=[0.01, 0.002])
    parser.add_argument("--seed", type=int, default=1, help="of the first divergence; each further one takes the next")
    parser.add_argument("--structure", type=float, default=StrainPanelParameters.structure)
    parser.add_argument("--flat-error", type=float, help="reads whose qualities tell nothing, wrong at this rate")
    parser.add_argument("--no-peers", action="store_true", help="ours only")
    parser.add_argument("--environment", type=Path, default=SAMESTR, help="where SameStr is installed")
    parser.add_argument("--keep", type=Path, help="work in this folder; what is in it already is not made again")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    times: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        base = (arguments.keep or Path(temporary)).resolve()
        for i, divergence in enumerate(arguments.divergence):
            parameters = StrainPanelParameters(
                seed=arguments.seed + i,
                divergence=divergence,
                structure=arguments.structure,
                flat_error=arguments.flat_error,
            )
            found, text = one_trial(base, parameters, not arguments.no_peers, arguments.environment)
            rows += found
            times.append(text)
    print("pairs with >= 2x in both and triads with >= 2x in all three, unless it says all:")
    print(show(pd.DataFrame(rows)))
    print("\n\n".join(times))


if __name__ == "__main__":
    main()
