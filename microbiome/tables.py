"""Every column of every table, declared once: validation, documentation, schemas and captions derive from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ALL_TABLES",
    "CERTAINTIES",
    "DOSES",
    "ID_PATTERN",
    "INPUT_TABLES",
    "LESIONS",
    "LIMITS",
    "OUTCOMES",
    "OUTCOME_NAMES",
    "OUTPUT_TABLES",
    "RATES",
    "RATE_NAMES",
    "READS",
    "READS_STATUSES",
    "SAMPLES",
    "SENSITIVITY_RATES",
    "SUBJECTS",
    "TOXICITIES",
    "TREATMENTS",
    "UNITS",
    "Column",
    "Table",
]

Kind = Literal["id", "text", "path", "integer", "number", "flag", "choice"]

#: What a sample may be called: it becomes part of file names and of shell commands.
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        As it stands in the header.
    kind
        ``id`` (string, never converted: ``007``, ``NA`` and ``1e5`` are legal), ``text``, ``path``, ``integer``,
        ``number``,
        ``flag`` (0 or 1), ``choice`` (one of `allowed`).
    meaning
        One sentence for documentation and captions.
    unit
        Unit of a number, for example ``days`` or ``fraction``.
    required
        The column must be in the header.
    filled
        No cell of it may be empty.
    allowed
        The words a ``choice`` may take.
    minimum, maximum
        Bounds of a number, both included.
    pattern
        Regular expression that the whole of an ``id`` must match.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = False
    filled: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""


@dataclass(frozen=True)
class Table:
    """One kind of table.

    Parameters
    ----------
    name
        The short name, which is also the config key and the usual file name without ``.tsv``.
    meaning
        One row per what.
    columns
        In their usual order.
    key
        Columns whose values together must be unique.
    open
        Extra columns are kept (as covariates); otherwise they are an error.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    open: bool = True

    def __getitem__(self, name: str) -> Column:
        """Return the column called `name`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]


_SAMPLE = Column("sample", "id", "One stool library.", required=True, filled=True, pattern=ID_PATTERN)
_SUBJECT = Column("subject", "id", "One person.", required=True, filled=True)
_DAY = Column("day", "integer", "Days since the subject's first dose; day <= 0 is before it.", unit="days")

SAMPLES = Table(
    "samples",
    "One row per sample.",
    (
        _SAMPLE,
        _SUBJECT,
        Column(
            "role",
            "choice",
            "Whose stool it is.",
            required=True,
            filled=True,
            allowed=("recipient", "donor", "control"),
        ),
        Column(
            "day",
            "integer",
            "Days since the subject's first dose; day <= 0 is before it. Required for recipients.",
            unit="days",
            required=True,
        ),
        Column("reads", "integer", "Reads (both mates) sequenced of the sample.", unit="reads", minimum=0),
    ),
    key=("sample",),
)

UNITS = Table(
    "units",
    "One row per sequencing run of a sample; only when starting from FASTQ. Several units of a sample are merged.",
    (
        _SAMPLE,
        Column("unit", "id", "One sequencing run of the sample.", required=True, filled=True, pattern=ID_PATTERN),
        Column(
            "fq1",
            "path",
            "FASTQ of the first mates, plain or .gz; relative to the folder in which the workflow is started.",
            required=True,
            filled=True,
        ),
        Column("fq2", "path", "FASTQ of the second mates; empty for single-end.", required=True),
    ),
    key=("sample", "unit"),
)

SUBJECTS = Table(
    "subjects",
    "One row per subject, and what is known of it.",
    (
        _SUBJECT,
        Column("arm", "text", "Arm of the trial: fmt, placebo or any other name."),
        Column(
            "best_response", "choice", "Best overall response (RECIST 1.1).", allowed=("CR", "PR", "SD", "PD", "NE")
        ),
        Column(
            "responder",
            "choice",
            "Response; where the column is absent it is yes for CR and PR, no for SD and PD.",
            allowed=("yes", "no"),
        ),
        Column("pfs_days", "number", "Progression-free survival or follow-up.", unit="days", minimum=0),
        Column("pfs_event", "flag", "1 progressed or died, 0 censored."),
        Column("os_days", "number", "Overall survival or follow-up.", unit="days", minimum=0),
        Column("os_event", "flag", "1 died, 0 censored."),
        Column("irae_grade", "integer", "Worst CTCAE grade of an immune-related adverse event.", minimum=0, maximum=5),
    ),
    key=("subject",),
)

DOSES = Table(
    "doses",
    "One row per donor product received: several donors, pooled batches, repeated doses and lots are just more rows.",
    (
        _SUBJECT,
        Column(
            "day",
            "integer",
            "Day of the dose; the first dose is day 0, after that day's sample.",
            unit="days",
            required=True,
            filled=True,
            minimum=0,
        ),
        Column("donor", "id", "A subject with role donor.", required=True, filled=True),
        Column("donor_sample", "id", "Which sample of the donor; empty = all samples of that donor.", required=True),
    ),
)

LESIONS = Table(
    "lesions",
    "One row per tumour assessment of a subject; the last one with day <= 0 is its baseline.",
    (
        _SUBJECT,
        Column("day", "integer", _DAY.meaning, unit="days", required=True, filled=True),
        Column(
            "sum_diameters",
            "number",
            "Sum of the diameters of the target lesions that were chosen at baseline (longest; of lymph nodes the "
            "short axis); empty where not all could be measured.",
            unit="mm",
            required=True,
            minimum=0.0,
        ),
        Column(
            "new_lesion", "flag", "1 where there is a lesion that baseline did not have, else 0; empty counts as 0."
        ),
        Column(
            "non_target",
            "choice",
            "Status of the other lesions; empty where there are none.",
            allowed=("CR", "non_CR_non_PD", "PD", "NE"),
        ),
        Column(
            "nodes_normal",
            "flag",
            "1 where all that is left of the target lesions are lymph nodes with a short axis below 10 mm: complete "
            "response although the sum is above 0.",
        ),
        Column(
            "sum_new_targets",
            "number",
            "iRECIST: sum of the diameters of the new lesions that are measured.",
            unit="mm",
            minimum=0.0,
        ),
        Column(
            "new_non_target",
            "choice",
            "iRECIST: the new lesions that are not measured, against the assessment before.",
            allowed=("larger", "not_larger"),
        ),
        Column(
            "non_target_change",
            "choice",
            "iRECIST: the other lesions, against the assessment before.",
            allowed=("larger", "not_larger"),
        ),
        Column("new_lesions", "integer", "iRECIST: how many new lesions there are.", minimum=0),
    ),
    key=("subject", "day"),
)

TOXICITIES = Table(
    "toxicities",
    "One row per immune-related adverse event.",
    (
        _SUBJECT,
        Column("day", "integer", "Day on which it began, or reached this grade.", unit="days", required=True),
        Column("grade", "integer", "CTCAE grade.", required=True, filled=True, minimum=1, maximum=5),
        Column("term", "text", "What it was: colitis, myocarditis, ..."),
        Column("end_day", "integer", "Day on which it was over; empty where it was not, or nobody knows.", unit="days"),
    ),
)

TREATMENTS = Table(
    "treatments",
    "One row per course of a drug besides the transplants: immunotherapy cycles, antibiotics, bowel preparation, ...",
    (
        _SUBJECT,
        Column("day", "integer", "First day.", unit="days", required=True, filled=True),
        Column("end_day", "integer", "Last day; empty where it was a single day.", unit="days"),
        Column("kind", "id", "Kind: antibiotic, immunotherapy, steroid or any other word.", required=True, filled=True),
        Column("name", "text", "Name of the drug."),
    ),
)

OUTCOME_NAMES = (
    "engrafted",
    "not_engrafted",
    "shared_kept",
    "shared_depleted",
    "persisted",
    "depleted",
    "gained",
)


def _fraction(name: str, meaning: str, required: bool = True) -> Column:
    return Column(name, "number", meaning, unit="fraction", required=required, minimum=0.0, maximum=1.0)


CERTAINTIES = ("sure", "below_limit")

_CONTEXT = (
    Column("baseline_day", "integer", "Day of the baseline sample.", unit="days"),
    Column("baseline_limit", "number", "Limit of detection (probability 0.95) of the baseline sample.", minimum=0.0),
    Column("post_limit", "number", "Limit of detection (probability 0.95) of the post sample.", minimum=0.0),
)

OUTCOMES = Table(
    "outcomes",
    "One row per post sample and taxon that is detected in the donor set, the baseline or the post sample.",
    (
        _SUBJECT,
        _SAMPLE,
        _DAY,
        Column(
            "baseline_sample", "id", "The subject's last profiled sample with day <= 0; missing without.", required=True
        ),
        Column("taxon", "id", "Row of the profile, an SGB by default.", required=True, filled=True),
        Column(
            "donor_abundance",
            "number",
            "Largest abundance among the profiled donor products received by that day, so that it exceeds "
            "`detection` exactly when D = 1; 0 when the donor set is empty, missing when products "
            "were received and none is profiled.",
            minimum=0.0,
        ),
        Column("baseline_abundance", "number", "Abundance in the baseline.", minimum=0.0),
        Column("post_abundance", "number", "Abundance in the post sample.", minimum=0.0),
        Column(
            "outcome",
            "choice",
            "The cell of donor x baseline x post; missing when a donor or baseline that it needs has no profile.",
            required=True,
            allowed=OUTCOME_NAMES,
        ),
        Column("donor_detected", "flag", "D: detected in any donor product received by then."),
        Column("baseline_detected", "flag", "B: detected in the baseline."),
        Column("post_detected", "flag", "R: detected in the post sample."),
        Column("donor_products", "integer", "Donor products (donor samples) received by then.", minimum=0),
        Column("donor_products_unprofiled", "integer", "How many of them have no profile.", minimum=0),
        Column(
            "certainty",
            "choice",
            "Whether the outcome stands: `below_limit` where a taxon counted as absent would have been missed with a "
            "probability above 5 % at the depth of that sample, so that the outcome may be another.",
            allowed=CERTAINTIES,
        ),
        Column(
            "unsure",
            "text",
            "Where it may have been missed: donor, baseline, post, separated by commas; empty where the call is sure.",
        ),
        *_CONTEXT,
    ),
    key=("sample", "taxon"),
)

_RATES = {
    "engraftment_rate": "engrafted / (engrafted + not_engrafted)",
    "depletion_rate": "(depleted + shared_depleted) / baseline_taxa",
    "depletion_rate_donor_absent": "depleted / (depleted + persisted)",
    "donor_recovery": "|D and R| / |D| (PEDS of q2-fmt)",
    "baseline_recovery": "|B and R| / |B| (PPRS of q2-fmt)",
}
RATE_NAMES = tuple(_RATES)
#: The rates, and the counts that published figures show in their place.
SENSITIVITY_RATES = (*RATE_NAMES, "lost_taxa", "engrafted")

RATES = Table(
    "rates",
    "One row per post sample: how many taxa had each outcome, and the rates. A rate with denominator 0 is missing.",
    (
        _SUBJECT,
        _SAMPLE,
        _DAY,
        Column(
            "baseline_sample", "id", "The subject's last profiled sample with day <= 0; missing without.", required=True
        ),
        *(
            Column(name, "integer", f"Taxa with outcome `{name}`.", unit="taxa", required=True, minimum=0)
            for name in OUTCOME_NAMES
        ),
        Column("donor_taxa", "integer", "|D|: taxa detected in the donor set.", unit="taxa", required=True, minimum=0),
        Column(
            "baseline_taxa", "integer", "|B|: taxa detected in the baseline.", unit="taxa", required=True, minimum=0
        ),
        Column("post_taxa", "integer", "|R|: taxa detected in the post sample.", unit="taxa", required=True, minimum=0),
        Column("donor_taxa_present", "integer", "|D and R|.", unit="taxa", required=True, minimum=0),
        Column("baseline_taxa_present", "integer", "|B and R|.", unit="taxa", required=True, minimum=0),
        Column(
            "lost_taxa",
            "integer",
            "Baseline taxa not detected in the post sample.",
            unit="taxa",
            required=True,
            minimum=0,
        ),
        *(_fraction(name, f"{formula}.") for name, formula in _RATES.items()),
        Column("donor_products", "integer", "Donor products (donor samples) received by then.", minimum=0),
        Column("donor_products_unprofiled", "integer", "How many of them have no profile.", minimum=0),
        *(
            _fraction(f"{name}_{end}", f"{side} {name} if every call below the limit fell either way.", required=False)
            for name in _RATES
            for end, side in (("low", "Smallest"), ("high", "Largest"))
        ),
        Column("below_limit", "integer", "Taxa whose outcome is not sure.", unit="taxa", minimum=0),
        *_CONTEXT,
    ),
    key=("sample",),
)

LIMITS = Table(
    "limits",
    "One row per sample with a profile: what it can show.",
    (
        _SAMPLE,
        Column(
            "unit",
            "number",
            "Abundance that gives one piece of evidence on average: a taxon of abundance a is seen with probability "
            "1 - exp(-a / unit).",
            required=True,
            minimum=0.0,
        ),
        Column("limit", "number", "Limit of detection: the abundance seen with probability 0.95.", minimum=0.0),
        Column(
            "source",
            "choice",
            "What the unit is taken from: the reads of each clade, the reads of the sample, or its lowest abundance.",
            allowed=("reads_per_clade", "reads", "lowest_abundance"),
        ),
        Column("taxa", "integer", "Taxa with an abundance above 0.", unit="taxa", minimum=0),
        Column("reads", "integer", "Reads of the sample, where known.", unit="reads", minimum=0),
    ),
    key=("sample",),
)

READS_STATUSES = ("ok", "few_reads", "no_taxa", "no_profile")

READS = Table(
    "reads",
    "One row per sample: reads left after each step (both mates count), and whether there is a profile.",
    (
        _SAMPLE,
        Column("units", "integer", "Sequencing runs that were merged.", required=True, minimum=0),
        Column("reads_raw", "integer", "Reads in the FASTQ files.", unit="reads", required=True, minimum=0),
        Column(
            "reads_trimmed", "integer", "Reads left by trimming and filtering.", unit="reads", required=True, minimum=0
        ),
        Column("reads_nonhost", "integer", "Reads left by host removal.", unit="reads", required=True, minimum=0),
        Column(
            "reads_rarefied",
            "integer",
            "Reads drawn to give all samples one depth; the column is there where `rarefy_reads` is set.",
            unit="reads",
            minimum=0,
        ),
        Column("reads_profiled", "integer", "Reads that the profiler used.", unit="reads", required=True, minimum=0),
        _fraction("unclassified", "Estimated part of the reads of unknown taxa."),
        Column("taxa", "integer", "Taxa with an abundance above 0.", unit="taxa", required=True, minimum=0),
        Column(
            "reads_per_abundance",
            "number",
            "Median over the taxa of the reads that the profiler counts or estimates of the taxon, over its abundance.",
            unit="reads",
            minimum=0.0,
        ),
        Column(
            "fewest_reads",
            "integer",
            "Fewest reads that the profiler counts or estimates of any taxon it reports.",
            unit="reads",
            minimum=0,
        ),
        Column(
            "status",
            "choice",
            "ok; few_reads: too few reads to profile; no_taxa: profiled, nothing found; "
            "no_profile: in no profile table.",
            required=True,
            filled=True,
            allowed=READS_STATUSES,
        ),
        Column(
            "reason", "text", "Why the status is not ok, or why there are fewer reads than asked for.", required=True
        ),
    ),
    key=("sample",),
)

#: The tables of a study; the last three are there where the trial has them.
INPUT_TABLES = (SAMPLES, UNITS, SUBJECTS, DOSES, LESIONS, TOXICITIES, TREATMENTS)
OUTPUT_TABLES = (OUTCOMES, RATES, LIMITS, READS)
ALL_TABLES = INPUT_TABLES + OUTPUT_TABLES
