"""Words of the report: names of measures and caveats. No result is told here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ALPHA_TITLES", "BETA_TITLES", "CAVEATS", "CELLS", "parameter", "versions"]

ALPHA_TITLES = {
    "richness": "Richness (taxa)",
    "shannon": "Shannon (nats)",
    "simpson": "Simpson (1 - sum of p²)",
    "inverse_simpson": "Inverse Simpson",
    "pielou": "Pielou evenness",
    "berger_parker": "Berger-Parker dominance",
    "faith_pd": "Faith PD (branch length)",
}
BETA_TITLES = {
    "bray_curtis": "Bray-Curtis",
    "jaccard": "Jaccard",
    "aitchison": "Aitchison",
    "robust_aitchison": "robust Aitchison",
    "hellinger": "Hellinger",
    "unweighted_unifrac": "unweighted UniFrac",
    "weighted_unifrac": "weighted UniFrac",
}

#: Donor set, baseline, post sample, and the name of the outcome.
CELLS = (
    ("yes", "no", "yes", "engrafted"),
    ("yes", "no", "no", "not_engrafted"),
    ("yes", "yes", "yes", "shared_kept"),
    ("yes", "yes", "no", "shared_depleted"),
    ("no", "yes", "yes", "persisted"),
    ("no", "yes", "no", "depleted"),
    ("no", "no", "yes", "gained"),
)

CAVEATS = {
    "rates": (
        "No rate has a depth-free or time-free meaning. A shallow sample lacks its rare taxa; and people in whom "
        "nothing was changed lose about a fifth of their SGBs within a month (measured on simulated trials of equal "
        "depth). Read each rate beside its count, and beside the subjects without FMT, where there are any."
    ),
    "presence": "At species level engrafted is a matter of presence, not proof of transfer: the strain may be the "
    "recipient's own.",
    "strains": (
        "A species in donor, baseline and post sample says nothing until its strains are told apart; and of a species "
        "that engrafted the strain says whether it is the donor's. No evidence is shown as unresolved, never as not "
        "shared. Unrelated people share strains, too: read what a recipient shares with its donor beside what it "
        "shared before, and shares with other donors."
    ),
    "bounds": (
        "The line through a point joins the bounds: the rate if every call below the limit of detection fell either "
        "way."
    ),
    "pooled": (
        "Counting a subject once per sample makes it reject too often where nothing is true: 28 to 30 % instead of 5 "
        "% of simulated trials with four samples per subject."
    ),
    "reassigned": (
        "Whole dose schedules were moved between recipients, each recipient's samples kept together and averaged "
        "first. A recipient who looks no more like its own donors than like those of others shows no sign of "
        "transfer, however much of its donor it holds."
    ),
    "pseudo_donors": (
        "Subjects without doses were given every dose schedule of the others in turn, on paper: what they seem to "
        "take up is what comes and goes anyway."
    ),
    "turnover": (
        "Depletion includes dilution by what engrafted: residents can fall below detection because others took their "
        "place. The excess is over the turnover that happens without FMT; it is no proof of killing or displacement."
    ),
    "dilution": "Depleted includes dilution: what engrafts can push residents below detection.",
    "patients": (
        "Repeated samples of a person are not independent: subjects are counted here, and the number of samples "
        "stands beside. No test is made of these counts."
    ),
    "no_donor": (
        " A subject without doses has an empty donor set, which leaves all its baseline taxa in "
        "depletion_rate_donor_absent: compare that rate only between subjects with doses, and depletion_rate "
        "between all."
    ),
    "donor_sets": (
        "Products of several donors or several samples make the donor set larger; engraftment_rate and "
        "donor_recovery are not comparable between subjects whose sets differ in size."
    ),
}


def versions(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return program -> version from the provenance; several versions of one program are joined."""
    software = provenance.get("software")
    if not isinstance(software, Mapping):
        return {}
    return {
        str(name): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in software.items()
    }


def parameter(provenance: Mapping[str, Any], *path: str) -> Any:
    """Return a value of the recorded configuration (``parameter(p, "fastp", "min_length")``), else None."""
    value: Any = provenance.get("parameters")
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
