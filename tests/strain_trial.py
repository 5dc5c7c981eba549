"""A made-up trial with known strains, at the level of calls: who holds which strain, and what the tables would say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.study import Study, donor_products, post_samples
from microbiome.tables import SUBJECTS
from microbiome.tsv import empty_table, write_table

DAYS = (-14, 0, 14, 60)


@dataclass(frozen=True)
class StrainTrial:
    """The study, and per **sample x taxon** the dominant strain (0 absent) and whether its strain could be typed."""

    study: Study
    strain: np.ndarray
    typed: np.ndarray
    donor_part: np.ndarray
    own_part: np.ndarray
    abundance: np.ndarray
    seed: int

    @property
    def names(self) -> list[str]:
        return self.study.samples["sample"].tolist()

    def at(self, sample: str) -> int:
        return self.names.index(sample)

    def swapped(self, one: str, other: str) -> StrainTrial:
        """Exchange what is in two tubes; the labels stay."""
        order = np.arange(len(self.names))
        a, b = self.at(one), self.at(other)
        order[[a, b]] = [b, a]
        return replace(self, strain=self.strain[order], typed=self.typed[order])

    def leaked(self, into: str, source: str, part: float) -> StrainTrial:
        """Let a part of the taxa of one tube be those of another."""
        strain, typed = self.strain.copy(), self.typed.copy()
        a, b = self.at(into), self.at(source)
        rng = np.random.default_rng(self.seed + 1)
        takes = (strain[b] > 0) & (rng.random(strain.shape[1]) < part)
        strain[a, takes], typed[a, takes] = strain[b, takes], typed[b, takes]
        return replace(self, strain=strain, typed=typed)

    def relabelled(self, subject: str, donor: str) -> StrainTrial:
        """Let the doses table say that a subject received another donor than it did."""
        doses = self.study.doses.copy()
        doses.loc[doses["subject"] == subject, "donor"] = donor
        return replace(self, study=Study(self.study.samples, self.study.subjects, doses))

    def shared(self, false_same: float = 0.004, false_other: float = 0.03, open_calls: float = 0.05) -> pd.DataFrame:
        """Return the table of pairs, with wrong and open calls."""
        rng = np.random.default_rng([self.seed, 7])
        one, other = np.triu_indices(len(self.names), 1)
        both = (self.strain[one] > 0) & (self.strain[other] > 0) & self.typed[one] & self.typed[other]
        pair, taxon = np.nonzero(both)
        a, b = one[pair], other[pair]
        true = self.strain[a, taxon] == self.strain[b, taxon]
        chance = rng.random(len(true))
        called = np.where(true, chance >= false_other, chance < false_same)
        unresolved = rng.random(len(true)) < open_calls
        names = np.array(self.names, dtype=object)
        same = pd.array(called.astype(int), dtype="Int64")
        same[unresolved] = pd.NA
        distance = np.where(true, 0.001, 0.012) * rng.uniform(0.5, 1.5, len(true))
        return pd.DataFrame(
            {
                "taxon": [f"SGB{t + 1}" for t in taxon],
                "sample_1": names[a],
                "sample_2": names[b],
                "distance": np.where(unresolved, np.nan, distance),
                "method": "consensus",
                "relation": "unrelated",
                "same_strain": same,
                "q_value": rng.random(len(true)),
                "threshold": 0.005,
                "threshold_origin": "model",
            }
        )

    def sources(self) -> pd.DataFrame:
        """Return the part of each source, the donor's shared out evenly among the donors received."""
        received = donor_products(self.study).groupby("sample")["donor"].unique().to_dict()
        rows = []
        for row in self.resolved().dropna(subset=["donor_fraction"]).to_dict("records"):
            donors = received.get(row["sample"], [])
            parts = {name: row["donor_fraction"] / len(donors) for name in donors}
            parts |= {name: row[f"{name}_fraction"] for name in ("baseline", "common", "other")}
            keys = {name: row[name] for name in ("subject", "sample", "day", "taxon")}
            rows += [keys | {"source": name, "fraction": part} for name, part in parts.items()]
        return pd.DataFrame(rows)

    def thresholds(self) -> pd.DataFrame:
        """Return the table of cuts, one of them missing."""
        taxa = [f"SGB{t + 1}" for t in range(self.strain.shape[1])]
        none = np.arange(len(taxa)) == 3
        cut = np.random.default_rng([self.seed, 9]).uniform(0.003, 0.006, len(taxa))
        return pd.DataFrame(
            {
                "taxon": taxa,
                "method": "consensus",
                "rule": "model",
                "threshold": np.where(none, np.nan, cut),
                "threshold_origin": np.where(none, "none", np.where(np.arange(len(taxa)) % 4, "model", "model_pooled")),
                "pairs": 120,
                "same_person_pairs": 7,
                "unrelated_pairs": 20,
                "same_person_rate": np.where(none, np.nan, 0.93),
                "unrelated_rate": np.where(none, np.nan, 0.05),
                "false_sharing_rate": np.where(none, np.nan, 0.01),
                "note": [
                    f"<b>{taxon}</b> has no pair of one person" if none[i] else None for i, taxon in enumerate(taxa)
                ],
            }
        )

    def sweep(self) -> pd.DataFrame:
        """Return how much is shared at every cut, by relation."""
        cuts = np.linspace(0, 0.02, 21)
        levels = {"same_person": 0.93, "own_donor": 0.5, "other_donor": 0.05, "unrelated": 0.04}
        rows = []
        for relation, level in levels.items():
            for cut in cuts:
                rate = level * min(1.0, cut / 0.0015) + (1 - level) * float(np.clip((cut - 0.006) / 0.012, 0, 1))
                rows.append(("consensus", cut, relation, 400, 12, rate, max(0.0, rate - 0.05), min(1.0, rate + 0.05)))
        names = ["method", "cut", "relation", "pairs", "subjects", "shared_rate", "ci_low", "ci_high"]
        return pd.DataFrame(rows, columns=names)

    def write(self, folder: Path) -> Path:
        """Write the tables of the study and the results folder that holds those on strains; return the latter."""
        results = folder / "results"
        for name in ("samples", "subjects", "doses"):
            write_table(getattr(self.study, name), folder / f"{name}.tsv")
        write_table(self.outcomes(), results / "outcomes" / "outcomes.tsv")
        for name in ("shared", "resolved", "sources", "thresholds", "sweep"):
            write_table(getattr(self, name)(), results / "strains" / f"{name}.tsv")
        return results

    def outcomes(self) -> pd.DataFrame:
        """Return the outcomes of presence."""
        rows = []
        products = donor_products(self.study)
        for post in post_samples(self.study).itertuples():
            own = products.loc[products["sample"] == post.sample, "donor_sample"].dropna()
            donor: np.ndarray = np.any(self.strain[[self.at(name) for name in own]] > 0, axis=0)
            base, here = self.strain[self.at(post.baseline_sample)] > 0, self.strain[self.at(post.sample)] > 0
            words = ("", "gained", "depleted", "persisted", "not_engrafted", "engrafted", "shared_depleted")
            cell = 4 * donor + 2 * base + here
            for taxon in np.flatnonzero(cell):
                outcome = (*words, "shared_kept")[cell[taxon]]
                unsure = "post" if not here[taxon] and (taxon % 11 == 0) else None
                rows.append(
                    {
                        "subject": post.subject,
                        "sample": post.sample,
                        "day": post.day,
                        "baseline_sample": post.baseline_sample,
                        "taxon": f"SGB{taxon + 1}",
                        "post_abundance": self.abundance[self.at(post.sample), taxon] * here[taxon],
                        "outcome": outcome,
                        "donor_detected": int(donor[taxon]),
                        "baseline_detected": int(base[taxon]),
                        "post_detected": int(here[taxon]),
                        "donor_products": len(own),
                        "certainty": "below_limit" if unsure else "sure",
                        "unsure": unsure,
                        "baseline_day": post.baseline_day,
                        "baseline_limit": 2e-5,
                        "post_limit": 3e-5,
                    }
                )
        return pd.DataFrame(rows)

    def resolved(self) -> pd.DataFrame:
        """Return whose strain it is: the truth where it is typed, else unresolved."""
        rows = []
        for row in self.outcomes().itertuples():
            if row.outcome not in ("engrafted", "shared_kept", "persisted"):
                continue
            i, t = self.at(row.sample), int(row.taxon[3:]) - 1
            donor, own = self.donor_part[i, t], self.own_part[i, t]
            word = "coexist" if donor > 0.05 and own > 0.05 else "donor" if donor > 0.05 else "recipient"
            word = "other" if donor + own < 0.5 else word
            open_ = not self.typed[i, t]
            rows.append(
                {
                    "subject": row.subject,
                    "sample": row.sample,
                    "day": row.day,
                    "baseline_sample": row.baseline_sample,
                    "taxon": row.taxon,
                    "outcome": row.outcome,
                    "strain_outcome": "unresolved" if open_ else word,
                    "donor_fraction": np.nan if open_ else donor,
                    "ci_low": np.nan if open_ else max(0.0, donor - 0.08),
                    "ci_high": np.nan if open_ else min(1.0, donor + 0.08),
                    "baseline_fraction": np.nan if open_ else own,
                    "common_fraction": np.nan if open_ else 0.25 * max(0.0, 1 - donor - own),
                    "other_fraction": np.nan if open_ else 0.75 * max(0.0, 1 - donor - own),
                    "informative_sites": 0 if open_ else 60 + t,
                    "post_abundance": row.post_abundance,
                    "method": "alleles",
                    "reason": "too few informative positions" if open_ else None,
                }
            )
        return pd.DataFrame(rows)


