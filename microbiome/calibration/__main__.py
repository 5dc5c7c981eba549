"""``python -m microbiome.calibration``: simulate, tabulate, draw, and write docs/calibration.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from microbiome.calibration import figures
from microbiome.calibration.page import page
from microbiome.calibration.powers import PLANS, powers
from microbiome.calibration.run import load, simulate
from microbiome.calibration.scenarios import Scenario, scenarios
from microbiome.calibration.summary import coverage, flags, level
from microbiome.files import write_text
from microbiome.report.figures.power import power as draw_power
from microbiome.report.svg import write_svg
from microbiome.tsv import write_table

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m microbiome.calibration", description=__doc__)
    parser.add_argument("--trials", type=int, default=400, metavar="N", help="trials of each design (default: 400)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="designs whose name begins so, or power")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    parser.add_argument(
        "--work", type=Path, default=Path("build/calibration"), metavar="DIR", help="where trials are kept"
    )
    parser.add_argument("--docs", type=Path, default=Path("docs"), metavar="DIR", help="where the page is written")
    parser.add_argument("--list", action="store_true", help="name the designs and run nothing")
    parser.add_argument(
        "--write", action="store_true", help="run nothing, write the page from the trials that are there"
    )
    arguments = parser.parse_args(argv)
    every = scenarios()
    chosen = [one for one in every if not arguments.only or one.name.startswith(tuple(arguments.only))]
    if arguments.list:
        sys.stdout.writelines(f"{one.name}\n" for one in chosen)
        return 0
    if not arguments.write:
        simulate(chosen, arguments.trials, arguments.seed, arguments.work, arguments.workers)
        if not arguments.only or "power" in arguments.only:
            powers(arguments.trials, arguments.seed, arguments.work)
    write(every, arguments.trials, arguments.seed, arguments.work, arguments.docs)
    return 0


def write(every: Sequence[Scenario], trials: int, seed: int, work: Path, docs: Path) -> None:
    """Write page, tables and figures from the trials that are there.

    Parameters
    ----------
    every
        Scenarios; those without trials are left out.
    trials, seed, work
        As in :func:`microbiome.calibration.run.load`.
    docs
        Folder of ``calibration.md`` and ``calibration/``.
    """
    found = load(every, trials, seed, work)
    there = [scenario for scenario in every if found[scenario.name]]
    tables = level(there, found), coverage(there, found), flags(there, found)
    power = powers(trials, seed, work, only_there=True)
    place = docs / "calibration"
    comments = [f"seed {seed}; columns in microbiome/calibration/tables.py"]
    for name, table in zip(("level", "coverage", "flags"), tables, strict=True):
        write_table(table, place / f"{name}.tsv", comments)
    designs = pd.DataFrame(
        [(one.name, one.section, json.dumps(dict(one.parameters))) for one in there],
        columns=["scenario", "section", "parameters"],
    )
    write_table(designs, place / "designs.tsv", ["parameters of microbiome.simulate.panel.PanelParameters, as JSON"])
    _figures(*tables[:2], power, place)
    write_text(page(*tables, power, seed), docs / "calibration.md")


def _figures(
    level_table: pd.DataFrame, coverage_table: pd.DataFrame, power: dict[str, pd.DataFrame], place: Path
) -> None:
    pairs = {
        "compare, per patient": ("compare", "depletion_rate", "subject_permutation", "response-grid"),
        "compare, mixed model": ("compare", "depletion_rate", "mixed_model", "response-commands"),
        "compare, pooled Wilcoxon": ("compare", "depletion_rate", "pooled_wilcoxon", "response-commands"),
        "taxa, loss per taxon": ("taxa", "loss", "per taxon", "response-commands"),
        "nulls, re-assigned donors": ("nulls", "engraftment_rate", "donor_permutation", "chance-grid"),
        "nulls, donors within centres": ("nulls within centres", "engraftment_rate", "donor_permutation", "chance"),
        "nulls, donors across centres": ("nulls across centres", "engraftment_rate", "donor_permutation", "chance"),
        "nulls, placebo": ("nulls", "depletion_rate", "placebo_arm", "chance-placebo"),
        "placebo without pseudo-donors": ("naive", "depletion_rate_donor_absent", "raw rates of the arms", "chance"),
        "nulls, repeats before FMT": ("nulls", "depletion_rate", "before_repeats", "chance-repeats"),
    }
    _rejections(
        level_table, pairs, place / "type_1_error.svg", "type-I error of depletion and engraftment over all designs"
    )
    pairs = {
        "excess depletion (nulls)": ("nulls", "depletion_rate", "placebo_arm", "depth-arms"),
        "raw rates of the arms": ("naive", "depletion_rate", "raw rates of the arms", "depth-arms"),
        "responders, repair threshold": ("compare", "depletion_rate", "repair threshold", "depth-"),
        "responders, repair thinning": ("compare", "depletion_rate", "repair thinning", "depth-"),
        "responders, no repair": ("compare", "depletion_rate", "repair none", "depth-"),
    }
    _rejections(level_table, pairs, place / "depth_type_1_error.svg", "type-I error when depth differs ten times")
    rows = []
    for name, quantity, start in (
        ("depletion_rate", "depletion_rate", "coverage-depletion-"),
        ("rare engraftment_rate", "engraftment_rate", "coverage-rare-"),
    ):
        part = coverage_table[
            coverage_table["scenario"].str.startswith(start) & (coverage_table["quantity"] == quantity)
        ]
        rows.append(part.assign(panel=name, subjects=part["scenario"].str.rsplit("-", n=1).str[1].astype(int)))
    points = pd.concat(rows, ignore_index=True)
    if len(points):
        chart = figures.coverage_by_size(points, list(dict.fromkeys(points["panel"])))
        write_svg(
            chart, points, place / "coverage_of_means.svg", "coverage of nominal 95 % intervals of a mean over subjects"
        )
    tables = [
        power[plan.name].assign(effect=f"{plan.test}: " + power[plan.name]["effect"])
        for plan in PLANS
        if plan.name in power
    ]
    if tables:
        table = pd.concat(tables, ignore_index=True)
        write_svg(draw_power(table), table, place / "power.svg", "power against the number of patients")


def _rejections(table: pd.DataFrame, pairs: dict[str, tuple[str, str, str, str]], path: Path, comment: str) -> None:
    parts = []
    for name, (test, quantity, method, start) in pairs.items():
        mask = (table["test"] == test) & (table["quantity"] == quantity) & (table["method"] == method)
        parts.append(
            table[mask & table["scenario"].str.startswith(start) & table["rejected"].notna()].assign(name=name)
        )
    points = pd.concat(parts, ignore_index=True)
    if len(points):
        there = [name for name in pairs if (points["name"] == name).any()]
        write_svg(figures.rejections(points, there), points, path, comment)


if __name__ == "__main__":
    sys.exit(main())
