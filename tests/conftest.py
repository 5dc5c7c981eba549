"""Fixtures shared by all tests: the places of the repository, the tools on PATH, the published data, Hypothesis.

Nothing here may depend on what somebody installed by hand: ``make test`` puts in place whatever a test calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from reliability import Recorder

REPOSITORY = Path(__file__).resolve().parent.parent

# A shared machine stalls now and then: wall-clock deadlines would make good tests fail. In CI the examples are the
# same every time, so that a red run means a change of the code and not of the dice.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session", autouse=True)
def tools_on_path() -> Iterator[None]:
    """Let tests that start programs find those of this Python environment and of ``make``'s conda fallback first.

    ``python -m pytest`` without an activated environment would otherwise miss ``microbiome``, ``snakemake`` and
    ``metaphlan``, or find those of another installation.
    """
    # Not resolved: `.venv/bin/python` is a link to the system's interpreter, beside which there are no such programs.
    places = [Path(sys.executable).parent, REPOSITORY / ".tools" / "conda" / "bin"]
    found = [str(place) for place in places if place.is_dir()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join([*found, os.environ.get("PATH", os.defpath)]))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of the values computed by other programs, with the scripts that computed them."""
    return REPOSITORY / "tests" / "golden"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the published data sets, which are not part of the repository, or skip the test.

    It is the folder named by the environment variable MICROBIOME_REAL_DATA, else ``../shared/data`` beside the
    checkout.
    """
    named = os.environ.get("MICROBIOME_REAL_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if named:
            pytest.fail(f"MICROBIOME_REAL_DATA names {named}, which is not a folder")
        pytest.skip(f"published data absent: {folder} is not a folder (or set MICROBIOME_REAL_DATA)")
    return folder


@pytest.fixture
def reliability(request: pytest.FixtureRequest) -> Recorder:
    """Return what compares the row of this test in docs/reliability.md (or writes it: ``make reliability``)."""
    place = f"tests/{request.path.relative_to(REPOSITORY / 'tests')}::{request.function.__name__}"
    return Recorder(place, write=os.environ.get("RELIABILITY") == "write")
