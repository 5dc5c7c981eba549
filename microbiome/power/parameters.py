"""Parameters of a simulated trial from the text of a command line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from microbiome.errors import Problem, raise_problems
from microbiome.simulate.panel_parameters import PanelParameters

__all__ = ["panel_parameters"]


def panel_parameters(
    values: Mapping[str, object], texts: Sequence[str] = (), factors: Sequence[str] = ()
) -> PanelParameters:
    """Return the parameters, those that are not named at their defaults.

    Parameters
    ----------
    values
        By name; lists stand for tuples.
    texts
        Further ones as ``NAME=VALUE``, the value as JSON: ``taxa=500``, ``baseline_repeats=[-28]``.
    factors
        Factors on the depth of some samples as ``WHO=FACTOR``: ``post+responder=0.1``.

    Raises
    ------
    InputError
        With everything that is no parameter or makes no sense.
    """
    defaults = PanelParameters()
    known = {field.name: getattr(defaults, field.name) for field in fields(PanelParameters)}
    problems: list[Problem] = []
    chosen: dict[str, Any] = dict(values)
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"did you mean {near[0]}?" if near else "see microbiome.simulate.panel_parameters.PanelParameters"
            problems.append(Problem(f"there is no parameter {name!r}", fix, value=text))
            continue
        found = _json(value)
        if _is_like(found, known[name]):
            chosen[name] = found
        else:
            example = dict(known[name]) if isinstance(known[name], Mapping) else known[name]
            problems.append(Problem(f"{text} is not possible", f"give a value like {json.dumps(example)}", value=text))
    depth = dict(chosen.get("depth_factors", {}))
    for text in factors:
        who, _, value = text.partition("=")
        found = _json(value)
        if isinstance(found, int | float) and not isinstance(found, bool):
            depth[who] = float(found)
        else:
            problems.append(Problem(f"depth factor {text} is not possible", "write post+responder=0.1", value=text))
    raise_problems(problems)
    chosen["depth_factors"] = depth
    listed = {name: tuple(value) for name, value in chosen.items() if isinstance(value, list)}
    return PanelParameters(**(chosen | listed))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_like(value: object, default: object) -> bool:
    """Tell whether a value read from JSON can stand for a parameter with this default."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, tuple):
        return isinstance(value, list) and all(isinstance(one, int | float) for one in value)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, Mapping):
        return isinstance(value, dict) and all(isinstance(one, int | float) for one in value.values())
    return isinstance(value, int)
