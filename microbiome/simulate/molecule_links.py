"""What drives the simulated molecules that are linked to something: counts and rates, single taxa, response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Drivers", "Link", "drivers", "planted"]

# SGBs of *Faecalibacterium prausnitzii*.
_PRAUSNITZII = ("t__SGB15316_group", "t__SGB15316", "t__SGB15318_group", "t__SGB15318", "t__SGB15342")
# A taxon is linked by its abundance when so many stool samples of recipients hold it, by its presence when so many do.
_COMMON, _HALF = 0.8, 0.5


@dataclass(frozen=True)
class Link:
    """One planted link; the fields are the columns of :data:`microbiome.simulate.molecule_tables.TRUTH_LINKS`."""

    table: str
    feature: str
    kind: str
    partner: str
    part: str
    direction: int
    strength: float


@dataclass(frozen=True)
class Drivers:
    """What there is to be linked to.

    Parameters
    ----------
    rates
        Index: stool samples of recipients and controls. ``lost_taxa``, ``depletion_rate``, ``engrafted``,
        ``engraftment_rate`` against the subject's baseline and what it had received, from the true abundances; 0
        before the first dose.
    abundance
        The same index: true fractions of the taxa.
    responder
        The same index: 1 responder, 0 not, NaN unknown.
    post
        The same index: sample after day 0 of a subject with a baseline.
    """

    rates: pd.DataFrame
    abundance: pd.DataFrame
    responder: pd.Series
    post: pd.Series

    def score(self, link: Link, samples: pd.Series) -> np.ndarray:
        """Return the driver of a link at some samples, in standard deviations over post samples; 0 where unknown."""
        if link.kind == "rate":
            values = self.rates[link.partner]
        elif link.kind == "subject":
            values = self.responder
        elif link.part == "presence":
            values = (self.abundance[link.partner] > 0).astype(float)
        else:
            there = self.abundance[link.partner]
            floor = there[there > 0].min() / 2 if (there > 0).any() else 1.0
            values = np.log10(there.where(there > 0, floor))
        post = values[self.post]
        spread = post.std(ddof=0)
        if not spread > 0:
            return np.zeros(len(samples))
        score = (values - post.mean()) / spread
        return score.reindex(samples).fillna(0.0).to_numpy(dtype=float)


def drivers(samples: pd.DataFrame, subjects: pd.DataFrame, doses: pd.DataFrame, abundance: pd.DataFrame) -> Drivers:
    """Count what became of the taxa in every stool sample of recipients and controls.

    Parameters
    ----------
    samples, subjects, doses
        Tables of the contract.
    abundance
        sample x taxon: true fractions.
    """
    present = {str(name): row for name, row in zip(abundance.index, abundance.to_numpy() > 0, strict=True)}
    lots = samples[samples["role"] == "donor"].groupby("subject")["sample"].agg(list).to_dict()
    rows: dict[str, dict[str, float]] = {}
    post: dict[str, bool] = {}
    for subject, own in samples[samples["role"] != "donor"].groupby("subject", sort=False):
        visits = own.dropna(subset=["day"]).sort_values("day", kind="stable")
        before = visits.loc[visits["day"] <= 0, "sample"]
        received = doses[doses["subject"] == subject]
        for sample, day in visits[["sample", "day"]].itertuples(index=False):
            post[sample] = bool(day > 0 and len(before))
            rows[sample] = dict.fromkeys(("lost_taxa", "depletion_rate", "engrafted", "engraftment_rate"), 0.0)
            if post[sample]:
                given = np.zeros(abundance.shape[1], dtype=bool)
                for donor, lot in received.loc[received["day"] <= day, ["donor", "donor_sample"]].itertuples(
                    index=False
                ):
                    for product in [lot] if isinstance(lot, str) else lots.get(donor, []):
                        given |= present[product]
                rows[sample] = _counts(given, present[before.iloc[-1]], present[sample])
    index = pd.Index(list(rows), name="sample", dtype=object)
    subject_of = samples.set_index("sample")["subject"]
    response = _response(subjects).reindex(subject_of.loc[index].to_numpy())
    return Drivers(
        pd.DataFrame(list(rows.values()), index=index),
        abundance.loc[index],
        pd.Series(response.to_numpy(dtype=float), index=index),
        pd.Series(post, index=index, dtype=bool),
    )


def _counts(given: np.ndarray, baseline: np.ndarray, now: np.ndarray) -> dict[str, float]:
    lost = int((baseline & ~now).sum())
    engrafted, offered = int((given & ~baseline & now).sum()), int((given & ~baseline).sum())
    return {
        "lost_taxa": float(lost),
        "depletion_rate": lost / max(1, int(baseline.sum())),
        "engrafted": float(engrafted),
        "engraftment_rate": engrafted / max(1, offered),
    }


def _response(subjects: pd.DataFrame) -> pd.Series:
    if "best_response" not in subjects:
        return pd.Series(dtype=float)
    words = {"CR": 1.0, "PR": 1.0, "SD": 0.0, "PD": 0.0}
    return subjects.set_index("subject")["best_response"].map(words).astype(float)


def planted(driven: Drivers, strength: float, taxa: Mapping[str, str]) -> list[Link]:
    """Return the links of a trial.

    * kynurenine (metabolites) rises with the depletion rate, as CD8+ memory cells (cells) do with the number of taxa
      lost.
    * L-histidine rises with the abundance of *F. prausnitzii*, or where the trial does not have it, of the taxon that
      nearest to 80 % of the stool samples hold.
    * indole-3-propionate rises where a taxon is present: of those that are gained most, the one that nearest to half of
      the post samples hold.
    * IL-22 (cytokines) rises with the engraftment rate; IL-8 is lower in responders.
    """
    common = (driven.abundance > 0).mean()
    held = [taxon for taxon in _PRAUSNITZII if common.get(taxon, 0) >= _HALF]
    abundant = taxa.get("L-histidine") or (held[0] if held else str((common - _COMMON).abs().idxmin()))
    share = (driven.abundance[driven.post] > 0).mean() if driven.post.any() else common
    gained = share - (driven.abundance[~driven.post] > 0).mean()
    others = gained.drop(abundant).sort_values(ascending=False, kind="stable").index[:10]
    present = taxa.get("indole-3-propionate") or str((share[others] - _HALF).abs().idxmin())
    return [
        Link("metabolites", "kynurenine", "rate", "depletion_rate", "value", 1, strength),
        Link("metabolites", "L-histidine", "taxon", abundant, "abundance", 1, strength),
        Link("metabolites", "indole-3-propionate", "taxon", present, "presence", 1, strength),
        Link("cytokines", "IL-22", "rate", "engraftment_rate", "value", 1, strength),
        Link("cytokines", "IL-8", "subject", "responder", "value", -1, strength),
        Link("cells", "CD8_memory", "rate", "lost_taxa", "value", 1, strength),
    ]
