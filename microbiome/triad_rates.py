"""The rates of aligned samples at one detection threshold after the other, without the table of outcomes between."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from microbiome.detection import MISSED, detection_limit, probability_detected
from microbiome.rates import rates_of_tallies
from microbiome.tables import RATES
from microbiome.triads import Triads

__all__ = ["TriadRates"]

logger = logging.getLogger("microbiome.outcomes")

# Abundances this close to the limit (a share of it) are judged by their probability itself.
_NEAR = 1e-6


class TriadRates:
    """Rates of aligned samples: ``rates(tidy(aligned, detection, limits))``, to the last bit, many times over.

    Parameters
    ----------
    aligned
        Of :func:`microbiome.triads.triads`.
    """

    def __init__(self, aligned: Triads) -> None:
        self._aligned = aligned
        # Only taxa that are anywhere: a fifth or so of all cells.
        anywhere = (aligned.donor > 0) | (aligned.baseline > 0) | (aligned.post > 0)
        self._row = np.nonzero(anywhere)[0].astype(np.int32)
        self._abundance = [matrix[anywhere] for matrix in (aligned.donor, aligned.baseline, aligned.post)]
        received = aligned.posts[["donor_products", "donor_products_unprofiled"]].to_numpy(dtype=float)
        self._received, self._unprofiled = received[:, 0] > 0, received[:, 1] > 0
        # A source without a profile is NaN in the whole row.
        self._known = [~np.isnan(matrix).any(axis=1) for matrix in (aligned.donor, aligned.baseline)]

    def at(self, detection: float, limits: pd.DataFrame) -> pd.DataFrame:
        """Return :func:`microbiome.rates.rates` of the outcomes at one threshold.

        Parameters
        ----------
        detection
            Threshold, 0 or more.
        limits
            Limits (:data:`microbiome.tables.LIMITS`), scaled by a fitted curve where there is one.

        Returns
        -------
        DataFrame
            Columns of :data:`microbiome.tables.RATES`; without rows where nothing is detected in any post sample. A
            post sample without any taxon, in donor and baseline as well, has no row and is named in the log.
        """
        posts, row = self._aligned.posts, self._row
        units = self._units(limits)
        detected = [values > detection for values in self._abundance]
        cell = 4 * detected[0].astype(np.int8) + 2 * detected[1].astype(np.int8) + detected[2].astype(np.int8)
        known = self._known[0] & self._known[1]
        mask = self._mask(detected, units, detection)
        mask[~known[row]] = 0
        place = row.astype(np.int64) * 64 + cell * np.int64(8) + mask
        tally = np.bincount(place, minlength=64 * len(posts)).reshape(len(posts), 8, 8)
        # The cell 0 0 0 is left out.
        tally[:, 0] = 0
        there = tally.any(axis=(1, 2))
        if not there.all():
            names = ", ".join(posts.loc[~there, "sample"])
            logger.warning("no taxon is above detection %g for: %s", detection, names)
        if not there.any():
            return pd.DataFrame()
        own = posts[there]
        out: dict[str, object] = {
            name: own[name].to_numpy() for name in ("subject", "sample", "day", "baseline_sample", "baseline_day")
        }
        everywhere = np.ones(len(own), dtype=bool)
        out |= rates_of_tallies(tally[there], self._known[0][there], self._known[1][there], everywhere, True)
        for name in ("donor_products", "donor_products_unprofiled"):
            out[name] = pd.array(own[name].to_numpy(), dtype="Int64")
        below = pd.array(tally[there][:, :, 1:].sum(axis=(1, 2)), dtype="Int64")
        below[~known[there]] = pd.NA
        limit = detection_limit(units[there], detection)
        out |= {"below_limit": below, "baseline_limit": limit[:, 1], "post_limit": limit[:, 2]}
        integers = dict.fromkeys(("day", "baseline_day"), "Int64")
        return pd.DataFrame(out)[[name for name in RATES.names if name in out]].astype(integers)

    def _units(self, limits: pd.DataFrame) -> np.ndarray:
        """Return the unit of donor (the deepest product), baseline and post sample of every row."""
        posts, products = self._aligned.posts, self._aligned.products
        unit = limits.set_index("sample")["unit"]
        there = products[products["profiled"]]
        deepest = there.assign(unit=there["donor_sample"].map(unit)).groupby("sample")["unit"].min()
        columns = (posts["sample"].map(deepest), posts["baseline_sample"].map(unit), posts["sample"].map(unit))
        return np.column_stack([column.to_numpy(dtype=float) for column in columns])

    def _mask(self, detected: list[np.ndarray], units: np.ndarray, detection: float) -> np.ndarray:
        """Return 4 donor + 2 baseline + post: where a taxon is absent but may have been missed.

        What :func:`microbiome.outcomes.outcomes` describes. The probability of detection rises with the abundance, so
        that it is enough to know on which side of the limit an abundance lies.
        """
        (donor, baseline, post), row = self._abundance, self._row
        limit = detection_limit(units, detection)
        expected = [
            np.fmax(baseline, post),
            np.where(detected[2], post, donor),
            np.where(detected[1], baseline, donor),
        ]
        mask = np.zeros(len(row), dtype=np.int8)
        for place, bit in enumerate((4, 2, 1)):
            there, cut = expected[place], limit[row, place]
            unsure = there < cut
            close = np.flatnonzero(np.abs(there - cut) <= _NEAR * cut)
            if len(close):
                unsure[close] = probability_detected(there[close], units[row[close], place], detection) < 1 - MISSED
            # A sample of which nothing is known may have missed everything.
            unsure |= np.isnan(units[:, place])[row]
            if bit == 4:
                unsure = (unsure | self._unprofiled[row]) & self._received[row]
            mask += bit * (unsure & ~detected[place]).astype(np.int8)
        return mask
