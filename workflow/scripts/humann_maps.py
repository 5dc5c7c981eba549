#!/usr/bin/env python3
"""Take what comes with HUMAnN out of its environment: names of functions and species, and a map of ECs.

The map of ECs to UniRef90 families is derived from the reactions of MetaCyc that HUMAnN quantifies pathways with. It is
close to, and not the same as, the official one of the utility mapping, which users download.

Uses the standard library alone, because it runs in the environment of HUMAnN.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

from whole_files import whole, write_whole

NAMES = ("map_level4ec_name.txt.gz", "map_ko_name.txt.gz", "map_metacyc-pwy_name.txt.gz")
SPECIES = "humann3_sgb_map.Jun23.tsv"
REACTIONS = "metacyc_reactions_level4ec_only.uniref.bz2"


def data_folder() -> Path:
    """Return the folder of the data that come with the HUMAnN on PATH."""
    program = shutil.which("humann")
    if program is None:
        raise SystemExit("error: humann is not on PATH")
    python = Path(program).resolve().parent / "python3"
    code = "import humann; print(humann.__path__[0])"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()) / "data"


def ec_families(reactions: Path) -> dict[str, dict[str, None]]:
    """Return the UniRef90 families of each EC: of all of its reactions, in their order."""
    found: dict[str, dict[str, None]] = {}
    with bz2.open(reactions, "rt", encoding="utf-8") as stream:
        for line in stream:
            _, ecs, *families = line.rstrip("\n").split("\t")
            own = [family for family in families if family.startswith("UniRef90_")]
            for ec in filter(None, re.split(r"[,; ]+", ecs)):
                found.setdefault(ec, {}).update(dict.fromkeys(own))
    return found


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Take names and maps out of the environment of HUMAnN.")
    parser.add_argument("--names", required=True, type=Path, help="TSV to write: function, name")
    parser.add_argument("--species", required=True, type=Path, help="TSV to write: SGB, HUMAnN's species")
    parser.add_argument("--ec-map", type=Path, help="map of ECs to UniRef90 families to write (.gz)")
    arguments = parser.parse_args()
    data = data_folder()
    rows = ["function\tname\n"]
    for name in NAMES:
        with gzip.open(data / "misc" / name, "rt", encoding="utf-8") as stream:
            rows += [line.rstrip("\n") + "\n" for line in stream if line.count("\t") == 1]
    write_whole(arguments.names, "".join(rows))
    with whole(arguments.species) as part:
        shutil.copyfile(data / "misc" / SPECIES, part)
    if arguments.ec_map:
        families = ec_families(data / "pathways" / REACTIONS)
        text = "".join("\t".join([ec, *families[ec]]) + "\n" for ec in sorted(families))
        with whole(arguments.ec_map) as part:
            # Without the time, so that equal maps are equal files.
            part.write_bytes(gzip.compress(text.encode(), compresslevel=4, mtime=0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
