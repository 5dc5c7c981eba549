"""All samples of one clade side by side: which bases are real, where each sample has which of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from microbiome.stats import benjamini_hochberg
from microbiome.strains.allele_file import AlleleFile, CladeAlleles

__all__ = ["CladePanel", "panel_of", "read_clade"]

# A base that errors would give so often with a smaller probability than this is taken as real.
_ERROR_CHANCE = 1e-3
# Part of the bases taken as real that may be errors.
_FALSE = 0.01
_CHANNELS = 5


@dataclass(frozen=True)
class CladePanel:
    """Bases of one clade in several samples, after bases that look like reading errors were taken out.

    Parameters
    ----------
    taxon
        Clade.
    samples
        Names, in order of the rows.
    depth
        **sample x position**, ``uint16``: reads without those that look like errors.
    sites
        Positions at which a base other than the marker's is real, ascending.
    marker
        Of each site the marker it is on, by number.
    error
        Estimated probability that a base is read wrong.
    row, site, base, count
        Every real base other than the marker's in a sample: sample, number of the site (ascending), base (0 A to 3 T),
        reads.
    """

    taxon: str
    samples: list[str]
    depth: np.ndarray
    sites: np.ndarray
    marker: np.ndarray
    error: float
    row: np.ndarray
    site: np.ndarray
    base: np.ndarray
    count: np.ndarray

    def counts(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return reads at some sites, **sample x site x 5** (``uint16``): the base of the marker, then A, C, G, T.

        The base of the marker is counted in the first only. In parts, because all samples and sites may not fit into
        memory.
        """
        stop = self.sites.size if stop is None else min(stop, self.sites.size)
        counts = np.zeros((len(self.samples), stop - start, _CHANNELS), dtype=np.uint16)
        here = slice(*np.searchsorted(self.site, [start, stop]))
        counts[self.row[here], self.site[here] - start, self.base[here] + 1] = self.count[here]
        others = counts.sum(axis=2, dtype=np.int64)
        # Depth and counts stop at 65,535 each, so that the difference may be below 0.
        counts[:, :, 0] = np.maximum(self.depth[:, self.sites[start:stop]].astype(np.int64) - others, 0)
        return counts


def read_clade(files: Sequence[AlleleFile], taxon: str) -> tuple[list[str], list[CladeAlleles], np.ndarray]:
    """Read the counts of a clade: the samples that have it, the counts of each, and the lengths of its markers."""
    samples: list[str] = []
    clades: list[CladeAlleles] = []
    markers = np.zeros(0, dtype=np.int64)
    for file in files:
        if taxon in file.markers:
            samples.append(file.sample)
            clades.append(file.read([taxon])[taxon])
            markers = file.markers[taxon]
    return samples, clades, markers


def panel_of(taxon: str, samples: Sequence[str], clades: Sequence[CladeAlleles], markers: np.ndarray) -> CladePanel:
    r"""Put the samples of a clade side by side and take out what looks like reading errors.

    A base other than the marker's is *real* when a sample, or all samples together, have it in more reads than errors
    would give: two at least, and :math:`P(X \ge k)`, X Poisson with the depth times :math:`\epsilon / 3`, passes the
    Benjamini-Hochberg procedure at 1 % over all positions and bases. So one read is believed where other samples have
    the same base, which is what makes shallow samples comparable. :math:`\epsilon` is the rate of bases that stand in
    one read of all samples, floored at 1e-4. Reads with bases that are not real are not counted; where the marker's own
    base is not more than errors (:math:`P \ge 10^{-3}`: everybody has another), neither are reads with it.

    Parameters
    ----------
    taxon, samples, clades
        The clade, names of the samples and the counts of each.
    markers
        Lengths of its markers.
    """
    size = int(markers.sum())
    depth = np.stack([clade.depth for clade in clades]) if clades else np.zeros((0, size), dtype=np.uint16)
    row = np.repeat(np.arange(len(clades)), [len(clade.position) for clade in clades])
    position = np.concatenate([clade.position for clade in clades]) if clades else np.zeros(0, dtype=np.int32)
    base = np.concatenate([clade.base for clade in clades]) if clades else np.zeros(0, dtype=np.uint8)
    count = np.concatenate([clade.count for clade in clades]) if clades else np.zeros(0, dtype=np.uint16)
    key, which = np.unique(position.astype(np.int64) * 4 + base, return_inverse=True)
    total = np.bincount(which, weights=count, minlength=key.size)
    everything = depth.sum(axis=0, dtype=np.int64)
    error = float(max((total == 1).sum() / max(1, int(everything.sum())), 1e-4))
    chance = np.where(total >= 2, stats.poisson.sf(total - 1, everything[key // 4] * error / 3), 1.0)
    expected = depth[row, position] * (error / 3)
    alone = np.where(count >= 2, stats.poisson.sf(count.astype(float) - 1, expected), 1.0)
    np.minimum.at(chance, which, 2 * alone)
    # What nobody has was tested as well, with a probability of 1.
    tested = np.pad(chance, (0, 3 * size - chance.size), constant_values=1.0)
    real = benjamini_hochberg(tested)[: chance.size] <= _FALSE
    depth = depth.copy()
    # Every other read of these positions is an error.
    unreal = ~real[which]
    np.subtract.at(depth, (row[unreal], position[unreal]), count[unreal])
    sites = np.unique(key[real] // 4)
    kept = np.flatnonzero(~unreal)
    site = np.searchsorted(sites, position[kept])
    order = np.argsort(site, kind="stable")
    kept, site = kept[order], site[order]
    row, base, count = row[kept], base[kept], count[kept]
    # Where everybody has another base than the marker, reads with the marker's are errors as well.
    others = np.bincount(site, weights=count, minlength=sites.size).astype(np.int64)
    own = depth[:, sites].sum(axis=0, dtype=np.int64) - others
    own_chance = stats.poisson.sf(own - 1.0, everything[sites] * error / 3)
    for number in np.flatnonzero((own < 2) | (own_chance >= _ERROR_CHANCE)).tolist():
        here = slice(*np.searchsorted(site, [number, number + 1]))
        column = np.zeros(len(clades), dtype=np.uint16)
        np.add.at(column, row[here], count[here])
        depth[:, sites[number]] = column
    marker = np.searchsorted(np.cumsum(markers), sites, side="right")
    return CladePanel(taxon, list(samples), depth, sites, marker, error, row, site, base, count)
