"""Keys of the configuration on patients: response, survival, toxicity, donors, molecules and associations."""

from __future__ import annotations

from microbiome.config_key import Key
from microbiome.tables import RATE_NAMES

__all__ = ["CLINICAL_KEYS", "CLINICAL_SECTIONS", "CLINICAL_TABLES"]

CLINICAL_TABLES: tuple[Key, ...] = (
    Key("lesions", "path", "", 'Table of tumour assessments; "" = none.'),
    Key(
        "toxicities",
        "path",
        "",
        'Table of adverse events, for the time to them; "" = none: irae_grade of the subjects is the worst grade.',
    ),
    Key(
        "treatments",
        "path",
        "",
        'Table of other drugs (immunotherapy, antibiotics), for the page of each patient; "" = none.',
    ),
    Key(
        "tables",
        "tables",
        (),
        "Tables of other molecules and of cells, each by a name of your own: NAME: {file: FILE, unit: pg/mL, "
        "transform: log}, or NAME: FILE.",
    ),
)

CLINICAL_SECTIONS = {
    "clinical": "Response, survival and toxicity. Each is left out where the subjects table does not have its columns.",
    "donors": "Donors: what they carry, how their recipients fared, what will engraft in whom.",
    "associate": "Every feature against response, arm or covariates, and against every feature of the other tables.",
}

CLINICAL_KEYS: tuple[Key, ...] = (
    Key(
        "clinical.by",
        "names",
        ("arm",),
        "Columns of the subjects table by whose groups response, survival and toxicity are told; those that the table "
        "does not have are passed over.",
    ),
    Key(
        "clinical.criteria",
        "choice",
        "auto",
        "Where best responses come from: given is the subjects table; recist_1_1 and irecist are worked out from "
        "lesions; auto is given where the subjects table has best_response or responder, else recist_1_1.",
        allowed=("auto", "given", "recist_1_1", "irecist"),
    ),
    Key("clinical.confirmed", "flag", False, "Of lesions: CR and PR count only when confirmed 28 days later or more."),
    Key(
        "clinical.benefit_days",
        "integer",
        183,
        "Stable disease counts as clinical benefit when it lasts so long.",
        unit="days",
        minimum=0,
    ),
    Key(
        "clinical.interval",
        "choice",
        "clopper_pearson",
        "Interval of a proportion.",
        allowed=("clopper_pearson", "wilson"),
    ),
    Key(
        "clinical.response_day",
        "integer",
        0,
        "Day by which response and worst grade were known: where clinical.by names responder, best_response or "
        "irae_grade, survival by them counts from then on, among those at risk; 0 = survival is not told by them.",
        unit="days",
        minimum=0,
    ),
    Key("clinical.landmarks", "integers", (365,), "Days at which survival is told.", unit="days", minimum=1),
    Key("clinical.predictors", "names", (), "Columns of the subjects table for Cox regression, one at a time."),
    Key("clinical.covariates", "names", (), "Columns that are held constant in each Cox regression."),
    Key(
        "clinical.rates",
        "choices",
        ("engraftment_rate", "depletion_rate"),
        "Rates of post samples (those of compare.window, else of the first visit) for Cox regression, from the day on "
        "which the last of them was taken.",
        allowed=(*RATE_NAMES, "lost_taxa", "engrafted"),
    ),
    Key("clinical.grade", "integer", 3, "Adverse events count from this grade on.", minimum=1, maximum=5),
    Key(
        "donors.lists",
        "path",
        "",
        'Table of taxa of concern and of benefit; "" = the one that comes with the toolkit (microbiome/donors).',
    ),
    Key(
        "donors.match",
        "flag",
        True,
        "Predict which taxa are present after the transplant, judged by leaving out donors, and cohorts.",
    ),
    Key("donors.cohort", "text", "", 'Column of subjects whose groups are left out in turn; "" = none.'),
    Key(
        "associate.by",
        "names",
        ("responder", "arm", "irae_grade>=3"),
        "Columns of the subjects table, or comparisons such as irae_grade>=3, that every feature is tested against; "
        "those that the table does not have are passed over.",
    ),
    Key(
        "associate.window",
        "integer",
        7,
        "A row of one table is joined with the nearest of the same subject in another, this many days away at most.",
        unit="days",
        minimum=0,
    ),
    Key("associate.covariates", "names", (), "Columns of the subjects table to hold constant."),
    Key("associate.strata", "text", "", 'Column of subjects within whose groups subjects are permuted; "" = none.'),
    Key(
        "associate.permutations",
        "integer",
        9999,
        "Permutations of subjects; the smallest p-value is 1 / (permutations + 1).",
        minimum=1,
        maximum=1_000_000,
    ),
)
