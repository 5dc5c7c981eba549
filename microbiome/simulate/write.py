"""Writing a simulated trial: input tables, profiles, truth, and on request FASTQ, marker database and host."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from microbiome.errors import InputError, Problem
from microbiome.features import write_features
from microbiome.simulate.database import DATABASE, HOST, write_database, write_host
from microbiome.simulate.function import (
    HUMANN_DATABASE,
    Genes,
    function_config,
    write_function_databases,
    write_function_truth,
)
from microbiome.simulate.molecules import MOLECULE_TABLES, simulate_molecules, write_molecules
from microbiome.simulate.observe import exact_profile, observe, profile_text
from microbiome.simulate.parameters import Parameters
from microbiome.simulate.reads import fastq, lanes, simulate_reads
from microbiome.simulate.strains import Genomes, host_genome
from microbiome.simulate.tables import TRUTH_READS
from microbiome.simulate.trial import Trial, simulate_trial
from microbiome.tables import UNITS
from microbiome.tsv import write_table

__all__ = ["write_trial"]

logger = logging.getLogger(__name__)

# Tells a folder that this module wrote from one that holds somebody's data.
_MARK = Path("truth") / "parameters.json"
_GZIP_LEVEL = 4
# Strong links: a trial has few recipients.
_MOLECULE_STRENGTH = 0.8


def write_trial(
    parameters: Parameters,
    output: str | Path,
    reads: bool = False,
    exact: bool = False,
    force: bool = False,
    results: str = "",
    function: bool = False,
) -> Trial:
    """Simulate a trial and write it to a folder, whole or not at all.

    Parameters
    ----------
    parameters
        What to simulate.
    output
        The folder. It also stands at the head of every path in ``config.yaml`` and ``units.tsv``, as given: a
        relative one is relative to where Snakemake is started, not to the config.
    reads
        Also write ``fastq/`` with ``units.tsv``, ``database/`` and ``host/``, and let ``config.yaml`` start from the
        FASTQ.
    exact
        Write the true abundances as profiles instead of drawing them at each sample's depth.
    results
        Folder named for the results in ``config.yaml``; ``""`` is ``results`` beside the output folder, which thus
        stays as it was written.
    function
        With `reads`: let the markers of the SGBs be genes, and write databases for HUMAnN and the true functions.
    force
        Replace the folder if it holds a simulated trial (with everything in it); any other folder with files in it is
        refused.

    Returns
    -------
    Trial
        What was written.

    Raises
    ------
    InputError
        When the folder may not be written, bowtie2-build or diamond is needed and absent, or functions are asked for
        without reads.

    Notes
    -----
    The same arguments give the same bytes in every file (with the same versions of this package, numpy, zlib and
    bowtie2).
    """
    target = Path(output)
    if function and not reads:
        raise InputError(Problem("functions are read from FASTQ", "add --reads, or leave out --function"))
    _check_target(target, force)
    trial = simulate_trial(parameters)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        folder = Path(scratch) / "trial"
        folder.mkdir()
        _write_tables(trial, folder)
        _write_profiles(trial, folder, exact)
        genes = Genes(trial.parameters, trial.taxa) if function else None
        counts = _write_reads(trial, folder, str(output), genes) if reads else _expected_reads(trial)
        write_table(counts, folder / "truth" / "reads.tsv")
        (folder / "config.yaml").write_text(
            _config(trial, str(output), reads, results or str(target.parent / "results"), function), encoding="utf-8"
        )
        (folder / "README.md").write_text(_readme(trial, str(output), reads, function), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    logger.info("wrote %d samples of %d subjects to %s", len(trial.samples), trial.samples["subject"].nunique(), output)
    return trial


def _check_target(target: Path, force: bool) -> None:
    name = str(target)
    if target.resolve() == Path.cwd():
        raise InputError(Problem("the output is the current folder", "name a folder in it, for example trial", name))
    if target.exists() and not target.is_dir():
        raise InputError(Problem("the output is a file", "name a folder", name))
    if not target.exists() or not any(target.iterdir()):
        return
    if not (target / _MARK).exists():
        raise InputError(
            Problem("the output folder holds files that no simulation wrote", "name a new or empty folder", name)
        )
    if not force:
        raise InputError(
            Problem(
                "the output folder already holds a simulated trial",
                "name another folder, or --force to replace it with all it holds",
                name,
            )
        )


def _write_tables(trial: Trial, folder: Path) -> None:
    write_table(trial.samples, folder / "samples.tsv")
    write_table(trial.subjects, folder / "subjects.tsv")
    write_table(trial.doses, folder / "doses.tsv")
    write_table(trial.lesions, folder / "lesions.tsv")
    write_table(trial.toxicities, folder / "toxicities.tsv")
    write_table(trial.treatments, folder / "treatments.tsv")
    truth = folder / "truth"
    truth.mkdir()
    write_features(trial.abundance, truth / "abundance.tsv")
    write_table(trial.outcomes, truth / "outcomes.tsv")
    write_table(trial.strains, truth / "strains.tsv")
    molecules = simulate_molecules(
        trial.samples, trial.subjects, trial.doses, trial.abundance, trial.parameters.seed, _MOLECULE_STRENGTH
    )
    write_molecules(*molecules, folder)
    record = {"microbiome": version("fmt-microbiome"), "parameters": trial.parameters.as_dict()}
    (folder / _MARK).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _write_profiles(trial: Trial, folder: Path, exact: bool) -> None:
    profiles = folder / "profiles"
    profiles.mkdir()
    for sample in trial.samples["sample"]:
        profile = exact_profile(trial, sample) if exact else observe(trial, sample)
        text = profile_text(profile, sample, trial.taxa, trial.parameters, DATABASE)
        (profiles / f"{sample}_profile.tsv").write_text(text, encoding="utf-8")


def _status(trial: Trial, nonhost_reads: int) -> str:
    return "few_reads" if nonhost_reads < trial.parameters.min_reads else "ok"


def _expected_reads(trial: Trial) -> pd.DataFrame:
    """Return truth/reads.tsv of a trial without FASTQ: the expected numbers, rounded."""
    depth = trial.depth
    mates = depth["layout"].map({"paired": 2, "single": 1})
    host = (depth["fragments"] * depth["host"]).round().astype(int)
    junk = (depth["fragments"] * depth["junk"]).round().astype(int)
    frame = depth[["layout", "units", "reads", "fragments"]].assign(
        sgb=depth["fragments"] - host - junk, host=host, junk=junk, adapter=pd.array([None] * len(depth), dtype="Int64")
    )
    nonhost = (depth["fragments"] - host) * mates
    frame["expected_status"] = [_status(trial, number) for number in nonhost]
    return frame.reset_index()[TRUTH_READS.names]


def _write_reads(trial: Trial, folder: Path, output: str, genes: Genes | None) -> pd.DataFrame:
    """Write FASTQ, databases and host; return truth/reads.tsv."""
    genomes = Genomes(trial.parameters, trial.taxa, genes)
    write_database(genomes, folder / "database")
    if genes is not None:
        write_function_databases(genomes, genes, folder / "function")
        write_database(genomes, folder / "function" / "metaphlan", HUMANN_DATABASE)
        write_function_truth(genes, trial, folder / "truth")
    write_host(genomes, folder / "host")
    write_table(genomes.divergence(trial.strains), folder / "truth" / "strain_divergence.tsv")
    host = host_genome(trial.parameters)
    (folder / "fastq").mkdir()
    units: list[tuple[str, str, str, str | None]] = []
    counts: list[dict[str, object]] = []
    by_sample = dict(tuple(trial.strains.groupby("sample", sort=False)))
    for sample, depth in trial.depth.iterrows():
        name = str(sample)
        drawn = simulate_reads(trial.parameters, genomes, host, depth, trial.abundance.loc[name], by_sample[name])
        for lane, chosen in enumerate(lanes(drawn.source.size, int(depth["units"])), start=1):
            files = []
            for mate in range(len(drawn.bases)):
                file = f"{name}_L{lane}_R{mate + 1}.fastq.gz"
                text = fastq(drawn, mate, chosen, f"SIM:{name}:{lane}")
                (folder / "fastq" / file).write_bytes(gzip.compress(text, _GZIP_LEVEL, mtime=0))
                files.append(f"{output}/fastq/{file}")
            units.append((name, f"L{lane}", files[0], files[1] if len(files) == 2 else None))
        by_source = [int((drawn.source == source).sum()) for source in range(3)]
        row = {"sample": name, **depth[["layout", "units", "reads", "fragments"]].to_dict()}
        row |= dict(zip(("sgb", "host", "junk"), by_source, strict=True))
        row["adapter"] = int((drawn.insert < trial.parameters.read_length).sum())
        row["expected_status"] = _status(trial, (drawn.source.size - by_source[1]) * len(drawn.bases))
        counts.append(row)
    write_table(pd.DataFrame(units, columns=UNITS.names), folder / "units.tsv")
    return pd.DataFrame(counts, columns=TRUTH_READS.names)


def _config(trial: Trial, output: str, reads: bool, results: str, function: bool) -> str:
    def path(name: str) -> str:
        # JSON strings are YAML strings, whatever is in them.
        return json.dumps(f"{output}/{name}")

    lines = [
        f"# A simulated trial (microbiome simulate --seed {trial.parameters.seed}).",
        "# Paths are relative to where Snakemake is started.",
        f"samples: {path('samples.tsv')}",
        f"subjects: {path('subjects.tsv')}",
        f"doses: {path('doses.tsv')}",
        f"lesions: {path('lesions.tsv')}",
        f"toxicities: {path('toxicities.tsv')}",
        f"treatments: {path('treatments.tsv')}",
    ]
    if reads:
        lines.append(f"units: {path('units.tsv')}")
    else:
        lines.append(f"profiles: {path('profiles/*_profile.tsv')}")
    lines += ["tables:"]
    for name, how in MOLECULE_TABLES.items():
        words = {"unit": json.dumps(how.unit, ensure_ascii=False), "transform": how.transform}
        lines.append(f"  {name}: {{file: {path(f'molecules/{name}.tsv')}, {', '.join(map(': '.join, words.items()))}}}")
    lines += [f"results: {json.dumps(results)}", f"seed: {trial.parameters.seed}"]
    if reads:
        lines += [
            f"host_index: {path(f'host/{HOST}')}",
            f"min_reads: {trial.parameters.min_reads}",
            "metaphlan:",
            f"  database: {path('database')}",
            f"  index: {DATABASE}",
        ]
    if function:
        lines += ["function:", *(f"  {key}: {json.dumps(value)}" for key, value in function_config(output).items())]
    if 0 < trial.parameters.placebo < trial.parameters.recipients:
        # An arm is a property of the subject: its samples are permuted together.
        lines += ["diversity:", "  permanova:", "    factors: [arm]", "    strata: subject"]
    lines += ["report:", "  title: Simulated FMT trial"]
    return "\n".join(lines) + "\n"


def _readme(trial: Trial, output: str, reads: bool, function: bool) -> str:
    p = trial.parameters
    text = f"""# A simulated FMT trial

