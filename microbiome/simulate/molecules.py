"""Metabolites, cytokines and blood cells of a simulated trial, some of them linked to what became of the taxa."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from microbiome.seeds import stream
from microbiome.simulate.molecule_links import Drivers, Link, drivers, planted
from microbiome.simulate.molecule_tables import TRUTH_LINKS
from microbiome.tsv import write_table

__all__ = ["MOLECULE_TABLES", "MoleculeTable", "simulate_molecules", "write_molecules"]


@dataclass(frozen=True)
class MoleculeTable:
    """How a simulated table is to be read: its unit and transform."""

    unit: str
    transform: str


#: The tables, with unit and transform.
MOLECULE_TABLES = {
    "metabolites": MoleculeTable("µmol/L", "log"),
    "cytokines": MoleculeTable("pg/mL", "log"),
    "cells": MoleculeTable("%", "logit"),
}

# Parts of the variance of a feature that no link explains: of the person, of factors that features share (per person
# and per draw), of the batch; the rest is noise.
_SUBJECT, _SHARED_SUBJECT, _SHARED_DRAW, _BATCH = 0.3, 0.2, 0.1, 0.05
_FACTORS = 5
_PER_BATCH = 24
_SHIFT = 3
_MISSED, _EMPTY = 0.04, 0.02
_DIGITS = 4


def simulate_molecules(
    samples: pd.DataFrame,
    subjects: pd.DataFrame,
    doses: pd.DataFrame,
    abundance: pd.DataFrame,
    seed: int = 0,
    strength: float = 0.7,
    taxa: Mapping[str, str] | None = None,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    r"""Simulate what was measured in the blood of the recipients of a trial.

    Every stool sample of a recipient (or control) has a blood draw up to 3 days before or after it (a baseline stays
    one: up to 3 days before); one in 25 draws is missed. For feature f at draw t of person s, linked to a driver x
    (:func:`microbiome.simulate.molecule_links.planted`) with correlation r and sign g,

    .. math:: y_{fst} = g r z(x_{st}) + \sqrt{1 - r^2}\, e_{fst},

    where z is in standard deviations of the driver over post samples, and e, of variance 1, is the sum of the person
    (0.3), 5 factors that features of a table share, of the person (0.2) and of the draw (0.1), the batch of about 24
    draws (0.05), and noise. Features without a link are :math:`e`: correlated among themselves and over time, and with
    nothing else. The value is :math:`typical \cdot \exp(spread \cdot y)`, or of cells, in percent,
    :math:`100\, logit^{-1}(logit(typical / 100) + spread \cdot y)`.

    Parameters
    ----------
    samples, subjects, doses
        Tables of the contract.
    abundance
        sample x taxon: true fractions; 0 is absent.
    seed
        The same seed gives the same tables; other random numbers of the trial do not depend on it.
    strength
        r, in 0..1.
    taxa
        Taxon of a feature that is linked to one, in place of the one that is chosen.

    Returns
    -------
    tables
        ``metabolites`` (µmol/L), ``cytokines`` (pg/mL) and ``cells`` (%): ``subject``, ``day`` and the features, as
        text with 4 digits; a fiftieth of the cells is empty, and ``<LIMIT`` stands for what lies below the limit of
        detection.
    links
        The planted links (:data:`microbiome.simulate.molecule_tables.TRUTH_LINKS`).
    """
    if not 0 <= strength < 1:
        raise ValueError(f"strength {strength}: give a correlation from 0 to below 1")
    draws = _draws(samples, seed)
    driven = drivers(samples, subjects, doses, abundance)
    links = planted(driven, strength, taxa or {})
    tables = {name: _table(name, features, draws, driven, links, seed) for name, features in _features().items()}
    columns = {
        "table": [link.table for link in links],
        "feature": [link.feature for link in links],
        "kind": [link.kind for link in links],
        "partner": [link.partner for link in links],
        "part": [link.part for link in links],
        "direction": pd.array([link.direction for link in links], dtype="Int64"),
        "strength": [link.strength for link in links],
    }
    return tables, pd.DataFrame(columns, columns=TRUTH_LINKS.names)


def write_molecules(tables: Mapping[str, pd.DataFrame], links: pd.DataFrame, folder: str | Path) -> None:
    """Write ``molecules/TABLE.tsv`` and ``truth/links.tsv`` to the folder of a trial."""
    place = Path(folder)
    for name, table in tables.items():
        write_table(table, place / "molecules" / f"{name}.tsv")
    write_table(links, place / "truth" / "links.tsv")


def _features() -> dict[str, pd.DataFrame]:
    with resources.files("microbiome.simulate").joinpath("molecules.tsv").open(encoding="utf-8") as handle:
        known = pd.read_csv(handle, sep="\t", keep_default_na=False)
    return {str(name): part.reset_index(drop=True) for name, part in known.groupby("table", sort=False)}


def _draws(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the blood draws: ``sample`` (of stool, beside which it was taken), ``subject``, ``day``, ``batch``."""
    patients = samples[(samples["role"] != "donor") & samples["day"].notna()]
    rng = stream(seed, "molecules", "draws")
    rows: list[tuple[str, str, int]] = []
    seen: set[tuple[str, int]] = set()
    for sample, subject, stool in patients[["sample", "subject", "day"]].itertuples(index=False):
        shift, missed = int(rng.integers(-_SHIFT, _SHIFT, endpoint=True)), rng.random() < _MISSED
        day = int(stool) - abs(shift) if stool <= 0 else max(1, int(stool) + shift)
        if not missed and (subject, day) not in seen:
            seen.add((subject, day))
            rows.append((sample, subject, day))
    frame = pd.DataFrame(rows, columns=["sample", "subject", "day"])
    batches = max(1, round(len(frame) / _PER_BATCH))
    return frame.assign(batch=rng.permutation(np.arange(len(frame)) % batches))


