"""What a comparison hangs on: signs of the effects over thresholds, depths, rates and units of analysis."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

__all__ = [
    "ALPHA",
    "GAIN",
    "LOSS",
    "depth_title",
    "hangs_on",
    "more_by",
    "sign_changes",
    "sign_counts",
    "threshold_titles",
]

#: Rates and counts by which more is lost, and by which more engrafts; baseline_recovery is 1 - depletion_rate.
LOSS = ("depletion_rate", "depletion_rate_donor_absent", "lost_taxa")
GAIN = ("engraftment_rate", "donor_recovery", "engrafted")
_ORDER = (*LOSS, *GAIN, "baseline_recovery")
ALPHA = 0.05


def hangs_on(frame: pd.DataFrame) -> pd.DataFrame:
    """Prepare a table of sensitivity for drawing: names of thresholds, depths and rates, and the sign of each effect.

    Returns
    -------
    DataFrame
        The rows with two groups, with ``title, threshold, depth`` (words), ``tested``, ``second_higher`` (boolean,
        missing where it was not, or there is no difference) and ``clear`` (p < 0.05).
    """
    frame = frame[frame["group_2"].notna()]
    rank = {name: i for i, name in enumerate(_ORDER)}
    order = frame["rate"].map(rank).fillna(len(rank))
    frame = frame.assign(_rank=order).sort_values("_rank", kind="stable").drop(columns="_rank")
    tested = frame["direction"].notna()
    higher = frame["group_2"].astype(str) + " > " + frame["group_1"].astype(str)
    return frame.assign(
        title=frame["rate"].str.replace("_", " "),
        threshold=threshold_titles(frame),
        depth=frame["depth_fraction"].map(depth_title),
        second_higher=(frame["direction"] == higher).astype("boolean").mask(~tested | (frame["direction"] == "equal")),
        tested=tested,
        clear=(frame["p_value"] < ALPHA).fillna(False).astype(bool),
    ).reset_index(drop=True)


def threshold_titles(frame: pd.DataFrame) -> pd.Series:
    """Return thresholds in words; the common one with a star."""
    common = frame["common_threshold"].fillna(0).astype(bool).map({True: "*", False: ""})
    return frame["detection"].map(_threshold) + common


def _threshold(value: float) -> str:
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def depth_title(fraction: float) -> str:
    """Return what a depth is called."""
    return "as sequenced" if pd.isna(fraction) else f"thinned, {fraction:g} ×"


def sign_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Count analyses by sign: ``all, higher, lower, equal, untested``, and of the clear ones (p < 0.05) the same two.

    Parameters
    ----------
    frame
        As :func:`hangs_on` returns it.
    """
    up, none = frame["second_higher"], ~frame["tested"]
    higher, lower = up.fillna(False).astype(bool), (~up).fillna(False).astype(bool)
    return {
        "all": len(frame),
        "higher": int(higher.sum()),
        "lower": int(lower.sum()),
        "equal": int((up.isna() & ~none).sum()),
        "untested": int(none.sum()),
        "clear_higher": int((higher & frame["clear"]).sum()),
        "clear_lower": int((lower & frame["clear"]).sum()),
    }


def more_by(rows: pd.DataFrame, column: str, titles: Mapping[str, str] | None = None) -> str:
    """Say in how many analyses of each rate, or unit of analysis, the second group is higher."""
    titles = titles or {}
    parts = []
    for name, group in rows.groupby(column, sort=False):
        n = sign_counts(group)
        words = titles.get(str(name), str(name).replace("_", " ")).split(" (")[0]
        tested = n["all"] - n["untested"]
        parts.append(f"{words} {n['higher']} of {tested}" if tested else f"{words} not testable")
    return (
        f"More by {'unit of analysis' if column == 'method' else column}: {'; '.join(parts)}." if len(parts) > 1 else ""
    )


def sign_changes(rows: pd.DataFrame) -> str:
    """Say over which choice the sign changes, the others being held."""
    found = []
    known = rows.dropna(subset=["second_higher"])
    choices = {"threshold": "threshold", "depth": "depth", "rate": "rate", "method": "unit of analysis"}
    for column, words in choices.items():
        sets = known.groupby([name for name in choices if name != column])["second_higher"].nunique()
        if len(known[column].unique()) > 1:
            found.append(f"with the {words} in {int((sets > 1).sum())} of {len(sets)}")
    return f"All else held, the sign changes {', '.join(found)} cases." if found else ""
