"""Packages whose functions are imported from their modules when first used: the declarations stay cheap to import."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

__all__ = ["lazy"]


def lazy(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package (PEP 562).

    A name that a module of the package has, too, cannot be in it: importing the module puts that into the package.

    Parameters
    ----------
    package
        Its ``__name__``.
    modules
        The module of the package in which each name is.
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return get
