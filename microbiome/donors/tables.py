"""Columns of the tables about donors, declared as in :mod:`microbiome.tables`."""

from __future__ import annotations

from microbiome.tables import Column, Table

__all__ = [
    "CERTAINTY",
    "CVS",
    "DONORS",
    "DONOR_MATCH",
    "DONOR_MATCH_SCORES",
    "DONOR_PAIRS",
    "DONOR_SPREAD",
    "DONOR_TAXA",
    "HOW",
    "LISTS",
    "LIST_NAMES",
    "MODELS",
    "NAMES",
]

#: How sure it is that an SGB goes by a name.
CERTAINTY = ("sure", "likely")
#: How a taxon was found by a name.
HOW = ("sgb_id", "current_name", "former_name", "genus", "not_found")
#: Kinds of taxa that a list can name.
LIST_NAMES = ("concern", "benefit")
#: What is held out together.
CVS = ("donor", "cohort", "subject")
#: What predicts presence after FMT; the last three are simple rules.
MODELS = ("random_forest", "logistic", "donor_or_baseline", "larger_abundance", "prevalence")


def _count(name: str, meaning: str, unit: str = "") -> Column:
    return Column(name, "integer", meaning, unit=unit, minimum=0)


def _number(name: str, meaning: str, low: float | None = None, high: float | None = None, unit: str = "") -> Column:
    return Column(name, "number", meaning, unit=unit, minimum=low, maximum=high)


def _estimate(name: str, meaning: str, of: str) -> tuple[Column, ...]:
    return (
        _number(name, meaning, 0, 1, "fraction"),
        _number(f"{name}_ci_low", f"Lower bound of the 95 % interval of `{name}`.", 0, 1),
        _number(f"{name}_ci_high", f"Upper bound of the same interval ({of}).", 0, 1),
        _number(f"{name}_shrunken", f"`{name}` drawn towards the mean of all donors (empirical Bayes).", 0, 1),
        _number(f"{name}_shrunken_low", f"Lower bound of the 95 % interval of `{name}_shrunken`.", 0, 1),
        _number(f"{name}_shrunken_high", "Upper bound of the same interval.", 0, 1),
        _number(f"{name}_weight", f"Share of the donor's own data in `{name}_shrunken`; 0: all from the others.", 0, 1),
        Column(f"{name}_note", "text", f"Why a number of `{name}` is missing, or what its shrinkage rests on."),
    )


NAMES = Table(
    "taxon_names",
    "Names of taxa that have changed, and the SGBs that go by them.",
    (
        Column("name", "text", "Current species name.", required=True, filled=True),
        Column("former", "text", "Former names and other spellings, separated by `; `.", required=True),
        Column("sgb", "text", "SGBs that go by the name, separated by `, `.", required=True, filled=True),
        Column(
            "certainty",
            "choice",
            "`sure`: MetaPhlAn's profiles or tables call these SGBs so, in every release; `likely`: some do.",
            required=True,
            filled=True,
            allowed=CERTAINTY,
        ),
        Column("source", "text", "Where it stands.", required=True, filled=True),
        Column("note", "text", "What else to know."),
    ),
)

LISTS = Table(
    "taxon_lists",
    "Taxa of concern and of benefit: one row per taxon and list.",
    (
        Column("list", "choice", "Which list.", required=True, filled=True, allowed=LIST_NAMES),
        Column("taxon", "text", "Species name (current or former), SGB id, or genus.", required=True, filled=True),
        Column("reason", "text", "Why it stands here.", required=True),
        Column("source", "text", "DOI, or name of the trial.", required=True),
        Column("certainty", "choice", "How well that is known.", allowed=("established", "reported", "debated")),
    ),
    key=("list", "taxon"),
)