Made by `microbiome simulate --seed {p.seed}`; **nothing here was measured on anybody**. The names of the SGBs are
real, their sequences, genomes, abundances and fates are made up. {len(trial.samples)} samples: {p.donors} donors,
{p.recipients} recipients of whom {p.placebo} received no donor product.

- `samples.tsv`, `subjects.tsv`, `doses.tsv`: the input tables; `lesions.tsv`, `toxicities.tsv`, `treatments.tsv`:
  tumour assessments, adverse events and drugs that fit them.
- `molecules/`: metabolites and cytokines in plasma, and cells in blood, by subject and day; `truth/links.tsv` names the
  few that go with what became of the taxa.
- `profiles/`: what MetaPhlAn would print at each sample's depth, drawn from its estimator without reads.
- `truth/abundance.tsv` (taxon x sample, fractions of genome copies), `truth/strains.tsv`, `truth/outcomes.tsv`,
  `truth/reads.tsv`: what is really in the samples. `truth/parameters.json`: how it was made.
"""
    if reads:
        text += f"""- `fastq/`, `units.tsv`: reads of {p.read_length} bases with errors, adapters, host and junk; some
  samples in several units, one single-end.
- `database/`: a miniature marker database `{DATABASE}` ({p.sgbs} SGBs x {p.markers} markers). **Its sequences are
  random**: it recognises the reads of this folder only. Genome lengths in it are those of the miniature genomes the
  reads come from.
- `host/`: a made-up host genome and its bowtie2 index.
- `truth/strain_divergence.tsv`: how far the strains are apart.
"""
    if function:
        text += """- `function/`: miniature databases for HUMAnN: genes of the species, proteins, maps to real ECs and
  MetaCyc pathways, and a marker database for the profile that HUMAnN asks for. The markers of the SGBs are these genes.
- `truth/functions.tsv`: copies of each EC per genome, by sample, and `truth/function_outcomes.tsv` what became of
  them; `truth/pathways.tsv`: genomes with the whole pathway.
"""
    if p.shallow_sample:
        text += "\nOne sample was sequenced far too shallowly, on purpose: `expected_status` in `truth/reads.tsv`.\n"
    text += f"""
Run the workflow from the top folder of the toolkit: `snakemake --configfile {output}/config.yaml --cores 2`. Paths in
`config.yaml`{" and `units.tsv`" if reads else ""} are relative to where Snakemake is started.
"""
    return text
