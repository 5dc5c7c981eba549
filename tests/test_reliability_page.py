"""docs/reliability.md: every row names a test that is there, and what is written is read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from reliability import GROUPS, PAGE, Recorder, cleaned, named_tests, page, rows_of


def test_every_row_names_a_test_that_is_there(repository: Path) -> None:
    for place in named_tests():
        file, name = place.split("::")
        assert f"def {name}(" in (repository / file).read_text("utf-8"), place
    assert page(rows_of()) == PAGE.read_text("utf-8")


def test_rows_are_written_compared_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    for group, fault in ((GROUPS[1], "b | c"), (GROUPS[0], "z"), (GROUPS[1], "a")):
        Recorder("tests/test_x.py::test_y", True, path)(group, fault, done="this", saw="error: `x` | y\nline 2")
    text = path.read_text("utf-8")
    assert list(rows_of(path)) == [(GROUPS[0], "z"), (GROUPS[1], "a"), (GROUPS[1], "b \\| c")]
    assert text.count("`` error: `x` \\| y ``<br>`line 2`") == 3
    assert named_tests(path) == ["tests/test_x.py::test_y"] * 3
    same = Recorder("tests/test_x.py::test_y", False, path)
    same(GROUPS[0], "z", done="this", saw="error: `x` | y\nline 2")
    with pytest.raises(AssertionError, match="another row"):
        same(GROUPS[0], "z", done="this", saw="error: y")
    # A shorter row leaves nothing of the longer one behind.
    Recorder("tests/test_x.py::test_y", True, path)(GROUPS[0], "z", done="this", saw="e")
    assert page(rows_of(path)) == path.read_text("utf-8")


def test_what_differs_between_runs_is_taken_out() -> None:
    assert cleaned("\x1b[31mat /a/place/trial \n", {"/a/place": "FOLDER"}) == "at FOLDER/trial"
