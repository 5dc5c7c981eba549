"""Which trials are simulated: designs by section of the page, each with what is done with a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from microbiome.calibration import analyses
from microbiome.calibration.analyses import Analysis, Case
from microbiome.calibration.findings import Findings
from microbiome.simulate.panel import PanelParameters, simulate_panel

__all__ = ["SECTIONS", "Scenario", "scenarios"]

#: Sections of the page, in its order.
SECTIONS = ("response", "chance", "depth", "traps", "coverage")

_TAXA = 300
_DAYS = {1: (28,), 4: (28, 56, 84, 112)}
# Donors differ in what they do to the turnover and in how well they engraft: who got whom is not a matter of noise.
_DONORS: dict[str, Any] = {"donor_loss_sd": 0.5, "engraftment_donor_sd": 0.5}
_WORLD = 20261
# Designs in which every analysis is made by the commands themselves, and not only the primary test by its function.
_COMMANDS = (
    "10x1x2-balanced",
    "10x4x2-balanced",
    "10x4x5-balanced",
    "20x1x5-balanced",
    "20x4x2-balanced",
    "20x4x2-dominant",
    "20x4x5-balanced",
    "30x4x5-balanced",
)
# Parts of the trials asked for: where a trial takes milliseconds, and where it takes most of a second.
_CHEAP, _DEAR = 2.5, 0.5


@dataclass(frozen=True)
class Scenario:
    """One design, and what is done with each of its trials.

    Parameters
    ----------
    name
        Of its file, and of its stream of random numbers.
    section
        One of :data:`SECTIONS`.
    labels
        What distinguishes the design, for the columns of the table.
    draw
        Simulate and analyse one trial.
    parameters
        For the record.
    truth
        By measure (or ``*``), the true value that an interval is to cover; what is not named has the mean over all
        trials as its truth.
    share
        Part of the number of trials asked for.
    """

    name: str
    section: str
    labels: Mapping[str, str | int]
    draw: Callable[[np.random.Generator, int], Findings]
    parameters: Mapping[str, object]
    truth: Mapping[str, float] = field(default_factory=dict)
    share: float = 1.0


def scenarios() -> list[Scenario]:
    """Return every scenario, by section."""
    return [*_response(), *_chance(), *_depth(), *_traps(), *_coverage()]


def _trial(parameters: PanelParameters, steps: Sequence[Analysis], rng: np.random.Generator, seed: int) -> Findings:
    case = Case(simulate_panel(parameters, rng))
    found = Findings()
    for step in steps:
        found.add(step(case, seed))
    return found


def _make(
    section: str,
    name: str,
    labels: Mapping[str, str | int],
    parameters: PanelParameters,
    steps: Sequence[Analysis],
    truth: Mapping[str, float] | None = None,
    share: float = 1.0,
) -> Scenario:
    draw = partial(_trial, parameters, tuple(steps))
    return Scenario(f"{section}-{name}", section, labels, draw, parameters.as_dict(), truth or {}, share)


def _weights(donors: int, allotment: str) -> tuple[float, ...]:
    """Return equal shares (none given), or those of one donor who treats most."""
    if allotment == "balanced":
        return ()
    return (0.8, *(0.2 / (donors - 1) for _ in range(donors - 1)))


def _designs() -> list[tuple[str, dict[str, str | int], dict[str, Any]]]:
    """Return patients x time points x donors x allotment: name, labels, parameters."""
    found: list[tuple[str, dict[str, str | int], dict[str, Any]]] = []
    for patients in (10, 20, 30):
        for times in (1, 4):
            for donors in (2, 5):
                for allotment in ("balanced", "dominant"):
                    labels: dict[str, str | int] = {
                        "patients": patients,
                        "time_points": times,
                        "donors": donors,
                        "allotment": allotment,
                    }
                    values: dict[str, Any] = {
                        "taxa": _TAXA,
                        "recipients": patients,
                        "responders": round(0.4 * patients),
                        "post_days": _DAYS[times],
                        "donors": donors,
                        "donor_weights": _weights(donors, allotment),
                    }
                    found.append((f"{patients}x{times}x{donors}-{allotment}", labels, values))
    return found


def _response() -> list[Scenario]:
    """Responders against the others, nothing true: every way to compare."""
    labels: dict[str, str | int]
    steps: list[Analysis]
    found = []
    truth = {"*": 0.0, "ratio": 1.0}
    for name, labels, values in _designs():
        parameters = PanelParameters(**values, **_DONORS)
        found.append(_make("response", f"grid-{name}", labels, parameters, [analyses.quick], truth, _CHEAP))
        if name in _COMMANDS:
            steps = [analyses.all_rates if labels["patients"] == 20 else analyses.compared, analyses.taxa_compared]
            found.append(_make("response", f"commands-{name}", labels, parameters, steps, truth, _DEAR))
    for patients in (10, 20, 30):
        labels = {"patients": patients, "time_points": 4, "donors": 4, "allotment": "by centre"}
        parameters = PanelParameters(
            taxa=_TAXA, recipients=patients, post_days=_DAYS[4], donors=4, centres=2, centre_sd=1.0, **_DONORS
        )
        steps = [analyses.compared_by_centre]
        found.append(_make("response", f"{patients}-centres", labels, parameters, steps, truth, _DEAR))
    for sizes, ratio in (((6, 4), 1.0), ((6, 4), 3.0), ((16, 4), 3.0), ((16, 4), 1 / 3), ((10, 10), 3.0)):
        name = f"spread-{sizes[0]}-{sizes[1]}-{ratio:.2g}"
        labels = {"sizes": f"{sizes[0]} and {sizes[1]}", "sd_ratio": f"{ratio:.2g}"}
        draw = partial(_spread, sizes, ratio)
        found.append(Scenario(f"response-{name}", "response", labels, draw, {}, {"*": 0.0}, 5.0))
    return found


def _spread(sizes: tuple[int, int], ratio: float, rng: np.random.Generator, seed: int) -> Findings:
    return analyses.spread(rng, seed, sizes, ratio)


def _chance() -> list[Scenario]:
    """No donor taxon engrafts and nothing is driven out: every null of ``microbiome nulls``."""
    labels: dict[str, str | int]
    steps: list[Analysis]
    found = []
    for name, labels, values in _designs():
        parameters = PanelParameters(**values, engraftment=0.0)
        found.append(_make("chance", f"grid-{name}", labels, parameters, [analyses.quick_donors], {"*": 0.0}, _CHEAP))
        if labels["patients"] == 20:
            steps = [analyses.donor_rows]
            found.append(_make("chance", f"commands-{name}", labels, parameters, steps, {"*": 0.0}, _DEAR))
    for patients in (10, 20, 30):
        for times in (1, 4):
            labels = {"patients": patients, "time_points": times, "donors": 2, "placebo": round(0.4 * patients)}
            parameters = PanelParameters(
                taxa=_TAXA,
                recipients=patients,
                placebo=round(0.4 * patients),
                post_days=_DAYS[times],
                engraftment=0.0,
            )
            steps = [analyses.excess, analyses.naive_arms]
            found.append(_make("chance", f"placebo-{patients}x{times}", labels, parameters, steps, {"*": 0.0}))
    for patients in (10, 20, 30):
        labels = {"patients": patients, "time_points": 1, "donors": 2, "lag": "28 before, 28 after"}
        parameters = PanelParameters(
            taxa=_TAXA, recipients=patients, baseline_repeats=(-28,), post_days=(28,), engraftment=0.0
        )
        found.append(_make("chance", f"repeats-{patients}", labels, parameters, [analyses.repeats], {"*": 0.0}))
    # Donors whose turnover is that of the patients: nothing but the test is looked at.
    labels = {"patients": 20, "time_points": 1, "donors": 10, "lag": "28 days, 28 after"}
    parameters = PanelParameters(
        taxa=_TAXA, recipients=20, donors=10, post_days=(28,), engraftment=0.0, loss_sd=0.0, recipient_richness=1.0
    )
    found.append(_make("chance", "donor-repeats-20", labels, parameters, [analyses.excess], {"*": 0.0}))
    for patients in (10, 20):
        labels = {"patients": patients, "time_points": 4, "donors": 4, "allotment": "by centre"}
        parameters = PanelParameters(
            taxa=_TAXA,
            recipients=patients,
            post_days=_DAYS[4],
            donors=4,
            centres=2,
            centre_sd=1.0,
            engraftment=0.0,
        )
        steps = [analyses.donors_by_centre]
        found.append(_make("chance", f"centres-{patients}", labels, parameters, steps, {"*": 0.0}))
    return found


def _depth() -> list[Scenario]:
    """No true effect, depth ten times different."""
    found = []
    labels: dict[str, str | int]
    steps: list[Analysis]
    arms: dict[str, dict[str, float]] = {
        "none": {},
        "all of fmt": {"fmt": 0.1},
        "post of fmt": {"post+fmt": 0.1},
        "post of all": {"post": 0.1},
    }
    for words, factors in arms.items():
        for times in (1, 4):
            labels = {"patients": 20, "time_points": times, "shallow": words}
            parameters = PanelParameters(
                taxa=_TAXA,
                recipients=20,
                placebo=8,
                post_days=_DAYS[times],
                engraftment=0.0,
                depth_factors=factors,
            )
            steps = [analyses.excess, analyses.naive_arms]
            name = f"arms-{words.replace(' ', '_')}-{times}"
            found.append(_make("depth", name, labels, parameters, steps, {"*": 0.0}))
    groups = {"post of responders": {"post+responder": 0.1}, "all of responders": {"responder": 0.1}}
    for words, factors in groups.items():
        for reads in (True, False):
            labels = {
                "patients": 20,
                "time_points": 4,
                "shallow": words,
                "limits": "reads" if reads else "lowest abundance",
            }
            parameters = PanelParameters(
                taxa=_TAXA,
                recipients=20,
                responders=8,
                post_days=_DAYS[4],
                depth_factors=factors,
                with_reads=reads,
            )
            name = f"{words.replace(' ', '_')}-{'reads' if reads else 'lowest'}"
            found.append(_make("depth", name, labels, parameters, [analyses.repaired], {"*": 0.0}, _DEAR))
    return found


def _traps() -> list[Scenario]:
    """Drop-out, richness that goes with response, unequal lags, dilution."""
    labels: dict[str, str | int]
    steps: list[Analysis]
    found = []
    truth = {"*": 0.0, "ratio": 1.0}
    for patients in (10, 20):
        labels = {"trap": "the others leave", "patients": patients, "time_points": 4}
        parameters = PanelParameters(
            taxa=_TAXA,
            recipients=patients,
            responders=round(0.4 * patients),
            post_days=_DAYS[4],
            dropout_non_responder=0.4,
        )
        found.append(_make("traps", f"dropout-{patients}", labels, parameters, [analyses.drop_out], truth))
        for words, gain in (("none of them returns", 0.0), ("some return", 1.0)):
            labels = {"trap": f"responders have more taxa, {words}", "patients": patients, "time_points": 4}
            parameters = PanelParameters(
                taxa=_TAXA,
                recipients=patients,
                responders=round(0.4 * patients),
                post_days=_DAYS[4],
                recipient_richness=0.6,
                richness_effect=0.4,
                gain=gain,
            )
            name = f"richness-{patients}-gain{gain:.0f}"
            found.append(_make("traps", name, labels, parameters, [analyses.compared], truth, _DEAR))
    labels = {"trap": "placebo at day 7, treated at day 28", "patients": 20, "time_points": 1}
    parameters = PanelParameters(taxa=_TAXA, recipients=20, placebo=8, post_days=(7, 28), engraftment=0.0)
    found.append(_make("traps", "lag-arms", labels, parameters, [analyses.mixed_lags], {"*": 0.0}))
    labels = {"trap": "repeats 7 days apart, post at day 28", "patients": 20, "time_points": 1}
    parameters = PanelParameters(taxa=_TAXA, recipients=20, baseline_repeats=(-7,), post_days=(28,), engraftment=0.0)
    found.append(_make("traps", "lag-repeats", labels, parameters, [analyses.repeats], {"*": 0.0}))
    for chance in (0.3, 0.6):
        labels = {"trap": f"{chance:.0%} of donor taxa engraft", "patients": 20, "time_points": 4}
        parameters = PanelParameters(taxa=_TAXA, recipients=20, placebo=8, post_days=_DAYS[4], engraftment=chance)
        steps = [analyses.dilution]
        found.append(_make("traps", f"dilution-{chance:.1f}", labels, parameters, steps, {"*": 0.0}))
    return found


def _coverage() -> list[Scenario]:
    """Intervals in one fixed world of taxa: the truth is the mean over all trials, or 0."""
    labels: dict[str, str | int]
    steps: list[Analysis]
    found = []
    fixed: dict[str, Any] = {"taxa": _TAXA, "world_seed": _WORLD}
    rare: dict[str, Any] = {"engraftment": 0.01, "engraftment_subject_sd": 1.5, "gain": 0.1, "loss": 0.05}
    for subjects in (5, 8, 15, 30):
        labels = {"setting": "depletion_rate", "subjects": subjects, "donors": 5, "donors_are": "these"}
        parameters = PanelParameters(recipients=subjects, donors=5, fixed_donors=True, **fixed)
        steps = [partial(analyses.means, quantities=("depletion_rate",))]
        found.append(_make("coverage", f"depletion-{subjects}", labels, parameters, steps, share=_CHEAP))
        labels = {"setting": "rare engraftment_rate", "subjects": subjects, "donors": 5, "donors_are": "these"}
        parameters = PanelParameters(recipients=subjects, donors=5, fixed_donors=True, **fixed, **rare)
        steps = [partial(analyses.means, quantities=("engraftment_rate",))]
        found.append(_make("coverage", f"rare-{subjects}", labels, parameters, steps, share=_CHEAP))
    for donors, words in ((2, "any"), (2, "these"), (5, "any"), (10, "any")):
        labels = {"setting": "donors differ", "subjects": 30, "donors": donors, "donors_are": words}
        parameters = PanelParameters(
            recipients=30,
            donors=donors,
            fixed_donors=words == "these",
            donor_loss_sd=0.8,
            engraftment_donor_sd=0.8,
            **fixed,
        )
        found.append(_make("coverage", f"donors-{donors}-{words}", labels, parameters, [analyses.means]))
    for patients in (10, 20, 30):
        labels = {
            "setting": "responders lose 1.5 times as much",
            "subjects": patients,
            "donors": 5,
            "donors_are": "these",
        }
        parameters = PanelParameters(
            recipients=patients,
            responders=round(0.4 * patients),
            donors=5,
            fixed_donors=True,
            loss_ratio=1.5,
            engraftment_effect=0.7,
            **fixed,
        )
        found.append(_make("coverage", f"difference-{patients}", labels, parameters, [analyses.compared], share=_DEAR))
        labels = {
            "setting": "a dose drives out 15 %, 15 % engraft",
            "subjects": patients,
            "donors": 5,
            "donors_are": "these",
        }
        parameters = PanelParameters(
            recipients=patients,
            placebo=round(0.4 * patients),
            donors=5,
            fixed_donors=True,
            displacement=0.15,
            **fixed,
        )
        steps = [analyses.excess, analyses.quick_donors]
        found.append(_make("coverage", f"excess-{patients}", labels, parameters, steps))
    return found
