"""docs/calibration.md: the prose of page.md with tables and sentences made from the results."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from importlib import resources

import jinja2
import pandas as pd

from microbiome.calibration.claims import covered, held, pivot
from microbiome.calibration.powers import PLANS
from microbiome.power.needed import patients_needed

__all__ = ["page"]

_METHODS = ("subject_permutation", "mixed_model", "pooled_wilcoxon")


def page(
    level: pd.DataFrame,
    coverage: pd.DataFrame,
    flags: pd.DataFrame,
    power: Mapping[str, pd.DataFrame],
    seed: int,
) -> str:
    """Return the page.

    Parameters
    ----------
    level, coverage, flags
        As :mod:`microbiome.calibration.summary` returns them.
    power
        As :func:`microbiome.calibration.powers.powers` returns it.
    seed
        Of the trials.
    """
    text = resources.files("microbiome.calibration").joinpath("page.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    values = {
        **_head(level, seed),
        **_response(level, coverage),
        **_chance(level, coverage),
        **_depth(level, coverage),
        **_traps(level, flags),
        **_intervals(coverage),
        "short": _short(level, coverage),
        "power": _power(power),
    }
    return environment.from_string(text).render(values)


def _pick(table: pd.DataFrame, test: str = "", quantity: str = "", method: str = "", name: str = "") -> pd.Series:
    """Return which rows have this test, quantity and method, and a scenario whose name begins with `name`."""
    found = pd.Series(True, index=table.index)
    for column, value in (("test", test), ("quantity", quantity), ("method", method)):
        if value:
            found &= table[column] == value
    return found & table["scenario"].str.startswith(name) if name else found


def _table(table: pd.DataFrame, columns: Sequence[tuple[str, pd.Series]], value: str = "rejected") -> str:
    there = {name: mask for name, mask in columns if mask.any()}
    return "\n".join(pivot(table, there, value)) if there else "(not run)"


def _head(level: pd.DataFrame, seed: int) -> dict[str, object]:
    own = level[(level["offered"] == 1) & level["rejected"].notna() & (level["section"] != "traps")]
    return {
        "version": importlib.metadata.version("fmt-microbiome"),
        "seed": seed,
        "fewest": level["trials"].add(level["without"]).min(),
        "most": level["trials"].add(level["without"]).max(),
        "cells": len(own),
        "above": int(own["verdict"].isin(["above", "fails"]).sum()),
        "by_chance": round(0.025 * len(own)),
        "far": int((own["verdict"] == "fails").sum()) or "none",
    }


def _short(level: pd.DataFrame, coverage: pd.DataFrame) -> str:
    def of(*words: str) -> str:
        return held(level[_pick(level, *words)])

    def cover(*words: str) -> str:
        return covered(coverage[_pick(coverage, *words)])

    rows = (
        (
            "Does a rate differ between responders and the others?",
            "`compare`, `subject_permutation`",
            of("compare", "depletion_rate", "subject_permutation", "response-grid"),
            "pooled Wilcoxon: " + of("compare", "depletion_rate", "pooled_wilcoxon", "response-commands"),
        ),
        (
            "The same over all samples, adjusted",
            "`compare`, `mixed_model`",
            of("compare", "depletion_rate", "mixed_model", "response-commands"),
            "",
        ),
        (
            "The same within centres",
            "`compare --strata`",
            of("compare", "depletion_rate", "subject_permutation, strata", "response"),
            "",
        ),
        ("Does one taxon go with response?", "`taxa --by`", of("taxa", "loss", "per taxon", "response"), ""),
        (
            "Did taxa of the own donor engraft more than those of others?",
            "`nulls`, `donor_permutation`",
            of("nulls", "engraftment_rate", "donor_permutation", "chance-grid"),
            "several centres without `--strata`: "
            + of("nulls across centres", "engraftment_rate", "donor_permutation", "chance-centres"),
        ),
        (
            "Was more lost than without FMT?",
            "`nulls`, `placebo_arm`",
            of("nulls", "depletion_rate", "placebo_arm", "chance-placebo"),
            "`depletion_rate_donor_absent` without pseudo-donors: "
            + of("naive", "depletion_rate_donor_absent", "raw rates of the arms", "chance-placebo"),
        ),
        (
            "The same when depth differs ten times",
            "`nulls`, which repairs it",
            of("nulls", "depletion_rate", "placebo_arm", "depth-arms"),
            "raw rates: " + of("naive", "depletion_rate", "raw rates of the arms", "depth-arms"),
        ),
        (
            "How large is a mean depletion rate?",
            "t on the logit of the mean",
            cover("mean", "depletion_rate", "logit_t", "coverage-depletion"),
            "percentile bootstrap: " + cover("mean", "depletion_rate", "percentile", "coverage-depletion"),
        ),
        (
            "How large is a rare engraftment rate?",
            "t on the logit of the mean",
            cover("mean", "engraftment_rate", "logit_t", "coverage-rare"),
            "percentile bootstrap: " + cover("mean", "engraftment_rate", "percentile", "coverage-rare"),
        ),
    )
    lines = ["| question | use | which | instead of |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _response(level: pd.DataFrame, coverage: pd.DataFrame) -> dict[str, str]:
    def each(quantities: Sequence[str], methods: Sequence[str], name: str) -> list[tuple[str, pd.Series]]:
        return [
            (f"`{quantity}`, {method.replace('_', ' ')}", _pick(level, "compare", quantity, method, name))
            for quantity in quantities
            for method in methods
        ]

    grid = [
        (f"`{quantity}`", _pick(level, "compare", quantity, "subject_permutation", "response-grid"))
        for quantity in ("depletion_rate", "engraftment_rate", "donor_recovery", "lost_taxa")
    ]
    centres = [
        (f"{kind}, {word}", _pick(level, "compare", "depletion_rate", f"{method}, {word}", "response"))
        for word in ("free", "covariate", "strata", "covariate and strata")
        for kind, method in (("permutation", "subject_permutation"), ("mixed", "mixed_model"))
    ]
    pooled = _pick(level, "compare", "", "pooled_wilcoxon", "response-commands")
    four = level["design"].str.contains("4 visits")
    quantities = ("loss", "engraftment", "gain", "arrival")
    rest = ("depletion_rate_donor_absent", "donor_recovery", "lost_taxa")
    return {
        "primary": held(level[_pick(level, "compare", "depletion_rate", "subject_permutation", "response-grid")]),
        "pooled_one": held(level[pooled & ~four]),
        "pooled_four": held(level[pooled & four]),
        "response_grid": _table(level, grid),
        "response_commands": _table(level, each(("depletion_rate", "engraftment_rate"), _METHODS, "response-commands")),
        "response_rest": _table(level, each(rest, _METHODS[:2], "response-commands")),
        "centres": _table(level, centres),
        "spread": _table(level, [("permutation of means", _pick(level, "stats"))]),
        "welch": _table(coverage, [("Welch interval covers 0", _pick(coverage, "stats"))], "covered"),
        "taxa": _table(level, [(name, _pick(level, "taxa", name, "per taxon")) for name in quantities]),
    }


def _chance(level: pd.DataFrame, coverage: pd.DataFrame) -> dict[str, str]:
    donor = "donor_permutation"
    commands = (
        ("engraftment_rate", donor),
        ("engraftment_rate", f"{donor}, per subject"),
        ("engraftment_rate", f"{donor}, per taxon"),
        ("donor_recovery", donor),
        ("donor_recovery", f"{donor}, per subject"),
    )
    placebo = (
        ("nulls", "depletion_rate", "placebo_arm", ""),
        ("nulls", "depletion_rate", "placebo_arm, per subject", ", per subject"),
        ("nulls", "depletion_rate", "placebo_arm, per taxon", ", per taxon"),
        ("nulls", "depletion_rate_donor_absent", "placebo_arm", ""),
        ("naive", "depletion_rate_donor_absent", "raw rates of the arms", ", naive"),
        ("nulls", "engraftment_rate", "placebo_arm", ""),
    )
    grid = [
        (f"`{name}`", _pick(level, "nulls", name, donor, "chance-grid"))
        for name in ("engraftment_rate", "donor_recovery")
    ]
    centres = [
        (f"{test.removeprefix('nulls ')}, `{name}`", _pick(level, test, name, donor, "chance-centres"))
        for test in ("nulls within centres", "nulls across centres")
        for name in ("engraftment_rate", "donor_recovery")
    ]
    by_command = [
        (f"`{name}`{method.removeprefix(donor)}", _pick(level, "nulls", name, method, "chance-commands"))
        for name, method in commands
    ]
    by_placebo = [
        (f"`{name}`{word}", _pick(level, test, name, method, "chance-placebo")) for test, name, method, word in placebo
    ]
    repeats = [
        (null.replace("_", " "), _pick(level, "nulls", "depletion_rate", null, "chance"))
        for null in ("before_repeats", "donor_repeats")
    ]
    intervals = [
        (f"excess `{name}`, {null.replace('_', ' ')}", _pick(coverage, "nulls", name, null, "chance"))
        for name, null in (
            ("engraftment_rate", donor),
            ("depletion_rate", "placebo_arm"),
            ("depletion_rate", "before_repeats"),
        )
    ]
    return {
        "donors_held": held(level[_pick(level, "nulls", "engraftment_rate", donor, "chance-grid")]),
        "within": held(level[_pick(level, "nulls within centres", "engraftment_rate", donor)]),
        "across": held(level[_pick(level, "nulls across centres", "engraftment_rate", donor)]),
        "chance_grid": _table(level, grid),
        "chance_commands": _table(level, by_command),
        "chance_centres": _table(level, centres),
        "placebo": _table(level, by_placebo),
        "repeats": _table(level, repeats),
        "chance_intervals": _table(coverage, intervals, "covered"),
    }


def _depth(level: pd.DataFrame, coverage: pd.DataFrame) -> dict[str, str]:
    ours = ("nulls", "depletion_rate", "placebo_arm", "depth-arms")
    raw = ("naive", "depletion_rate", "raw rates of the arms", "depth-arms")
    unequal = level["scenario"].str.contains("of_fmt")
    arms = [
        ("excess depletion (`nulls`)", _pick(level, *ours)),
        ("raw rates of the arms", _pick(level, *raw)),
        ("per taxon (`nulls`)", _pick(level, "nulls", "depletion_rate", "placebo_arm, per taxon", "depth-arms")),
        ("excess engraftment (`nulls`)", _pick(level, "nulls", "engraftment_rate", "placebo_arm", "depth-arms")),
    ]
    cover = [
        ("excess depletion covers 0", _pick(coverage, *ours)),
        ("raw difference covers 0", _pick(coverage, *raw)),
    ]
    repairs = ("none", "threshold", "thinning", "auto")
    response = [
        (f"repair {one}", _pick(level, "compare", "depletion_rate", f"repair {one}", "depth-")) for one in repairs
    ]
    mixed = [
        (
            f"mixed model, repair {one}",
            _pick(level, "compare", "depletion_rate", f"mixed model, repair {one}", "depth-"),
        )
        for one in repairs[:3]
    ]
    return {
        "depth_held": held(level[_pick(level, *ours)]),
        "depth_covered": covered(coverage[_pick(coverage, *ours)]),
        "depth_naive": held(level[_pick(level, *raw) & unequal]),
        "depth_arms": _table(level, arms),
        "depth_cover": _table(coverage, cover, "covered"),
        "depth_response": _table(level, response),
        "depth_mixed": _table(level, mixed),
    }


def _traps(level: pd.DataFrame, flags: pd.DataFrame) -> dict[str, str]:
    def of(test: str, quantity: str, method: str, name: str) -> pd.Series:
        return _pick(level, test, quantity, method, f"traps-{name}")

    rate = "depletion_rate"
    leaving = [
        ("visits that all have", of("compare", rate, "subject_permutation", "dropout")),
        ("mean over whatever samples there are", of("naive", rate, "mean over whatever samples there are", "dropout")),
        ("mixed model", of("compare", rate, "mixed_model", "dropout")),
        ("pooled Wilcoxon", of("compare", rate, "pooled_wilcoxon", "dropout")),
    ]
    richness = [
        ("`depletion_rate`, permutation", of("compare", rate, "subject_permutation", "richness")),
        ("`depletion_rate`, mixed model", of("compare", rate, "mixed_model", "richness")),
        ("`lost_taxa`, permutation", of("compare", "lost_taxa", "subject_permutation", "richness")),
        ("`lost_taxa`, mixed model", of("compare", "lost_taxa", "mixed_model", "richness")),
    ]
    lags = [("`nulls`", of("nulls", rate, "", "lag")), ("compared all the same", of("naive", rate, "", "lag"))]
    refused = flags[_pick(flags, "nulls", rate, "", "traps-lag") & flags["method"].str.endswith("refused")]
    words = "; ".join(f"{row.design}: {row.share:.0%} of the trials" for row in refused.itertuples())
    return {
        "leaving": _table(level, leaving),
        "richness": _table(level, richness),
        "refused": f"`nulls` refuses such a null, with the reason ({words})." if words else "",
        "lags": _table(level, lags),
        "dilution": _table(level, [("excess depletion (`nulls`)", of("nulls", rate, "placebo_arm", "dilution"))]),
    }


def _intervals(coverage: pd.DataFrame) -> dict[str, str]:
    def of(test: str, quantity: str, method: str, name: str) -> pd.Series:
        return _pick(coverage, test, quantity, method, name)

    methods = ("logit_t", "t", "percentile", "bca")
    rates = ("depletion_rate", "engraftment_rate")
    effects = ("difference", "ratio", "hodges_lehmann", "cliffs_delta")
    excess = (
        ("depletion_rate", "placebo_arm"),
        *(("engraftment_rate", n) for n in ("donor_permutation", "placebo_arm")),
    )
    columns = {
        "coverage_depletion": [(m, of("mean", rates[0], m, "coverage-depletion")) for m in methods],
        "coverage_rare": [(m, of("mean", rates[1], m, "coverage-rare")) for m in methods],
        "coverage_donors": [(f"`{name}`", of("mean", name, "logit_t", "coverage-donors")) for name in rates],
        "coverage_difference": [
            (f"`{name}`, {effect}", of("compare", name, effect, "coverage-difference"))
            for name in rates
            for effect in effects[:2]
        ],
        "coverage_null": [
            (word.replace("_", " "), of("compare", rates[0], word, "response-commands"))
            for word in (*effects, "mixed_model")
        ],
        "coverage_excess": [
            (f"excess `{name}`, {null.replace('_', ' ')}", of("nulls", name, null, "coverage-excess"))
            for name, null in excess
        ],
    }
    return {name: _table(coverage, masks, "covered") for name, masks in columns.items()}


def _power(power: Mapping[str, pd.DataFrame]) -> str:
    sizes = PLANS[0].patients
    lines = [
        "| question | put in | seen: ratio | " + " | ".join(f"n = {n}" for n in sizes) + " | 80 % power |",
        "|---|---|---|" + "---|" * (len(sizes) + 1),
    ]
    for plan in PLANS:
        table = power.get(plan.name)
        if table is None:
            continue
        cells = " | ".join(f"{value:.2f}" for value in table["power"])
        needed = patients_needed(table).text.removeprefix("80 % power ")
        lines.append(
            f"| {plan.question} | {table['effect'].iloc[0]} | {table['ratio'].iloc[-1]:.2f} | {cells} | {needed} |"
        )
    return "\n".join(lines)