DONORS = Table(
    "donors",
    "One row per donor: what it carries, who received it, and what became of them.",
    (
        Column("donor", "id", "The donor.", required=True, filled=True),
        _count("n_samples", "Its samples.", "samples"),
        _count("n_profiled", "How many of them have a profile.", "samples"),
        _number("richness", "Detected taxa, mean over its profiled samples.", 0, unit="taxa"),
        _number("shannon", "Shannon index (natural logarithm), mean over its profiled samples.", 0),
        *(
            column
            for name in LIST_NAMES
            for column in (
                _count(f"{name}_taxa", f"Taxa of {name} detected in any of its samples.", "taxa"),
                _number(f"{name}_abundance", "Their summed abundance, mean over its samples.", 0, 1, "fraction"),
                Column(f"{name}_names", "text", "Their names, separated by `; `."),
            )
        ),
        _count("n_recipients", "Subjects who received it.", "subjects"),
        _count("n_sole", "How many of them received no other donor.", "subjects"),
        _count("n_shared", "How many received other donors, too.", "subjects"),
        _count("n_evaluable", "Recipients whose response is known.", "subjects"),
        _count("n_responders", "Responders among them.", "subjects"),
        *_estimate("response_rate", "n_responders / n_evaluable.", "exact, Clopper-Pearson"),
        _count("n_toxicity_known", "Recipients whose worst grade is known.", "subjects"),
        _count("n_toxicity", "How many of them had grade >= 3.", "subjects"),
        *_estimate("toxicity_rate", "n_toxicity / n_toxicity_known.", "exact, Clopper-Pearson"),
        _count("n_engraftment", "Recipients with an engraftment rate.", "subjects"),
        *_estimate("engraftment_rate", "Mean over recipients of their mean over visits.", "t on the logit of the mean"),
        _count("n_depletion", "Recipients with a depletion rate.", "subjects"),
        *_estimate("depletion_rate", "Mean over recipients of their mean over visits.", "t on the logit of the mean"),
        Column("method", "text", "Intervals and shrinkage."),
        Column("note", "text", "What else to know: products without profile, recipients of several donors, ..."),
    ),
    key=("donor",),
)

DONOR_SPREAD = Table(
    "donor_spread",
    "How much donors differ in what became of their recipients: one row per quantity.",
    (
        Column(
            "quantity",
            "choice",
            "The rate.",
            required=True,
            filled=True,
            allowed=("response_rate", "toxicity_rate", "engraftment_rate", "depletion_rate"),
        ),
        _count("n_donors", "Donors with a recipient that tells.", "donors"),
        _count("n_subjects", "Those recipients; who received several donors counts for each.", "subjects"),
        _number("mean", "Mean over donors that they are drawn to.", 0, 1, "fraction"),
        _number("ci_low", "Lower bound of its 95 % interval.", 0, 1),
        _number("ci_high", "Upper bound of its 95 % interval.", 0, 1),
        _number("between_sd", "Standard deviation between donors, beyond chance.", 0),
        _number("q_statistic", "Cochran's Q (means) or Pearson's chi-squared (proportions) between donors.", 0),
        _count("df", "Its degrees of freedom."),
        _number("i_squared", "Share of the variance of the donors' estimates beyond chance.", 0, 1),
        _number("p_value", "Of no difference between donors, recipients permuted between them.", 0, 1),
        _number("p_floor", "Smallest p-value that this design can give.", 0, 1),
        _count("permutations", "Arrangements looked at."),
        Column("method", "text", "Estimator and test."),
        Column("note", "text", "Why a number is missing (`not testable: `), or what it rests on."),
    ),
    key=("quantity",),
)

DONOR_TAXA = Table(
    "donor_taxa",
    "Taxa of concern and of benefit in donors: one row per donor, list and taxon, the absent ones, too.",
    (
        Column("donor", "id", "The donor.", required=True, filled=True),
        Column("list", "choice", "Which list.", required=True, filled=True, allowed=LIST_NAMES),
        Column("asked", "text", "The taxon as the list names it.", required=True, filled=True),
        Column("name", "text", "Its current name."),
        Column("taxon", "id", "Row of the profile; empty where the profile has none for it.", required=True),
        Column("species", "text", "What the profile calls it."),
        Column("how", "choice", "How it was found.", allowed=HOW),
        Column("certainty", "choice", "How sure it is that this row is meant.", allowed=CERTAINTY),
        _number("abundance", "Mean over the donor's profiled samples.", 0, 1, "fraction"),
        _number("prevalence", "Share of its profiled samples in which it is detected.", 0, 1, "fraction"),
        _count("n_samples", "Its profiled samples.", "samples"),
        Column("reason", "text", "Why it stands on the list."),
        Column("source", "text", "DOI, or name of the trial."),
        Column("evidence", "text", "How well that is known, as the list says."),
        Column("note", "text", "Why a number is missing."),
    ),
    key=("donor", "list", "asked", "taxon"),
)

