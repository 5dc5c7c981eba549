"""Columns of the tables of clinical response, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = [
    "ASSESSMENTS",
    "BEST_RESPONSES",
    "CLINICAL",
    "CLINICAL_RESPONSE",
    "IRECIST_RESPONSES",
    "MEASURES",
    "QUANTITIES",
    "RESPONSES",
    "TARGET_RESPONSES",
    "TEST_METHODS",
]

#: Overall response by RECIST 1.1; `non_CR_non_PD` where there is no target lesion.
RESPONSES = ("CR", "PR", "SD", "non_CR_non_PD", "PD", "NE")
#: Overall response by iRECIST: progression is unconfirmed (iUPD) or confirmed (iCPD).
IRECIST_RESPONSES = ("iCR", "iPR", "iSD", "non_iCR_non_iUPD", "iUPD", "iCPD", "NE")
TARGET_RESPONSES = ("CR", "PR", "SD", "PD", "NE")
#: What is counted. `orr` is CR or PR, `dcr` CR, PR or SD, `clinical_benefit` CR, PR or SD that lasted.
QUANTITIES = ("orr", "dcr", "clinical_benefit", "CR", "PR", "SD", "PD", "NE")
MEASURES = ("proportion", "risk_difference", "odds_ratio", "test")
#: Tests of two proportions; each has a row of its own.
TEST_METHODS = ("fisher_exact", "chi2", "chi2_yates")

_SUBJECT = Column("subject", "id", "One person.", required=True, filled=True)
_NOTE = Column(
    "note", "text", "What to know of the row; why a number is missing. Begins with `not testable: ` of a test."
)


def _number(name: str, meaning: str, low: float | None = None, high: float | None = None, unit: str = "") -> Column:
    return Column(name, "number", meaning, unit=unit, minimum=low, maximum=high)


def _count(name: str, meaning: str, unit: str = "subjects") -> Column:
    return Column(name, "integer", meaning, unit=unit, minimum=0)


def _day(name: str, meaning: str) -> Column:
    return Column(name, "integer", meaning, unit="days")


CLINICAL_RESPONSE = Table(
    "clinical_response",
    "One row per quantity, group (or pair of groups), measure and method: response rates and their differences.",
    (
        Column("by", "text", "Column of the subjects table that makes the groups; missing for everybody."),
        Column("group", "text", "Group of subjects; `all` is everybody.", required=True, filled=True),
        Column("reference", "text", "Group that it is compared with; missing for a proportion."),
        Column(
            "quantity",
            "choice",
            "`orr`: CR or PR. `dcr`: CR, PR or SD. `clinical_benefit`: CR, PR, or SD for at least `benefit_days`. Else "
            "the share with that best response (`SD` includes non_CR_non_PD).",
            required=True,
            filled=True,
            allowed=QUANTITIES,
        ),
        Column(
            "measure",
            "choice",
            "`proportion` of the group; `risk_difference` and `odds_ratio` of the group against the reference; `test` "
            "that both have the same proportion.",
            required=True,
            filled=True,
            allowed=MEASURES,
        ),
        Column(
            "method",
            "choice",
            "Of the interval: clopper_pearson or wilson; newcombe (hybrid score); conditional_exact. Of the test: "
            "fisher_exact, chi2 (Pearson, uncorrected), chi2_yates (with Yates' correction).",
            required=True,
            filled=True,
            allowed=("clopper_pearson", "wilson", "newcombe", "conditional_exact", *TEST_METHODS),
        ),
        _count("n", "Subjects of the group that count: the denominator."),
        _count("events", "How many of them have it."),
        _count("n_reference", "Subjects of the reference that count."),
        _count("events_reference", "How many of them have it."),
        _count(
            "n_not_evaluable",
            "Subjects (of both groups) with best response NE: in the denominator, as without it, where `denominator` "
            "is all.",
        ),
        _count(
            "n_missing",
            "Subjects (of both groups) of whom no response is known: not in `n`. Donors in the subjects table are "
            "among them where no samples table told who they are.",
        ),
        _number("estimate", "The proportion, difference (group - reference) or odds ratio; missing of a test."),
        _number("ci_low", "Lower bound of `estimate`."),
        _number("ci_high", "Upper bound of `estimate`; missing where it is infinite (said in `note`)."),
        _number("level", "Confidence level.", 0, 1),
        _number("statistic", "Chi-squared of chi2 and chi2_yates.", 0),
        _count("df", "Its degrees of freedom.", ""),
        _number("p_value", "Two-sided p-value of a test.", 0, 1),
        _number("p_floor", "Smallest p-value that the margins of the table allow (fisher_exact).", 0, 1),
        _number(
            "q_value",
            "Benjamini-Hochberg over the pairs of groups of a column, per quantity and method; missing of one pair.",
            0,
            1,
        ),
        Column(
            "criteria",
            "choice",
            "Where the responses come from: the column `best_response`, where it is empty of everybody `responder`, or "
            "the measured lesions.",
            allowed=(
                "best_response",
                "responder",
                "recist_1_1",
                "recist_1_1_confirmed",
                "irecist",
                "irecist_confirmed",
            ),
        ),
        Column("denominator", "choice", "All subjects, or those who are evaluable only.", allowed=("all", "evaluable")),
        _number(
            "benefit_days", "How long SD must last for clinical benefit; of other quantities missing.", unit="days"
        ),
        _NOTE,
    ),
    key=("by", "group", "reference", "quantity", "measure", "method"),
)

ASSESSMENTS = Table(
    "assessments",
    "One row per tumour assessment: its response by RECIST 1.1 and, where asked for, by iRECIST.",
    (
        _SUBJECT,
        Column("day", "integer", "Days since the subject's first dose.", unit="days", required=True, filled=True),
        Column(
            "visit",
            "choice",
            "`baseline`: the last with day <= 0; `before`: earlier than that; `on_study`: day > 0, until progression; "
            "`after_progression`: counts for nothing (RECIST 1.1).",
            required=True,
            filled=True,
            allowed=("before", "baseline", "on_study", "after_progression"),
        ),
        _number("sum_diameters", "Sum of the diameters of the target lesions.", 0, unit="mm"),
        _number("baseline_sum", "The same at baseline.", 0, unit="mm"),
        _number("nadir", "Smallest sum before this assessment, baseline included.", 0, unit="mm"),
        _number("change_from_baseline", "sum_diameters / baseline_sum - 1 (for the waterfall and spider plots).", -1),
        _number("change_from_nadir", "sum_diameters / nadir - 1; missing where the nadir is 0.", -1),
        _number("increase_from_nadir", "sum_diameters - nadir.", unit="mm"),
        Column("target", "choice", "Response of the target lesions; missing without any.", allowed=TARGET_RESPONSES),
        Column(
            "non_target",
            "choice",
            "Status of the other lesions; missing without any.",
            allowed=("CR", "non_CR_non_PD", "PD", "NE"),
        ),
        Column("new_lesion", "flag", "1 where there is a lesion that baseline did not have."),
        Column("response", "choice", "Overall response by RECIST 1.1; missing up to baseline.", allowed=RESPONSES),
        Column("progression_by", "text", "What shows PD: target, non_target, new_lesion, separated by commas."),
        Column("irecist", "choice", "Overall response by iRECIST, until iCPD.", allowed=IRECIST_RESPONSES),
        Column("irecist_by", "text", "What shows iUPD or iCPD: target, non_target, new_lesion."),
        _NOTE,
    ),
    key=("subject", "day"),
)

BEST_RESPONSES = Table(
    "best_responses",
    "One row per subject with assessments or a best response: the best overall response by the criteria asked for.",
    (
        _SUBJECT,
        Column(
            "criteria",
            "choice",
            "The criteria, and whether CR and PR had to be confirmed.",
            required=True,
            filled=True,
            allowed=("recist_1_1", "recist_1_1_confirmed", "irecist", "irecist_confirmed"),
        ),
        Column(
            "best_response",
            "choice",
            "Best overall response.",
            required=True,
            filled=True,
            allowed=tuple(dict.fromkeys((*RESPONSES, *IRECIST_RESPONSES))),
        ),
        _day("best_response_day", "Day of the first assessment with that response (before its confirmation)."),
        _count("n_assessments", "Assessments after day 0 that count: until progression, that one included.", ""),
        _number("baseline_sum", "Sum of the diameters of the target lesions at baseline.", 0, unit="mm"),
        _number(
            "best_change",
            "Smallest sum_diameters / baseline_sum - 1 among the assessments that count (for the waterfall plot).",
            -1,
        ),
        _day("best_change_day", "Its day."),
        _day("progression_day", "Day of PD; of iRECIST the first iUPD of those that were not taken back."),
        Column("progression_by", "text", "What showed it: target, non_target, new_lesion, separated by commas."),
        Column("progression_confirmed", "flag", "iRECIST: 1 where that iUPD was confirmed (iCPD), 0 where not."),
        _day(
            "last_day", "Last assessment that counts and was not NE: where progression-free follow-up ends without PD."
        ),
        Column("given_best_response", "text", "`best_response` of the subjects table."),
        Column(
            "agrees",
            "flag",
            "1 where both are the same (iCR is CR, iSD and non_CR_non_PD are SD, iUPD and iCPD are PD), 0 where not.",
        ),
        _NOTE,
    ),
    key=("subject",),
)

CLINICAL = Table(
    "clinical",
    "One row per group and quantity: response rates, and survival by Kaplan and Meier, with intervals.",
    (
        Column(
            "endpoint", "choice", "What it is about.", required=True, filled=True, allowed=("response", "pfs", "os")
        ),
        Column("by", "text", "Column of the subjects table that makes the groups; missing for everybody."),
        Column("group", "text", "Group of subjects; `all` is everybody.", required=True, filled=True),
        Column(
            "quantity",
            "choice",
            "A response rate (as in clinical_response), the median survival, or `survival` at `time`.",
            required=True,
            filled=True,
            allowed=(*QUANTITIES, "median", "survival"),
        ),
        _number("time", "Day at which survival is told.", 0, unit="days"),
        _count("n", "Subjects that count: the denominator."),
        _count("events", "Subjects with the response, or the event."),
        _number("estimate", "The rate or the survival (fraction), or the median (days)."),
        _number("ci_low", "Lower bound of `estimate`."),
        _number("ci_high", "Upper bound of `estimate`."),
        Column("unit", "choice", "Unit of the estimate and its bounds.", allowed=("fraction", "days")),
        _number("level", "Confidence level.", 0, 1),
        Column("method", "text", "Method of the interval.", required=True, filled=True),
        _NOTE,
    ),
    key=("endpoint", "by", "group", "quantity", "time"),
)
