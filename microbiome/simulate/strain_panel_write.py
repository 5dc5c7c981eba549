"""Writing a strain trial: sequences with lineages, FASTQ, marker database, input tables and truth."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.features import write_features
from microbiome.simulate.database import write_database
from microbiome.simulate.parameters import stream
from microbiome.simulate.reads import fastq, simulate_reads
from microbiome.simulate.strain_panel import StrainPanel
from microbiome.simulate.strain_panel_parameters import StrainPanelParameters
from microbiome.simulate.strain_panel_truth import true_pairs, true_triads
from microbiome.simulate.strains import Genomes, host_genome
from microbiome.simulate.taxa import load_taxa
from microbiome.tsv import write_table

__all__ = ["LineageGenomes", "write_strain_panel"]

_GZIP_LEVEL = 2


class LineageGenomes(Genomes):
    r"""Genomes of strains that come in lineages.

    With d = ``divergence`` and s = ``structure``, a lineage of a taxon is the ancestor with a substitution at each
    position with probability :math:`s d / 2`, and a strain is its lineage with one at :math:`(1 - s) d / 2`: strains
    of two lineages differ at about d of positions, strains of one at about :math:`(1 - s) d`. A strain's lineage
    follows from its name. s = 0 is the star of :class:`microbiome.simulate.strains.Genomes`.
    """

    def __init__(self, panel: StrainPanelParameters) -> None:
        sequencing = panel.sequencing()
        super().__init__(sequencing, load_taxa(sequencing))
        self.panel = panel

    def lineage(self, taxon: str, strain: str) -> int:
        """Return the number of the lineage of a strain, from 0."""
        return int(stream(self.panel.seed, "lineage", taxon, strain).integers(self.panel.lineages))

    def strain(self, taxon: str, strain: str) -> np.ndarray:
        """Return the genome of a strain as codes 0 to 3, ``uint8``."""
        key = (taxon, strain)
        if key not in self._strains:
            shared = stream(self.panel.seed, "lineage", taxon, str(self.lineage(taxon, strain)))
            own = stream(self.panel.seed, "strain", taxon, strain)
            half, structure = self.panel.divergence / 2, self.panel.structure
            genome = _substitute(shared, self.ancestor(taxon), structure * half)
            self._strains[key] = _substitute(own, genome, (1 - structure) * half)
        return self._strains[key]


def _substitute(rng: np.random.Generator, genome: np.ndarray, rate: float) -> np.ndarray:
    result = genome.copy()
    changed = np.flatnonzero(rng.random(genome.size) < rate)
    result[changed] = (result[changed] + rng.integers(1, 4, changed.size, dtype=np.uint8)) % 4
    return result


def write_strain_panel(panel: StrainPanel, folder: str | Path) -> None:
    """Write a strain trial to a folder.

    ``samples.tsv``, ``subjects.tsv``, ``doses.tsv``; ``fastq/SAMPLE_R1.fastq.gz`` and ``_R2``; ``database/``; and
    ``truth/`` with ``strains.tsv``, ``pairs.tsv``, ``triads.tsv``, ``abundance.tsv`` (taxon x sample), ``depth.tsv``
    (taxon x sample, expected depth), ``strain_divergence.tsv`` and ``parameters.json``. The same parameters give the
    same bytes.

    Raises
    ------
    InputError
        When bowtie2-build is not on PATH.
    """
    p, target = panel.parameters, Path(folder)
    sequencing, genomes = p.sequencing(), LineageGenomes(p)
    (target / "fastq").mkdir(parents=True, exist_ok=True)
    (target / "truth").mkdir(exist_ok=True)
    write_database(genomes, target / "database")
    depth = panel.depth()
    for name in ("samples", "subjects", "doses"):
        write_table(getattr(panel, name), target / f"{name}.tsv")
    write_table(panel.strains, target / "truth" / "strains.tsv")
    write_table(true_pairs(panel.strains, depth), target / "truth" / "pairs.tsv")
    write_table(true_triads(panel.samples, panel.doses, panel.strains, depth), target / "truth" / "triads.tsv")
    write_table(genomes.divergence(panel.strains), target / "truth" / "strain_divergence.tsv")
    write_features(panel.abundance, target / "truth" / "abundance.tsv")
    write_features(depth, target / "truth" / "depth.tsv")
    record = {"microbiome": version("fmt-microbiome"), "parameters": asdict(p)}
    (target / "truth" / "parameters.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    host, by_sample = host_genome(sequencing), dict(tuple(panel.strains.groupby("sample", sort=False)))
    for name, pairs in panel.pairs.items():
        sample = str(name)
        row = pd.Series({"fragments": pairs, "host": 0.0, "junk": 0.0, "layout": "paired"}, name=sample)
        drawn = simulate_reads(
            sequencing, genomes, host, row, panel.abundance.loc[sample], by_sample[sample], p.flat_error
        )
        for mate in range(2):
            text = fastq(drawn, mate, slice(0, drawn.source.size), f"SIM:{sample}")
            file = target / "fastq" / f"{sample}_R{mate + 1}.fastq.gz"
            file.write_bytes(gzip.compress(text, _GZIP_LEVEL, mtime=0))
