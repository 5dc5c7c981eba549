"""Strains and reads of one clade without any sequencing: what the tests of the strain modules draw from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from microbiome.strains.allele_file import CladeAlleles, write_alleles

MARKER = 500
INDEX = "mpa_vTest_CHOCOPhlAnSGB_202601"


@dataclass
class Clade:
    """A clade of random strains: codes 0 (the base of the marker) to 3 at each position, `divergence` apart."""

    seed: int
    sites: int = 20_000
    divergence: float = 0.005
    known: dict[str, np.ndarray] = field(default_factory=dict)

    def strain(self, name: str) -> np.ndarray:
        if name not in self.known:
            rng = np.random.default_rng([self.seed, *name.encode()])
            codes = np.zeros(self.sites, dtype=np.int64)
            changed = np.flatnonzero(rng.random(self.sites) < self.divergence / 2)
            codes[changed] = rng.integers(1, 4, changed.size)
            self.known[name] = codes
        return self.known[name]

    def counts(
        self, mixture: Mapping[str, float], depth: float, rng: np.random.Generator, error: float = 5e-4
    ) -> np.ndarray:
        """Position x code: reads of a mixture of strains; gene copies differ a little from marker to marker."""
        counts = np.zeros((self.sites, 4), dtype=np.int64)
        copies = np.repeat(rng.gamma(20, 1 / 20, -(-self.sites // MARKER)), MARKER)[: self.sites]
        for name, part in mixture.items():
            reads = rng.poisson(depth * part * copies)
            np.add.at(counts, (np.arange(self.sites), self.strain(name)), reads)
        wrong = np.flatnonzero(rng.random(self.sites) < error * counts.sum(axis=1))
        np.add.at(counts, (wrong, rng.integers(0, 4, wrong.size)), 1)
        return counts


def alleles_of(counts: np.ndarray) -> CladeAlleles:
    """Counts as an allele file holds them; codes 1 to 3 stand for C, G, T."""
    position, base = np.nonzero(counts[:, 1:])
    depth = counts.sum(axis=1).astype(np.uint16)
    return CladeAlleles(
        depth, position.astype(np.int32), (base + 1).astype(np.uint8), counts[position, base + 1].astype(np.uint16)
    )


def write(folder: Path, samples: Mapping[str, Mapping[str, np.ndarray]], database: str = INDEX) -> list[Path]:
    """Write an allele file of each sample: taxon -> counts."""
    paths = []
    for sample, clades in samples.items():
        held = {taxon: alleles_of(counts) for taxon, counts in clades.items()}
        markers = {taxon: lengths(len(counts)) for taxon, counts in clades.items()}
        paths.append(folder / f"{sample}.alleles")
        write_alleles(paths[-1], sample, database, "00", {}, markers, held)
    return paths


def lengths(sites: int) -> Sequence[int]:
    return [MARKER] * (sites // MARKER) + ([sites % MARKER] if sites % MARKER else [])
