#!/usr/bin/env python3
"""Run HUMAnN 3 on one sample, or say why it cannot be run.

HUMAnN and the MetaPhlAn it can read (4.1.1) live in an environment of their own. It is found through the program
`humann` on PATH, and put first on the PATH of what is started here, so that no other MetaPhlAn is taken. Where there
are too few reads, tables without functions are written, and the counts carry the status for the accounting.

HUMAnN reads a table of names of gene families before it writes them (UniRef50's, 11 s and 3 GB). With UniRef90 families
none of the names is used, and HUMAnN is told through its own configuration that there is no such table.

Uses the standard library alone, because it runs in the environment of HUMAnN.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tool_runs import IncompleteError, advice, cut_off, how_it_ended, reads_in, refuse, text_written
from whole_files import write_whole

CHUNK = 1 << 22
COLUMNS = ("sample", "reads", "status", "reason", "unmapped", "families", "species", "humann", "search")
TABLES = ("genefamilies", "pathabundance", "pathcoverage")
HEADERS = {
    "genefamilies": "# Gene Family\t{}_Abundance-RPKs",
    "pathabundance": "# Pathway\t{}_Abundance",
    "pathcoverage": "# Pathway\t{}_Coverage",
}
#: Runs HUMAnN as its own program does, but without the names of UniRef50 families.
NAMELESS = (
    "import sys; from humann import config; config.gene_family_name_mapping_file = None; "
    "from humann import humann; sys.exit(humann.main())"
)
#: Columns of a profile that HUMAnN knows.
PROFILE = ("clade_name", "NCBI_tax_id", "relative_abundance", "additional_species")


def environment() -> tuple[Path, dict[str, str]]:
    """Return the folder of HUMAnN's programs, through links, and an environment in which it comes first on PATH."""
    program = shutil.which("humann")
    if program is None:
        raise SystemExit("error: humann is not on PATH")
    folder = Path(program).resolve().parent
    path = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return folder, own | {"PATH": path, "PYTHONHASHSEED": "0"}


def program(folder: Path, protein: Path) -> list[str]:
    """Return what starts HUMAnN: without its table of names where the proteins are of UniRef90."""
    python = folder / "python3"
    uniref90 = any("uniref90" in file.name.lower() for file in protein.glob("*.dmnd"))
    return [str(python), "-c", NAMELESS] if uniref90 and python.exists() else [str(folder / "humann")]


def write_profile(profile: Path, target: Path) -> None:
    """Copy a profile with the columns that HUMAnN knows: of others it would take the reads for the abundance.

    The comments, and with them the name of the database that HUMAnN looks at, stay as they are.
    """
    lines, columns = [], None
    for line in profile.read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        if line.startswith("#clade_name"):
            columns = [name.lstrip("#") for name in cells]
            lines.append("#" + "\t".join(PROFILE))
        elif line.startswith("#") or columns is None:
            lines.append(line)
        elif cells[0] != "UNCLASSIFIED":
            row = dict(zip(columns, cells, strict=False))
            taxid = row.get("NCBI_tax_id") or row.get("clade_taxid", "")
            more = row.get("additional_species", "")
            lines.append("\t".join([row["clade_name"], taxid, row["relative_abundance"], more]))
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def command_line(arguments: argparse.Namespace, reads: Path, work: Path, folder: Path) -> tuple[list[str], str]:
    """Return the command, and in words how the species to search are chosen."""
    command = [*program(folder, arguments.protein), "--input", str(reads), "--output", str(work / "out")]
    command += ["--output-basename", arguments.sample, "--threads", str(arguments.threads), "--remove-temp-output"]
    command += ["--o-log", str(work / "humann.log"), "--input-format", "fastq.gz"]
    command += ["--nucleotide-database", str(arguments.nucleotide.absolute())]
    command += ["--protein-database", str(arguments.protein.absolute())]
    search = "all species of the database"
    if arguments.profile:
        write_profile(arguments.profile, work / "profile.tsv")
        command += ["--taxonomic-profile", str(work / "profile.tsv")]
        search = "prescreen: profile of the workflow"
    elif arguments.metaphlan:
        # HUMAnN divides these options at spaces: the folder gets a name without any.
        (work / "metaphlan").symlink_to(arguments.metaphlan.absolute())
        command += ["--metaphlan-options", f"-t rel_ab --offline --bowtie2db metaphlan -x {arguments.index}"]
        search = f"prescreen: {arguments.index}"
    else:
        command += ["--bypass-prescreen"]
    if arguments.reactions and arguments.pathways:
        command += ["--pathways-database", f"{arguments.reactions.absolute()},{arguments.pathways.absolute()}"]
    return command + arguments.extra, search


