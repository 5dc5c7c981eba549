"""The key ``tables`` of the configuration: tables of other molecules and of cells, and how each is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from microbiome.molecules.tables import TRANSFORMS
from microbiome.tables import ID_PATTERN

__all__ = [
    "RESERVED_TABLES",
    "TABLE_KEYS",
    "TableEntry",
    "TableKey",
    "tables_schema",
]

#: Names that tables of the toolkit itself have in the results.
RESERVED_TABLES = ("taxa", "ec", "ko", "pathways", "subjects", "samples", "outcomes", "rates", "depleted", "engrafted")


@dataclass(frozen=True)
class TableKey:
    """One key of an entry, declared as those of :mod:`microbiome.config_keys` are."""

    name: str
    kind: Literal["text", "path", "integer", "number", "choice", "names"]
    default: str | float | tuple[str, ...] | None
    meaning: str
    unit: str = ""
    needed: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


TABLE_KEYS: tuple[TableKey, ...] = (
    TableKey(
        "file",
        "path",
        "",
        "The table: sample and features; subject, day and features; or features as rows and samples as columns. A cell "
        "is a number, empty (missing), <LIMIT or >LIMIT.",
        needed=True,
    ),
    TableKey("unit", "text", "", "Unit of the values, for the figures; with % a logit takes 100 for the whole."),
    TableKey(
        "transform",
        "choice",
        "none",
        "What is done to the values before least squares and mixed models; ranks do not need it. Where a logarithm is "
        "taken, 0 is below the limit of detection: lod, else the smallest value of the feature.",
        allowed=TRANSFORMS,
    ),
    TableKey(
        "window",
        "integer",
        None,
        "Most days between a row of this table and the row of another that it is joined to; without it "
        "associate.window. Of two tables that each have one the smaller counts.",
        unit="days",
        minimum=0,
        maximum=36500,
    ),
    TableKey("limits", "path", "", 'Table of limits by feature: feature, lod, upper; "" = none.'),
    TableKey("lod", "number", None, "Limit of detection of the features that limits does not name: what <LOD means."),
    TableKey("leave_out", "names", (), "Columns that are no features, such as a plate or batch."),
)


@dataclass(frozen=True)
class TableEntry:
    """One table of the configuration; the fields are explained in :data:`TABLE_KEYS`."""

    name: str
    file: str
    unit: str = ""
    transform: str = "none"
    window: int | None = None
    limits: str = ""
    lod: float | None = None
    leave_out: tuple[str, ...] = ()


def tables_schema() -> dict[str, Any]:
    """Return the JSON schema of the value of ``tables``: a mapping of names to entries; unknown keys are refused."""
    entry = {
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in TABLE_KEYS if key.needed],
        "properties": {key.name: _key_schema(key) for key in TABLE_KEYS},
    }
    return {
        "description": "Tables of other molecules and of cells: NAME: {file: FILE, unit: ..., ...}, or NAME: FILE.",
        "type": "object",
        "propertyNames": {"pattern": f"^({ID_PATTERN})$", "not": {"enum": list(RESERVED_TABLES)}},
        "additionalProperties": {"anyOf": [{"type": "string", "minLength": 1}, entry]},
        "default": {},
    }


def _key_schema(key: TableKey) -> dict[str, Any]:
    kind = {"integer": "integer", "number": "number", "names": "array"}.get(key.kind, "string")
    schema: dict[str, Any] = {"description": key.meaning, "type": [kind, "null"] if key.default is None else kind}
    if key.kind == "names":
        schema |= {"items": {"type": "string", "minLength": 1}, "uniqueItems": True}
    if key.allowed:
        schema["enum"] = list(key.allowed)
    if key.needed:
        schema["minLength"] = 1
    else:
        schema["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    bounds = {"minimum": key.minimum, "maximum": key.maximum}
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}
