"""Columns of the tables about single taxa, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = ["CHANGES", "DECOMPOSITION", "QUANTITIES", "RETENTION", "TAXA"]

#: What can become of a taxon in a subject.
QUANTITIES = ("loss", "engraftment", "gain", "arrival")


def _number(name: str, meaning: str, low: float | None = None, high: float | None = None, unit: str = "") -> Column:
    return Column(name, "number", meaning, unit=unit, minimum=low, maximum=high)


def _count(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, "integer", meaning, unit=unit, minimum=0)


def _interval(name: str, meaning: str, low: float | None = None, high: float | None = None) -> tuple[Column, ...]:
    prefix = f"{name}_" if name not in ("rate", "effect") else ""
    return (
        _number(name, meaning, low, high),
        _number(f"{prefix}ci_low", f"Lower bound of `{name}`.", low, high),
        _number(f"{prefix}ci_high", f"Upper bound of `{name}`.", low, high),
    )


def _test(prefix: str, of: str) -> tuple[Column, ...]:
    return (
        _number(f"{prefix}p_value", f"Two-sided p-value {of}.", 0, 1),
        _number(f"{prefix}p_floor", "Smallest p-value that any values of these subjects could have given.", 0, 1),
        _number(f"{prefix}q_value", "Benjamini-Hochberg over the taxa that are testable.", 0, 1),
        _count(f"{prefix}permutations", "Arrangements looked at; at most 10^18 is written."),
        Column(
            f"{prefix}scheme",
            "choice",
            "Whether all arrangements were looked at or random ones.",
            allowed=("exact", "monte_carlo"),
        ),
    )


_LINEAGE = tuple(
    Column(rank, "text", f"{rank.capitalize()} of the taxon; only with a profile.")
    for rank in ("species", "genus", "family")
)
_DONORS = _count("n_donors", "Donors that these subjects received from; missing without doses table.", "donors")
_NOTE = Column("note", "text", "Why a number is missing; begins with `not testable: ` where a test is.")

TAXA = Table(
    "taxa",
    "One row per taxon, quantity and pair of groups (one pair without groups), none left out; with a rank, per clade.",
    (
        Column("taxon", "id", "Taxon, or clade of the rank that taxa were summed to.", required=True, filled=True),
        *_LINEAGE,
        Column(
            "quantity",
            "choice",
            "`loss`: in the baseline, absent after. `engraftment`: in the donor set and not the baseline, present "
            "after. `gain`: in neither, present after. `arrival`: not in the baseline, present after, from wherever; "
            "unlike engraftment it can be compared with subjects who received nothing.",
            required=True,
            filled=True,
            allowed=QUANTITIES,
        ),
        _count("n_taxa", "Taxa of the clade in the outcomes; 1 for a taxon.", "taxa"),
        _count("n_subjects", "Subjects in the analysis, whether or not they could show it.", "subjects"),
        _count("n_samples", "Their samples that count.", "samples"),
        _DONORS,
        _count(
            "n_at_risk",
            "Subjects who could show it: who had the taxon (loss), lacked it and received it (engraftment), lacked it "
            "and did not receive it (gain), lacked it (arrival).",
            "subjects",
        ),
        _number(
            "n_event",
            "Subjects in whom it happened, each counted by the share of the common visits (of a clade: of its taxa and "
            "visits) at which it did; = n_at_risk x rate.",
            0,
            unit="subjects",
        ),
        _count("n_always", "Subjects in whom it happened at every sample that counts (of a clade: to every taxon)."),
        _count("n_ever", "Subjects in whom it happened at any sample that counts."),
        _number("taxa_at_risk", "Taxa at risk, summed over subjects (mean over visits).", 0, unit="taxa"),
        _number("taxa_event", "Taxa to which it happened, summed over subjects (mean over visits).", 0, unit="taxa"),
        _count("n_calls", "Calls behind it: samples x taxa at risk."),
        _count(
            "n_below_limit",
            "How many of them may be otherwise: the taxon may have been missed in a sample that the quantity needs.",
        ),
        *_interval("rate", "Mean over the subjects at risk of the share at which it happened.", 0, 1),
        Column("method", "text", "Interval of the mean over subjects."),
        Column("by", "text", "Column of the subjects table that makes the groups; missing without groups."),
        Column("groups", "text", "`second - first`, the direction of the effect; missing without groups."),
        Column("group_1", "text", "First group, the reference."),
        Column("group_2", "text", "Second group."),
        _count("n_at_risk_1", "Subjects of the first group who could show it.", "subjects"),
        _count("n_at_risk_2", "Subjects of the second group who could show it.", "subjects"),
        _number("n_event_1", "`n_event` of the first group.", 0, unit="subjects"),
        _number("n_event_2", "`n_event` of the second group.", 0, unit="subjects"),
        *_interval("rate_1", "`rate` of the first group.", 0, 1),
        *_interval("rate_2", "`rate` of the second group.", 0, 1),
        _number("effect", "rate_2 - rate_1.", -1, 1),
        _number("effect_ci_low", "Lower bound of `effect`.", -1, 1),
        _number("effect_ci_high", "Upper bound of `effect`.", -1, 1),
        Column("effect_method", "text", "Interval of the effect."),
        *_test("", "of the effect, labels permuted between the subjects at risk"),
        _number(
            "p_attainable",
            "Smallest p-value that the same shares, dealt out otherwise to the two groups, could have given.",
            0,
            1,
        ),
        _NOTE,
    ),
    key=("taxon", "quantity", "groups"),
)

RETENTION = Table(
    "retention",
    "Baseline taxa still present, by visit: one row per visit and group for all taxa, and one per taxon.",
    (
        Column("level", "choice", "All taxa of a subject, or one taxon.", required=True, allowed=("all", "taxon")),
        Column("taxon", "id", "The taxon; missing for all taxa.", required=True),
        Column("group", "text", "Group of subjects; `all` is everybody.", required=True, filled=True),
        _count("visit", "1 is the earliest."),
        Column("day_low", "integer", "First day of the visit, over all groups.", unit="days"),
        _number("day_median", "Median day of the group's samples at the visit (for all taxa together).", unit="days"),
        Column("day_high", "integer", "Last day of the visit, over all groups.", unit="days"),
        _count("n_subjects", "Subjects with a sample at the visit; for a taxon, those who had it.", "subjects"),
        _count("n_samples", "Their samples at the visit.", "samples"),
        _DONORS,
        _number("taxa_baseline", "Baseline taxa, summed over the subjects.", 0, unit="taxa"),
        _number("taxa_kept", "How many of them are present at the visit.", 0, unit="taxa"),
        _number(
            "retention",
            "All taxa: mean over subjects of the share of baseline taxa that is present. One taxon: share of the "
            "subjects who had it that still have it.",
            0,
            1,
            "fraction",
        ),
        _number("ci_low", "Lower bound of `retention`.", 0, 1),
        _number("ci_high", "Upper bound of `retention`.", 0, 1),
        Column("method", "text", "logit_t for all taxa, clopper_pearson for one."),
        Column("note", "text", "Why a number is missing."),
    ),
    key=("level", "taxon", "group", "visit"),
)

CHANGES = Table(
    "changes",
    "One row per taxon and group of subjects: baseline to post, presence and abundance apart.",
    (
        Column("taxon", "id", "Row of the profile, an SGB by default.", required=True, filled=True),
        *_LINEAGE,
        Column("by", "text", "Column of the subjects table that makes the groups; missing without groups."),
        Column("group", "text", "Group of subjects; `all` is everybody.", required=True, filled=True),
        _count("n_subjects", "Subjects with a baseline and a sample that counts.", "subjects"),
        _count("n_samples", "Their samples that count.", "samples"),
        _DONORS,
        _count("n_had", "Subjects with the taxon at baseline.", "subjects"),
        _count("n_has", "Subjects with the taxon at the last visit that counts.", "subjects"),
        _count("n_lost", "Subjects who had it at baseline and not at the last visit that counts.", "subjects"),
        _count("n_gained", "Subjects who have it at the last visit that counts and not at baseline.", "subjects"),
        _number("presence_p_value", "Exact test of n_gained against n_lost (McNemar, two-sided).", 0, 1),
        _number("presence_p_floor", "Smallest p-value that n_gained + n_lost subjects can give.", 0, 1),
        _number("presence_q_value", "Benjamini-Hochberg over the taxa of the group that are testable.", 0, 1),
        Column("presence_note", "text", "Why presence is not testable."),
        _count("n_both", "Subjects with the taxon at baseline and in a sample that counts.", "subjects"),
        _count("n_both_samples", "Those samples.", "samples"),
        *_interval(
            "log2_change",
            "Mean over those subjects of log2(post abundance / baseline abundance), the mean over their visits first.",
        ),
        *_test("log2_change_", "of a mean of 0, signs flipped"),
        Column("log2_change_note", "text", "Why the change of abundance is not testable."),
        Column("reference", "text", "First group, with which this one is compared; missing for it and for `all`."),
        _number("effect", "`log2_change` of the group less that of the reference."),
        _number("effect_ci_low", "Lower bound of `effect` (Welch)."),
        _number("effect_ci_high", "Upper bound of `effect` (Welch)."),
        *_test("effect_", "of the effect, labels permuted between the subjects that have it at both times"),
        Column("effect_note", "text", "Why the effect is not testable."),
    ),
    key=("taxon", "group"),
)


def _share(name: str, meaning: str) -> Column:
    return _number(name, meaning, 0, 1, "fraction")


DECOMPOSITION = Table(
    "decomposition",
    "One row per post sample: whose abundance it is, and what became of that of the baseline and of the donor.",
    (
        Column("subject", "id", "One person.", required=True, filled=True),
        Column("sample", "id", "One stool library.", required=True, filled=True),
        Column("day", "integer", "Days since the subject's first dose.", unit="days"),
        _count("visit", "Visit of the sample, 1 is the earliest."),
        Column("baseline_sample", "id", "The subject's last profiled sample with day <= 0.", required=True),
        _count("donor_products", "Donor products (donor samples) received by then."),
        _number("post_total", "Abundance of the taxa detected in the post sample: the denominator.", 0),
        _share("post_engrafted", "Share of it that is `engrafted`."),
        _share("post_persisted", "Share of it that is `persisted`."),
        _share("post_shared", "Share of it that is `shared_kept`: of donor and baseline."),
        _share("post_gained", "Share of it that is `gained`. These four sum to 1."),
        _share("post_resident", "Share of it that was in the baseline: post_persisted + post_shared."),
        _number("baseline_total", "Abundance of the taxa detected in the baseline: the denominator.", 0),
        _share("baseline_kept", "Share of it in taxa still present (`persisted`, `shared_kept`)."),
        _share("baseline_lost", "Share of it in taxa no longer detected. These two sum to 1."),
        _share("baseline_depleted", "Part of baseline_lost: `depleted`, taxa that the donor set lacks."),
        _share("baseline_shared_depleted", "Part of baseline_lost: `shared_depleted`, taxa that the donor set has."),
        _number(
            "donor_total",
            "Sum over the taxa of the donor set of their largest abundance in any product (with several products it can"
            " exceed 1): the denominator.",
            0,
        ),
        _share("donor_taken_up", "Share of it in taxa present after FMT (`engrafted`, `shared_kept`)."),
        _share("donor_not_taken_up", "Share of it in taxa absent after FMT. These two sum to 1."),
        _share("donor_engrafted", "Part of donor_taken_up that the baseline lacked: `engrafted`."),
        Column("note", "text", "Why a share is missing."),
    ),
    key=("sample",),
)
