"""What the mixed model holds constant: which columns, in which order they give way, and the degrees of freedom left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.rates import RATE_COUNTS
from microbiome.stats.adjusted import independent_columns
from microbiome.stats.mixed import containment_df
from microbiome.strains.rate_tables import STRAIN_RATE_COUNTS

__all__ = ["LEAST_DF", "NUISANCES", "ModelDesign", "logit_of_rate", "model_design", "nuisances"]

#: Covariates of every model, the first to be given up last: depth is what makes false differences most often.
NUISANCES = ("log post_limit", "log baseline_limit", "log baseline_taxa", "log lag")
#: With fewer degrees of freedom nuisance covariates are given up.
LEAST_DF = 4
# Denominators that are known where one of donor and baseline is not; those of the other rates are sums of outcomes.
_TOTALS = {"depletion_rate": "baseline_taxa", "baseline_recovery": "baseline_taxa", "donor_recovery": "donor_taxa"}
_TOTALS |= {rate: under for rate, (_, under) in STRAIN_RATE_COUNTS.items()}


@dataclass(frozen=True)
class ModelDesign:
    """The fixed effects of a model.

    Parameters
    ----------
    columns
        **row x column**: ``intercept``, ``group``, and those that are held constant.
    df
        Degrees of freedom of the t test of ``group``; below 1 where it cannot be tested.
    dropped
        Nuisance covariates given up for want of subjects.
    entangled
        What the group cannot be told from (donors, or covariates by name); empty where it can.
    """

    columns: pd.DataFrame
    df: float
    dropped: tuple[str, ...]
    entangled: str = ""


def logit_of_rate(rate: str, samples: pd.DataFrame) -> pd.Series | None:
    r"""Return :math:`\log((k + 0.5) / (n - k + 0.5))` of k of n taxa, the empirical logit of a rate; None for others.

    Parameters
    ----------
    rate
        Name of the column; k is n times its ``value``.
    samples
        ``value`` and the counts that n is made of.
    """
    if rate not in RATE_COUNTS and rate not in STRAIN_RATE_COUNTS:
        return None
    parts = (_TOTALS[rate],) if rate in _TOTALS else RATE_COUNTS[rate][1]
    if not set(parts) <= set(samples.columns):
        return None
    total = sum(pd.to_numeric(samples[name]).astype("Float64").astype("float64") for name in parts)
    # Counts averaged over draws are not whole.
    number = total * samples["value"]
    found = np.log((number + 0.5) / (total - number + 0.5))
    return found if np.isfinite(found).all() else None


def nuisances(rate: str, samples: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the nuisance covariates of the samples that are known, and the names of those that are not.

    ``log post_limit``, ``log baseline_limit``: depth; ``log baseline_taxa``: richness; ``log lag``: days from the
    baseline to the sample. One that is missing for a sample, or is what is being compared, is not taken.
    """
    of = {name: pd.to_numeric(samples[name]).astype("Float64").astype("float64") for name in samples if name in _RAW}
    if "baseline_day" in of:
        of["lag"] = samples["day"].astype(float) - of["baseline_day"]
    found, unknown = {}, []
    for name in NUISANCES:
        raw = name.removeprefix("log ")
        if raw == rate:
            continue
        if raw not in of or not (of[raw] > 0).all():
            unknown.append(name)
            continue
        found[name] = np.log(of[raw])
    return pd.DataFrame(found, index=samples.index), unknown


_RAW = {"post_limit", "baseline_limit", "baseline_taxa", "baseline_day"}


def model_design(
    group: np.ndarray,
    kept: pd.DataFrame,
    donors: pd.DataFrame,
    nuisance: pd.DataFrame,
    unit: np.ndarray,
    cluster: np.ndarray | None = None,
) -> ModelDesign:
    """Choose the fixed effects.

    Columns that do not vary, or depend on those before them (covariates, donors, nuisance covariates in the order of
    :data:`NUISANCES`), are not taken. Nuisance covariates that cost degrees of freedom of the group are given up, the
    last first, while there are fewer than :data:`LEAST_DF`.

    Parameters
    ----------
    group
        1 for rows of the second group, 0 for the first.
    kept
        **row x column**, never given up: covariates and strata.
    donors
        **row x column**: donors as fixed effects; without columns for none.
    nuisance
        **row x column**.
    unit, cluster
        Random effects, as in :func:`microbiome.stats.mixed.fit_nested`.
    """
    rows = len(group)
    one = np.ones((rows, 1))
    names = [*kept, *donors, *nuisance]
    columns = np.column_stack(
        [np.zeros((rows, 0)), *(frame.to_numpy(dtype=float) for frame in (kept, donors, nuisance))]
    )
    taken = [names[i] for i in independent_columns(columns, one)]
    columns = columns - columns.mean(axis=0)
    given_up: list[str] = []
    while True:
        chosen = columns[:, [names.index(name) for name in taken]]
        basis = np.column_stack([one, chosen])
        free = [name for name in taken if name in nuisance]
        determined = bool(independent_columns(group[:, None].astype(float), basis))
        table = np.column_stack([group, chosen])
        levels = containment_df(table, unit, cluster)
        df = float(min(levels[0], rows - 2 - chosen.shape[1]))
        costly = [name for name in free if _costs(chosen[:, taken.index(name)], unit)] if determined else free
        if (determined and df >= LEAST_DF) or not costly:
            break
        given_up.append(costly[-1])
        taken.remove(costly[-1])
    frame = pd.DataFrame(chosen, columns=taken)
    frame.insert(0, "group", group.astype(float))
    frame.insert(0, "intercept", 1.0)
    entangled = ""
    if not determined:
        alone = columns[:, [names.index(name) for name in taken if name not in donors]]
        told = bool(independent_columns(group[:, None].astype(float), np.column_stack([one, alone])))
        entangled = "their donors" if told else ", ".join(dict.fromkeys(str(name).split("=")[0] for name in kept))
    return ModelDesign(frame, df, tuple(given_up), entangled)


def _costs(column: np.ndarray, unit: np.ndarray) -> bool:
    """Tell whether a column is constant within units: it then takes a degree of freedom from the group."""
    return not pd.DataFrame({"unit": unit, "column": column}).groupby("unit")["column"].nunique().gt(1).any()
