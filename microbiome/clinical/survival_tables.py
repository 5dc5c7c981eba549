"""Columns of the tables of survival, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["ANALYSES", "CLINICAL_SURVIVAL", "ENDPOINTS", "QUANTITIES", "SURVIVAL_CURVES", "SURVIVAL_INTERVALS"]

#: Progression-free and overall survival: columns ``pfs_days``, ``pfs_event`` and ``os_days``, ``os_event``.
ENDPOINTS = ("pfs", "os")
#: What a row of the survival table comes from.
ANALYSES = ("kaplan_meier", "log_rank", "cox", "cox_joint")
#: What a row of the survival table estimates or tests.
QUANTITIES = (
    "median",
    "survival",
    "median_follow_up",
    "restricted_mean",
    "difference",
    "hazard_ratio",
    "all_levels",
    "concordance",
)
#: Intervals of survival, as in ``survfit(conf.type = ...)``.
SURVIVAL_INTERVALS = ("log_log", "log", "plain")


def _number(name: str, meaning: str, low: float | None = None, high: float | None = None, unit: str = "") -> Column:
    return Column(name, "number", meaning, unit=unit, minimum=low, maximum=high)


def _count(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, "integer", meaning, unit=unit, minimum=0)


_ENDPOINT = Column(
    "endpoint",
    "choice",
    "pfs: progression-free survival; os: overall survival.",
    required=True,
    filled=True,
    allowed=ENDPOINTS,
)
_LANDMARK = _number(
    "landmark",
    "Day on which the clock starts: 0 is the first dose, a later day is a landmark. Only who is then at risk counts.",
    unit="days",
)

CLINICAL_SURVIVAL = Table(
    "clinical_survival",
    "One row per endpoint and quantity: Kaplan-Meier of everybody and of each group, log-rank tests, Cox regression.",
    (
        _ENDPOINT,
        Column("analysis", "choice", "Where the row is from.", required=True, filled=True, allowed=ANALYSES),
        Column("by", "text", "Column (or predictor cut in two) that makes the groups; missing for everybody."),
        Column(
            "group",
            "text",
            "Kaplan-Meier: the group, `all` is everybody. Log-rank: the groups compared. Cox: level of a predictor "
            "that makes groups.",
        ),
        Column("reference", "text", "The group or level that `group` is compared with."),
        Column("predictor", "text", "Cox: the predictor; missing in the row about a joint model of several."),
        Column("source", "text", "Cox: which table the predictor is from: subjects, rates, alpha, profile, ..."),
        Column(
            "quantity",
            "choice",
            "`median`, `median_follow_up` (reverse Kaplan-Meier) and `restricted_mean` (up to `time`) in days; "
            "`survival` at `time`; `difference`: a log-rank test; `hazard_ratio`: one term of a Cox model; "
            "`all_levels`: all terms of a predictor with three or more levels; `concordance`: Harrell's C of the whole "
            "model, with its likelihood-ratio test.",
            required=True,
            filled=True,
            allowed=QUANTITIES,
        ),
        _number("time", "Day after `landmark` at which survival is told.", 0, unit="days"),
        Column("unit", "text", "Cox: what the hazard ratio is per, such as `per SD (0.12)`, `per unit`, `yes / no`."),
        _count("n", "Subjects in the analysis.", "subjects"),
        _count("events", "Their events (`survival` at a time: those until then).", "events"),
        _count("at_risk", "Subjects still at risk at `time`.", "subjects"),
        _number("estimate", "The quantity: days after `landmark`, a fraction, a hazard ratio or a concordance.", 0),
        _number("ci_low", "Lower bound of `estimate`; missing where the data set none.", 0),
        _number("ci_high", "Upper bound of `estimate`; missing where the data set none.", 0),
        _number("level", "Confidence level.", 0, 1),
        Column(
            "method",
            "text",
            "Estimator, interval and test; `immortal_time_biased` at the end where it was asked for by `naive`.",
        ),
        _number("statistic", "Chi-square of the log-rank or likelihood-ratio test.", 0),
        _count("df", "Its degrees of freedom."),
        _number(
            "p_value",
            "Log-rank: by chi-square or by permutation, as `method` says (a row each; with few subjects the latter is "
            "the one to report). Cox: by likelihood ratio, of the predictor given the others (`concordance`: of the "
            "whole model).",
            0,
            1,
        ),
        _number("p_floor", "Smallest p-value that any survival of these subjects could have given by permutation.", 0),
        _count("permutations", "Arrangements looked at."),
        Column("scheme", "choice", "All arrangements, or random ones.", allowed=("exact", "monte_carlo")),
        _number("p_wald", "Cox: by Wald's test.", 0, 1),
        _number("q_value", "Benjamini-Hochberg over the p-values of the `family`.", 0, 1),
        Column("family", "text", "Which tests `q_value` is over, and how many."),
        _number("ph_statistic", "Chi-square of the test of proportional hazards.", 0),
        _number(
            "ph_p_value",
            "Proportional hazards, by Schoenfeld residuals against 1 - Kaplan-Meier (R cox.zph); small: the ratio "
            "changes with time.",
            0,
            1,
        ),
        _number("events_per_variable", "Events over the coefficients of the model; below 10 is few.", 0),
        _LANDMARK,
        _count("excluded", "Subjects that do not count.", "subjects"),
        Column("exclusions", "text", "Why, and how many for each reason."),
        Column("note", "text", "Why a number is missing, and what a reader must know."),
    ),
)

SURVIVAL_CURVES = Table(
    "survival_curves",
    "Kaplan-Meier curves: one row per endpoint, group and day with an event or a censoring, and one at the start.",
    (
        _ENDPOINT,
        Column("by", "text", "Column that makes the groups; missing for everybody.", required=True),
        Column("group", "text", "The group; `all` is everybody.", required=True, filled=True),
        _number("day", "Days after `landmark`.", 0, unit="days"),
        _count("at_risk", "Subjects at risk just before that day's events.", "subjects"),
        _count("events", "Events of that day.", "events"),
        _count("censored", "Subjects censored on that day, after its events.", "subjects"),
        _number("survival", "Kaplan-Meier estimate after that day's events.", 0, 1, "fraction"),
        _number("ci_low", "Lower bound of `survival`.", 0, 1),
        _number("ci_high", "Upper bound of `survival`.", 0, 1),
        _number("level", "Confidence level.", 0, 1),
        Column("method", "text", "Estimator and interval."),
        _LANDMARK,
        Column("note", "text", "Why there is no curve."),
    ),
    key=("endpoint", "by", "group", "day"),
)
