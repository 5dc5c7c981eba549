"""Any input gives a result or an ``InputError``: every reader on files that were damaged at random.

The budget here is :data:`EXAMPLES` damaged files per group of readers, about half a minute in all; ``make fuzz`` goes
on for as long as it is told to, guided by coverage.
"""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from fuzz_readers import BRACKEN, NAMES, NODES, READERS, seeds
from fuzzing import attempt, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from microbiome.errors import InputError
from microbiome.tables import Column, Table
from microbiome.tsv import read_result, read_table

EXAMPLES = 150


def allele_file(head: object) -> bytes:
    packed = zlib.compress(json.dumps(head).encode())
    return b"FMTALLEL" + struct.pack("<I", len(packed)) + packed


#: What fuzzing found, each mended: group of readers, file, and a content that was answered with a traceback, or taken.
FOUND: tuple[tuple[str, str, bytes], ...] = (
    ("strain_distances", "pairs.tsv", b"taxon\tsample_1\tsample_2\tsites\tdistance\nt__SGB1\tA\tB\t1.5\t0.1\n"),
    ("metaphlan", "R1.0_profile.tsv", b"#mpa_v1\n#" + b"9" * 5000 + b" reads processed\n#clade_name\tA\nk__B\t100\n"),
    ("functions", "map.tsv", gzip.compress(b"1.1.1.1\tUniRef90_A\n" * 50, mtime=0)[:20] + b"\xff" * 40),
    ("molecules", "molecules.tsv", b'""'),
    ("molecules", "limits.tsv", b"feature\tlod\n\t0.1\n"),
    ("trees", "tree.nwk", b"((1:1,2:0.5):1,(:1,3:2):1,4:1);"),
    ("trees", "tree.nwk", b"((1:1,2:1e999):1,3:2);"),
    ("trees", "tree.nwk", b"((1:1,2:nan):1,3:2,4:1);"),
    ("alleles", "A.alleles", allele_file([])),
    ("alleles", "A.alleles", b"FMTALLEL" + struct.pack("<I", 60_000) + zlib.compress(b"[" * 50_000)),
    (
        "alleles",
        "A.alleles",
        allele_file(
            {"version": 1, "sample": [], "database": "", "checksum": "", "settings": [], "clades": [{"taxon": "a"}]}
        ),
    ),
    ("databases", "mpa_v1.pkl", b"\x80\x02]r\xff\xff\xff\x7f."),
    ("config", "config.yaml", b"samples: a\nseed: 0x_\n"),
    ("config", "config.yaml", b"samples: !!float x\n"),
    ("config", "config.yaml", b"samples: !!timestamp x\n"),
    ("config", "config.yaml", b"samples: 2020-13-45\n"),
    ("config", "config.yaml", b"samples: " + b"[" * 5000),
    (
        "config",
        "config.yaml",
        b"a: &a [1,2,3,4,5,6,7,8,9]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(8)),
    ),
    # Names that steer a terminal or fill it.
    ("sheets", "samples.tsv", b"sample\tsub\x1b[31m\nA\t\x07\n"),
    ("features", "features.tsv", b"f\ta\x1b[2J\n" + b"x" * 5000 + b"\tno\n"),
)


@pytest.mark.parametrize(("reader", "name", "data"), FOUND)
def test_what_was_found(reader: str, name: str, data: bytes, tmp_path: Path) -> None:
    """Every reader of such a file says what is wrong."""
    known = [seed for seed in seeds(reader) if seed.name == name]
    assert known
    for number, seed in enumerate(known):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert attempt(seed, data, folder) == "problem"


def test_a_table_of_events_without_rows_has_no_pairs(tmp_path: Path) -> None:
    seed = next(seed for seed in seeds("strain_distances") if seed.name == "sstr_strain_events.tsv")
    assert attempt(seed, seed.data.split(b"\n")[0], tmp_path) == "result"


SMALL = Table(
    "small", "", (Column("sample", "id", "", required=True), Column("note", "text", ""), Column("reads", "integer", ""))
)


@pytest.mark.parametrize(
    "text",
    [
        # A row that was cut off was filled up where a quote stood anywhere in the table.
        'sample\tnote\nA\t"x"\nB',
        # An optional column in capitals was taken for a covariate: its numbers were lost.
        "sample\tReads\nA\t1\n",
        # A row that is too long before one that is too short made names an index.
        "sample\tnote\treads\nA\tx\t1\t2\nB\tx\n",
        # csv and pandas complained of these in their own words.
        "sample\t" + "x" * 140_000 + "\nA\t1\n",
        "sample\treads\nA\t1.5\n",
        "sample\tnote\t\nA\tx\ty\n",
    ],
)
def test_the_quick_reader_takes_nothing_that_the_strict_one_refuses(text: str, tmp_path: Path) -> None:
    path = tmp_path / "small.tsv"
    path.write_text(text)
    with pytest.raises(InputError):
        read_table(path, SMALL)
    with pytest.raises(InputError):
        read_result(path, SMALL)


def test_a_taxonomy_that_goes_round_in_circles_has_an_end(tmp_path: Path) -> None:
    seed = next(seed for seed in seeds("profilers") if seed.name == "taxonomy/nodes.dmp")
    circle = NODES.replace("9\t|\t2", "9\t|\t10") + "11\t|\t9\t|\tspecies\t|\n"
    assert BRACKEN.count("\t11\t") == 1
    assert "root" in NAMES
    attempt(seed, circle.encode(), tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_valid_files_are_read(reader: str, tmp_path: Path) -> None:
    """Else the damage would be done to files that are refused anyway."""
    for number, seed in enumerate(seeds(reader)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert attempt(seed, seed.data, folder) == "result", seed.name


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=EXAMPLES)
@given(random=st.randoms(use_true_random=False))
def test_damaged_files(reader: str, random: Random) -> None:
    known = seeds(reader)
    seed = random.choice(known)
    data = mutated(seed, random, tuple(other.data for other in known))
    with TemporaryDirectory() as folder:
        attempt(seed, data, Path(folder))
