"""The methods as paragraphs, from what tables and provenance say was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from microbiome.config_profilers import unavailable
from microbiome.metaphlan_format import profiler_of
from microbiome.report.citations import REFERENCES
from microbiome.report.data import Tables
from microbiome.report.methods_clinical import clinical_methods
from microbiome.report.methods_strains import strain_methods
from microbiome.report.methods_tests import (
    abundance_methods,
    chance_methods,
    comparison_methods,
    limit_methods,
    taxa_methods,
)
from microbiome.report.text import ALPHA_TITLES, BETA_TITLES, CAVEATS, parameter, versions
from microbiome.tables import RATE_NAMES, RATES

__all__ = ["methods"]

# What the profiler of a profile is called, by the keys of versions and references.
_PROFILERS = {
    "metaphlan": (("metaphlan", "MetaPhlAn"),),
    "kraken2": (("kraken2", "Kraken2"),),
    "bracken": (("kraken2", "Kraken2"), ("bracken", "Bracken")),
    "sourmash": (("sourmash", "sourmash gather"),),
    "taxpasta": (("taxpasta", "any kind, standardised by taxpasta"),),
    "biom": (("biom", "any kind, as a BIOM table"),),
}
_ALPHA_REFERENCES = {"shannon", "pielou", "berger_parker", "faith_pd"}


def methods(tables: Tables, own_version: str) -> list[str]:
    """Write the methods as paragraphs with ``[@key]`` citations, from what tables and provenance say was done."""
    known = versions(tables.provenance)

    def tool(name: str, *keys: str) -> str:
        version = next((known[key] for key in keys if key in known), "")
        return f"{name} {version}".strip()

    paragraphs = [_reads(tables, tool), _profiles(tables, tool)]
    if tables.alpha is not None:
        metrics = [name for name in tables.alpha.columns if name in ALPHA_TITLES]
        words = [
            _named(name, ALPHA_TITLES, name if name in _ALPHA_REFERENCES else "simpson" if "simpson" in name else "")
            for name in metrics
        ]
        paragraphs.append(
            f"Alpha diversity of each sample: {', '.join(words)}, with {tool('scikit-bio', 'scikit-bio', 'skbio')} "
            "[@scikit-bio] where it has them."
        )
    beta = list(dict.fromkeys([*tables.pcoa, *tables.similarity, *tables.permanova]))
    if beta:
        words = [_named(name, BETA_TITLES, name) for name in beta]
        text = f"Distances between samples: {', '.join(words)}."
        if tables.pcoa:
            text += (
                " Ordination: principal coordinates analysis [@pcoa]; the share that an axis explains is its "
                "eigenvalue over the sum of the positive ones."
            )
        if tables.permanova:
            text += (
                " Factors were tested one at a time by PERMANOVA [@permanova], permuted as the table says (whole "
                "subjects where the factor is constant within a subject), with PERMDISP [@permdisp] beside it."
            )
        paragraphs.append(text)
    if tables.outcomes is not None or tables.rates is not None:
        paragraphs += _fate(tables)
    for part in (limit_methods, chance_methods, comparison_methods, abundance_methods, taxa_methods, strain_methods):
        paragraphs += part(tables)
    paragraphs += clinical_methods(tables)
    software = f"The measures, tables and this page: fmt-microbiome {own_version}"
    software += f"; workflow: {tool('Snakemake', 'snakemake')} [@snakemake]" if "snakemake" in known else ""
    software += f"; quality summary: {tool('MultiQC', 'multiqc')} [@multiqc]" if "multiqc" in known else ""
    paragraphs.append(software + "; figures: Vega-Lite [@vega-lite] through Altair [@altair].")
    return [paragraph for paragraph in paragraphs if paragraph]


def _named(name: str, titles: Mapping[str, str], reference: str) -> str:
    title = titles.get(name, name.replace("_", " "))
    return title + (f" [@{reference}]" if reference in REFERENCES else "")


def _known(frame: pd.DataFrame | None, column: str) -> bool:
    return frame is not None and column in frame and bool(frame[column].notna().any())


def _reads(tables: Tables, tool: Any) -> str:
    if not _known(tables.reads, "reads_raw"):
        return ""
    text = f"Reads were trimmed and filtered with {tool('fastp', 'fastp')} [@fastp]."
    host = parameter(tables.provenance, "host_index")
    if host or host is None:
        text += f" Reads that aligned to the host genome with {tool('Bowtie 2', 'bowtie2')} [@bowtie2] were removed" + (
            "." if host else ", where a host index was configured."
        )
    else:
        text += " No host index was configured: host reads were not removed."
    depth = parameter(tables.provenance, "rarefy_reads")
    if depth:
        text += f" Of every sample {depth} of the reads left (both mates counted) were drawn at random and profiled."
    least = parameter(tables.provenance, "min_reads")
    if least is not None:
        text += f" Samples with fewer than {least} reads left were flagged and not profiled."
    return text


def _profiles(tables: Tables, tool: Any) -> str:
    profiler = profiler_of(tables.database)
    name = (tables.database or "").removeprefix(f"{profiler}:")
    database = f", database {name}" if name and name != profiler else ""
    if _known(tables.reads, "reads_raw"):
        text = f"Taxa were profiled with {_profiler(profiler, tool)}{database}."
    elif tables.database or len(tables.lineages):
        text = f"The analysis started from finished profiles of {_profiler(profiler)}{database}."
    else:
        text = "The analysis started from a finished feature table."
    return text + (
        " Abundances are fractions, closed to 1 over what was classified unless the configuration says otherwise; "
        "UNCLASSIFIED is recorded and is no taxon." + _without_sgbs(profiler)
    )


def _profiler(profiler: str, tool: Any = None) -> str:
    """Name the profiler, with its version where `tool` tells it, and its reference."""
    words = []
    for key, name in _PROFILERS[profiler]:
        words.append(f"{tool(name, key) if tool else name} [@{key}]")
    return " and ".join(words)


def _without_sgbs(profiler: str) -> str:
    """Say what the profiles of another profiler than MetaPhlAn cannot give."""
    reasons = unavailable(profiler)
    return f" What this rules out: {'; '.join(reasons)} [@sequence_abundance]." if reasons else ""


def _fate(tables: Tables) -> list[str]:
    detection = parameter(tables.provenance, "profile", "detection")
    above = (
        f"above {detection:g}" if isinstance(detection, int | float) else "above the detection threshold (0 unless set)"
    )
    first = (
        f"Outcomes. A taxon is detected where its abundance is {above}. Each sample after the first dose is compared "
        "with the subject's baseline (the last profiled sample with day <= 0) and with the donor set, every "
        "profiled product received on or before its day. A subject without doses has an empty donor set."
    )
    formulas = "; ".join(f"{name} = {RATES[name].meaning.rstrip('.')}" for name in RATE_NAMES)
    second = f"Rates: {formulas} [@q2-fmt]. A rate with denominator 0 is missing, not 0."
    return [first, second, f"{CAVEATS['rates']} {CAVEATS['dilution']}"]
