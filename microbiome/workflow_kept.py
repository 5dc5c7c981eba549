"""Files on the way that the configuration keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from microbiome.workflow import Plan

__all__ = ["kept_files"]


def kept_files(plan: Plan) -> list[str]:
    """Return the files of the kinds that ``keep`` names, of every sample; none of steps that are not taken."""
    config = plan.config
    files: list[str] = []
    for sample in plan.samples:
        if "merged" in config["keep"]:
            files += [path.replace("/reads/trimmed/", "/reads/merged/") for path in plan.trimmed(sample)]
        if "trimmed" in config["keep"]:
            files += plan.trimmed(sample)
        if "nonhost" in config["keep"] and config["host_index"]:
            files += plan.clean(sample)
        if "rarefied" in config["keep"] and config["rarefy_reads"]:
            files += plan.to_profile(sample)
    return [*files, *plan.profilers.kept()]
