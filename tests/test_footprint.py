"""The space on disk that a sample takes while it is worked on, as the meaning of ``keep`` states it."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path

import pytest
import yaml
from snakemake_runs import must_run, simulate

from microbiome.config_keys import KEYS

pytestmark = pytest.mark.tools


class Watch(threading.Thread):
    """Looks all the time how many bytes the files below some folders take; those that are linked, none."""

    def __init__(self, *folders: Path) -> None:
        super().__init__()
        self.folders, self.largest, self.looks, self.over = folders, 0, 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.01):
            size = 0
            for folder in self.folders:
                for path in folder.rglob("*"):
                    with contextlib.suppress(FileNotFoundError):
                        size += path.lstat().st_size if path.is_file() and not path.is_symlink() else 0
            self.largest, self.looks = max(self.largest, size), self.looks + 1


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, tools_on_path: None) -> Path:
    """Return a folder with a simulated trial whose samples are large beside all tables about them."""
    folder = tmp_path_factory.mktemp("footprint")
    size = "--donors 1 --donor-samples 1 --recipients 1 --placebo 0 --days 0 14 --read-pairs 20000 --sgbs 12"
    simulate(folder, *size.split(), seed=5)
    return folder


def stated() -> float:
    """Return how many times the size of its FASTQ files a sample takes at most, as the documentation says."""
    (key,) = [key for key in KEYS if key.name == "keep"]
    found = re.search(r"at most (\d+(?:\.\d+)?) times the space of its FASTQ", key.meaning)
    assert found, key.meaning
    return float(found[1])


@pytest.mark.parametrize(("units", "rarefy"), [(1, 0), (2, 15_000)], ids=["one unit", "two units, rarefied"])
def test_a_sample_takes_no_more_than_is_stated(trial: Path, repository: Path, units: int, rarefy: int) -> None:
    config = yaml.safe_load((trial / "trial" / "config.yaml").read_text())
    config |= {"rarefy_reads": rarefy, "results": f"results-{units}-{rarefy}"}
    rows = [line.split("\t") for line in (trial / "trial" / "units.tsv").read_text().splitlines()[1:]]
    numbers = {row[0]: sum(other[0] == row[0] for other in rows) for row in rows}
    sample = next(name for name, number in numbers.items() if (number > 1) == (units > 1))
    files = {trial / cell for row in rows if row[0] == sample for cell in row if cell.endswith(".gz")}
    given = sum(path.stat().st_size for path in files)
    (trial / "config.yaml").write_text(yaml.safe_dump(config))
    scratch = trial / f"scratch-{units}-{rarefy}"
    scratch.mkdir()
    watch = Watch(trial / config["results"], scratch)
    watch.start()
    try:
        place = config["results"]
        targets = [f"{place}/profiles/{sample}_profile.tsv", f"{place}/strains/alleles/{sample}.alleles"]
        must_run(repository, trial, *targets, "--default-resources", f"tmpdir='{scratch}'")
    finally:
        watch.over.set()
        watch.join()
    assert watch.looks > 50
    # At least what is read and what is written of it are there at the same time.
    assert 1.5 * given < watch.largest <= stated() * given
    left = [path for path in (trial / place).rglob("*") if path.is_file() and path.stat().st_size > given / 4]
    assert left == [], "what is temporary is gone"
