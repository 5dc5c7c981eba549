"""The power tables of the page, kept on disk like the trials."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from microbiome.power.simulated import power
from microbiome.power.tables import POWER
from microbiome.simulate.panel import PanelParameters
from microbiome.tsv import read_result, write_table

__all__ = ["PLANS", "Plan", "powers"]

_FOUR = (28, 56, 84, 112)


@dataclass(frozen=True)
class Plan:
    """One curve: its question, the test and what is put in.

    Parameters
    ----------
    name
        Of its file.
    question
        What is tested, in words; the curves of one question make a figure.
    test, rate
        As in :func:`microbiome.power.simulated.power`.
    parameters
        Design and effect.
    patients
        Numbers of patients.
    """

    name: str
    question: str
    test: str
    rate: str
    parameters: PanelParameters
    patients: tuple[int, ...] = (10, 20, 40, 80)


def _plans() -> list[Plan]:
    found = []
    base: dict[str, Any] = {"donors": 5, "post_days": _FOUR}
    question = "response: responders lose more"
    for ratio in (1.4, 2.0):
        parameters = PanelParameters(loss_ratio=ratio, **base)
        found.append(Plan(f"response-{ratio:g}", question, "response", "depletion_rate", parameters))
    question = "placebo: the dose drives out residents"
    for chance in (0.1, 0.2):
        parameters = PanelParameters(displacement=chance, **base)
        found.append(Plan(f"placebo-{chance:g}", question, "placebo", "depletion_rate", parameters))
    question = "donors: donor taxa engraft"
    for chance in (0.02, 0.05):
        parameters = PanelParameters(engraftment=chance, **base)
        found.append(Plan(f"donors-{chance:g}", question, "donors", "engraftment_rate", parameters))
    return found


PLANS = tuple(_plans())


def powers(trials: int, seed: int, folder: Path, only_there: bool = False) -> dict[str, pd.DataFrame]:
    """Return the table of each plan by its name, computed where it is not there.

    Parameters
    ----------
    trials, seed
        As in :func:`microbiome.power.simulated.power`.
    folder
        Where tables are kept.
    only_there
        Compute nothing.
    """
    found = {}
    for plan in PLANS:
        digest = hashlib.sha256(json.dumps(plan.parameters.as_dict(), sort_keys=True).encode()).hexdigest()[:8]
        path = folder / f"power-{plan.name}-seed{seed}-trials{trials}-{digest}.tsv"
        if not path.exists():
            if only_there:
                continue
            sys.stderr.write(f"power: {plan.name}\n")
            table = power(plan.patients, plan.parameters, plan.test, plan.rate, trials=trials, seed=seed)
            write_table(table, path)
        found[plan.name] = read_result(path, POWER)
    return found
