"""What a model is told of a taxon, learnt from people that are not tested, and never from the person itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["FEATURES", "Experience"]

#: Names of the columns that :meth:`Experience.features` returns.
FEATURES = (
    "donor_log",
    "baseline_log",
    "donor_present",
    "baseline_present",
    "donor_rank",
    "baseline_rank",
    "baseline_richness",
    "day",
    "taxon_rate",
    "genus_rate",
    "prevalence_donors",
    "prevalence_baselines",
)
_FLOOR = 1e-6
# People that an estimate of a taxon is worth before anybody has been seen.
_PRIOR = 2.0
_KINDS = ("donor_only", "baseline_only", "both")


class Experience:
    r"""What became of taxa and genera in some people, to be told about others.

    (The richness of the donor is not told: among a few donors it is their name.)

    Three kinds of taxon are kept apart: of the donor only, of the baseline only, of both. With :math:`n_k` people who
    had a taxon as kind k and :math:`y_k` of these who have it after FMT, all of the genus in :math:`N_k, Y_k`, and
    :math:`m_k` the share over all taxa:

    .. math:: g_k = \frac{Y_k + 2 m_k}{N_k + 2}, \qquad t_k = \frac{y_k + 2 g_k}{n_k + 2}

    are ``genus_rate`` and ``taxon_rate`` of a row of kind k. ``prevalence_*`` is the share of donors (each once,
    however many received it) and of baselines with the taxon. A person counts once, however many samples it has.

    Parameters
    ----------
    rows
        As :func:`microbiome.donors.match_rows.match_rows` gives them, of the people learnt from.
    units
        Unit of each row: the experience told to a row of these people leaves out its unit. Else a model would learn
        to trust what it has only read off the answer.
    """

    def __init__(self, rows: pd.DataFrame, units: pd.Series) -> None:
        table = _sums(rows, units)
        self._columns = [name for name in table.columns if name not in ("unit", "taxon", "genus")]
        self._own = {key: table.groupby(["unit", key], sort=False)[self._columns].sum() for key in ("taxon", "genus")}
        self._all = {key: table.groupby(key, sort=False)[self._columns].sum() for key in ("taxon", "genus")}
        self._sum_own = table.groupby("unit", sort=False)[self._columns].sum()
        self._sum = table[self._columns].sum()
        people = _people(rows, units)
        self._size = people[["donor_weight", "baseline_weight"]].sum()
        self._size_own = people.groupby("unit", sort=False)[["donor_weight", "baseline_weight"]].sum()

    def features(self, rows: pd.DataFrame, units: pd.Series | None = None) -> pd.DataFrame:
        """Return one row of :data:`FEATURES` per row.

        Parameters
        ----------
        rows
            Of anybody; ``present`` is not looked at.
        units
            For people learnt from: their units, whose part is left out. None for others.
        """
        seen = {key: self._seen(rows, units, key) for key in ("taxon", "genus")}
        total = self._less(self._sum.to_numpy(), self._sum_own, units, len(rows))
        size = self._less(self._size.to_numpy(), self._size_own, units, len(rows))
        kind = np.where(rows["donor_present"] == 1, np.where(rows["baseline_present"] == 1, 2, 0), 1)
        place = {name: self._columns.index(name) for name in self._columns}
        n = np.array([place[f"n_{name}"] for name in _KINDS])[kind]
        y = np.array([place[f"y_{name}"] for name in _KINDS])[kind]
        at = np.arange(len(rows))
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(total[at, n] > 0, total[at, y] / total[at, n], 0.5)
        genus_rate = (seen["genus"][at, y] + _PRIOR * share) / (seen["genus"][at, n] + _PRIOR)
        taxon_rate = (seen["taxon"][at, y] + _PRIOR * genus_rate) / (seen["taxon"][at, n] + _PRIOR)
        out = {
            "donor_log": np.log10(np.maximum(rows["donor_abundance"], _FLOOR)),
            "baseline_log": np.log10(np.maximum(rows["baseline_abundance"], _FLOOR)),
            **{name: rows[name] for name in FEATURES[2:6]},
            "baseline_richness": np.log10(rows["baseline_richness"] + 1),
            "day": np.log10(rows["day"]),
            "taxon_rate": taxon_rate,
            "genus_rate": genus_rate,
            **{
                f"prevalence_{name}s": seen["taxon"][:, place[f"has_{name}"]] / np.maximum(size[:, column], 1e-9)
                for column, name in enumerate(("donor", "baseline"))
            },
        }
        return pd.DataFrame({name: np.asarray(out[name], dtype=float) for name in FEATURES}, index=rows.index)

    def _seen(self, rows: pd.DataFrame, units: pd.Series | None, key: str) -> np.ndarray:
        labels = rows[key] if key == "taxon" else _genus(rows)
        found = self._all[key].reindex(labels).fillna(0.0).to_numpy()
        if units is None:
            return found
        own = self._own[key].reindex(pd.MultiIndex.from_arrays([units.to_numpy(), labels.to_numpy()])).fillna(0.0)
        return np.maximum(found - own.to_numpy(), 0.0)

    @staticmethod
    def _less(total: np.ndarray, own: pd.DataFrame, units: pd.Series | None, size: int) -> np.ndarray:
        if units is None:
            return np.tile(total, (size, 1))
        return np.maximum(total - own.reindex(units.to_numpy()).fillna(0.0).to_numpy(), 0.0)


def _genus(rows: pd.DataFrame) -> pd.Series:
    # A taxon without genus is a genus of its own.
    return rows["genus"].where(rows["genus"].notna(), rows["taxon"])


def _people(rows: pd.DataFrame, units: pd.Series) -> pd.DataFrame:
    """Return one row per subject: its unit, and its weights among donors (each donor once) and baselines."""
    people = rows[["subject", "donor"]].assign(unit=units).drop_duplicates("subject")
    return people.assign(donor_weight=1 / people.groupby("donor")["subject"].transform("size"), baseline_weight=1.0)


def _sums(rows: pd.DataFrame, units: pd.Series) -> pd.DataFrame:
    """Return one row per sample and taxon with its share of the counts that are summed."""
    people = _people(rows, units).set_index("subject")
    once = 1 / rows["subject"].map(rows.groupby("subject")["sample"].nunique())
    donor, baseline = rows["donor_present"] == 1, rows["baseline_present"] == 1
    out = pd.DataFrame({"unit": units, "taxon": rows["taxon"], "genus": _genus(rows)})
    for name, mask in zip(_KINDS, (donor & ~baseline, baseline & ~donor, donor & baseline), strict=True):
        out[f"n_{name}"] = once * mask
        out[f"y_{name}"] = once * mask * rows["present"]
    out["has_donor"] = once * donor * rows["subject"].map(people["donor_weight"])
    out["has_baseline"] = once * baseline
    return out
