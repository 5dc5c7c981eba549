"""Write what derives from the declarations: JSON schemas, the configuration template, and its documentation.

``python -m microbiome.docs`` writes the files into the current folder, the root of the repository; with ``--check`` it
writes nothing and exits with 1 when one of them is not up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microbiome.config_keys import KEYS, SECTIONS, Key, config_schema
from microbiome.config_tables import TABLE_KEYS
from microbiome.declared import OTHER_INPUTS, RESULT_TABLES
from microbiome.files import write_text
from microbiome.simulate.tables import ACCURACY, TRUTH_TABLES
from microbiome.tables import INPUT_TABLES, Column, Table

__all__ = ["config_page", "config_template", "generated_files", "main", "table_schema", "tables_page"]

_MADE = "made by `python -m microbiome.docs` from the declarations in `microbiome/`; do not edit"
_TYPES = {
    "id": "text",
    "text": "text",
    "path": "path",
    "integer": "integer",
    "number": "number",
    "flag": "0 or 1",
    "choice": "choice",
}
_KEY_TYPES = {
    "text": "text",
    "path": "path",
    "paths": "path or list of paths",
    "words": "text or list of text",
    "integer": "integer",
    "number": "number",
    "integers": "list of integers",
    "numbers": "list of numbers",
    "flag": "true or false",
    "choice": "choice",
    "choices": "list",
    "names": "list of text",
    "tables": "tables by name",
}

_MOLECULES = """
## Tables of molecules and of cells

Any table that is named under `tables:` in the configuration, or as `NAME=FILE` to `microbiome associate` and
`microbiome join`. Its header tells its shape, and the log says which was taken:

- `sample` and a column for each feature: a row for each stool sample;
- `subject`, `day` and a column for each feature: a row for each person and day, such as a blood draw;
- anything else: a feature in each row, a sample in each column.

A cell is a number, empty (not measured), `<0.5` (below the limit of detection 0.5), `<LOD` (below the one that
`limits` or `lod` states) or `>100` (above). Anything else is an error: `n.d.` may mean not done or not detected.
Columns that are no features, such as a plate, are named in `leave_out`.
"""


def generated_files() -> dict[str, str]:
    """Return the text of every derived file by its path in the repository."""
    files = {
        "config/config.yaml": config_template(),
        "docs/config.md": config_page(),
        "docs/tables.md": tables_page(),
        "workflow/schemas/config.schema.json": _json(config_schema()),
    }
    for table in INPUT_TABLES:
        files[f"workflow/schemas/{table.name}.schema.json"] = _json(table_schema(table))
    return files


def table_schema(table: Table) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of one row of a table, numbers converted and empty cells left out."""
    kinds = {"integer": "integer", "number": "number", "flag": "integer"}
    properties: dict[str, Any] = {}
    for column in table.columns:
        schema: dict[str, Any] = {"description": column.meaning, "type": kinds.get(column.kind, "string")}
        if column.kind == "choice":
            schema["enum"] = list(column.allowed)
        if column.kind == "flag":
            schema["enum"] = [0, 1]
        if column.pattern:
            schema["pattern"] = f"^{column.pattern}$"
        schema |= {} if column.minimum is None else {"minimum": column.minimum}
        schema |= {} if column.maximum is None else {"maximum": column.maximum}
        properties[column.name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"One row of {table.name}.tsv",
        "description": table.meaning,
        "type": "object",
        "properties": properties,
        "required": [column.name for column in table.columns if column.filled],
        "additionalProperties": table.open,
    }


def config_template() -> str:
    """Return the annotated template of the configuration: every key, with its default or an example."""
    lines = [
        "# Configuration of the workflow: every key and its default; keys that are left out have their default.",
        "# Paths are relative to the folder in which snakemake is started. `microbiome check --config THIS_FILE` says",
        "# what is wrong. docs/config.md says the same as this file, docs/tables.md describes the tables.",
        "# (The file in the repository is made by `python -m microbiome.docs` from the declarations in `microbiome/`;",
        "# your own copy is yours to edit.)",
    ]
    open_sections: tuple[str, ...] = ()
    for key in KEYS:
        sections = key.place[:-1]
        for depth in range(len(sections)):
            if sections[: depth + 1] != open_sections[: depth + 1]:
                indent = "  " * depth
                lines += [
                    "",
                    *_comment(SECTIONS[".".join(sections[: depth + 1])], indent),
                    f"{indent}{sections[depth]}:",
                ]
        indent = "  " * len(sections)
        lines += [] if lines[-1].endswith(":") else [""]
        lines += [*_comment(f"{key.meaning}{_limits(key)}", indent), f"{indent}{key.place[-1]}: {_yaml(key)}"]
        open_sections = sections
    return "\n".join(lines) + "\n"


