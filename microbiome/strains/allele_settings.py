"""The filters of the allele counts: their defaults for the package, the command line and the workflow."""

from __future__ import annotations

from dataclasses import dataclass

from microbiome.errors import Problem, raise_problems

__all__ = ["AlleleSettings"]


@dataclass(frozen=True)
class AlleleSettings:
    """Filters of the allele counts.

    Parameters
    ----------
    min_base_quality
        Bases of a lower Phred quality are passed over; 0 to 93.
    min_mapq
        Reads of a lower mapping quality are passed over; 0 to 255.
    min_identity
        Reads with a smaller part of matching bases are passed over; 0 to 1.
    min_length
        Shorter alignments are passed over, in bases.
    edge
        Positions left out at either end of each marker: reads that reach beyond it are aligned badly there, with
        mismatches that all samples share.
    min_breadth
        A clade with a smaller part of its marker positions covered is left out; 0 to 1.
    min_depth
        A clade with a smaller mean depth over its covered positions is left out.
    """

    min_base_quality: int = 20
    min_mapq: int = 10
    min_identity: float = 0.9
    min_length: int = 50
    edge: int = 10
    min_breadth: float = 0.01
    min_depth: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        rules = [
            ("min_base_quality", 0 <= self.min_base_quality <= 93, "0 to 93"),
            ("min_mapq", 0 <= self.min_mapq <= 255, "0 to 255"),
            ("min_identity", 0 <= self.min_identity <= 1, "a fraction between 0 and 1"),
            ("min_length", self.min_length >= 0, "0 or more"),
            ("edge", self.edge >= 0, "0 or more"),
            ("min_breadth", 0 <= self.min_breadth <= 1, "a fraction between 0 and 1"),
            ("min_depth", self.min_depth >= 0, "0 or more"),
        ]
        raise_problems(
            [
                Problem(f"{name} {getattr(self, name)} is not possible", f"give {rule}", column=name)
                for name, good, rule in rules
                if not good
            ]
        )