def _table(
    name: str, features: pd.DataFrame, draws: pd.DataFrame, driven: Drivers, links: list[Link], seed: int
) -> pd.DataFrame:
    latent = _latent(features, draws, stream(seed, "molecules", name))
    for link in links:
        if link.table == name:
            column = int(np.flatnonzero(features["feature"] == link.feature)[0])
            score = driven.score(link, draws["sample"])
            latent[:, column] *= np.sqrt(1 - link.strength**2)
            latent[:, column] += link.direction * link.strength * score
    typical, spread = features["typical"].to_numpy(), features["spread"].to_numpy()
    if MOLECULE_TABLES[name].transform == "logit":
        values = 100 * expit(logit(typical / 100) + spread * latent)
    else:
        values = typical * np.exp(spread * latent)
    empty = stream(seed, "molecules", name, "missing").random(values.shape) < _EMPTY
    cells: dict[str, object] = {"subject": draws["subject"], "day": draws["day"].astype("Int64")}
    for j, feature in enumerate(features["feature"]):
        share = features["share_below"].to_numpy()[j]
        limit = float(f"{np.quantile(values[:, j], share):.2g}") if share else 0.0
        cells[feature] = [
            None if gone else f"<{limit:g}" if value < limit else f"{value:.{_DIGITS}g}"
            for value, gone in zip(values[:, j], empty[:, j], strict=True)
        ]
    return pd.DataFrame(cells)


def _latent(features: pd.DataFrame, draws: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return draw x feature: normal with variance 1, with persons, shared factors and batches in it."""
    n = len(features)
    who = pd.factorize(draws["subject"])[0]
    people, batches = int(who.max(initial=-1)) + 1, int(draws["batch"].max()) + 1 if len(draws) else 0
    loads = rng.normal(size=(_FACTORS, n))
    loads /= np.sqrt((loads**2).sum(axis=0))
    own = rng.normal(size=(people, n))
    shared = rng.normal(size=(people, _FACTORS)) @ loads
    today = rng.normal(size=(len(draws), _FACTORS)) @ loads
    batch = rng.normal(size=(batches, n))
    noise = rng.normal(size=(len(draws), n))
    rest = 1 - _SUBJECT - _SHARED_SUBJECT - _SHARED_DRAW - _BATCH
    parts = ((own[who], _SUBJECT), (shared[who], _SHARED_SUBJECT), (today, _SHARED_DRAW))
    total = sum(np.sqrt(part) * values for values, part in parts)
    return np.asarray(total + np.sqrt(_BATCH) * batch[draws["batch"]] + np.sqrt(rest) * noise)
