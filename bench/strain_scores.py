"""Calls of strains against the truth of a simulated strain trial: pairs of samples, and triads.

Pairs: every two samples that truly hold a taxon. ``same_strain`` is scored against "same dominant strain" (pairs in
which a tie of strains leaves that open do not count), ``any_shared`` (``same_strain`` where a table has none) against
"at least one strain in common". Precision, recall and F1 are over resolved pairs; ``unresolved`` is the part of all
these pairs without a call, be it an empty cell or an absent row.

Triads: taxa that donor products, baseline and post sample truly hold, where no strain is both a product's and the
baseline's. Balanced accuracy is the mean over donor, recipient and coexist of the part called so, over resolved ones
and with unresolved ones as wrong; the error of donor_fraction and the coverage of its interval are over all that have
one.

``2x`` keeps what has an expected sequenced depth of 2 in both samples (pairs), or in post sample, baseline and the
deepest product (triads).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = [
    "best_cut",
    "by_fraction",
    "calls_of_triads",
    "read",
    "score_pairs",
    "score_triads",
    "truth_pairs",
    "truth_triads",
]

KEY = ["taxon", "sample_1", "sample_2"]
CLASSES = ("donor", "recipient", "coexist")
MANY_SITES = 50


def read(path: str | Path) -> pd.DataFrame:
    """Read a table; names stay text, empty cells are missing."""
    names = ["sample", "subject", "taxon", "sample_1", "sample_2", "donor", "donor_sample", "baseline_sample", "method"]
    return pd.read_csv(
        path, sep="\t", comment="#", dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=[""]
    )


def truth_pairs(folder: str | Path) -> pd.DataFrame:
    """Return the true pairs of a strain trial, one row per taxon and pair, with the pair in alphabetical order."""
    return _ordered(read(Path(folder) / "truth" / "pairs.tsv"))


def truth_triads(folder: str | Path) -> pd.DataFrame:
    """Return the true triads of a strain trial."""
    return read(Path(folder) / "truth" / "triads.tsv")


def _ordered(pairs: pd.DataFrame) -> pd.DataFrame:
    """Put the samples of each pair into alphabetical order, with what belongs to them."""
    result = pairs.copy()
    swap = (pairs["sample_1"] > pairs["sample_2"]).to_numpy()
    for one in [name for name in pairs.columns if name.endswith("_1")]:
        other = one[:-1] + "2"
        if other in pairs.columns:
            result.loc[swap, one], result.loc[swap, other] = pairs.loc[swap, other], pairs.loc[swap, one]
    return result


def _joined(truth: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    table = _ordered(calls)
    if table.duplicated(KEY).any():
        raise SystemExit("error: a pair has two calls: give one method at a time")
    columns = [name for name in ("same_strain", "any_shared", "distance") if name in table]
    renamed = truth.rename(columns={"any_shared": "any_shared_true"})
    joined = renamed.merge(table[KEY + columns], on=KEY, how="left")
    if "any_shared" not in columns or joined["any_shared"].isna().all():
        joined["any_shared"] = joined["same_strain"]
    return joined


def _agreement(true: pd.Series, called: pd.Series, name: str) -> dict[str, float]:
    known = true.notna() & called.notna()
    t, c = true[known].to_numpy() == 1, called[known].to_numpy() == 1
    hits, found, wanted = int((t & c).sum()), int(c.sum()), int(t.sum())
    return {
        f"{name}_precision": hits / found if found else np.nan,
        f"{name}_recall": hits / wanted if wanted else np.nan,
        f"{name}_f1": 2 * hits / (found + wanted) if found + wanted else np.nan,
    }


def score_pairs(truth: pd.DataFrame, calls: pd.DataFrame, method: str, least: float = 2.0) -> pd.DataFrame:
    """Score the calls of pairs.

    Parameters
    ----------
    truth
        Of :func:`truth_pairs`.
    calls
        taxon, sample_1, sample_2, same_strain (1, 0, missing) and, if it has one, any_shared; a pair once.
    method
        Name of the row.
    least
        Depth of the first row.

    Returns
    -------
    DataFrame
        Two rows: pairs with that depth in both samples, and all.
    """
    joined = _joined(truth, calls)
    deep = joined[["depth_1", "depth_2"]].min(axis=1) >= least
    rows = []
    for name, part in ((f"{least:g}x", joined[deep]), ("all", joined)):
        row: dict[str, object] = {"method": method, "depth": name, "pairs": len(part)}
        row |= _agreement(part["same_dominant"], part["same_strain"], "dominant")
        row |= _agreement(part["any_shared_true"], part["any_shared"], "any")
        for word, value in (("single", 0), ("mixed", 1)):
            some = part[part["mixed"] == value]
            row[f"any_f1_{word}"] = _agreement(some["any_shared_true"], some["any_shared"], "any")["any_f1"]
        row["unresolved"] = part["same_strain"].isna().mean()
        row["any_unresolved"] = part["any_shared"].isna().mean()
        rows.append(row)
    return pd.DataFrame(rows)


def best_cut(truth: pd.DataFrame, distances: pd.DataFrame, least: float = 2.0) -> float:
    """Return the distance that, called the same strain up to it, gives the best F1 of the dominant strain."""
    joined = _joined(truth, distances.assign(same_strain=np.nan)).dropna(subset=["distance", "same_dominant"])
    joined = joined[joined[["depth_1", "depth_2"]].min(axis=1) >= least].sort_values("distance")
    hits = joined["same_dominant"].to_numpy(dtype=float).cumsum()
    f1 = 2 * hits / (np.arange(1, len(joined) + 1) + hits[-1])
    return float(joined["distance"].iloc[int(np.argmax(f1))])


def _cells(truth: pd.DataFrame, resolved: pd.DataFrame) -> pd.DataFrame:
    wanted = truth[(truth["outcome"] == "shared_kept") & (truth["clear"] == 1)]
    columns = ["strain_outcome", "donor_fraction", "ci_low", "ci_high", "informative_sites"]
    found = resolved[["sample", "taxon", *columns]].rename(columns={c: f"{c}_called" for c in columns})
    return wanted.merge(found, on=["sample", "taxon"], how="left")


def score_triads(truth: pd.DataFrame, resolved: pd.DataFrame, method: str, least: float = 2.0) -> pd.DataFrame:
    """Score donor, recipient or coexist, and the donor fraction.

    Parameters
    ----------
    truth
        Of :func:`truth_triads`.
    resolved
        Columns of ``strain_resolved``.
    method
        Name of the rows.
    least
        Depth of the first row.

    Returns
    -------
    DataFrame
        Two rows: triads with that depth in all three, and all.
    """
    cells = _cells(truth, resolved)
    deep = cells[["depth", "depth_donor", "depth_baseline"]].min(axis=1) >= least
    rows = []
    for name, part in ((f"{least:g}x", cells[deep]), ("all", cells)):
        row: dict[str, object] = {"method": method, "depth": name, "triads": len(part)}
        called = part["strain_outcome_called"].fillna("unresolved")
        recalls, strict = [], []
        for word in CLASSES:
            right = called[part["strain_outcome"] == word]
            recalls.append((right[right != "unresolved"] == word).mean())
            strict.append((right == word).mean())
            row[f"recall_{word}"] = recalls[-1]
        row["balanced_accuracy"] = float(np.mean(recalls))
        row["balanced_accuracy_strict"] = float(np.mean(strict))
        row["triads_unresolved"] = (called == "unresolved").mean()
        row |= _fractions(part)
        rows.append(row)
    return pd.DataFrame(rows)


def _fractions(part: pd.DataFrame) -> dict[str, float]:
    error = part["donor_fraction_called"].astype(float) - part["donor_fraction"]
    many = part["informative_sites_called"].astype(float) >= MANY_SITES
    low, high = part["ci_low_called"].astype(float), part["ci_high_called"].astype(float)
    given = low.notna() & high.notna()
    inside = (low - 1e-6 <= part["donor_fraction"]) & (part["donor_fraction"] <= high + 1e-6)
    return {
        "fractions": int(error.notna().sum()),
        "rmse": float(np.sqrt((error**2).mean())),
        f"rmse_{MANY_SITES}_sites": float(np.sqrt((error[many] ** 2).mean())),
        "bias": float(error.mean()),
        "coverage": float(inside[given].mean()),
        "interval_width": float((high - low).mean()),
    }


def by_fraction(truth: pd.DataFrame, resolved: pd.DataFrame, least: float = 2.0) -> pd.DataFrame:
    """Return the calls by true donor fraction at that depth: how many of each word, error, coverage."""
    cells = _cells(truth, resolved)
    cells = cells[cells[["depth", "depth_donor", "depth_baseline"]].min(axis=1) >= least]
    rows = []
    for value, part in cells.groupby(cells["donor_fraction"].round(2)):
        words = part["strain_outcome_called"].fillna("unresolved").value_counts()
        rows.append({"true_fraction": value, "triads": len(part), **words.to_dict(), **_fractions(part)})
    return pd.DataFrame(rows).fillna(dict.fromkeys([*CLASSES, "other", "unresolved"], 0))


def calls_of_triads(
    truth: pd.DataFrame, calls: pd.DataFrame, samples: pd.DataFrame, doses: pd.DataFrame
) -> pd.DataFrame:
    """Say whose strain it is from calls of pairs alone, as peers that know no fractions must.

    Returns
    -------
    DataFrame
        sample, taxon, strain_outcome and empty fractions: coexist where the post sample shares its strain with a
        product received and the baseline, donor or recipient where with one of the two, other where with none;
        unresolved where either is unknown.
    """
    known = {tuple(key): call for *key, call in _ordered(calls)[[*KEY, "same_strain"]].itertuples(index=False)}
    lots_of = samples[samples["role"] == "donor"].groupby("subject")["sample"].agg(list).to_dict()

    def shared(taxon: str, one: str, others: Iterable[str]) -> bool | None:
        values = [known.get((taxon, *sorted((one, other))), np.nan) for other in others]
        values = [value for value in values if not pd.isna(value)]
        return any(value == 1 for value in values) if values else None

    words = {(True, True): "coexist", (True, False): "donor", (False, True): "recipient", (False, False): "other"}
    rows = []
    for row in truth.itertuples(index=False):
        received = doses[(doses["subject"] == row.subject) & (doses["day"] <= row.day)]
        lots = [
            name
            for donor, lot in received[["donor", "donor_sample"]].itertuples(index=False)
            for name in (lots_of[donor] if pd.isna(lot) else [lot])
        ]
        donor, own = shared(row.taxon, row.sample, lots), shared(row.taxon, row.sample, [row.baseline_sample])
        word = "unresolved" if donor is None or own is None else words[donor, own]
        rows.append((row.sample, row.taxon, word, np.nan, np.nan, np.nan, np.nan))
    columns = ["sample", "taxon", "strain_outcome", "donor_fraction", "ci_low", "ci_high", "informative_sites"]
    return pd.DataFrame(rows, columns=columns)


def show(table: pd.DataFrame) -> str:
    """Return a table as text, fractions with three digits."""
    return table.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="-")


def main() -> None:
    parser = argparse.ArgumentParser(description="Score calls of strains against the truth of a strain trial.")
    parser.add_argument("--truth", type=Path, help="folder of the trial, or its folder truth")
    parser.add_argument("--shared", type=Path, help="table of `strains share`")
    parser.add_argument("--resolved", type=Path, help="table of `strains resolve`")
    parser.add_argument("--depth", type=float, default=2.0)
    arguments = parser.parse_args()
    if arguments.truth is None:
        # `make bench` starts every script of this folder without arguments.
        print("scores of one trial: give --truth, --shared, --resolved; bench/strains.py does all of it")
        return
    folder = arguments.truth.parent if arguments.truth.name == "truth" else arguments.truth
    if arguments.shared:
        shared = read(arguments.shared)
        groups = shared.groupby("method") if "method" in shared else [("calls", shared)]
        scores = [score_pairs(truth_pairs(folder), part, str(name), arguments.depth) for name, part in groups]
        print(show(pd.concat(scores)))
    if arguments.resolved:
        resolved = read(arguments.resolved)
        print(show(score_triads(truth_triads(folder), resolved, "resolve", arguments.depth).T.reset_index()))
        print(show(by_fraction(truth_triads(folder), resolved, arguments.depth)))


if __name__ == "__main__":
    main()
