"""From trials to tables: type-I error and coverage, each with its Monte Carlo error and a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.calibration.analyses import ALPHA
from microbiome.calibration.findings import Findings
from microbiome.calibration.scenarios import Scenario
from microbiome.calibration.tables import COVERAGE, LEVEL
from microbiome.stats import proportion_interval

__all__ = ["coverage", "flags", "level", "offered"]

_ROUNDING = 1e-9
_SURE = 0.999
# How the labels of a design are put into words; others stand behind their name.
_WORDS = {
    "patients": "{} patients",
    "subjects": "{} subjects",
    "time_points": "{} visits",
    "donors": "{} donors",
    "allotment": "{}",
    "placebo": "{} on placebo",
    "shallow": "shallow: {}",
    "limits": "limits from {}",
    "setting": "{}",
    "trap": "{}",
    "sizes": "{} values",
    "sd_ratio": "ratio {}",
    "donors_are": "donors are {}",
    "lag": "days apart {}",
}
# Shortcuts and traps that are shown because they fail, by words in the name of the measure.
_SHORTCUTS = ("naive|", "pooled_wilcoxon", "repair none", "nulls across centres", "|percentile", "|bca", "|free")


def offered(name: str, scenario: Scenario) -> bool:
    """Tell whether a measure is what the package recommends for this design."""
    if any(word in name for word in _SHORTCUTS):
        return False
    if "free" in name.split("|")[2].split(", "):
        return False
    # What is not adjusted goes with the richness of the baseline.
    return not (scenario.name.startswith("traps-richness") and "mixed_model" not in name)


def level(chosen: Sequence[Scenario], found: Mapping[str, Sequence[Findings]]) -> pd.DataFrame:
    """Return the type-I errors: a row per scenario without effect and test (:data:`LEVEL`)."""
    rows = []
    for scenario in chosen:
        trials = found[scenario.name]
        if scenario.section == "coverage":
            continue
        for name in _names(one.p for one in trials):
            p = np.array([one.p.get(name, np.nan) for one in trials])
            known = p[~np.isnan(p)]
            rejected = int((known <= ALPHA + _ROUNDING).sum())
            bounds = proportion_interval(rejected, len(known))
            surely = proportion_interval(rejected, len(known), level=_SURE)
            row = _design(scenario, name, len(known), len(p) - len(known))
            row |= {"rejected": bounds.estimate, "ci_low": bounds.low, "ci_high": bounds.high}
            rows.append(row | {"verdict": _verdict(bounds.low, bounds.high, surely.low, len(known))})
        for name in _names(one.share for one in trials):
            values = np.array([one.share.get(name, np.nan) for one in trials])
            known = values[~np.isnan(values)]
            row = _design(scenario, name, len(known), len(values) - len(known))
            mean, low, high = _mean_bounds(known, 0.95)
            sure = _mean_bounds(known, _SURE)[1]
            row |= {"rejected": mean, "ci_low": low, "ci_high": high}
            rows.append(row | {"verdict": _verdict(low, high, sure, len(known))})
    return pd.DataFrame(rows, columns=LEVEL.names)


def coverage(chosen: Sequence[Scenario], found: Mapping[str, Sequence[Findings]]) -> pd.DataFrame:
    """Return the coverages: a row per scenario and interval (:data:`COVERAGE`)."""
    rows = []
    for scenario in chosen:
        trials = found[scenario.name]
        for name in _names(one.interval for one in trials):
            values = np.array([one.interval.get(name, (np.nan,) * 3) for one in trials], dtype=float)
            estimate, low, high = values.T
            known = ~np.isnan(low) & ~np.isnan(high)
            truth = _truth(scenario, name, estimate)
            inside = int(((low <= truth + 1e-12) & (truth - 1e-12 <= high) & known).sum())
            number = int(known.sum())
            bounds = proportion_interval(inside, number)
            surely = proportion_interval(inside, number, level=_SURE)
            target = _target(scenario)
            verdict = "none"
            if number:
                verdict = "fails" if surely.high < target else "short" if bounds.high < target else "covers"
            row = _design(scenario, name, number, len(trials) - number)
            row |= {"truth": truth, "covered": bounds.estimate, "ci_low": bounds.low, "ci_high": bounds.high}
            width = float(np.median((high - low)[known])) if number else np.nan
            rows.append(row | {"width": width, "target": target, "verdict": verdict})
    return pd.DataFrame(rows, columns=COVERAGE.names)


def flags(chosen: Sequence[Scenario], found: Mapping[str, Sequence[Findings]]) -> pd.DataFrame:
    """Return how often something happened: a row per scenario and flag, without verdict."""
    rows = []
    for scenario in chosen:
        trials = found[scenario.name]
        for name in _names(one.flag for one in trials):
            values = [one.flag[name] for one in trials if name in one.flag]
            bounds = proportion_interval(int(sum(values)), len(values))
            row = _design(scenario, name, len(values), len(trials) - len(values))
            rows.append(row | {"share": bounds.estimate, "ci_low": bounds.low, "ci_high": bounds.high})
    names = [column.name for column in LEVEL.columns][:9]
    return pd.DataFrame(rows, columns=[*names, "share", "ci_low", "ci_high"])


def _names(parts: Iterable[Mapping[str, object]]) -> list[str]:
    found: dict[str, None] = {}
    for part in parts:
        found |= dict.fromkeys(part)
    return list(found)


def _design(scenario: Scenario, name: str, trials: int, without: int) -> dict[str, object]:
    test, quantity, method = name.split("|")
    words = ", ".join(
        _WORDS.get(key, key.replace("_", " ") + " {}").format(value) for key, value in scenario.labels.items()
    )
    return {
        "section": scenario.section,
        "scenario": scenario.name,
        "design": words,
        "test": test,
        "quantity": quantity,
        "method": method,
        "offered": int(offered(name, scenario)),
        "trials": trials,
        "without": without,
    }


def _verdict(low: float, high: float, surely_low: float, trials: int) -> str:
    if not trials or np.isnan(low):
        return "none"
    if surely_low > ALPHA:
        return "fails"
    if low > ALPHA:
        return "above"
    return "below" if high < ALPHA else "holds"


def _mean_bounds(values: np.ndarray, wanted: float) -> tuple[float, float, float]:
    """Return mean and t interval over trials; shares that are all alike have the interval of no event in n trials."""
    n = len(values)
    if n < 2:
        return (float(values.mean()) if n else np.nan), np.nan, np.nan
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    half = float(stats.t.ppf((1 + wanted) / 2, n - 1)) * sd / np.sqrt(n)
    if sd == 0:
        half = 1 - ((1 - wanted) / 2) ** (1 / n)
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def _truth(scenario: Scenario, name: str, estimate: np.ndarray) -> float:
    word = name.split("|")[2].split(", ")[0]
    for key in (word, "*"):
        if key in scenario.truth:
            return float(scenario.truth[key])
    known = estimate[~np.isnan(estimate)]
    return float(known.mean()) if len(known) else np.nan


def _target(scenario: Scenario) -> float:
    """Return the coverage asked for: .90 of rare rates from 8 subjects (none below), else .93."""
    return 0.90 if "rare" in scenario.name else 0.93
