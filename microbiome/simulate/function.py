"""What the simulated organisms can do: genes on their markers, the truth that follows, and databases for HUMAnN."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.features import write_features
from microbiome.simulate.parameters import Parameters, stream
from microbiome.simulate.strains import BASES, Genomes
from microbiome.simulate.trial import Trial, true_outcomes
from microbiome.tsv import write_table

__all__ = [
    "HUMANN_DATABASE",
    "Genes",
    "function_config",
    "load_reactions",
    "true_functions",
    "write_function_databases",
    "write_function_truth",
]

#: Name of the marker database for the profile that HUMAnN asks for. HUMAnN takes profiles of vJun23 only; the sequences
#: in it are as made-up as its name says.
HUMANN_DATABASE = "mpa_vJun23Simulated_CHOCOPhlAnSGB_202601"

# HUMAnN looks for these words in the names of its database files.
_NUCLEOTIDE, _PROTEIN = "centroids.v201901_v31.ffn.gz", "uniref90_simulated_v201901b"
_ACCESSORY = 3
# The species of every so manieth taxon has no genes in the nucleotide database: HUMAnN finds its functions by
# translated search only, and does not know whose they are.
_UNKNOWN_SPECIES = 12
_LETTERS = "ACDEFGHIKLMNPQRSTVWY"
_CODONS = {
    "A": "GCT GCC GCA GCG",
    "C": "TGT TGC",
    "D": "GAT GAC",
    "E": "GAA GAG",
    "F": "TTT TTC",
    "G": "GGT GGC GGA GGG",
    "H": "CAT CAC",
    "I": "ATT ATC ATA",
    "K": "AAA AAG",
    "L": "TTA TTG CTT CTC CTA CTG",
    "M": "ATG",
    "N": "AAT AAC",
    "P": "CCT CCC CCA CCG",
    "Q": "CAA CAG",
    "R": "CGT CGC CGA CGG AGA AGG",
    "S": "TCT TCC TCA TCG AGT AGC",
    "T": "ACT ACC ACA ACG",
    "V": "GTT GTC GTA GTG",
    "W": "TGG",
    "Y": "TAT TAC",
}


def load_reactions() -> pd.DataFrame:
    """Return the packaged excerpt of HUMAnN's maps.

    Returns
    -------
    DataFrame
        One row per pathway and reaction: ``pathway``, ``core`` (every organism has the pathway), ``reaction``, ``ec``,
        ``families`` (two UniRef90 families, joined by a comma).
    """
    with resources.files("microbiome.simulate").joinpath("function.tsv").open(encoding="utf-8") as handle:
        return pd.read_csv(handle, sep="\t", comment="#", dtype=str).assign(core=lambda rows: rows["core"] == "1")


class Genes:
    """The genes of every SGB, one to a marker.

    An SGB has the core pathways, then three others, drawn for it (the methanogen has methanogenesis, and nobody else);
    each reaction by one of the two families that can do it. Markers that are left get families nothing is known of. A
    family has one protein, of random amino acids, which each SGB writes in codons of its own: between SGBs a gene
    differs at about a quarter of its bases, so that markers stay markers.

    Parameters
    ----------
    parameters
        ``seed``, ``markers``, ``marker_length``.
    taxa
        Index taxon, with ``lineage``.
    """

    def __init__(self, parameters: Parameters, taxa: pd.DataFrame) -> None:
        self.parameters = parameters
        self.taxa = taxa
        self._families: dict[str, list[str]] = {}

    @cached_property
    def reactions(self) -> pd.DataFrame:
        """The table of :func:`load_reactions`."""
        return load_reactions()

    @cached_property
    def ecs(self) -> dict[str, str]:
        """EC of each family that has one."""
        rows = self.reactions
        return {family: ec for ec, both in zip(rows["ec"], rows["families"], strict=True) for family in both.split(",")}

    def pathways(self, taxon: str) -> list[str]:
        """Return the pathways of an SGB, the core first (the last may be cut short where there are few markers)."""
        rows = self.reactions
        core = list(dict.fromkeys(rows.loc[rows["core"], "pathway"]))
        if "g__Methanobrevibacter" in self.taxa.loc[taxon, "lineage"]:
            return [*core, "METHANOGENESIS-PWY"]
        others = sorted(set(rows.loc[~rows["core"], "pathway"]) - {"METHANOGENESIS-PWY"})
        drawn = stream(self.parameters.seed, "pathways", taxon).choice(len(others), _ACCESSORY, replace=False)
        return [*core, *(others[i] for i in drawn)]

    def families(self, taxon: str) -> list[str]:
        """Return the UniRef90 family of each marker of an SGB, in their order."""
        if taxon not in self._families:
            rng = stream(self.parameters.seed, "families", taxon)
            rows = self.reactions.set_index("pathway")
            wanted: dict[str, str] = {}
            for pathway in self.pathways(taxon):
                for reaction, both in rows.loc[[pathway], ["reaction", "families"]].itertuples(index=False):
                    choice = both.split(",")[int(rng.integers(2))]
                    wanted.setdefault(reaction, choice)
            known = list(dict.fromkeys(wanted.values()))
            number = list(self.taxa.index).index(taxon)
            unknown = [f"UniRef90_SIM{number:04d}{i:03d}" for i in range(self.parameters.markers)]
            self._families[taxon] = [*known, *unknown][: self.parameters.markers]
        return self._families[taxon]

    def protein(self, family: str) -> str:
        """Return the amino acids of a family: as many as the longest marker can hold."""
        number = -(-round(1.25 * self.parameters.marker_length) // 3)
        drawn = stream(self.parameters.seed, "protein", family).integers(0, len(_LETTERS), number)
        return "".join(_LETTERS[i] for i in drawn)

    def coding(self, taxon: str, family: str, length: int) -> np.ndarray:
        """Return the gene of a family in an SGB as codes 0 to 3: as much of the protein as fits into `length`."""
        protein = self.protein(family)[: length // 3]
        draws = stream(self.parameters.seed, "codons", taxon, family).random(len(protein))
        spelled = (_CODONS[letter].split() for letter in protein)
        text = "".join(codons[int(draw * len(codons))] for codons, draw in zip(spelled, draws, strict=True))
        return np.searchsorted(BASES, np.frombuffer(text.encode(), dtype=np.uint8)).astype(np.uint8)

    def written(self, taxon: str, genome: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """Return the genome of an SGB with its genes on its markers."""
        result = genome.copy()
        for family, start, stop in zip(self.families(taxon), starts.tolist(), stops.tolist(), strict=True):
            gene = self.coding(taxon, family, stop - start)
            result[start : start + gene.size] = gene
        return result

    def in_database(self) -> list[str]:
        """Return the SGBs whose genes are in the nucleotide database."""
        last = _UNKNOWN_SPECIES - 1
        gone = {self._species(str(taxon)) for i, taxon in enumerate(self.taxa.index) if i % _UNKNOWN_SPECIES == last}
        return [str(taxon) for taxon in self.taxa.index if self._species(str(taxon)) not in gone]

    def _species(self, taxon: str) -> str:
        return ".".join(str(self.taxa.loc[taxon, "lineage"]).split("|")[:-1])


def true_functions(genes: Genes, abundance: pd.DataFrame, kind: str = "ec") -> pd.DataFrame:
    r"""Return what the samples can truly do.

    Parameters
    ----------
    genes
        The genes of the SGBs.
    abundance
        sample x taxon: true fractions of genome copies :math:`a_{st}`.
    kind
        ``ec``: copies of each EC per genome of the sample, :math:`\sum_t a_{st} n_{te}`, with :math:`n_{te}` the
        genes of SGB t for EC e. ``pathway``: fraction of genomes with every reaction of the pathway.

    Returns
    -------
    DataFrame
        sample x function, in reads per kilobase up to a factor for ECs; what no SGB of the trial can do is left out.
    """
    rows = {}
    pathways = genes.reactions.groupby("pathway", sort=False)["families"].agg(list)
    for taxon in map(str, abundance.columns):
        own = set(genes.families(taxon))
        if kind == "ec":
            rows[taxon] = pd.Series([genes.ecs[family] for family in own if family in genes.ecs]).value_counts()
        else:
            whole = [name for name, both in pathways.items() if all(own & set(pair.split(",")) for pair in both)]
            rows[taxon] = pd.Series(1, index=whole, dtype=float)
    copies = pd.DataFrame(rows).T.fillna(0.0).reindex(abundance.columns)
    return abundance @ copies[sorted(copies.columns)]


def write_function_truth(genes: Genes, trial: Trial, folder: Path) -> None:
    """Write ``functions.tsv`` (ECs) and ``pathways.tsv`` (:func:`true_functions`), and the true outcomes of ECs."""
    abundance = trial.abundance
    ecs = true_functions(genes, abundance)
    write_features(ecs, folder / "functions.tsv", corner="function")
    there = ecs.rename_axis(index="sample").reset_index().melt("sample", var_name="taxon", value_name="fraction")
    there = there[there["fraction"] > 0].assign(strain="")
    outcomes = true_outcomes(trial.samples, trial.doses, there)
    # Functions have no strains: what the table tells of those is left out.
    write_table(outcomes.loc[:, :"outcome"], folder / "function_outcomes.tsv")
    write_features(true_functions(genes, abundance, "pathway"), folder / "pathways.tsv", corner="function")


def write_function_databases(genomes: Genomes, genes: Genes, folder: Path) -> None:
    """Write what HUMAnN needs: genes of species, proteins, maps of families to ECs and of reactions to pathways.

    ``nucleotide/`` has one file per species (but for those that HUMAnN is to find by translated search),
    ``protein/`` a diamond database of all families, ``ec_map.tsv`` the families of each EC, ``reactions.tsv`` those of
    each reaction and ``pathways.tsv`` the reactions of each pathway.

    Raises
    ------
    InputError
        When diamond is not on PATH.
    """
    nucleotide, protein = folder / "nucleotide", folder / "protein"
    for made in (nucleotide, protein):
        made.mkdir(parents=True)
    pangenomes: dict[str, list[str]] = {}
    for taxon in genes.in_database():
        lineage = str(genes.taxa.loc[taxon, "lineage"]).split("|")[:-1]
        starts, stops = genomes.marker_bounds(taxon)
        genome = genomes.ancestor(taxon)
        for i, family in enumerate(genes.families(taxon)):
            size = (int(stops[i] - starts[i])) // 3 * 3
            text = BASES[genome[starts[i] : starts[i] + size]].tobytes().decode()
            uniref50 = family.replace("UniRef90", "UniRef50")
            name = f"{taxon.removeprefix('t__')}__{i + 1}|{'.'.join(lineage)}|{family}|{uniref50}|{size}"
            pangenomes.setdefault(".".join(lineage[-2:]), []).append(f">{name}\n{text}\n")
    for species, records in pangenomes.items():
        data = gzip.compress("".join(records).encode(), mtime=0)
        (nucleotide / f"{species}.{_NUCLEOTIDE}").write_bytes(data)
    families = sorted({family for taxon in genes.taxa.index for family in genes.families(str(taxon))})
    fasta = "".join(f">{f}|{len(genes.protein(f)) * 3}\n{genes.protein(f)}\n" for f in families)
    _diamond(fasta, protein / f"{_PROTEIN}.dmnd")
    rows = genes.reactions
    by_ec = rows.groupby("ec", sort=True)["families"].agg(lambda both: ",".join(both))
    _write_map(folder / "ec_map.tsv", {ec: list(dict.fromkeys(both.split(","))) for ec, both in by_ec.items()})
    by_reaction = rows.drop_duplicates("reaction").set_index("reaction")["families"]
    _write_map(folder / "reactions.tsv", {name: both.split(",") for name, both in by_reaction.items()})
    pathways = rows.groupby("pathway", sort=False)["reaction"].agg(lambda names: " ".join(names))
    _write_map(folder / "pathways.tsv", {name: [f" {names} "] for name, names in pathways.items()})


def function_config(output: str) -> dict[str, str | bool]:
    """Return the keys under ``function`` of the configuration of a simulated trial whose folder is `output`."""
    folder = f"{output}/function"
    return {
        "nucleotide_database": f"{folder}/nucleotide",
        "protein_database": f"{folder}/protein",
        "prescreen": False,
        "ec_map": f"{folder}/ec_map.tsv",
        "reactions": f"{folder}/reactions.tsv",
        "pathways": f"{folder}/pathways.tsv",
    }


def _write_map(path: Path, rows: Mapping[object, list[str]]) -> None:
    path.write_text("".join("\t".join([str(name), *values]) + "\n" for name, values in rows.items()), encoding="utf-8")


def _diamond(fasta: str, database: Path) -> None:
    program = shutil.which("diamond")
    if program is None:
        raise InputError(Problem("diamond is not on PATH", "install diamond, or simulate without --function"))
    command = [program, "makedb", "--quiet", "--threads", "1", "--db", str(database)]
    # diamond reads the proteins from standard input.
    done = subprocess.run(command, input=fasta, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise RuntimeError(f"diamond makedb failed ({done.returncode}): {done.stderr.strip()}")
