"""Section on functions: diversity, outcomes and rates of ECs, KOs and pathways, and the taxa behind their change."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from microbiome.report import figures
from microbiome.report.blocks import (
    Fact,
    Figure,
    FigureGroup,
    Missing,
    Note,
    Section,
    TableBlock,
    Title,
    plural,
    table_of,
)
from microbiome.report.data import Tables
from microbiome.report.data_function import FUNCTION_KINDS, FunctionTables
from microbiome.report.function_frames import OTHERS, contribution_bars, taxon_name
from microbiome.report.roster import Scheme
from microbiome.report.sections.chance import chance
from microbiome.report.sections.comparison import compared
from microbiome.report.sections.diversity import alpha, beta, similarity
from microbiome.report.sections.fate import rates

__all__ = ["function"]

_TEXT = (
    "The same measures for what the microbes can do. A function that engrafted is one that the donor has, the baseline "
    "lacks and the post sample has: most functions are carried by many taxa, so that far fewer are gained or lost than "
    "taxa. Genes are not activity, and what the database does not know is not seen."
)
_WORDS = {"taxa": "functions", "taxon": "function", "Taxa": "Functions", "Taxon": "Function", "SGBs": "functions"}
_OPEN = [OTHERS, taxon_name("unclassified"), taxon_name("unexplained")]


@dataclasses.dataclass(frozen=True)
class _Reworded:
    """A chart whose texts speak of functions."""

    chart: Any

    def to_dict(self) -> dict[str, Any]:
        """Return the specification with the words changed, field names alike."""
        spec: dict[str, Any] = json.loads(_words(json.dumps(self.chart.to_dict())))
        return spec


def _words(text: str) -> str:
    return re.sub(r"\b(taxa|taxon|Taxa|Taxon|SGBs)\b", lambda match: _WORDS[match.group(1)], text)


def function(tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame, by: Scheme) -> list[Section]:
    """Make the section; none where there are no results on functions.

    Parameters
    ----------
    tables
        What was read.
    subjects, samples
        As :func:`microbiome.report.roster.people` and :func:`~microbiome.report.roster.sample_table` return them.
    by
        What the colour of a subject means.
    """
    functions = tables.functions
    if not functions.kinds and functions.reads is None:
        return []
    blocks: list[Any] = []
    facts: list[Fact] = []
    if functions.reads is not None:
        blocks += _reads(functions.reads)
    for kind, found in functions.kinds.items():
        blocks.append(Title(FUNCTION_KINDS[kind]))
        parts = _kind(kind, found, tables, subjects, samples, by)
        blocks += parts or [Missing("There are no results on these functions.")]
        seen = found.outcomes["taxon"].nunique() if found.outcomes is not None else 0
        if seen:
            facts.append(Fact(f"{seen:,}", FUNCTION_KINDS[kind], "in donors, baselines or post samples"))
    return [Section("function", "Functions", [_TEXT], blocks, facts)]


def _kind(
    kind: str, found: FunctionTables, tables: Tables, subjects: pd.DataFrame, samples: pd.DataFrame, by: Scheme
) -> list[Any]:
    """Make the blocks of one kind of function, of the sections that show taxa the same way."""
    own = dataclasses.replace(
        tables,
        alpha=found.alpha,
        rates=found.rates,
        nulls=found.nulls,
        outcomes=None,
        taxa={},
        changes={},
        pcoa=found.pcoa,
        permanova=found.permanova,
        similarity=found.similarity,
        compare=found.compare,
    )
    shown: list[Any] = []
    folded: list[Figure] = []
    if found.alpha is not None:
        shown += _figures(alpha(own, samples, by).blocks)[:2]
    if found.rates is not None and len(found.rates):
        parts = rates(own, subjects, by).blocks
        shown += [
            part for part in parts if isinstance(part, Figure | TableBlock) and not part.key.endswith("_by_sample")
        ]
    for column, frame in found.compare.items():
        if len(frame):
            shown += [part for part in compared(own, column, frame) if not _beside(part)]
    if found.nulls is not None and len(found.nulls):
        parts = chance(own, subjects).blocks
        folded += _figures(parts)
        shown += [part for part in parts if isinstance(part, TableBlock) and part.key == "nulls"]
    if found.pcoa or found.permanova:
        parts = beta(own, samples, by).blocks
        folded += _figures(parts)
        shown += [part for part in parts if isinstance(part, TableBlock)]
    if found.similarity:
        folded += _figures(similarity(own, samples, by).blocks)
    if folded:
        words = "Chance, ordination, similarity"
        shown.append(FigureGroup(f"{words} ({plural(len(folded), 'figure')})", folded))
    made = [_renamed(part, kind) for part in shown if not isinstance(part, Missing)]
    return [*_contributions(kind, found, tables), *made]


def _figures(blocks: Sequence[Any]) -> list[Figure]:
    """Return all figures, the folded ones behind the others."""
    found = [block for block in blocks if isinstance(block, Figure)]
    return found + [figure for block in blocks if isinstance(block, FigureGroup) for figure in block.figures]


def _beside(block: Any) -> bool:
    """Tell whether a block is about the groups, not the functions: it stands where the taxa are compared."""
    return isinstance(block, TableBlock) and block.key.startswith(("sizes_", "donors_"))


def _renamed(block: Any, kind: str) -> Any:
    """Return a block with a key of its own, and words on functions in the place of those on taxa."""
    if isinstance(block, FigureGroup):
        return FigureGroup(_words(block.summary), [_renamed(figure, kind) for figure in block.figures])
    if isinstance(block, Figure):
        return dataclasses.replace(
            block,
            key=f"{kind}_{block.key}",
            title=_words(block.title),
            caption=_words(block.caption),
            chart=_Reworded(block.chart),
        )
    if isinstance(block, TableBlock):
        headings = [dataclasses.replace(h, name=_words(h.name), meaning=_words(h.meaning)) for h in block.headings]
        return dataclasses.replace(
            block,
            key=f"{kind}_{block.key}",
            title=_words(block.title),
            caption=_words(block.caption),
            headings=headings,
        )
    if isinstance(block, Note):
        return dataclasses.replace(block, text=_words(block.text), items=[_words(item) for item in block.items])
    return block


def _reads(reads: pd.DataFrame) -> list[Any]:
    lacking = reads[reads["status"] != "ok"]
    blocks: list[Any] = []
    if len(lacking):
        items = [f"{row['sample']}: {row['status']} ({row['reason']})" for row in lacking.to_dict("records")]
        blocks.append(Note(f"Without functions: {plural(len(lacking), 'sample')}.", "warn", items))
    from microbiome.function.tables import FUNCTION_READS

    title = "What HUMAnN had to work with"
    size = plural(len(reads), "sample")
    return [*blocks, table_of("function_reads", title, "", reads, FUNCTION_READS, size=size)]


def _contributions(kind: str, found: FunctionTables, tables: Tables) -> list[Any]:
    frame = found.contributions
    if frame is None or frame.empty:
        return []
    bars = contribution_bars(frame, tables.functions.names)
    if bars.empty:
        return []
    number = bars["function"].nunique()
    return [
        Figure(
            f"{kind}_contributions",
            "Taxa behind the functions that change most",
            "Change of the abundance between baseline and post samples, mean over subjects (each counts once), of the "
            f"{number} functions with the largest; by the taxon that the gain or loss comes from. The black tick is "
            "the sum. Grey: what HUMAnN gives to no species, and what its strata do not add up to. No test is made of "
            "these.",
            figures.contributions(bars, _OPEN),
            bars,
            int(frame["subject"].nunique()),
            int(frame["sample"].nunique()),
        )
    ]
