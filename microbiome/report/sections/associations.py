"""Section on associations of features with patients and with other molecules: all tested pairs, what passes FDR."""

from __future__ import annotations

from typing import Any

import pandas as pd

from microbiome.associate.tables import EFFECTS
from microbiome.report import figures
from microbiome.report.association_frames import SIGNIFICANT, cloud, named_pairs, network, passing
from microbiome.report.blocks import (
    Cell,
    Fact,
    Figure,
    FigureGroup,
    Heading,
    Note,
    Section,
    TableBlock,
    Title,
    below,
    listed,
    number,
    number_cell,
    p_text,
    plural,
    signed,
)
from microbiome.report.data import Tables
from microbiome.report.downloads import file_key
from microbiome.report.notes import brief, named_methods, statements
from microbiome.report.sections.joined import joined_rows

__all__ = ["associations"]

_TEXT = (
    "Every pair that was to be tested is counted here, also those that could not be. An association is no cause, and "
    "a pair that was not found may be there: beside each effect stands the smallest one that this number of subjects "
    "could have shown."
)
_ROWS = 150  # of the table; all are in the file
_UNTESTED = "not testable: "
_REASONS = 12  # that are told
_SAVED = 20_000  # rows up to which the page itself holds all
_METHODS = {
    "spearman": "Spearman, subjects permuted",
    "partial_spearman": "partial Spearman, subjects permuted",
    "permutation": "mean ranks, labels permuted",
    "logistic": "penalised logistic regression (presence)",
    "least_squares": "least squares, a value per subject",
    "mixed_model": "mixed model, all samples",
    "rm_corr": "repeated-measures correlation",
    "share": "share of visits, subjects permuted",
    "within_subject": "slope within subjects, signs flipped",
}

_EFFECTS = {"cliffs_delta": "Cliff's delta", "log_odds_ratio": "log odds ratio", "r_rm": "r (repeated measures)"}


def associations(tables: Tables) -> list[Section]:
    """Make the section; none where no associations were computed."""
    if not tables.associations:
        return []
    blocks: list[Any] = []
    facts: list[Fact] = []
    several = len(tables.associations) > 1
    tested = found = everything = 0
    for name, frame in tables.associations.items():
        if several:
            blocks.append(Title(_title(name)))
        pairs = named_pairs(frame, tables.lineages)
        hits = passing(pairs)
        tested, found, everything = tested + int(pairs["tested"].sum()), found + len(hits), everything + len(pairs)
        blocks += _blocks(name if several else "", pairs, hits)
    facts.append(Fact(f"{everything:,}", "pairs, parts and methods", f"{tested:,} could be tested"))
    facts.append(Fact(f"{found:,}", f"with q ≤ {SIGNIFICANT:g}", "Benjamini-Hochberg within each family"))
    blocks += joined_rows(tables.clinical.get("joins"))
    return [Section("associations", "Associations", [_TEXT], blocks, facts)]


def _title(name: str) -> str:
    """Name the associations of a file: the workflow has those with subjects, those of rates, and one per table."""
    known = {"subjects": "With response, arm and other columns of subjects", "outcomes": "Rates with molecules"}
    return known.get(name, f"With {name.replace('_', ' ')}")


def _blocks(name: str, pairs: pd.DataFrame, hits: pd.DataFrame) -> list[Any]:
    if pairs.empty:
        return [Note("This table holds no pairs.")]
    suffix = f"_{file_key(name)}" if name else ""
    size = tuple(int(pairs[c].max()) if pairs[c].notna().any() else 0 for c in ("n_subjects", "n_samples"))
    n_subjects, n_samples = size[0], max(size)
    blocks: list[Any] = []
    if len(hits):
        nodes, edges = network(hits)
        number_of = int(edges["edge"].nunique())
        all_pairs = len(hits.drop_duplicates(["table_1", "feature_1", "table_2", "feature_2"]))
        blocks.append(
            Figure(
                f"associations_network{suffix}",
                f"Associations with q ≤ {SIGNIFICANT:g}",
                f"{_passed(number_of, all_pairs)}: features as points, a column per table. Solid: more of one with "
                "more of the other (or in the named group); dashed: less. Under the false discovery rate about one in "
                "twenty lines is there by chance, and no line says which of the two comes first.",
                figures.network(nodes, edges),
                hits.drop(columns=["tested"]),
                n_subjects,
                n_samples,
            )
        )
    else:
        blocks.append(Note(f"No pair passes q ≤ {SIGNIFICANT:g}: there is no network to draw."))
    blocks += _volcanoes(suffix, pairs, n_subjects, n_samples)
    blocks.append(_table(suffix, pairs))
    blocks += _untested(pairs)
    return blocks


def _passed(drawn: int, pairs: int) -> str:
    if drawn < pairs:
        return f"The first {drawn} of {pairs:,} pairs that pass"
    return "The only pair that passes" if pairs == 1 else f"All {pairs:,} pairs that pass"


