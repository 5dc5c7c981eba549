"""Power against the number of patients, by simulated trials."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from microbiome.depth import study_limits
from microbiome.errors import Problem, raise_problems
from microbiome.power.tables import POWER, TESTS
from microbiome.power.trials import Trial, run_trial
from microbiome.repair import common_threshold
from microbiome.seeds import stream
from microbiome.simulate.panel import Panel, simulate_panel
from microbiome.simulate.panel_parameters import PanelParameters
from microbiome.stats import proportion_interval
from microbiome.tables import RATE_NAMES

__all__ = ["assemble", "common_problems", "power"]

logger = logging.getLogger(__name__)

# Parameters that make an effect in each test, with the value at which there is none.
_EFFECTS = {
    "response": {"loss_ratio": 1.0, "engraftment_effect": 0.0},
    "placebo": {"loss_ratio": 1.0, "displacement": 0.0},
    "donors": {"engraftment": 0.0},
}
_GROUPS = {"response": "yes - no", "placebo": "fmt - placebo", "donors": "own - re-assigned"}
_NEEDS_DONOR = ("engraftment_rate", "donor_recovery", "depletion_rate_donor_absent")
# p-values are multiples of 1 / arrangements: 0.05 must be reached in spite of rounding.
_ROUNDING = 1e-9


def power(
    patients: Sequence[int],
    parameters: PanelParameters | None = None,
    test: str = "response",
    rate: str = "depletion_rate",
    placebo: float = 0.5,
    repair: str = "none",
    trials: int = 400,
    alpha: float = 0.05,
    permutations: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the power of a test for each number of patients.

    Trials of the design are simulated (:func:`microbiome.simulate.panel.simulate_panel`), each is tested as
    ``microbiome compare`` and ``microbiome nulls`` do, and the power is the share with p <= alpha.

    Parameters
    ----------
    patients
        Numbers of patients.
    parameters
        Design, depth, baseline and effect. ``recipients`` and ``placebo`` are replaced. ``responders`` is a fraction:
        that share of the patients, rounded, responds; with ``placebo`` and ``donors`` the effect is in everybody who is
        treated. What makes the effect: ``loss_ratio`` (times as much loss) or ``engraftment_effect`` (logit) in
        responders; ``loss_ratio`` or ``displacement`` (probability that the dose drives out a taxon) against placebo;
        ``engraftment`` (probability) against re-assigned donors.
    test
        ``response``: means of responders against those of the others (:func:`microbiome.stats.group_permutation`).
        ``placebo``: the same of treated against placebo: the excess depletion.
        ``donors``: own against re-assigned donors, overall (one-sided).
    rate
        One of :data:`microbiome.tables.RATE_NAMES`; with ``placebo`` one that does not need a donor, with ``donors``
        one that does.
    placebo
        Share of the patients that receive placebo, with the test ``placebo``.
    repair
        ``none``, or ``threshold``: one detection threshold, as ``outcomes --repair threshold`` sets it.
    trials
        Trials for each number of patients.
    alpha
        Level of the test.
    permutations
        Of each test, at most.
    seed
        The same seed gives the same table; a row does not depend on the others.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.power.tables.POWER`; the interval of the power is that of Clopper and Pearson over
        trials. A design in which nothing can be tested, or whose smallest p-value is above alpha, has power 0 and a
        note.

    Raises
    ------
    InputError
        When a value makes no sense.
    """
    given = PanelParameters() if parameters is None else parameters
    problems = common_problems(patients, trials, alpha, permutations)
    problems += _problems(given, test, rate, placebo, repair)
    raise_problems(problems)
    effect = _effect(given, test)
    if effect == "none":
        logger.warning("no effect is put in: the power is the level of the test")
    rows = []
    for n in patients:
        started = time.monotonic()
        design = _sized(given, test, n, placebo)
        second = {"response": int(design.responders), "placebo": n - design.placebo, "donors": 0}[test]
        found = []
        for number in range(trials):
            panel = simulate_panel(design, stream(seed, "power", str(n), str(number)))
            detection = 0.0 if repair == "none" else _threshold(panel)
            found.append(run_trial(panel, test, rate, detection, permutations, seed=number))
        row = assemble(found, alpha)
        rows.append(
            {
                "n_subjects": n,
                "test": test,
                "rate": rate,
                "effect": effect,
                "groups": _GROUPS[test],
                "n_1": n - second,
                "n_2": pd.NA if test == "donors" else second,
                "n_donors": design.donors,
                **row,
            }
        )
        logger.info("n = %d: power %.3f (%d trials, %.0f s)", n, row["power"], trials, time.monotonic() - started)
    return pd.DataFrame(rows)[POWER.names].astype({"n_2": "Int64"})


