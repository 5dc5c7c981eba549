"""Sections on how it was done and where the numbers are: methods, versions, files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from microbiome.report.blocks import Cell, Heading, Missing, Section, TableBlock
from microbiome.report.data import Tables
from microbiome.report.text import versions
from microbiome.tables import OUTPUT_TABLES, Table

__all__ = ["files", "software"]


def software(tables: Tables, own_version: str) -> list[Any]:
    """Make the tables of versions and parameters, as the provenance records them."""
    if not tables.provenance:
        return [
            Missing(
                "Versions and parameters were not recorded: there is no provenance (microbiome provenance, option "
                "--provenance)."
            )
        ]
    rows = [[Cell("fmt-microbiome"), Cell(str(tables.provenance.get("microbiome", own_version)))]]
    rows += [[Cell(name), Cell(version)] for name, version in versions(tables.provenance).items()]
    database = tables.provenance.get("database")
    name = database.get("name") if isinstance(database, dict) else None
    if name or tables.database:
        rows.append([Cell("database of the profiles"), Cell(str(name or tables.database))])
    blocks: list[Any] = [TableBlock("versions", "Versions", "", [Heading("program"), Heading("version")], rows)]
    parameters = tables.provenance.get("parameters")
    if isinstance(parameters, dict):
        flat = [[Cell(key), Cell(value)] for key, value in _flat(parameters)]
        blocks.append(TableBlock("parameters", "Parameters", "", [Heading("parameter"), Heading("value")], flat))
    return blocks


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, inner in value.items():
        if isinstance(inner, dict):
            rows += _flat(inner, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)))
    return rows


def files(tables: Tables, output: str) -> Section:
    """Make the section that links every table.

    Links are relative to the page, so that the folder can be moved; a page on standard output has paths instead.
    """
    folder = None if output == "-" else Path(output).resolve().parent
    declared: dict[str, Table] = {table.name: table for table in OUTPUT_TABLES}
    rows = []
    for path, what in tables.files:
        href = "" if folder is None else Path(os.path.relpath(Path(path).resolve(), folder)).as_posix()
        table = declared.get(Path(path).name.removesuffix(".gz").removesuffix(".tsv"))
        rows.append(
            [Cell(href or path, href=href), Cell(table.meaning if table else what[:1].upper() + what[1:] + ".")]
        )
    text = "Everything shown here comes from these files; each figure and table above offers its own data too."
    return Section(
        "files",
        "Tables and files",
        [text],
        [TableBlock("files", "Files", "", [Heading("file"), Heading("what it holds")], rows)],
    )
