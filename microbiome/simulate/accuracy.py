"""How well a workflow's profiles and outcomes agree with the truth of a simulated trial."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, collecting, raise_problems
from microbiome.features import read_features
from microbiome.simulate.tables import ACCURACY, TRUTH_OUTCOMES, TRUTH_READS
from microbiome.tsv import read_table

__all__ = ["Limits", "Truth", "Verdict", "accuracy", "judge", "read_truth"]


@dataclass(frozen=True)
class Truth:
    """What is read of ``truth/``: abundance (sample x taxon, fractions), outcomes, and reads per sample."""

    abundance: pd.DataFrame
    outcomes: pd.DataFrame
    reads: pd.DataFrame


@dataclass(frozen=True)
class Limits:
    """What is demanded: least F1 of all samples together, largest Bray-Curtis of any, least share of equal outcomes."""

    min_f1: float = 0.97
    max_bray_curtis: float = 0.05
    min_outcomes: float = 0.95


@dataclass(frozen=True)
class Verdict:
    """Whether the limits are kept, the numbers behind it (NaN: nothing to count), and sentences that say so."""

    passed: bool
    f1: float
    max_bray_curtis: float
    outcomes_equal: float
    lines: tuple[str, ...]


def read_truth(folder: str | Path, functions: bool = False) -> Truth:
    """Read ``abundance.tsv``, ``outcomes.tsv`` and ``reads.tsv`` of a simulated trial's ``truth/``.

    With `functions`, ``functions.tsv`` and ``function_outcomes.tsv`` in place of the first two: ECs in place of taxa.

    Raises
    ------
    InputError
        With every problem of the three files.
    """
    place = Path(folder)
    problems: list[Problem] = []
    abundance = outcomes = reads = pd.DataFrame()
    with collecting(problems):
        abundance = read_features(place / ("functions.tsv" if functions else "abundance.tsv"))
    with collecting(problems):
        outcomes = read_table(place / ("function_outcomes.tsv" if functions else "outcomes.tsv"), TRUTH_OUTCOMES)
    with collecting(problems):
        reads = read_table(place / "reads.tsv", TRUTH_READS)
    raise_problems(problems)
    return Truth(abundance, outcomes, reads)


def accuracy(truth: Truth, profile: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    r"""Compare each sample's profile and outcomes with the truth.

    Parameters
    ----------
    truth
        Of the simulated trial.
    profile
        sample x taxon, abundances of 0 or more. A sample that is no row of it, or a row of NaN or of zeros, has no
        profile.
    outcomes
        ``sample``, ``taxon``, ``outcome`` (:data:`microbiome.tables.OUTCOMES`); a missing outcome is equal to none.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.simulate.tables.ACCURACY`, one row per sample of the truth. Taxa are detected
        above 0; Bray-Curtis is :math:`1 - \sum_i \min(p_i, q_i)` of the two closed rows; outcomes are compared over
        the taxa with an outcome in either. A sample that the truth says must be flagged (``few_reads``) has no
        numbers when it has no profile, and is not counted as right; a sample that lost its profile otherwise
        (``no_profile``) has F1 0, Bray-Curtis 1 and no equal outcome.

    Raises
    ------
    InputError
        When profile or outcomes hold a sample that the truth does not know: they are of another trial.
    """
    _check_samples(truth, profile, outcomes)
    has = profile.index[profile.fillna(0).sum(axis=1) > 0]
    shallow = set(truth.reads.loc[truth.reads["expected_status"] == "few_reads", "sample"])
    true_outcome = {
        key: group.set_index("taxon")["outcome"] for key, group in truth.outcomes.groupby("sample", sort=False)
    }
    found_outcome = {key: group.set_index("taxon")["outcome"] for key, group in outcomes.groupby("sample", sort=False)}
    rows: list[dict[str, object]] = []
    for name, true_row in truth.abundance.iterrows():
        sample = str(name)
        profiled = sample in has or sample in found_outcome
        status = "ok"
        if sample in shallow:
            status = "unexpected_profile" if profiled else "few_reads"
        elif sample not in has:
            status = "no_profile"
        row: dict[str, object] = {"sample": sample, "status": status, "true_taxa": int((true_row > 0).sum())}
        if status != "few_reads":
            found = profile.loc[sample] if sample in has else pd.Series(dtype=float)
            row |= _compare_profiles(true_row, found)
            if sample in true_outcome:
                row |= _compare_outcomes(true_outcome[sample], found_outcome.get(sample, pd.Series(dtype=object)))
        rows.append(row)
    frame = pd.DataFrame(rows, columns=ACCURACY.names)
    integers = [column.name for column in ACCURACY.columns if column.kind == "integer"]
    return frame.astype(dict.fromkeys(integers, "Int64") | {"f1": "float64", "bray_curtis": "float64"})


def judge(table: pd.DataFrame, limits: Limits | None = None, word: str = "SGBs") -> Verdict:
    """Sum up an accuracy table and hold it against the limits.

    Parameters
    ----------
    table
        As :func:`accuracy` returns it.
    limits
        None takes the defaults of :class:`Limits`.
    word
        What the sentences call the rows of the profile.

    Returns
    -------
    Verdict
        F1 is that of all samples' taxa together. Not passed as well when a sample lost its profile, when a sample
        that must be flagged was not, or when there was nothing to count.
    """
    limits = limits or Limits()
    counted = table[table["status"] != "few_reads"]
    # An NaN (nothing to count) fails every comparison below, as it should.
    taxa = int(counted["true_taxa"].sum()) + int(counted["detected_taxa"].sum())
    f1 = 2 * int(counted["both_taxa"].sum()) / taxa if taxa else np.nan
    farthest = counted.loc[counted["bray_curtis"].idxmax()] if counted["bray_curtis"].notna().any() else None
    bray_curtis = float(farthest["bray_curtis"]) if farthest is not None else np.nan
    total = int(counted["outcomes"].sum())
    equal = int(counted["outcomes_equal"].sum())
    share = equal / total if total else np.nan
    checks = (f1 >= limits.min_f1, bray_curtis <= limits.max_bray_curtis, share >= limits.min_outcomes)
    words = ["ok" if check else "FAILED" for check in checks]
    worst = f" ({farthest['sample']})" if farthest is not None else ""
    lines = [
        f"detected {word} against truth: F1 {f1:.4f} over {len(counted)} samples (at least {limits.min_f1}): "
        f"{words[0]}",
        f"Bray-Curtis of profile to truth: mean {counted['bray_curtis'].mean():.4f}, largest {bray_curtis:.4f}{worst} "
        f"(at most {limits.max_bray_curtis}): {words[1]}",
        f"outcomes equal to the truth: {equal} of {total} = {share:.4f} (at least {limits.min_outcomes}): {words[2]}",
    ]
    sentences = {
        "few_reads": "flagged for too few reads, as it must be; not counted",
        "no_profile": "has no profile though it should; counted as wrong: FAILED",
        "unexpected_profile": "was profiled though it has too few reads: FAILED",
    }
    lines += [
        f"{row.sample}: {sentences[row.status]}"
        for row in table[["sample", "status"]].itertuples(index=False)
        if row.status in sentences
    ]
    passed = all(checks) and not table["status"].isin(["no_profile", "unexpected_profile"]).any()
    return Verdict(bool(passed), f1, bray_curtis, share, tuple(lines))


def _check_samples(truth: Truth, profile: pd.DataFrame, outcomes: pd.DataFrame) -> None:
    known = set(truth.abundance.index)
    problems: list[Problem] = []
    for name, samples in (("profile", profile.index), ("outcomes", outcomes["sample"].unique())):
        strange = [str(sample) for sample in samples if sample not in known]
        if strange:
            shown = ", ".join(strange[:5]) + (" ..." if len(strange) > 5 else "")
            problems.append(
                Problem(
                    f"samples of the {name} are not in the truth: {shown}",
                    f"give the truth of the same trial as the {name}",
                )
            )
    if problems:
        raise InputError(problems)


def _compare_profiles(true_row: pd.Series, found: pd.Series) -> dict[str, object]:
    taxa = true_row.index.union(found.index)
    true = true_row.reindex(taxa, fill_value=0).to_numpy(dtype=float)
    seen = found.reindex(taxa, fill_value=0).fillna(0).to_numpy(dtype=float)
    n_true, n_seen, both = int((true > 0).sum()), int((seen > 0).sum()), int(((true > 0) & (seen > 0)).sum())
    overlap = np.minimum(true / true.sum(), seen / seen.sum()).sum() if n_seen else 0.0
    # Rounding can leave an overlap of a hair above 1.
    distance = float(np.clip(1 - overlap, 0, 1))
    return {
        "detected_taxa": n_seen,
        "both_taxa": both,
        "f1": 2 * both / (n_true + n_seen),
        "bray_curtis": distance,
    }


def _compare_outcomes(true: pd.Series, found: pd.Series) -> dict[str, object]:
    taxa = true.index.union(found.index)
    one, other = true.reindex(taxa), found.reindex(taxa)
    # A taxon without an outcome on one side is unequal; NaN is equal to nothing.
    return {"outcomes": len(taxa), "outcomes_equal": int((one.to_numpy() == other.to_numpy()).sum())}
