"""What became of the taxa, as measurements of post samples: counts and rates, and the fate of each taxon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from microbiome.errors import raise_problems
from microbiome.molecules.measured import Measured
from microbiome.molecules.reading import from_profile
from microbiome.study_tables import Study
from microbiome.tables import OUTCOMES, RATES, SENSITIVITY_RATES
from microbiome.tsv import missing_columns

__all__ = ["FATES", "from_outcomes", "from_rates"]

#: Outcomes that count as 1, and as 0, of each fate.
FATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "depleted": (("depleted", "shared_depleted"), ("persisted", "shared_kept")),
    "engrafted": (("engrafted",), ("not_engrafted",)),
}


def from_rates(
    rates: pd.DataFrame, study: Study, columns: Sequence[str] = SENSITIVITY_RATES, name: str = "rates"
) -> Measured:
    """Return counts and rates of post samples as measurements.

    Parameters
    ----------
    rates
        As :func:`microbiome.rates.rates` gives them (:data:`microbiome.tables.RATES`): one row per post sample.
    study
        Whose samples they are.
    columns
        The features: columns of `rates` with numbers.
    name
        Of the table.

    Returns
    -------
    Measured
        row (sample) x rate; a rate without denominator is missing.
    """
    raise_problems(missing_columns(rates, RATES, "rates"))
    absent = [column for column in columns if column not in rates]
    if absent:
        raise ValueError(f"no column {', '.join(absent)} in rates")
    values = rates.set_index("sample")[list(columns)].astype("Float64").astype(float)
    return from_profile(values, study, name, unit="")


def from_outcomes(
    outcomes: pd.DataFrame, study: Study, fate: Literal["depleted", "engrafted"], name: str = ""
) -> Measured:
    """Return the fate of each taxon in each post sample as measurements.

    Parameters
    ----------
    outcomes
        As :func:`microbiome.outcomes.outcomes` gives them (:data:`microbiome.tables.OUTCOMES`).
    study
        Whose samples they are.
    fate
        ``depleted``: of the taxa of the baseline, 1 for those not detected (depleted, shared_depleted), 0 for those
        kept (persisted, shared_kept). ``engrafted``: of the taxa of the donor set that the baseline lacks, 1 for those
        detected (engrafted), 0 for those not (not_engrafted).
    name
        Of the table; ``""`` is the fate.

    Returns
    -------
    Measured
        row (sample) x taxon; missing where the taxon could not meet that fate (it was not there to be lost, or not
        given, or there already). Taxa that it could meet nowhere have no column.
    """
    raise_problems(missing_columns(outcomes, OUTCOMES, "outcomes"))
    yes, no = FATES[fate]
    code = outcomes["outcome"].map({**dict.fromkeys(yes, 1.0), **dict.fromkeys(no, 0.0)}).to_numpy(dtype=float)
    row, samples = pd.factorize(outcomes["sample"])
    known = ~np.isnan(code)
    column, taxa = pd.factorize(outcomes.loc[known, "taxon"], sort=True)
    values = np.full((len(samples), len(taxa)), np.nan)
    values[row[known], column] = code[known]
    index = pd.Index(samples, name="sample", dtype=object)
    return from_profile(pd.DataFrame(values, index=index, columns=taxa), study, name or fate, unit="")
