"""The composition of each donor."""

from __future__ import annotations

import pandas as pd

__all__ = ["donor_profiles"]


def donor_profiles(abundance: pd.DataFrame, samples: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Average the samples of each donor.

    Parameters
    ----------
    abundance
        sample x taxon; a row of NaN is a sample without profile.
    samples
        Samples table; those with role donor count.

    Returns
    -------
    mean
        **donor x taxon**: mean over the donor's samples with a profile; donors in sorted order, taxa that some donor
        has. Donors without a profile have no row.
    samples
        Samples with a profile of every donor of the samples table, 0 where there is none.
    largest
        donor x taxon, the largest abundance in any of them: above a detection threshold where the taxon is present.
    """
    donors = samples.loc[samples["role"] == "donor", ["sample", "subject"]].dropna()
    owner = dict(zip(donors["sample"], donors["subject"], strict=True))
    there = abundance.loc[[sample in owner for sample in abundance.index]].dropna(how="all").fillna(0.0)
    whose = [owner[sample] for sample in there.index]
    names = sorted(set(donors["subject"]))
    counts = pd.Series(pd.Index(whose, dtype=object).value_counts().reindex(names, fill_value=0).astype(int))
    there = there.loc[:, (there > 0).any(axis=0).to_numpy()]
    groups = there.groupby(whose)
    return groups.mean(), counts, groups.max()
