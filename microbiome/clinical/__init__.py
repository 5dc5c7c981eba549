"""From patients: response, survival and toxicity.

Functions are imported from their modules when first used: the declarations of the tables stay cheap to import. Those of
survival stay in theirs, whose names they have: :func:`microbiome.clinical.survival.survival`,
:func:`microbiome.clinical.cox.cox`, :func:`microbiome.clinical.curves.curves`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from microbiome.lazy import lazy

if TYPE_CHECKING:
    from microbiome.clinical.assessments import assess, best_responses
    from microbiome.clinical.best import Rules
    from microbiome.clinical.donor_clusters_analysis import donor_clusters
    from microbiome.clinical.overview import clinical_overview
    from microbiome.clinical.response import clinical_response
    from microbiome.clinical.toxicity_analysis import toxicity
    from microbiome.clinical.toxicity_grades import ToxicitySettings
    from microbiome.clinical.toxicity_time import time_to_toxicity

__all__ = [
    "Rules",
    "ToxicitySettings",
    "assess",
    "best_responses",
    "clinical_overview",
    "clinical_response",
    "donor_clusters",
    "time_to_toxicity",
    "toxicity",
]

_MODULES = {
    "Rules": "best",
    "assess": "assessments",
    "best_responses": "assessments",
    "clinical_overview": "overview",
    "clinical_response": "response",
    "ToxicitySettings": "toxicity_grades",
    "donor_clusters": "donor_clusters_analysis",
    "time_to_toxicity": "toxicity_time",
    "toxicity": "toxicity_analysis",
}


__getattr__ = lazy(__name__, _MODULES)
