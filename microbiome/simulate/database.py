"""The miniature MetaPhlAn 4 marker database and the host index: made-up sequences under real names."""

from __future__ import annotations

import bz2
import pickle
import shutil
import subprocess
from pathlib import Path

from microbiome.errors import InputError, Problem
from microbiome.simulate.strains import BASES, Genomes, host_genome

__all__ = ["DATABASE", "HOST", "write_database", "write_host"]

#: Name of the database. It has the form of MetaPhlAn's names but is none of them, so that profiles made with it are
#: never merged with real ones.
DATABASE = "mpa_vSimulated_CHOCOPhlAnSGB_202601"

#: Name of the host index and of its only sequence.
HOST = "host"

_LINE = 80


def write_database(genomes: Genomes, folder: Path, database: str = DATABASE) -> None:
    """Write the marker database: bowtie2 index (``.bt2l``), ``.pkl`` and ``.fna``.

    Each marker is a row of the pickle's ``markers`` (clade, length, taxon, no other SGB shares it), each SGB one of
    its ``taxonomy`` with the length of its miniature genome, from which MetaPhlAn estimates the unclassified part.
    All files are the same bytes for the same seed.

    Raises
    ------
    InputError
        When bowtie2-build is not on PATH.
    """
    folder.mkdir(parents=True, exist_ok=True)
    markers: dict[str, dict[str, object]] = {}
    taxonomy: dict[str, tuple[str, int]] = {}
    fasta: list[bytes] = []
    for number, (taxon, row) in enumerate(genomes.taxa.iterrows(), start=1):
        name = str(taxon)
        taxonomy[row["lineage"]] = (row["taxids"], int(row["miniature_length"]))
        genome = genomes.ancestor(name)
        starts, stops = genomes.marker_bounds(name)
        for i, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True), start=1):
            marker = f"UniRef90_SIM{number:03d}{i:03d}|1__{i}|{name.removeprefix('t__')}"
            markers[marker] = {"clade": name, "ext": [], "len": stop - start, "taxon": row["lineage"], "score": 0}
            fasta.append(_record(marker, BASES[genome[start:stop]].tobytes()))
    (folder / f"{database}.fna").write_bytes(b"".join(fasta))
    content = {"markers": markers, "taxonomy": taxonomy, "merged_taxon": {}}
    # Protocol 2 as in MetaPhlAn's own databases.
    (folder / f"{database}.pkl").write_bytes(bz2.compress(pickle.dumps(content, protocol=2)))
    _build(folder / f"{database}.fna", folder / database, "--large-index")


def write_host(genomes: Genomes, folder: Path) -> None:
    """Write the made-up host genome as FASTA with its bowtie2 index.

    Raises
    ------
    InputError
        When bowtie2-build is not on PATH.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sequence = BASES[host_genome(genomes.parameters)].tobytes()
    (folder / f"{HOST}.fna").write_bytes(_record("made_up_host", sequence))
    _build(folder / f"{HOST}.fna", folder / HOST)


def _record(name: str, sequence: bytes) -> bytes:
    lines = [sequence[i : i + _LINE] for i in range(0, len(sequence), _LINE)]
    return b">" + name.encode() + b"\n" + b"\n".join(lines) + b"\n"


def _build(fasta: Path, prefix: Path, *options: str) -> None:
    program = shutil.which("bowtie2-build")
    if program is None:
        raise InputError(
            Problem("bowtie2-build is not on PATH", "install bowtie2, or simulate tables only (without --reads)")
        )
    # One thread: with more, the order in which blocks are finished could show in the index.
    command = [program, "-q", "--seed", "0", "--threads", "1", *options, str(fasta), str(prefix)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - program found by which
    if done.returncode != 0:
        raise RuntimeError(f"bowtie2-build failed ({done.returncode}) for {fasta}: {done.stderr.strip()}")
