"""Columns of the tables of the calibration, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["COVERAGE", "LEVEL", "VERDICTS_COVERAGE", "VERDICTS_LEVEL"]

VERDICTS_LEVEL = ("holds", "below", "above", "fails", "none")
VERDICTS_COVERAGE = ("covers", "short", "fails", "none")

_DESIGN = (
    Column("section", "text", "Section of the page.", required=True),
    Column("scenario", "text", "Name of the design; part of the seed of its trials.", required=True),
    Column("design", "text", "The design in words.", required=True),
    Column("test", "text", "Command or shortcut.", required=True),
    Column("quantity", "text", "What is tested or estimated.", required=True),
    Column("method", "text", "Which of the analyses of the command.", required=True),
    Column("offered", "flag", "1: what the package recommends; 0: a shortcut or trap, shown to fail.", required=True),
    Column("trials", "integer", "Trials with a result.", required=True, minimum=0),
    Column("without", "integer", "Trials in which it was not testable, or there was no interval.", minimum=0),
)

LEVEL = Table(
    "level",
    "Type-I error at 0.05: one row per design and test.",
    (
        *_DESIGN,
        Column("rejected", "number", "Share of the trials (of the tests in a trial) with p <= 0.05.", minimum=0),
        Column("ci_low", "number", "95 % Monte Carlo interval."),
        Column("ci_high", "number", "95 % Monte Carlo interval."),
        Column(
            "verdict",
            "choice",
            "holds: 0.05 is within the 95 % Monte Carlo interval; below: the interval lies below it (conservative); "
            "above: it lies above it; fails: so does the 99.9 % interval; none: no trial was testable.",
            allowed=VERDICTS_LEVEL,
        ),
    ),
    key=("scenario", "test", "quantity", "method"),
)

COVERAGE = Table(
    "coverage",
    "Coverage of nominal 95 % intervals: one row per design and interval.",
    (
        *_DESIGN,
        Column("truth", "number", "What is to be covered: 0 or 1 under the null, else the mean over all trials."),
        Column("covered", "number", "Share of the intervals that hold the truth.", minimum=0, maximum=1),
        Column("ci_low", "number", "95 % Monte Carlo interval."),
        Column("ci_high", "number", "95 % Monte Carlo interval."),
        Column("width", "number", "Median width of the intervals.", minimum=0),
        Column("target", "number", "Coverage asked for."),
        Column(
            "verdict",
            "choice",
            "covers: the target is not above the 95 % Monte Carlo interval; short: it is; fails: above the 99.9 % "
            "interval too; none: there was no interval.",
            allowed=VERDICTS_COVERAGE,
        ),
    ),
    key=("scenario", "test", "quantity", "method"),
)
