"""Words of the report: names of measures, methods and citations. No result is told here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from microbiome.report.data import Tables
from microbiome.tables import RATES

__all__ = ["ALPHA_TITLES", "BETA_TITLES", "CAVEATS", "CELLS", "cited", "methods", "parameter", "versions"]

ALPHA_TITLES = {
    "richness": "Richness (taxa)",
    "shannon": "Shannon (nats)",
    "simpson": "Simpson (1 - sum of p²)",
    "inverse_simpson": "Inverse Simpson",
    "pielou": "Pielou evenness",
    "berger_parker": "Berger-Parker dominance",
    "faith_pd": "Faith PD (branch length)",
}
BETA_TITLES = {
    "bray_curtis": "Bray-Curtis",
    "jaccard": "Jaccard",
    "aitchison": "Aitchison",
    "robust_aitchison": "robust Aitchison",
    "hellinger": "Hellinger",
    "unweighted_unifrac": "unweighted UniFrac",
    "weighted_unifrac": "weighted UniFrac",
}

#: Donor set, baseline, post sample, and the name of the outcome.
CELLS = (
    ("yes", "no", "yes", "engrafted"),
    ("yes", "no", "no", "not_engrafted"),
    ("yes", "yes", "yes", "shared_kept"),
    ("yes", "yes", "no", "shared_depleted"),
    ("no", "yes", "yes", "persisted"),
    ("no", "yes", "no", "depleted"),
    ("no", "no", "yes", "gained"),
)

CAVEATS = {
    "rates": (
        "No rate has a depth-free or time-free meaning. A shallow sample lacks its rare taxa; and people in whom "
        "nothing was changed lose about a fifth of their SGBs within a month (measured on simulated trials of equal "
        "depth). Read each rate beside its count, and beside the subjects without FMT, where there are any."
    ),
    "presence": "At species level engrafted is a matter of presence, not proof of transfer: the strain may be the "
    "recipient's own.",
    "dilution": "Depleted includes dilution: what engrafts can push residents below detection.",
    "patients": (
        "Repeated samples of a person are not independent: subjects are counted here, and the number of samples "
        "stands beside. No test is made of these counts."
    ),
    "no_donor": (
        " A subject without doses has an empty donor set, which leaves all its baseline taxa in "
        "depletion_rate_donor_absent: compare that rate only between subjects with doses, and depletion_rate "
        "between all."
    ),
    "donor_sets": (
        "Products of several donors or several samples make the donor set larger; engraftment_rate and "
        "donor_recovery are not comparable between subjects whose sets differ in size."
    ),
}

# key: (text, address)
_REFERENCES: dict[str, tuple[str, str]] = {
    "metaphlan": ("Blanco-Míguez et al., Nat Biotechnol 41:1633 (2023)", "10.1038/s41587-023-01688-w"),
    "fastp": ("Chen et al., Bioinformatics 34:i884 (2018)", "10.1093/bioinformatics/bty560"),
    "bowtie2": ("Langmead and Salzberg, Nat Methods 9:357 (2012)", "10.1038/nmeth.1923"),
    "snakemake": ("Mölder et al., F1000Research 10:33 (2021)", "10.12688/f1000research.29032.2"),
    "multiqc": ("Ewels et al., Bioinformatics 32:3047 (2016)", "10.1093/bioinformatics/btw354"),
    "scikit-bio": ("Aton et al., Nat Methods (2025)", "10.1038/s41592-025-02981-z"),
    "shannon": ("Shannon, Bell Syst Tech J 27:379 (1948)", "10.1002/j.1538-7305.1948.tb01338.x"),
    "simpson": ("Simpson, Nature 163:688 (1949)", "10.1038/163688a0"),
    "pielou": ("Pielou, J Theor Biol 13:131 (1966)", "10.1016/0022-5193(66)90013-0"),
    "berger_parker": ("Berger and Parker, Science 168:1345 (1970)", "10.1126/science.168.3937.1345"),
    "faith_pd": ("Faith, Biol Conserv 61:1 (1992)", "10.1016/0006-3207(92)91201-3"),
    "bray_curtis": ("Bray and Curtis, Ecol Monogr 27:325 (1957)", "10.2307/1942268"),
    "jaccard": ("Jaccard, New Phytol 11:37 (1912)", "10.1111/j.1469-8137.1912.tb05611.x"),
    "aitchison": ("Aitchison, J R Stat Soc B 44:139 (1982)", "10.1111/j.2517-6161.1982.tb01195.x"),
    "robust_aitchison": ("Martino et al., mSystems 4:e00016-19 (2019)", "10.1128/mSystems.00016-19"),
    "hellinger": ("Legendre and Gallagher, Oecologia 129:271 (2001)", "10.1007/s004420100716"),
    "unweighted_unifrac": (
        "Lozupone and Knight, Appl Environ Microbiol 71:8228 (2005)",
        "10.1128/AEM.71.12.8228-8235.2005",
    ),
    "weighted_unifrac": ("Lozupone et al., Appl Environ Microbiol 73:1576 (2007)", "10.1128/AEM.01996-06"),
    "pcoa": ("Gower, Biometrika 53:325 (1966)", "10.1093/biomet/53.3-4.325"),
    "permanova": ("Anderson, Austral Ecol 26:32 (2001)", "10.1111/j.1442-9993.2001.01070.pp.x"),
    "permdisp": ("Anderson, Biometrics 62:245 (2006)", "10.1111/j.1541-0420.2005.00440.x"),
    "q2-fmt": ("Herman et al., Assessing engraftment following fecal microbiota transplant (2024)", "pubmed:38659636"),
    "vega-lite": ("Satyanarayan et al., IEEE Trans Vis Comput Graph 23:341 (2017)", "10.1109/TVCG.2016.2599030"),
    "altair": ("VanderPlas et al., J Open Source Softw 3:1057 (2018)", "10.21105/joss.01057"),
}
_ALPHA_REFERENCES = {"shannon", "pielou", "berger_parker", "faith_pd"}


def versions(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return program -> version from the provenance; several versions of one program are joined."""
    software = provenance.get("software")
    if not isinstance(software, Mapping):
        return {}
    return {
        str(name): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in software.items()
    }


