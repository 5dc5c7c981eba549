"""Sequences of the simulated organisms: an ancestor per SGB, its strains, and a host."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from microbiome.simulate.parameters import Parameters, stream
from microbiome.simulate.tables import TRUTH_DIVERGENCE
from microbiome.simulate.taxa import marker_lengths, spacer_lengths

if TYPE_CHECKING:
    from microbiome.simulate.function import Genes

__all__ = ["BASES", "Genomes", "host_genome"]

#: Codes 0 to 3 are these bases.
BASES = np.frombuffer(b"ACGT", dtype=np.uint8)


class Genomes:
    r"""The miniature genomes of the SGBs and their strains.

    The ancestor of an SGB is markers and spacers by turns, of random bases with a GC content of its own (uniform on
    35 % to 60 %); its markers are what the database holds. A strain is the ancestor with a substitution at each
    position with probability :math:`d / 2`, d = ``strain_divergence``, so that two strains differ at a fraction
    :math:`d - d^2 / 3` of positions: both must not have changed to the same base. A strain follows from the seed and
    its name alone.

    Parameters
    ----------
    parameters
        ``seed``, ``markers``, ``marker_length``, ``spacer``, ``strain_divergence``.
    taxa
        Index taxon, with ``genome_length``.
    genes
        What stands on the markers; None for random bases.
    """

    def __init__(self, parameters: Parameters, taxa: pd.DataFrame, genes: Genes | None = None) -> None:
        self.parameters = parameters
        self.taxa = taxa
        self.genes = genes
        self._ancestors: dict[str, np.ndarray] = {}
        self._strains: dict[tuple[str, str], np.ndarray] = {}

    def marker_bounds(self, taxon: str) -> tuple[np.ndarray, np.ndarray]:
        """Return start and stop of each marker in the genome (0-based, stop excluded)."""
        lengths = marker_lengths(self.parameters, taxon)
        spacers = spacer_lengths(self.parameters, taxon, int(self.taxa.loc[taxon, "genome_length"]))
        starts = np.concatenate([[0], np.cumsum(lengths + spacers)[:-1]])
        return starts, starts + lengths

    def ancestor(self, taxon: str) -> np.ndarray:
        """Return the genome of an SGB as codes 0 to 3, ``uint8``."""
        if taxon not in self._ancestors:
            rng = stream(self.parameters.seed, "ancestor", taxon)
            size = int(self.taxa.loc[taxon, "miniature_length"])
            genome = _random_bases(rng, size, rng.uniform(0.35, 0.60))
            if self.genes is not None:
                genome = self.genes.written(taxon, genome, *self.marker_bounds(taxon))
            self._ancestors[taxon] = genome
        return self._ancestors[taxon]

    def strain(self, taxon: str, strain: str) -> np.ndarray:
        """Return the genome of a strain as codes 0 to 3, ``uint8``."""
        key = (taxon, strain)
        if key not in self._strains:
            rng = stream(self.parameters.seed, "strain", strain)
            genome = self.ancestor(taxon).copy()
            changed = np.flatnonzero(rng.random(genome.size) < self.parameters.strain_divergence / 2)
            genome[changed] = (genome[changed] + rng.integers(1, 4, changed.size, dtype=np.uint8)) % 4
            self._strains[key] = genome
        return self._strains[key]

    def divergence(self, strains: pd.DataFrame) -> pd.DataFrame:
        """Count the differences of each two strains of each taxon on its markers.

        Parameters
        ----------
        strains
            ``taxon`` and ``strain``, one row each.

        Returns
        -------
        DataFrame
            Columns of :data:`microbiome.simulate.tables.TRUTH_DIVERGENCE`.
        """
        rows = []
        for taxon, group in strains.groupby("taxon", sort=True):
            starts, stops = self.marker_bounds(str(taxon))
            on_marker = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)])
            names = sorted(group["strain"].unique())
            sequences = {name: self.strain(str(taxon), name)[on_marker] for name in names}
            for one, other in combinations(names, 2):
                differences = int(np.count_nonzero(sequences[one] != sequences[other]))
                rows.append((taxon, one, other, on_marker.size, differences, differences / on_marker.size))
        return pd.DataFrame(rows, columns=TRUTH_DIVERGENCE.names)


def host_genome(parameters: Parameters) -> np.ndarray:
    """Return the made-up host genome as codes 0 to 3, ``uint8``, 41 % GC."""
    return _random_bases(stream(parameters.seed, "host genome"), parameters.host_length, 0.41)


def _random_bases(rng: np.random.Generator, size: int, gc: float) -> np.ndarray:
    # Cumulative probabilities of A, C, G; the rest is T.
    edges = np.array([(1 - gc) / 2, 0.5, 0.5 + gc / 2])
    return np.searchsorted(edges, rng.random(size), side="right").astype(np.uint8)