def strain_trial(
    seed: int = 0,
    recipients: int = 6,
    placebo: int = 2,
    donors: int = 2,
    taxa: int = 60,
    engrafts: float = 0.5,
    keeps: float = 0.9,
    common: float = 0.2,
    typed: float = 0.85,
    lots: int = 2,
    days: tuple[int, ...] = DAYS,
    places: int = 1,
) -> StrainTrial:
    """Return a trial: recipients ``R1`` ... (the last of them on placebo), donors ``D1`` ... with lots.

    Parameters
    ----------
    engrafts
        Probability that a strain of the donor takes over (half of those leave some of the recipient's own).
    keeps
        Probability that a person's strain is still there at the next sample, else it is a new one.
    common
        Frequency of the strain of a taxon that many people have: unrelated people share with its square.
    places
        Where people live, in turn: each place has common strains of its own.
    """
    rng = np.random.default_rng([seed, 1])
    fresh = iter(range(places + 1, 10_000_000))
    home = [0]
    persons = [f"D{i + 1}" for i in range(donors)] + [f"R{i + 1}" for i in range(recipients)]

    def new(size: int) -> np.ndarray:
        return np.array([1 + home[0] if rng.random() < common else next(fresh) for _ in range(size)])

    def person() -> np.ndarray:
        return np.where(rng.random(taxa) < 0.7, new(taxa), 0)

    def later(strain: np.ndarray) -> np.ndarray:
        moved = np.where(rng.random(taxa) < keeps, strain, np.where(rng.random(taxa) < 0.5, new(taxa), 0))
        return np.where(strain > 0, moved, 0)

    rows: list[tuple[str, str, str, int | None]] = []
    held, donor_part, own_part = [], [], []
    of_donor = {}
    doses = []
    for i, name in enumerate(persons[:donors]):
        home[0] = i % places
        strain = person()
        of_donor[name] = strain
        for lot in range(lots):
            rows.append((f"{name}-{lot + 1}", name, "donor", None))
            held.append(later(strain) if lot else strain)
            donor_part.append(np.zeros(taxa))
            own_part.append(np.ones(taxa))
    for i, name in enumerate(persons[donors:]):
        treated = i < recipients - placebo
        home[0] = i // donors % places
        donor = persons[i % donors]
        if treated:
            doses.append((name, 0, donor, None))
        strain = person()
        takes = (rng.random(taxa) < engrafts) & (of_donor[donor] > 0) & treated
        some = np.where(rng.random(taxa) < 0.5, 1.0, 0.7)
        for day in days:
            rows.append((f"{name}.{day}".replace("-", "m"), name, "recipient", day))
            if day <= 0:
                strain = later(strain) if day > min(days) else strain
                held.append(strain)
                base = strain
                donor_part.append(np.zeros(taxa))
                own_part.append(np.ones(taxa))
                continue
            strain = np.where(takes, of_donor[donor], later(strain))
            held.append(strain)
            alike = takes & (base == of_donor[donor])
            donor_part.append(np.where(takes & ~alike, np.where(base > 0, some, 1.0), 0.0))
            own_part.append(np.where(takes & ~alike, np.where(base > 0, 1 - some, 0.0), (strain == base) * 1.0))
    samples = pd.DataFrame(rows, columns=["sample", "subject", "role", "day"]).astype({"day": "Int64"})
    arms = ["fmt"] * (recipients - placebo) + ["placebo"] * placebo
    best = [("CR", "PD", "PR", "SD")[i % 4] for i in range(recipients)]
    subjects = pd.DataFrame({"subject": persons[donors:], "arm": arms, "best_response": best})
    table = pd.DataFrame(doses, columns=["subject", "day", "donor", "donor_sample"]).astype({"day": "Int64"})
    study = Study(samples, subjects if len(subjects) else empty_table(SUBJECTS), table)
    weight = rng.gamma(0.5, size=(len(rows), taxa)) * (np.array(held) > 0)
    return StrainTrial(
        study,
        np.array(held),
        rng.random((len(rows), taxa)) < typed,
        np.array(donor_part),
        np.array(own_part),
        weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-12),
        seed,
    )
