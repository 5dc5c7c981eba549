"""Who is in the trial: subjects, their samples and doses, and how groups are told apart."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from microbiome.report.data import Tables
from microbiome.report.theme import ARM_COLOURS, NEUTRAL, RESPONSE_COLOURS, colours, line_safe, natural_key
from microbiome.response import responder

__all__ = ["Scheme", "arm_scheme", "by_group", "doses_by_day", "people", "profiled_samples", "sample_table", "scheme"]

_UNKNOWN_ARM = "arm unknown"
_RESPONSES = {"yes": "responder", "no": "non-responder"}


@dataclass(frozen=True)
class Scheme:
    """How the subjects of this study are told apart in every figure.

    Parameters
    ----------
    panel
        Column that gives each panel (``arm`` or ``response``), empty for one panel.
    colour
        Column that gives the colour.
    colours
        Colour of each of its values, in order.
    """

    panel: str
    colour: str
    colours: dict[str, str]


def profiled_samples(tables: Tables) -> set[str] | None:
    """Return the samples that have a profile, by read accounting or else alpha diversity; None without either."""
    if tables.reads is not None and "status" in tables.reads:
        return set(tables.reads.loc[tables.reads["status"] == "ok", "sample"])
    if tables.alpha is not None:
        return set(tables.alpha.loc[tables.alpha.drop(columns="sample").notna().any(axis=1), "sample"])
    return None


def people(tables: Tables) -> pd.DataFrame:
    """Return one row per subject, recipients and controls by arm, response and name, then the donors.

    Columns ``subject, role, arm, response, best_response, samples, profiled, before, post, first_day, last_day,
    dose_days, products, donors``; ``profiled`` counts samples with a profile, ``before`` those with day <= 0,
    ``products`` rows of the doses table.
    """
    study, profiled = tables.study, profiled_samples(tables)
    arms, best = (_of_subjects(study.subjects, name) for name in ("arm", "best_response"))
    response = responder(study.subjects) if not study.subjects.empty else pd.Series(dtype=object)
    response = response[~response.index.duplicated()]
    roles = study.samples.drop_duplicates("subject").set_index("subject")["role"].to_dict()
    names = list(dict.fromkeys([*study.samples["subject"], *study.subjects["subject"]]))
    donors = set(study.doses["donor"])
    rows = []
    for name in names:
        samples = study.samples[study.samples["subject"] == name]
        doses = study.doses[study.doses["subject"] == name]
        role = roles.get(name, "donor" if name in donors else "recipient")
        arm = "donor" if role == "donor" else arms.get(name)
        if arm is None:
            arm = _UNKNOWN_ARM if any(v is not None for v in arms.values()) else role
        rows.append(
            {
                "subject": name,
                "role": role,
                "arm": line_safe(arm),
                "response": _RESPONSES.get(str(response.get(name)), "response unknown"),
                "best_response": best.get(name) or "",
                "samples": len(samples),
                "profiled": len(samples) if profiled is None else int(samples["sample"].isin(profiled).sum()),
                "before": int((samples["day"] <= 0).sum()),
                "post": int((samples["day"] > 0).sum()),
                "first_day": samples["day"].min() if samples["day"].notna().any() else pd.NA,
                "last_day": samples["day"].max() if samples["day"].notna().any() else pd.NA,
                "dose_days": int(doses["day"].nunique()),
                "products": len(doses),
                "donors": ", ".join(sorted(set(doses["donor"]), key=natural_key)),
            }
        )
    frame = pd.DataFrame(rows).astype({"first_day": "Int64", "last_day": "Int64"})
    arm_order = {arm: i for i, arm in enumerate(_arm_order(frame))}
    order = {value: i for i, value in enumerate(RESPONSE_COLOURS)}
    keys = [
        (row.role == "donor", arm_order.get(row.arm, 99), order[row.response], natural_key(row.subject))
        for row in frame.itertuples()
    ]
    return frame.iloc[sorted(range(len(keys)), key=keys.__getitem__)].reset_index(drop=True)


def scheme(subjects: pd.DataFrame) -> Scheme:
    """Choose what colour and panel mean: response where it is known, arms where there are several.

    Parameters
    ----------
    subjects
        As :func:`people` returns it.
    """
    patients = subjects[subjects["role"] != "donor"]
    arms = _arm_order(patients)
    knows_response = bool((patients["response"] != "response unknown").any())
    seen = set(patients["response"])
    if knows_response:
        palette = {name: colour for name, colour in RESPONSE_COLOURS.items() if name in seen}
        return Scheme("arm" if len(arms) > 1 else "response", "response", palette)
    return arm_scheme(subjects) or Scheme("", "arm", colours(arms, ARM_COLOURS))


def arm_scheme(subjects: pd.DataFrame) -> Scheme | None:
    """Return the scheme that colours by arm, where one arm is the null of the other; None where there is one arm."""
    arms = _arm_order(subjects)
    if len(arms) < 2:
        return None
    palette = colours(arms, ARM_COLOURS)
    if _UNKNOWN_ARM in palette:
        palette[_UNKNOWN_ARM] = NEUTRAL
    return Scheme("arm", "arm", palette)


def sample_table(tables: Tables, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return one row per sample: ``sample, subject, role, day, kind, profiled, arm, response``.

    ``kind`` is ``donor``, ``baseline`` (the subject's last profiled sample with day <= 0), ``before``, ``post`` or ``no
    day``.
    """
    profiled = profiled_samples(tables)
    frame = tables.study.samples[["sample", "subject", "role", "day"]].reset_index(drop=True)
    frame["profiled"] = True if profiled is None else frame["sample"].isin(profiled)
    before = frame[(frame["role"] != "donor") & (frame["day"] <= 0).fillna(False) & frame["profiled"]]
    baseline = before.sort_values("day", kind="stable").drop_duplicates("subject", keep="last")["sample"]
    kind = pd.Series("no day", index=frame.index)
    kind[(frame["day"] > 0).fillna(False)] = "post"
    kind[(frame["day"] <= 0).fillna(False)] = "before"
    kind[frame["sample"].isin(set(baseline))] = "baseline"
    kind[frame["role"] == "donor"] = "donor"
    frame["kind"] = kind
    known = subjects.set_index("subject")
    frame["arm"] = frame["subject"].map(known["arm"])
    frame["response"] = frame["subject"].map(known["response"])
    position = {name: i for i, name in enumerate(subjects["subject"])}
    frame["_order"] = frame["subject"].map(position)
    frame = frame.sort_values(["_order", "day", "sample"], kind="stable", na_position="last")
    return frame.drop(columns="_order").reset_index(drop=True)


