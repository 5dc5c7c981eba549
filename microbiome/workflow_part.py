"""What every part of the work of the workflow has: the plan that it is a part of, and a folder of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from microbiome.workflow import Plan

__all__ = ["BY_COLUMN", "BY_DONOR", "WorkflowPart"]

#: Results of which there is one for each column that makes groups; of these also by donor.
BY_COLUMN = ("compare", "trajectories", "taxa", "retention", "changes", "sensitivity")
BY_DONOR = ("compare", "trajectories", "sensitivity")


@dataclass(frozen=True)
class WorkflowPart:
    """A part of the work for one configuration."""

    plan: Plan
    #: Name of the folder of its files, below the results.
    place: ClassVar[str]

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration."""
        return self.plan.config

    @property
    def folder(self) -> str:
        """Folder of its files."""
        return f"{self.config['results']}/{self.place}"