def _volcanoes(suffix: str, pairs: pd.DataFrame, n_subjects: int, n_samples: int) -> list[Any]:
    """Make a figure per method, with a panel per kind of effect."""
    made: list[Figure] = []
    for method, part in pairs.groupby("method", sort=False):
        panels: dict[str, tuple[pd.DataFrame, float, float]] = {}
        words: list[str] = []
        drawn = part[part["tested"] & part["effect"].notna()]
        for effect, rows in drawn.groupby("effect_name", sort=False):
            single, family = (_median(rows[c]) for c in ("detectable", "detectable_family"))
            title = _EFFECTS.get(str(effect), str(effect).replace("_", " "))
            panels[title] = (cloud(rows), single, family)
            words.append(
                f"{title}: {EFFECTS.get(str(effect), '').replace('`', '')}; {_detectable(rows, single, family)}"
            )
        if not panels:
            continue
        grid = any((frame["pairs"] > 1).any() for frame, _, _ in panels.values())
        untested = int((~part["tested"]).sum())
        caption = (
            f"{plural(len(drawn), 'pair')} tested"
            + (f", {untested} not testable (see the notes)" if untested else "")
            + f". {' '.join(words)}"
            + (" Many pairs: grey are cells of a grid, darker with more pairs." if grid else "")
        )
        data = pd.concat([frame.assign(effect_name=name) for name, (frame, _, _) in panels.items()], ignore_index=True)
        made.append(
            Figure(
                f"associations_{file_key(str(method))}{suffix}",
                f"All pairs tested: {_METHODS.get(str(method), str(method))}",
                caption,
                figures.volcano(panels),
                data,
                n_subjects,
                n_samples,
            )
        )
    rest = made[2:]
    return [*made[:2], *([FigureGroup(f"Further methods ({plural(len(rest), 'figure')})", rest)] if rest else [])]


def _median(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.median()) if len(known) else float("nan")


def _detectable(rows: pd.DataFrame, single: float, family: float) -> str:
    if single != single:
        return "no effect of any size would have been found with a power of 80 % at this n."
    text = f"the smallest that would be found with a power of 80 % is {number(single, 2)} at p < 0.05 (dotted)"
    size = rows["family_size"].dropna()
    many = f" of {int(size.max())} tests" if len(size) else ""
    if family == family:
        return f"{text} and {number(family, 2)} at the level of the family{many} (dashed; medians over the pairs)."
    return f"{text}; none at the level of the family{many}."


def _table(suffix: str, pairs: pd.DataFrame) -> TableBlock:
    ordered = pairs.sort_values("p_value", kind="stable", na_position="last")
    shown = ordered.head(_ROWS)
    headings = [
        Heading("feature"),
        Heading("against", "What it was tested against; of groups which one, against which reference."),
        Heading("samples at", "baseline, post, change, or all as repeated measures."),
        Heading("method", "How, and which part of the feature: value, presence or abundance."),
        Heading("effect", "With its interval; which effect, and which interval, stands below the method.", True),
        Heading("p", "Two-sided; below it the smallest that could have come out.", True),
        Heading("q", "Benjamini-Hochberg within the family.", True),
        Heading("subjects", "And samples.", True),
        Heading("detectable", "Smallest effect found with a power of 80 % at p < 0.05.", True),
        Heading("note"),
    ]
    rows = [
        [
            Cell(str(row["name_1"]), str(row["table_1"])),
            Cell(str(row["name_2"]), _groups(row)),
            Cell(str(row["at"])),
            Cell(
                str(row["method"]).replace("_", " "),
                f"{row['part']}, {str(row['effect_name'] or '').replace('_', ' ')}{_interval(row)}",
            ),
            number_cell(row["effect"], signed(row["effect"]), below(row["ci_low"], row["ci_high"])),
            number_cell(
                row["p_value"],
                p_text(row["p_value"]),
                "" if pd.isna(row["p_floor"]) else f"\n≥ {p_text(row['p_floor'])}",
            ),
            number_cell(row["q_value"], p_text(row["q_value"])),
            number_cell(row["n_subjects"], number(row["n_subjects"]), f"\n{number(row['n_samples'])} samples"),
            number_cell(row["detectable"], number(row["detectable"], 2)),
            Cell(brief(row["note"])),
        ]
        for row in shown.to_dict("records")
    ]
    more = f"The {_ROWS} smallest p-values of {len(pairs):,}; every pair is in the file." if len(pairs) > _ROWS else ""
    kept = ordered if len(ordered) <= _SAVED else shown
    data = kept.drop(columns=["tested", "name_1", "name_2"])
    return TableBlock(f"associations{suffix}", "Pairs tested", more, headings, rows, data)


def _groups(row: dict[Any, Any]) -> str:
    if row["group"] is None or pd.isna(row["group"]):
        return str(row["table_2"])
    return f"{row['group']} against {row['reference']}"


def _interval(row: dict[Any, Any]) -> str:
    """Name the interval, where there is one."""
    name = row.get("interval")
    return "" if pd.isna(row["ci_low"]) or not isinstance(name, str) else f"; interval: {named_methods(name)}"


def _untested(pairs: pd.DataFrame) -> list[Any]:
    """Count the pairs that could not be tested, by reason, each with a few of its names; all are in the file."""
    lacking = pairs[~pairs["tested"] & pairs["note"].notna()]
    found: dict[str, list[str]] = {}
    for note, one, two in zip(lacking["note"], lacking["name_1"], lacking["name_2"], strict=True):
        for text in statements(note):
            if text.startswith(_UNTESTED):
                found.setdefault(text.removeprefix(_UNTESTED), []).append(f"{one} ~ {two}")
    if not found:
        return []
    items = []
    for reason, names in sorted(found.items(), key=lambda item: -len(item[1]))[:_REASONS]:
        once = list(dict.fromkeys(names))
        such = "" if len(once) > 1000 else f" ({listed(once, 3)})"
        items.append(f"{len(names):,}: {reason}{such}")
    left = len(found) - len(items)
    more = f" The {_REASONS} most frequent reasons of {len(found)}." if left else ""
    return [
        Note(f"Not testable: {plural(len(lacking), 'pair')} (each with its reason in the file).{more}", items=items)
    ]
