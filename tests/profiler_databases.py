"""Miniature databases of Kraken2 and sourmash, made from the genomes that a simulated trial was drawn from."""

from __future__ import annotations

import csv
import json
import subprocess
from dataclasses import fields
from pathlib import Path

import pandas as pd

from microbiome.simulate.parameters import Parameters
from microbiome.simulate.strains import BASES, Genomes
from microbiome.simulate.taxa import load_taxa

__all__ = ["Reference", "reference", "write_kraken2", "write_sourmash"]

_RANKS = ("superkingdom", "phylum", "class", "order", "family", "genus", "species")
_COLUMNS = ("superkingdom", "phylum", "class", "order", "family", "genus", "species")
# Made-up identifiers, for what has none, begin here: far beyond those of NCBI.
_FIRST_ID = 50_000_000


class Reference:
    """Genomes of a simulated trial with a taxonomy.

    Parameters
    ----------
    genomes
        As simulated.
    """

    def __init__(self, genomes: Genomes) -> None:
        self.genomes = genomes
        self.nodes: dict[tuple[str, ...], int] = {}
        self.of: dict[str, tuple[str, ...]] = {}
        for taxon, row in genomes.taxa.iterrows():
            names, ids = row["lineage"].split("|")[:7], row["taxids"].split("|")[:7]
            for depth in range(1, 8):
                place, known = tuple(names[:depth]), ids[depth - 1]
                if place not in self.nodes:
                    taken = known and int(known) not in self.nodes.values()
                    self.nodes[place] = int(known) if taken else _FIRST_ID + len(self.nodes)
            self.of[str(taxon)] = tuple(names)

    def sequence(self, taxon: str) -> str:
        """Return the genome of an SGB as text."""
        return BASES[self.genomes.ancestor(taxon)].tobytes().decode()

    def species(self, taxon: str) -> str:
        """Return the species of an SGB, as it stands in profiles."""
        return self.of[taxon][-1]

    def expected(self, abundance: pd.DataFrame) -> pd.DataFrame:
        """Return the fractions of DNA of each species (sample x species) for fractions of genome copies (SGBs)."""
        lengths = self.genomes.taxa["miniature_length"].astype(float)
        dna = abundance.mul(lengths.reindex(abundance.columns), axis=1)
        dna = dna.T.groupby([self.species(taxon) for taxon in dna.columns]).sum().T
        return dna.div(dna.sum(axis=1), axis=0)


def reference(trial: Path) -> Reference:
    """Return the genomes of the trial that `microbiome simulate` wrote into a folder."""
    given = json.loads((trial / "truth" / "parameters.json").read_text())["parameters"]
    known = {field.name for field in fields(Parameters)}
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if name in known
    }
    parameters = Parameters(**values)
    return Reference(Genomes(parameters, load_taxa(parameters)))


def write_taxonomy(made: Reference, folder: Path) -> None:
    """Write nodes.dmp and names.dmp."""
    folder.mkdir(parents=True)
    nodes = ["1\t|\t1\t|\tno rank\t|\t-\t|", "131567\t|\t1\t|\tno rank\t|\t-\t|"]
    names = ["1\t|\troot\t|\t\t|\tscientific name\t|", "131567\t|\tcellular organisms\t|\t\t|\tscientific name\t|"]
    for place, number in made.nodes.items():
        parent = made.nodes[place[:-1]] if len(place) > 1 else 131567
        nodes.append(f"{number}\t|\t{parent}\t|\t{_RANKS[len(place) - 1]}\t|\t-\t|")
        names.append(f"{number}\t|\t{place[-1][3:].replace('_', ' ')}\t|\t\t|\tscientific name\t|")
    (folder / "nodes.dmp").write_text("\n".join(nodes) + "\n")
    (folder / "names.dmp").write_text("\n".join(names) + "\n")


def write_kraken2(made: Reference, folder: Path) -> None:
    """Build a Kraken2 database: its own taxonomy, every genome under its species."""
    write_taxonomy(made, folder / "taxonomy")
    fasta = folder / "genomes.fna"
    records = [
        f">{taxon}|kraken:taxid|{made.nodes[place]}\n{made.sequence(taxon)}\n" for taxon, place in made.of.items()
    ]
    fasta.write_text("".join(records))
    for words in (["--add-to-library", str(fasta), "--no-masking"], ["--build", "--threads", "1"]):
        subprocess.run(["kraken2-build", "--db", str(folder), *words], check=True, capture_output=True)


def write_sourmash(made: Reference, folder: Path, ksize: int = 31, scaled: int = 10) -> None:
    """Write genomes.zip, a sketch per genome, and lineages.csv as `sourmash tax` takes it."""
    (folder / "fasta").mkdir(parents=True)
    files = []
    for taxon in made.of:
        file = folder / "fasta" / f"{taxon}.fna"
        file.write_text(f">{taxon} made up\n{made.sequence(taxon)}\n")
        files.append(str(file))
    sketch = ["sourmash", "sketch", "dna", "-p", f"k={ksize},scaled={scaled}", "--name-from-first"]
    subprocess.run([*sketch, "-o", str(folder / "genomes.zip"), *files], check=True, capture_output=True)
    with (folder / "lineages.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["ident", *_COLUMNS])
        writer.writerows([taxon, *place] for taxon, place in made.of.items())
