"""One key of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Key", "Kind"]

Kind = Literal[
    "text",
    "path",
    "paths",
    "words",
    "integer",
    "number",
    "integers",
    "numbers",
    "flag",
    "choice",
    "choices",
    "names",
    "tables",
]


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Parameters
    ----------
    name
        With its sections, joined by dots (``diversity.permanova.strata``).
    kind
        ``text``, ``path`` (one path or ``""``), ``paths`` (one path or pattern, or a list of them), ``words`` (one text
        or a list of them), ``integer``, ``number``, ``integers`` and ``numbers`` (lists of them), ``flag`` (true or
        false), ``choice`` (one of `allowed`), ``choices`` (a list of them), ``names`` (a list of texts),
        ``tables`` (tables by name: :mod:`microbiome.config_tables`).
    default
        Taken where the key is absent.
    meaning
        What it does, for the template and the documentation.
    unit
        Unit of a number.
    needed
        The value must not be empty, and without a default the key must be there.
    allowed, minimum, maximum, pattern
        What a value may be; bounds are included; a pattern must match the whole of a text that is not empty.
    template
        What the template has in place of the default.
    """

    name: str
    kind: Kind
    default: str | float | bool | tuple[str | float, ...]
    meaning: str
    unit: str = ""
    needed: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    template: str | None = None

    @property
    def place(self) -> tuple[str, ...]:
        """Keys from the root down to the value."""
        return tuple(self.name.split("."))

    @property
    def absent(self) -> Any:
        """What a configuration without the key has in its place."""
        if self.kind == "tables":
            return {}
        return list(self.default) if isinstance(self.default, tuple) else self.default