def doses_by_day(tables: Tables) -> pd.DataFrame:
    """Return one row per subject and dose day: ``subject, day, donors`` (joined by `` + ``), ``products``."""
    doses = tables.study.doses
    rows = [
        {
            "subject": subject,
            "day": day,
            "donors": " + ".join(sorted(set(group["donor"]), key=natural_key)),
            "products": len(group),
        }
        for (subject, day), group in doses.groupby(["subject", "day"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["subject", "day", "donors", "products"])


def by_group(frame: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Add the columns ``arm`` and ``response`` of the subject to a frame that has ``subject``."""
    known = subjects.drop_duplicates("subject").set_index("subject")[["arm", "response"]]
    return frame.drop(columns=["arm", "response"], errors="ignore").join(known, on="subject")


def _of_subjects(subjects: pd.DataFrame, column: str) -> dict[str, str | None]:
    if column not in subjects:
        return {}
    return {
        s: (v if isinstance(v, str) and v else None) for s, v in zip(subjects["subject"], subjects[column], strict=True)
    }


def _arm_order(subjects: pd.DataFrame) -> list[str]:
    """Arms that received doses first, then the others, each by name; the unknown one last."""
    patients = subjects[subjects["role"] != "donor"]
    dosed = patients.groupby("arm")["products"].sum() > 0
    return sorted(dosed.index, key=lambda arm: (arm == _UNKNOWN_ARM, not dosed[arm], natural_key(arm)))
