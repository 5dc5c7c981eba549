"""These tests start a SLURM of their own: they run only where they are named (``make test-cluster``)."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what nobody asked for: ``pytest`` and ``pytest tests`` go past this folder."""
    named = [config.invocation_params.dir / word.split("::")[0] for word in config.invocation_params.args]
    return None if any(HERE in (path.resolve(), *path.resolve().parents) for path in named) else True