DONOR_MATCH_SCORES = Table(
    "donor_match_scores",
    "How well presence after FMT is foretold in people, donors or cohorts not learnt from.",
    (
        Column("cv", "choice", "What is held out together.", required=True, filled=True, allowed=CVS),
        Column("model", "choice", "What foretells.", required=True, filled=True, allowed=MODELS),
        Column("fold", "text", "`all`, or the donor, cohort or number held out.", required=True, filled=True),
        Column(
            "level",
            "choice",
            "Mean over subjects of theirs, or all pairs of taxon and subject pooled.",
            required=True,
            allowed=("subject_mean", "pooled"),
        ),
        _count("n_subjects", "Subjects held out.", "subjects"),
        _count("n_donors", "Their donors.", "donors"),
        _count("n_taxa", "Pairs of taxon and subject.", ""),
        _number("prevalence", "Share of these that are present after FMT.", 0, 1, "fraction"),
        _number("auroc", "Area under the ROC curve; 0.5 is chance.", 0, 1),
        _number("ci_low", "Lower bound of its 95 % interval.", 0, 1),
        _number("ci_high", "Upper bound of its 95 % interval.", 0, 1),
        _number("difference", "AUROC less that of the rule `donor_or_baseline`, on the same subjects.", -1, 1),
        _number("difference_ci_low", "Lower bound of its 95 % interval.", -1, 1),
        _number("difference_ci_high", "Upper bound of its 95 % interval.", -1, 1),
        _number("brier", "Mean squared error of the probability; of models that give one.", 0, 1),
        _number("brier_reference", "The same of the prevalence in the people learnt from.", 0, 1),
        Column("method", "text", "Model and interval."),
        Column("note", "text", "Why a number is missing (`not testable: `), or what it rests on."),
    ),
    key=("cv", "model", "fold", "level"),
)

DONOR_MATCH = Table(
    "donor_match",
    "Presence after FMT, foretold without having seen the fold: one row per cross-validation, sample and taxon.",
    (
        Column("cv", "choice", "What is held out together.", required=True, filled=True, allowed=CVS),
        Column("fold", "text", "The fold held out.", required=True, filled=True),
        Column("subject", "id", "The recipient.", required=True, filled=True),
        Column("sample", "id", "Its post sample.", required=True, filled=True),
        Column("taxon", "id", "Row of the profile.", required=True, filled=True),
        Column("donor_present", "flag", "Detected in a product received by then."),
        Column("baseline_present", "flag", "Detected in the baseline."),
        Column("present", "flag", "Detected in the post sample."),
        _number("predicted", "Probability that it is present.", 0, 1),
    ),
    key=("cv", "sample", "taxon"),
)

DONOR_PAIRS = Table(
    "donor_pairs",
    "What is expected of every available donor in every recipient: one row per pair, from a model of all data.",
    (
        Column("subject", "id", "The recipient.", required=True, filled=True),
        Column("baseline_sample", "id", "Its baseline.", required=True),
        Column("donor", "id", "The donor.", required=True, filled=True),
        Column("received", "flag", "1 where the recipient received this donor in fact."),
        _count("n_candidates", "Taxa of the donor that the baseline lacks.", "taxa"),
        _number(
            "expected_engrafted", "How many of these are expected after FMT (sum of probabilities).", 0, unit="taxa"
        ),
        _number("expected_engraftment_rate", "expected_engrafted / n_candidates.", 0, 1, "fraction"),
        _number("expected_kept", "Baseline taxa expected after FMT.", 0, unit="taxa"),
        _number("expected_richness", "Taxa of donor or baseline expected after FMT.", 0, unit="taxa"),
        *(
            column
            for name in LIST_NAMES
            for column in (
                _number(f"expected_{name}", f"Taxa of {name} expected after FMT.", 0, unit="taxa"),
                _number(f"expected_{name}_gained", "Of these, those that the baseline lacks.", 0, unit="taxa"),
            )
        ),
        _count("rank", "Rank of the donor for this recipient by expected_engrafted, 1 is the most."),
        Column("model", "choice", "What foretells.", allowed=MODELS),
        Column("note", "text", "Why a number is missing, or what it rests on."),
    ),
    key=("subject", "donor"),
)