def parameter(provenance: Mapping[str, Any], *path: str) -> Any:
    """Return a value of the recorded configuration (``parameter(p, "fastp", "min_length")``), else None."""
    value: Any = provenance.get("parameters")
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def cited(paragraphs: Sequence[str]) -> tuple[list[Markup], list[tuple[str, str, str]]]:
    """Escape paragraphs and turn each ``[@key]`` into a numbered link.

    Returns
    -------
    paragraphs
        Safe HTML.
    references
        (text, label, address) in the order of the numbers.
    """
    numbers: dict[str, int] = {}

    def link(match: re.Match[str]) -> str:
        key = match.group(1)
        if key not in _REFERENCES:
            return match.group(0)
        n = numbers.setdefault(key, len(numbers) + 1)
        return f'<a class="ref" href="#ref-{n}">[{n}]</a>'

    # Escaped first: what comes from files cannot bring markup with it.
    done = [Markup(re.sub(r"\[@([a-z0-9_-]+)\]", link, str(escape(text)))) for text in paragraphs]  # noqa: S704
    return done, [(_REFERENCES[key][0], *_address(_REFERENCES[key][1])) for key in numbers]


def _address(text: str) -> tuple[str, str]:
    if text.startswith("pubmed:"):
        return f"PMID {text[7:]}", f"https://pubmed.ncbi.nlm.nih.gov/{text[7:]}/"
    return f"doi:{text}", f"https://doi.org/{text}"


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
    software = f"The measures, tables and this page: fmt-microbiome {own_version}"
    software += f"; workflow: {tool('Snakemake', 'snakemake')} [@snakemake]" if "snakemake" in known else ""
    software += f"; quality summary: {tool('MultiQC', 'multiqc')} [@multiqc]" if "multiqc" in known else ""
    paragraphs.append(software + "; figures: Vega-Lite [@vega-lite] through Altair [@altair].")
    return [paragraph for paragraph in paragraphs if paragraph]


def _named(name: str, titles: Mapping[str, str], reference: str) -> str:
    title = titles.get(name, name.replace("_", " "))
    return title + (f" [@{reference}]" if reference in _REFERENCES else "")


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
    least = parameter(tables.provenance, "min_reads")
    if least is not None:
        text += f" Samples with fewer than {least} reads left were flagged and not profiled."
    return text


def _profiles(tables: Tables, tool: Any) -> str:
    database = f", database {tables.database}" if tables.database else ""
    if _known(tables.reads, "reads_raw"):
        text = f"Taxa were profiled with {tool('MetaPhlAn', 'metaphlan')} [@metaphlan]{database}."
    elif tables.database or len(tables.lineages):
        text = f"The analysis started from finished MetaPhlAn [@metaphlan] profiles{database}."
    else:
        text = "The analysis started from a finished feature table."
    return text + (
        " Abundances are fractions, closed to 1 over what was classified unless the configuration says otherwise; "
        "UNCLASSIFIED is recorded and is no taxon."
    )


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
    formulas = "; ".join(
        f"{column.name} = {column.meaning.rstrip('.')}" for column in RATES.columns if column.unit == "fraction"
    )
    second = f"Rates: {formulas} [@q2-fmt]. A rate with denominator 0 is missing, not 0."
    return [first, second, f"{CAVEATS['rates']} {CAVEATS['dilution']}"]