def described(genefamilies: Path) -> dict[str, str]:
    """Return what the table of gene families tells of the sample."""
    total, unmapped, families, species = 0.0, 0.0, 0, set()
    with genefamilies.open(encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("#"):
                continue
            name, value = line.rstrip("\n").split("\t")
            if "|" in name:
                species.add(name.split("|", 1)[1])
                continue
            total += float(value)
            if name == "UNMAPPED":
                unmapped = float(value)
            else:
                families += 1
    found = {"families": str(families), "species": str(len(species - {"unclassified"}))}
    return found | ({"unmapped": f"{unmapped / total:.6f}"} if total > 0 else {})


def whole_table(path: Path) -> str:
    """Return the text of a table that HUMAnN wrote; refuse one that is missing or cut off.

    The parts of a gene family (rows with ``|``) follow it and sum to it: of the last one, too, all must be there.
    """
    text = text_written("humann", path, end="")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    try:
        values = [(name, float(value)) for name, value in rows]
    except ValueError:
        raise cut_off("humann", path, "its last row is not complete") from None
    last = next((i for i in range(len(values) - 1, -1, -1) if "|" not in values[i][0]), None)
    if last is None:
        raise cut_off("humann", path, "it has no rows")
    parts = sum(value for _, value in values[last + 1 :])
    # Of pathways the whole is no sum of its parts; UNMAPPED has none, and with some options nothing has.
    parted = any("|" in name for name, _ in values) and values[last][0] != "UNMAPPED"
    summed = parted and path.name.endswith("_genefamilies.tsv")
    if summed and abs(parts - values[last][1]) > 0.01 * values[last][1] + 1e-6:
        raise cut_off(
            "humann", path, f"the parts of {values[last][0]} sum to {parts:.6g}, not to {values[last][1]:.6g}"
        )
    return text


def run(arguments: argparse.Namespace, reads: int) -> dict[str, str]:
    """Run HUMAnN and move its tables into place; return the row of counts."""
    folder, variables = environment()
    said = subprocess.run([str(folder / "humann"), "--version"], capture_output=True, text=True, env=variables)
    version = re.search(r"v(\d[\w.]*)", said.stdout + said.stderr)
    with tempfile.TemporaryDirectory(dir=arguments.tmp, prefix=f"{arguments.sample}.") as scratch:
        work = Path(scratch).absolute()
        # Both mates in one file: gzip members can simply follow one another.
        joined = work / "reads.fastq.gz"
        with joined.open("wb") as target:
            for path in arguments.reads:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, target, CHUNK)
        command, search = command_line(arguments, joined, work, folder)
        about = f"sample {arguments.sample}"
        done = subprocess.run(command, cwd=work, env=variables, check=False)
        if done.returncode:
            log = work / "humann.log"
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines(True)[-40:] if log.is_file() else []
            sys.stderr.write("".join(lines))
            refuse(about, how_it_ended("humann", done.returncode, "".join(lines)))
        try:
            texts = {name: whole_table(work / "out" / f"{arguments.sample}_{name}.tsv") for name in TABLES}
        except IncompleteError as error:
            refuse(about, advice(error))
        row = {"reads": str(reads), "search": search, "humann": version.group(1) if version else ""}
        row |= described(work / "out" / f"{arguments.sample}_genefamilies.tsv")
        row |= {"status": "ok"} if row["families"] != "0" else {"status": "no_functions", "reason": "nothing was found"}
        for name in TABLES:
            # A line per row, the last one too; HUMAnN leaves its end away.
            write_whole(getattr(arguments, name), texts[name].rstrip("\n") + "\n")
    return row


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Run HUMAnN on a sample; flag it where it has too few reads.")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--reads", required=True, nargs="+", type=Path, help="gzip FASTQ, one or both mates")
    parser.add_argument("--min-reads", required=True, type=int, help="reads below which HUMAnN is not run")
    parser.add_argument("--nucleotide", required=True, type=Path, help="folder of the nucleotide database")
    parser.add_argument("--protein", required=True, type=Path, help="folder of the protein database")
    parser.add_argument("--profile", type=Path, help="profile of a database that HUMAnN takes (vJun23)")
    parser.add_argument("--metaphlan", type=Path, help="folder of the MetaPhlAn database for HUMAnN's own profile")
    parser.add_argument("--index", help="name of that database")
    parser.add_argument("--reactions", type=Path, help="reactions and their gene families")
    parser.add_argument("--pathways", type=Path, help="pathways and their reactions")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tmp", type=Path, help="where temporary files go")
    for name in TABLES:
        parser.add_argument(f"--{name}", required=True, type=Path, help="table to write")
    parser.add_argument("--counts", required=True, type=Path, help="TSV to write: reads, status, what was found")
    parser.add_argument("extra", nargs="*", help="further options of humann, after --")
    arguments = parser.parse_args()

    reads = sum(reads_in(path) for path in arguments.reads)
    enough = max(1, arguments.min_reads)
    if reads < enough:
        reason = f"{reads} reads, {enough} are needed (min_reads)"
        row = {"reads": str(reads), "status": "few_reads", "reason": reason}
        for name in TABLES:
            text = HEADERS[name].format(arguments.sample) + "\nUNMAPPED\t0\n"
            write_whole(getattr(arguments, name), text)
    else:
        row = run(arguments, reads)
    cells = [{"sample": arguments.sample, **row}.get(name, "") for name in COLUMNS]
    write_whole(arguments.counts, "\t".join(COLUMNS) + "\n" + "\t".join(cells) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
