"""The SGBs of a simulated trial: real names and lineages of gut SGBs, and the geometry of their miniature genomes."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd

from microbiome.simulate.parameters import Parameters, stream

__all__ = ["RANKS", "load_taxa", "marker_lengths", "spacer_lengths"]

#: Prefixes of the eight ranks of a MetaPhlAn lineage.
RANKS = ("k__", "p__", "c__", "o__", "f__", "g__", "s__", "t__")

# Made-up SGBs are numbered from here: far beyond any SGB that exists.
_UNKNOWN = 900_000
_UNKNOWN_LINEAGE = "k__Bacteria|p__Firmicutes|c__CFGB{0}|o__OFGB{0}|f__FGB{0}|g__GGB{0}|s__GGB{0}_SGB{0}|t__SGB{0}"


def load_taxa(parameters: Parameters) -> pd.DataFrame:
    """Return the taxa of a trial.

    Parameters
    ----------
    parameters
        ``sgbs``, ``markers``, ``marker_length``, ``spacer`` and ``seed``.

    Returns
    -------
    DataFrame
        Index ``taxon`` (such as ``t__SGB1626``); ``lineage`` (MetaPhlAn's, eight ranks joined by ``|``), ``taxids``
        (eight NCBI identifiers joined by ``|``, empty where there is none), ``genome_length`` (base pairs, of the
        real species, rounded), and ``miniature_length`` (base pairs, of the genome the reads are drawn from). Up to
        the length of the packaged list the names are real; further ones are unknown SGBs with numbers that do not
        exist.
    """
    with resources.files("microbiome.simulate").joinpath("taxa.tsv").open(encoding="utf-8") as handle:
        known = pd.read_csv(handle, sep="\t", dtype={"lineage": str, "taxids": str, "genome_length": int})
    rng = stream(parameters.seed, "unknown taxa")
    rows = [
        {
            "lineage": _UNKNOWN_LINEAGE.format(_UNKNOWN + i),
            "taxids": "2|1239||||||",
            "genome_length": int(rng.integers(18, 65)) * 100_000,
        }
        for i in range(max(0, parameters.sgbs - len(known)))
    ]
    frame = pd.concat([known, pd.DataFrame(rows, columns=known.columns)], ignore_index=True).head(parameters.sgbs)
    frame.index = pd.Index([lineage.rsplit("|", 1)[1] for lineage in frame["lineage"]], name="taxon", dtype=object)
    lengths = [
        int(marker_lengths(parameters, taxon).sum() + spacer_lengths(parameters, taxon, genome).sum())
        for taxon, genome in frame["genome_length"].items()
    ]
    return frame.assign(genome_length=frame["genome_length"].astype(int), miniature_length=lengths)


def marker_lengths(parameters: Parameters, taxon: str) -> np.ndarray:
    """Return the lengths (base pairs) of the markers of a taxon, uniform on 75 % to 125 % of ``marker_length``."""
    low, high = round(0.75 * parameters.marker_length), round(1.25 * parameters.marker_length)
    return stream(parameters.seed, "marker lengths", taxon).integers(low, high, parameters.markers, endpoint=True)


def spacer_lengths(parameters: Parameters, taxon: str, genome_length: int) -> np.ndarray:
    """Return the lengths (base pairs) of the sequence after each marker.

    Their mean is ``spacer`` base pairs per million base pairs of the real genome, so that the miniature genomes keep
    the order of the real lengths and the fraction of reads of a taxon is not its abundance.
    """
    mean = parameters.spacer * genome_length / 1e6
    low, high = round(0.5 * mean), round(1.5 * mean)
    return stream(parameters.seed, "spacer lengths", taxon).integers(low, high, parameters.markers, endpoint=True)
