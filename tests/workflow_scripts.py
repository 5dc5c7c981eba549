"""The scripts of the workflow as modules, for tests of what is in them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["load"]


def load(repository: Path, name: str) -> ModuleType:
    """Return a script as a module of its own: what a test changes in it is gone with the test."""
    spec = importlib.util.spec_from_file_location(name, repository / "workflow" / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
