"""The clinical side of a simulated trial: tumour assessments, adverse events and drugs that fit its subjects table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from microbiome.seeds import stream
from microbiome.simulate.parameters import Parameters
from microbiome.tables import LESIONS, TOXICITIES, TREATMENTS

__all__ = ["lesions_table", "toxicities_table", "treatments_table"]

# Days between tumour assessments, between cycles of immunotherapy, and the first of either.
_ASSESSED = 56
_CYCLE = 21
_FIRST_CYCLE = 7
# Lowest and highest share of the baseline sum that the sums of a best response go to.
_BEST = {"CR": (0.0, 0.0), "PR": (0.25, 0.65), "SD": (0.78, 1.12)}
_TERMS = ("colitis", "rash", "hepatitis", "thyroiditis", "arthritis", "pneumonitis", "myocarditis")
_ANTIBIOTICS = ("amoxicillin", "ciprofloxacin", "doxycycline")
_P_ANTIBIOTIC = 0.25
_P_NEW_LESION = 0.4


def lesions_table(parameters: Parameters, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return tumour assessments from which RECIST 1.1 gives best response and progression of the subjects table.

    Every recipient has a baseline on day -7, assessments every 56 days (two before progression where that
    comes early) and, where progression was seen, one on that day: a new lesion, or 25 to 70 % and at least 8 mm more
    than the smallest sum. In between the sum goes from baseline to where its best response allows: CR 0, PR 25 to 65 %,
    SD 78 to 112 % of baseline. Who has PD as best response has no other assessment. A stable disease that progresses
    within weeks is PD by RECIST: so it goes in trials, too, where table and measurements come from different people.
    """
    rng = stream(parameters.seed, "lesions")
    rows: list[dict[str, object]] = []
    for person in _recipients(subjects):
        baseline = float(rng.uniform(35, 140))
        best, last = str(person["best_response"]), int(person["pfs_days"])
        progressed = bool(person["pfs_event"])
        goal = float(rng.uniform(*_BEST[best])) if best in _BEST else 1.0
        between = list(range(_ASSESSED, last - 13, _ASSESSED)) if last >= 3 * _ASSESSED else [last // 3, last - 10]
        between = between if best in _BEST else []
        between += [] if progressed or last in between else [last]
        sums = [baseline * _course(goal, step) for step in range(1, len(between) + 1)]
        row = {"subject": person["subject"], "new_lesion": 0}
        rows.append(row | {"day": -7, "sum_diameters": round(baseline, 1)})
        for day, total in zip(between, sums, strict=True):
            rows.append(row | {"day": day, "sum_diameters": round(total, 1)})
        if progressed:
            lowest = min([baseline, *sums])
            new = bool(rng.random() < _P_NEW_LESION)
            grown = lowest * 1.05 if new else max(lowest * rng.uniform(1.25, 1.7), lowest + 8)
            rows.append(row | {"day": last, "sum_diameters": round(float(grown), 1), "new_lesion": int(new)})
    return _typed(rows, LESIONS.names[:4], ("day", "new_lesion"))


def toxicities_table(parameters: Parameters, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return adverse events whose worst grade per subject is that of the subjects table, on days up to the last known.

    Of a worst grade of 2 or more, there is a first, milder event in half of the subjects.
    """
    rng = stream(parameters.seed, "toxicities")
    rows: list[dict[str, object]] = []
    for person in _recipients(subjects):
        worst, last = int(person["irae_grade"]), max(int(person["os_days"]), 2)
        term = str(rng.choice(_TERMS))
        day = int(np.clip(rng.exponential(70), 1, last))
        milder = bool(rng.random() < 0.5)
        lasted = int(rng.integers(7, 50))
        if worst == 0:
            continue
        if worst >= 2 and milder and day > 1:
            rows.append({"subject": person["subject"], "day": max(day // 2, 1), "grade": worst - 1, "term": term})
        end = day + lasted if day + lasted < last else None
        rows.append({"subject": person["subject"], "day": day, "grade": worst, "term": term, "end_day": end})
    return _typed(rows, TOXICITIES.names, ("day", "grade", "end_day"))


def treatments_table(parameters: Parameters, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return cycles of immunotherapy until progression (twelve at most), and antibiotics of some recipients."""
    rng = stream(parameters.seed, "treatments")
    rows: list[dict[str, object]] = []
    for person in _recipients(subjects):
        last = int(person["pfs_days"])
        for day in range(_FIRST_CYCLE, min(last, _FIRST_CYCLE + 12 * _CYCLE), _CYCLE):
            rows.append({"subject": person["subject"], "day": day, "kind": "immunotherapy", "name": "pembrolizumab"})
        start, course = int(rng.integers(-40, 60)), int(rng.integers(5, 11))
        drug, takes = str(rng.choice(_ANTIBIOTICS)), bool(rng.random() < _P_ANTIBIOTIC)
        if takes and start < last:
            row = {"subject": person["subject"], "day": start, "end_day": start + course}
            rows.append(row | {"kind": "antibiotic", "name": drug})
    return _typed(rows, TREATMENTS.names, ("day", "end_day"))


def _course(goal: float, step: int) -> float:
    """Return the sum over that of baseline: half of the way at the first assessment, all of it from the second."""
    return 1 + (goal - 1) * min(step / 2, 1.0)


def _recipients(subjects: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return subjects[subjects["best_response"].notna()].to_dict("records")


def _typed(rows: list[dict[str, object]], columns: list[str], integers: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({name: "Int64" for name in integers if name in columns})