def assemble(found: Sequence[Trial], alpha: float) -> dict[str, object]:
    """Return the columns of a row that follow from its trials."""
    p = np.array([one.result.p_value for one in found])
    untestable = int(np.isnan(p).sum())
    rejected = int((p <= alpha + _ROUNDING).sum())
    share = proportion_interval(rejected, len(found))
    floor = float(np.median([one.result.p_floor for one in found]))
    first, second, sd = (_known_mean([getattr(one, name) for one in found]) for name in ("mean_1", "mean_2", "sd"))
    note = None
    if untestable == len(found):
        note = "not testable: too few patients in a group, or too few donors"
    elif floor > alpha + _ROUNDING:
        note = f"not testable: the smallest p-value that this design can give is {floor:.2g}"
    return {
        "n_samples": float(np.mean([one.n_samples for one in found])),
        "mean_1": first,
        "mean_2": second,
        "difference": second - first,
        "ratio": second / first if first > 0 else np.nan,
        "sd": sd,
        "power": share.estimate,
        "ci_low": share.low,
        "ci_high": share.high,
        "alpha": alpha,
        "trials": len(found),
        "n_untestable": untestable,
        "p_floor": floor,
        "permutations": int(np.median([one.result.permutations for one in found])),
        "scheme": "exact" if all(one.result.scheme == "exact" for one in found) else "monte_carlo",
        "method": "permutation test; clopper_pearson over trials",
        "note": note,
    }


def common_problems(patients: Sequence[int], trials: int, alpha: float, permutations: int) -> list[Problem]:
    """Return what is wrong with the size of a simulation."""
    found = [Problem(f"{n} patients are too few", "give 2 or more", value=str(n)) for n in patients if n < 2]
    if not patients:
        found.append(Problem("there is no number of patients", "give one or more"))
    if len(set(patients)) < len(patients):
        found.append(Problem("a number of patients stands twice", "give each once"))
    for name, value in (("trials", trials), ("permutations", permutations)):
        if value < 1:
            found.append(Problem(f"{name} {value} is not possible", "give 1 or more", value=str(value)))
    if not 0 < alpha < 1:
        found.append(Problem(f"alpha {alpha:g} is not possible", "give a number between 0 and 1", value=str(alpha)))
    return found


def _problems(given: PanelParameters, test: str, rate: str, placebo: float, repair: str) -> list[Problem]:
    found = []
    for name, value, allowed in (
        ("test", test, TESTS),
        ("rate", rate, RATE_NAMES),
        ("repair", repair, ("none", "threshold")),
    ):
        if value not in allowed:
            found.append(Problem(f"{name} {value!r} is unknown", f"use {', '.join(allowed)}", value=value))
    if test == "placebo" and rate in _NEEDS_DONOR:
        found.append(Problem(f"{rate} needs a donor, which placebo has not", "use depletion_rate", value=rate))
    if test == "donors" and rate not in _NEEDS_DONOR:
        found.append(Problem(f"{rate} does not depend on the donor", "use engraftment_rate", value=rate))
    if test == "placebo" and not 0 < placebo < 1:
        found.append(Problem(f"placebo {placebo:g} is not possible", "give a share between 0 and 1"))
    if test == "response" and not (isinstance(given.responders, float) and 0 < given.responders < 1):
        found.append(
            Problem(
                f"responders {given.responders} is not possible",
                "give the response rate as a fraction between 0 and 1",
                value=str(given.responders),
            )
        )
    return found


def _sized(given: PanelParameters, test: str, n: int, placebo: float) -> PanelParameters:
    if test == "response":
        responders = min(max(1, round(n * float(given.responders))), n - 1)
        return replace(given, recipients=n, placebo=0, responders=responders)
    without = min(max(1, round(n * placebo)), n - 1) if test == "placebo" else 0
    return replace(given, recipients=n, placebo=without, responders=n)


def _effect(given: PanelParameters, test: str) -> str:
    parts = [
        f"{name} {getattr(given, name):g}" for name, null in _EFFECTS[test].items() if getattr(given, name) != null
    ]
    return ", ".join(parts) or "none"


def _threshold(panel: Panel) -> float:
    return common_threshold(study_limits(panel.abundance, panel.study))


def _known_mean(values: Sequence[float]) -> float:
    known = np.array([value for value in values if not np.isnan(value)])
    return float(known.mean()) if len(known) else float("nan")
