"""The findings of the audit as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["sentence"]


def sentence(
    row: Mapping[str, Any], kin: Mapping[str, Any], least_taxa: int, doubted: bool, also: Sequence[str] = ()
) -> str:
    """Return what is found of a sample in words.

    Parameters
    ----------
    row
        A row of the audit.
    kin
        The same numbers, named ``kin_...``, of the nearest sample that it may share strains with through a donor.
    least_taxa
        Fewer taxa are too few.
    doubted
        Whether the test spoke against the label.
    also
        Other explanations that are as good.
    """
    verdict, partner = row["verdict"], row["partner"]
    own = _shares(row, "own", "of its own person")
    other = _shares(row, "other", "")
    if verdict not in ("ok", "untestable"):
        rest = f"; as likely: {' or '.join(also)}" if also else ""
        return f"{_accused(row, own, other, verdict, partner)}{rest}."
    links = [own, _shares(row, "donor", "of its donor") or _shares(kin, "kin", "linked by a donor")]
    shown = " and ".join(text for text in links if text)
    if verdict == "ok":
        rest = f"; what it shares with {row['other_sample']} is explained by that sample's label" if doubted else ""
        return f"{shown[:1].upper()}{shown[1:]}{rest}."
    most = max(int(part.get(f"{name}_taxa") or 0) for part, name in ((row, "own"), (row, "donor"), (kin, "kin")))
    if most < least_taxa:
        number = "nothing was" if not most else "at most 1 taxon was" if most == 1 else f"at most {most} taxa were"
        words = f"{number} compared with any sample of its person or donors"
        return f"Too little to go by: {words}."
    return f"Nothing speaks against the label, and nothing shows it: {shown}."


def _accused(row: Mapping[str, Any], own: str, other: str, verdict: str, partner: str | None) -> str:
    if verdict == "swapped":
        return f"Exchanged with {partner}: {other or own}{_and(own if other else '')}"
    if verdict == "wrong_person" and partner:
        return f"A sample of {partner}, not of {row['subject']}: {other}{_and(own)}"
    if verdict == "wrong_person":
        return f"Not of {row['subject']}, as far as strains tell, and nobody in the study fits: {own or other}"
    if verdict == "wrong_donor":
        donor = _shares(row, "donor", "of a donor on its label")
        return f"Holds strains of donor {partner}, who is not among those on its label: {other}{_and(donor)}"
    return (
        f"Holds strains of {partner}, with whom it has nothing to do by its label (contamination, or people who live "
        f"together): {other}{_and(own)}"
    )


def _shares(row: Mapping[str, Any], name: str, who: str) -> str:
    taxa = int(row.get(f"{name}_taxa") or 0)
    if not taxa:
        return ""
    whom = f"{row[f'{name}_sample']} ({who})" if who else str(row[f"{name}_sample"])
    return (
        f"shares {row[f'{name}_shared']} of {taxa} taxa with {whom}, {row[f'{name}_expected']:.1f} expected by chance"
    )


def _and(text: str) -> str:
    return f", and {text}" if text else ""