def config_page() -> str:
    """Return docs/config.md."""
    lines = [
        "# Configuration",
        "",
        f"<!-- {_MADE} -->",
        "",
        "The workflow is described by one YAML file, by default `config/config.yaml`; as it comes with the repository,",
        "that file is the template. `microbiome check --config FILE` names every problem in it and in everything it",
        "refers to.",
        "",
        "- Give exactly one of `units` (start from FASTQ) and `profiles` (start from finished profiles).",
        "- Paths are relative to the folder in which `snakemake` or `microbiome` is started, as is usual in Snakemake.",
        "- A key that is left out has its default. A key that is not listed here is refused, with the nearest that is.",
        "- Names stay as they are written: a column or database called `007`, `no` or `1e5` needs no quotes.",
        "- `snakemake --config seed=2` overrides a key; threads, memory and time are set in the profiles of Snakemake.",
        "- Of a list (`[a, b]`), each element may also stand on a line of its own behind `- `.",
    ]
    for section in ("", *SECTIONS):
        keys = [key for key in KEYS if ".".join(key.place[:-1]) == section]
        title = f"`{section}`" if section else "Top level"
        lines += ["", f"## {title}", ""]
        lines += [SECTIONS[section], ""] if section else []
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for key in keys:
            default = "`{}`" if key.kind == "tables" else f"`{_plain(key.default)}`"
            default = "(needed)" if key.needed and key.default == "" else default
            meaning = _cell(f"{key.meaning}{_limits(key)}")
            lines.append(f"| `{key.place[-1]}` | {_KEY_TYPES[key.kind]} | {default} | {meaning} |")
    lines += ["", "## Each of the `tables`", "", "| key | type | default | meaning |", "|---|---|---|---|"]
    for entry in TABLE_KEYS:
        default = "(needed)" if entry.needed else "(none)" if entry.default is None else f"`{_plain(entry.default)}`"
        limits = _limits(Key(entry.name, entry.kind, "", "", entry.unit, False, entry.allowed))
        limits += f" {_range(entry.minimum, entry.maximum)}" if entry.minimum is not None else ""
        lines.append(f"| `{entry.name}` | {_KEY_TYPES[entry.kind]} | {default} | {_cell(entry.meaning + limits)} |")
    return "\n".join(lines) + "\n"


def tables_page() -> str:
    """Return docs/tables.md."""
    lines = [
        "# Tables",
        "",
        f"<!-- {_MADE} -->",
        "",
        "All tables are TSV: separated by tabs, UTF-8, one header row, plain or `.gz`. An empty cell is missing.",
        "Lines that begin with `#` before the header are comments. Identifiers are text always: `007`, `NA`, `1e5` and",
        "`true` are legal names and stay as they are. `microbiome check` names every problem with file, line, column",
        "and value.",
        "",
        "In the tables below, *needed* means that the column must be in the header, *filled* that besides none of its",
        "cells may be empty.",
        "",
        "# Input",
    ]
    for table in INPUT_TABLES:
        lines += _table_section(table, "tsv")
    for table in OTHER_INPUTS:
        lines += _table_section(table, "tsv")
    lines += ["", *_MOLECULES.strip().split("\n"), "", "# Output"]
    for table in RESULT_TABLES:
        lines += _table_section(table, "tsv")
    lines += [
        "",
        "# Simulated trials",
        "",
        "Tables of `microbiome simulate` (folder `truth/`) and `microbiome accuracy`.",
    ]
    for table in TRUTH_TABLES:
        lines += [line.replace("## ", "## truth/") for line in _table_section(table, "tsv")]
    lines += _table_section(ACCURACY, "tsv")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m microbiome.docs", description="Write all files that derive from code."
    )
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 when a file is not up to date")
    parser.add_argument("root", nargs="?", default=".", type=Path, help="root of the repository")
    arguments = parser.parse_args(argv)
    stale = []
    for name, text in generated_files().items():
        path = arguments.root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not arguments.check:
                write_text(text, path)
    for name in stale:
        sys.stderr.write(f"{'not up to date' if arguments.check else 'written'}: {name}\n")
    return 1 if stale and arguments.check else 0


def _table_section(table: Table, suffix: str) -> list[str]:
    lines = ["", f"## {table.name}.{suffix}", "", table.meaning]
    if table.key:
        lines[-1] += f" No two rows have the same {' and '.join(f'`{name}`' for name in table.key)}."
    if table in INPUT_TABLES and table.open:
        lines[-1] += " Further columns are kept as covariates."
    lines += ["", "| column | type | | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        need = "filled" if column.required and column.filled else "needed" if column.required else ""
        lines.append(
            f"| `{column.name}` | {_TYPES[column.kind]} | {need} | {_cell(column.meaning + _column_limits(column))} |"
        )
    return lines


def _column_limits(column: Column) -> str:
    parts = [f"Unit: {column.unit}."] if column.unit else []
    if column.allowed:
        parts.append(f"One of {', '.join(f'`{word}`' for word in column.allowed)}.")
    parts += [_range(column.minimum, column.maximum)] if column.kind != "flag" else []
    if column.pattern:
        parts.append(f"Letters, digits, `.`, `_` and `-`, a letter or digit first (`{column.pattern}`).")
    return "".join(f" {part}" for part in parts if part)


def _limits(key: Key) -> str:
    parts = [f"Unit: {key.unit}."] if key.unit else []
    if key.allowed:
        parts.append(f"{'One' if key.kind == 'choice' else 'Any'} of {', '.join(key.allowed)}.")
    parts.append(_range(key.minimum, key.maximum))
    return "".join(f" {part}" for part in parts if part)


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"Range: {low:.12g} to {high:.12g}."
    if low is not None:
        return f"Range: {low:.12g} or more."
    return f"Range: {high:.12g} or less." if high is not None else ""


def _yaml(key: Key) -> str:
    if key.kind == "tables":
        return "{}"
    return _plain(key.default if key.template is None else key.template)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_plain(item) for item in value)}]"
    if isinstance(value, str):
        return (
            value if value and value.replace("_", "").replace("/", "").replace(".", "").isalnum() else json.dumps(value)
        )
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _comment(text: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(text, 100, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
