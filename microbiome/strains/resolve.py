"""Whose strains each post sample has: from allele counts, or from calls of pairs."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.seeds import stream
from microbiome.strains.allele_file import AlleleFile
from microbiome.strains.genotypes import Genotypes, genotypes, is_same_strain, minor_strain, same_strain_evidence
from microbiome.strains.pairs import chosen_taxa, clade_distances, open_all, square
from microbiome.strains.panel import panel_of, read_clade
from microbiome.strains.tables import PRESENT, STRAIN_RESOLVED, STRAIN_SOURCES
from microbiome.strains.triad import Mixture, Source, fit_mixture
from microbiome.study import Study, donor_products, post_samples
from microbiome.tables import OUTCOMES
from microbiome.tsv import missing_columns

__all__ = ["Asked", "asked_cells", "resolve_alleles", "tidy_frames"]

logger = logging.getLogger(__name__)

#: Outcomes that the strains can tell more of.
_ASKED = ("engrafted", "shared_kept", "persisted")
# With more sources than this the configurations become too many: those most like the post sample are kept.
_MOST_SOURCES = 5
# A source that the outcome does not ask for is used when so many sites were read in it.
_OPTIONAL_SITES = 50
_ALPHA = 0.05
_DIGITS = 6
# Strains of so many other people are needed: without, a base that only the donor has passes for a common one.
_FEWEST_OTHERS = 2


@dataclass(frozen=True)
class Asked:
    """One taxon in one post sample, and the samples it may have come from.

    Parameters
    ----------
    subject, sample, day, baseline_sample, taxon, outcome, post_abundance
        As in the table of outcomes.
    products
        Donor and sample of each product received by then.
    own
        All samples of the subject.
    """

    subject: str
    sample: str
    day: int
    baseline_sample: str | None
    taxon: str
    outcome: str
    post_abundance: float
    products: tuple[tuple[str, str], ...]
    own: tuple[str, ...]


def resolve_alleles(
    paths: Sequence[str | Path],
    study: Study,
    outcomes: pd.DataFrame | None = None,
    taxa: Collection[str] | None = None,
    part: tuple[int, int] | None = None,
    minimum_sites: int = 10,
    minimum_fraction: float = PRESENT,
    bootstraps: int = 200,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    r"""Say which part of each taxon of each post sample are strains of the donor, of the baseline, or of neither.

    For every taxon that is in a post sample and in its donor set or its baseline. The fractions are those of
    :func:`microbiome.strains.triad.fit_mixture`: products of one donor that have the same strain are pooled; a sample
    with two strains gives both. ``engrafted`` needs the donor, ``persisted`` the baseline, ``shared_kept`` both; the
    other one is a source as well where it has reads of the taxon on 50 variable positions, though too few for its
    profile.

    A source is *present* when its fraction is at least `minimum_fraction` and the likelihood ratio against its absence
    has p < 0.05 (half of a chi-square with one degree of freedom: the fraction cannot be below 0). ``strain_outcome``
    is coexist with donor and baseline, donor or recipient with one of the two, whatever else there is; with neither it
    is other, or unresolved when strains are present that donor and baseline both have. It is unresolved, too, when
    fewer than `minimum_sites` positions tell the sources apart (distinguishing_sites), a source that should have the
    taxon has no reads of it, or no strain of a donor is found while there are strains of neither that may be those of a
    product without allele file, or of one of more than five different donor strains (the five most like the post sample
    are compared).

    The interval is the union of the percentile interval over `bootstraps` draws of the markers, the normal one with
    their standard deviation, and the Jeffreys interval for as many reads as stand on informative positions: where all
    draws are 0 or 1, the first two have no width.

    Parameters
    ----------
    paths
        Allele files of all samples (:func:`microbiome.strains.alleles.alleles`). Those of other people are needed as
        well: they say how common a base is.
    study
        The study.
    outcomes
        A table of :func:`microbiome.outcomes.outcomes`, which says what is in donor, baseline and post sample. Without
        it a taxon is in a sample when the allele file has it.
    taxa, part
        As in :func:`microbiome.strains.pairs.allele_distances`; taxa that no file has are passed over.
    minimum_sites
        Distinguishing positions needed, 1 or more.
    minimum_fraction
        Smallest fraction that counts as present, 0 to 0.5.
    bootstraps
        Draws of the markers; 20 or more.
    seed
        Of the draws; each taxon and sample has a stream of its own, so that parts put together equal the whole.

    Returns
    -------
    resolved, sources
        :data:`microbiome.strains.tables.STRAIN_RESOLVED` and :data:`microbiome.strains.tables.STRAIN_SOURCES`, by
        sample and taxon. Fractions of unresolved rows are missing unless they could be estimated.

    Raises
    ------
    InputError
        When allele files are damaged or cannot be mixed, none of the samples is in the study, or a number is not
        possible.
    """
    _check(minimum_sites, minimum_fraction, bootstraps)
    files = open_all(paths)
    known = set(study.samples["sample"])
    if not known & {file.sample for file in files}:
        raise InputError(
            Problem(
                "none of the allele files is of a sample of the study",
                "compare the names of the samples",
                files[0].path,
            )
        )
    reserved = sorted({"baseline", "common", "other"} & set(study.doses["donor"].dropna()))
    raise_problems(
        [
            Problem(f"a donor is called {name!r}, which is a word of the results", "rename it", value=name)
            for name in reserved
        ]
    )
    there = {file.sample: set(file.taxa) for file in files}
    cells = asked_cells(study, outcomes, there)
    named = {cell.sample for cell in cells} | {str(c.baseline_sample) for c in cells if c.baseline_sample}
    named |= {sample for cell in cells for _, sample in cell.products}
    if named - set(there):
        logger.warning("no allele file of: %s", ", ".join(sorted(named - set(there))))
    known_taxa, wanted = set(chosen_taxa(files)), chosen_taxa(files, None, part)
    rows: list[dict[str, object]] = []
    sources: list[dict[str, object]] = []
    by_taxon: dict[str, list[Asked]] = {}
    for cell in cells:
        by_taxon.setdefault(cell.taxon, []).append(cell)
    unknown = sorted(set(taxa or ()) - known_taxa - set(by_taxon))
    raise_problems([Problem(f"clade {t!r} is in no allele file", "write it as t__SGB...", value=t) for t in unknown])
    # Taxa of the outcomes that no file has are unresolved; they belong to the first part.
    strange = [taxon for taxon in by_taxon if taxon not in known_taxa]
    for taxon in [*wanted, *(strange if part is None or part[0] == 1 else [])]:
        if taxon not in by_taxon or (taxa is not None and taxon not in taxa):
            continue
        clade = None if taxon in strange else _Clade(files, taxon)
        for cell in by_taxon[taxon]:
            row, own = _resolved(cell, clade, there, minimum_sites, minimum_fraction, bootstraps, seed)
            rows.append(row)
            sources += own
        logger.info("%s: %d cells", taxon, len(by_taxon[taxon]))
    return tidy_frames(rows, sources, cells)


def asked_cells(
    study: Study, outcomes: pd.DataFrame | None, there: Mapping[str, Collection[str]] | None = None
) -> list[Asked]:
    """List the taxa of post samples that strains can tell more of, with everything they may have come from.

    Parameters
    ----------
    study
        The study.
    outcomes
        Table of outcomes; None to take a taxon as present where `there` has it.
    there
        Taxa of each sample that has alleles; needed without `outcomes`.

    Raises
    ------
    InputError
        When the table of outcomes lacks a column, or nothing can be asked of it.
    """
    if outcomes is None and there is None:
        raise InputError("give a table of outcomes")
    profiled = None if there is None else list(there)
    products: dict[str, list[tuple[str, str]]] = {}
    for row in donor_products(study).dropna(subset=["donor_sample"]).itertuples():
        products.setdefault(str(row.sample), []).append((str(row.donor), str(row.donor_sample)))
    own = study.samples.groupby("subject")["sample"].agg(tuple).to_dict()
    if outcomes is None:
        posts = post_samples(study, profiled)
        outcomes = _presence(posts[posts["profiled"]], products, there or {})
    raise_problems(missing_columns(outcomes, OUTCOMES, "outcomes"))
    table = outcomes[outcomes["outcome"].isin(_ASKED)]
    abundance = table["post_abundance"] if "post_abundance" in table else pd.Series(np.nan, index=table.index)
    columns = table[["subject", "sample", "day", "baseline_sample", "taxon", "outcome"]]
    return [
        Asked(
            subject,
            sample,
            int(day),
            baseline if isinstance(baseline, str) else None,
            taxon,
            outcome,
            float(part),
            tuple(products.get(sample, ())),
            tuple(own.get(subject, ())),
        )
        for (subject, sample, day, baseline, taxon, outcome), part in zip(
            columns.itertuples(index=False), abundance, strict=True
        )
    ]


def tidy_frames(
    rows: list[dict[str, object]], sources: list[dict[str, object]], cells: Sequence[Asked]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of what was resolved and of the single sources, in the order of the samples and taxa."""
    place = {sample: i for i, sample in enumerate(dict.fromkeys(cell.sample for cell in cells))}
    frames = []
    for content, table in ((rows, STRAIN_RESOLVED), (sources, STRAIN_SOURCES)):
        frame = pd.DataFrame(content, columns=table.names)
        frame = frame.sort_values(["taxon"], kind="stable")
        frame = frame.sort_values("sample", key=lambda names: names.map(place), kind="stable").reset_index(drop=True)
        integers = [
            name for name in ("day", "informative_sites", "distinguishing_sites", "informative_reads") if name in frame
        ]
        frames.append(frame.astype(dict.fromkeys(integers, "Int64")))
    return frames[0], frames[1]


def _check(minimum_sites: int, minimum_fraction: float, bootstraps: int) -> None:
    rules = [
        ("minimum_sites", minimum_sites, minimum_sites >= 1, "1 or more"),
        ("minimum_fraction", minimum_fraction, 0 <= minimum_fraction <= 0.5, "a fraction between 0 and 0.5"),
        ("bootstraps", bootstraps, bootstraps >= 20, "20 or more"),
    ]
    raise_problems(
        [
            Problem(f"{name} {value:g} is not possible", f"give {rule}", column=name)
            for name, value, good, rule in rules
            if not good
        ]
    )


def _presence(
    posts: pd.DataFrame, products: Mapping[str, Sequence[tuple[str, str]]], there: Mapping[str, Collection[str]]
) -> pd.DataFrame:
    """Return outcomes as the presence of alleles has them."""
    rows = []
    for post in posts.itertuples():
        if not isinstance(post.baseline_sample, str):
            continue
        received = [sample for _, sample in products.get(str(post.sample), ())]
        if received and not any(sample in there for sample in received):
            logger.warning("%s: no product it received has an allele file: no rows", post.sample)
            continue
        donor = set().union(*(there.get(sample, ()) for sample in received))
        baseline = set(there[post.baseline_sample])
        for taxon in sorted(there[str(post.sample)]):
            outcome = ("gained", "persisted", "engrafted", "shared_kept")[2 * (taxon in donor) + (taxon in baseline)]
            rows.append((post.subject, post.sample, post.day, post.baseline_sample, taxon, outcome, np.nan))
    names = ["subject", "sample", "day", "baseline_sample", "taxon", "outcome", "post_abundance"]
    return pd.DataFrame(rows, columns=names).assign(donor_abundance=np.nan, baseline_abundance=np.nan)


class _Clade:
    """Genotypes of one clade, with what is worked out once for several cells."""

    def __init__(self, files: Sequence[AlleleFile], taxon: str) -> None:
        samples, clades, markers = read_clade(files, taxon)
        panel = panel_of(taxon, samples, clades, markers)
        self.row = {sample: i for i, sample in enumerate(samples)}
        size = len(samples)
        pairs = clade_distances(panel, evidence=False)
        first, second = np.triu_indices(size, 1)
        distance = square(size, first, second, pairs["distance"].to_numpy(dtype=float))
        self.found: Genotypes = genotypes(panel, distance)
        self.pooled: dict[tuple[int, ...], Source] = {}
        self.grouped: dict[tuple[tuple[str, str], ...], list[tuple[str, list[int]]]] = {}

    def source(self, name: str, rows: Sequence[int]) -> Source:
        """Return one source; several samples are taken as one."""
        found, key = self.found, tuple(rows)
        if key not in self.pooled:
            alternative, depth = found.alternative[list(rows)].sum(axis=0), found.depth[list(rows)].sum(axis=0)
            minor = float(found.minor[rows[0]])
            if len(rows) > 1:
                minor = minor_strain(alternative, depth, found.frequency, found.error)
            self.pooled[key] = Source(name, alternative, depth, minor)
        known = self.pooled[key]
        return Source(name, known.alternative, known.depth, known.minor)

    def dominant(self, row: int) -> np.ndarray:
        """Return how probably the dominant strain of a sample has the second base, site by site."""
        return self.found.posteriors(row)[0]

    def groups(self, products: tuple[tuple[str, str], ...]) -> list[tuple[str, list[int]]]:
        """Return donor and rows of some products, those of one donor with the same strain together."""
        if products not in self.grouped:
            groups: list[tuple[str, list[int], np.ndarray]] = []
            for donor, sample in dict.fromkeys(products):
                if sample not in self.row:
                    continue
                row = self.row[sample]
                own = self.dominant(row)
                for name, rows, first in groups:
                    if name == donor and is_same_strain(own, first, self.found.frequency):
                        rows.append(row)
                        break
                else:
                    groups.append((donor, [row], own))
            self.grouped[products] = [(donor, rows) for donor, rows, _ in groups]
        return self.grouped[products]

    def donors(self, products: tuple[tuple[str, str], ...], post: int) -> tuple[list[Source], int]:
        """Return the sources of some products, and how many there were before those least like the post sample went."""
        found, groups = self.found, self.groups(products)
        if len(groups) > _MOST_SOURCES:
            strains = found.posteriors(post)[: 2 if found.minor[post] else 1]

            def alike(group: tuple[str, list[int]]) -> float:
                own = self.dominant(group[1][0])
                return max(float(same_strain_evidence(own, strain, found.frequency)) for strain in strains)

            groups = sorted(groups, key=alike, reverse=True)
        return [self.source(donor, rows) for donor, rows in groups[:_MOST_SOURCES]], len(groups)


def _resolved(
    cell: Asked,
    clade: _Clade | None,
    there: Collection[str],
    minimum_sites: int,
    minimum_fraction: float,
    bootstraps: int,
    seed: int,
) -> tuple[dict[str, object], list[dict[str, object]]]:
    row: dict[str, object] = {name: getattr(cell, name) for name in ("subject", "sample", "day", "baseline_sample")}
    row |= {"taxon": cell.taxon, "outcome": cell.outcome, "post_abundance": cell.post_abundance, "method": "alleles"}
    row |= {"strain_outcome": "unresolved", "informative_sites": 0, "distinguishing_sites": 0}
    from_donor, from_baseline = cell.outcome != "persisted", cell.outcome != "engrafted"
    if clade is None or cell.sample not in clade.row:
        return {**row, "reason": _without_reads("the post sample", [cell.sample], there)}, []
    donors, strains = clade.donors(cell.products, clade.row[cell.sample])
    own = clade.row.get(str(cell.baseline_sample))
    baseline = [] if own is None else [clade.source("baseline", [own])]
    if from_donor and not donors:
        return {**row, "reason": _without_reads("the donor products", [own for _, own in cell.products], there)}, []
    if from_baseline and not baseline:
        return {**row, "reason": _without_reads("the baseline", [str(cell.baseline_sample)], there)}, []
    needed = [*(donors if from_donor else []), *(baseline if from_baseline else [])]
    # Too rare for the profile is not absent: whoever has reads of it may have given it.
    extra = [
        source
        for source in [*([] if from_donor else donors), *([] if from_baseline else baseline)]
        if np.count_nonzero(source.depth) >= _OPTIONAL_SITES
    ]
    involved = {cell.sample, *cell.own, *(sample for _, sample in cell.products)}
    rows = sorted(clade.row[sample] for sample in involved if sample in clade.row)
    others = float(np.delete(clade.found.samples, rows).sum())
    if others < _FEWEST_OTHERS - 0.01:
        reason = f"strains of {others:.0f} other people are known, {_FEWEST_OTHERS} are needed to tell rare bases"
        return {**row, "reason": reason}, []
    mixture = _fitted(clade, cell, needed + extra, rows, bootstraps, seed)
    if extra and mixture.distinguishing < minimum_sites:
        mixture = _fitted(clade, cell, needed, rows, bootstraps, seed)
    row |= {"informative_sites": mixture.informative, "distinguishing_sites": mixture.distinguishing}
    row["informative_reads"] = mixture.reads
    if mixture.distinguishing < minimum_sites:
        same = "common" in mixture.names and not set(mixture.names) - {"common", "other"}
        reason = (
            "donor and baseline have the same strain"
            if same
            else f"{mixture.distinguishing} positions tell the sources apart, {minimum_sites} are needed"
        )
        return {**row, "reason": reason}, []
    called, parts = _called(row, mixture, minimum_fraction)
    # Strains of neither may be those of a donor that could not be compared: then "no strain of the donor" is not known.
    open_end = called["strain_outcome"] in ("other", "recipient")
    other = round(float(mixture.fractions[mixture.names.index("other")]), _DIGITS)
    if open_end and other >= minimum_fraction:
        absent = sorted({own for _, own in cell.products} - set(there))
        reason = ""
        if absent:
            reason = f"strains of neither, and {', '.join(absent)}, which was received, has no allele file"
        elif strains > len(donors):
            reason = f"strains of neither, and of {strains} donor strains only {len(donors)} were compared"
        if reason:
            return {**called, "strain_outcome": "unresolved", "reason": reason}, parts
    return called, parts


def _without_reads(what: str, samples: Sequence[str], there: Collection[str]) -> str:
    if not set(samples) & set(there):
        return f"no allele file of {what} ({', '.join(dict.fromkeys(samples))})"
    return f"no reads of it in {what} passed the filters"


def _fitted(
    clade: _Clade, cell: Asked, sources: Sequence[Source], involved: list[int], bootstraps: int, seed: int
) -> Mixture:
    found, at = clade.found, clade.row[cell.sample]
    rng = stream(seed, "strain fractions", cell.taxon, cell.sample)
    frequency = found.frequency_without(involved)
    counts = found.alternative[at], found.depth[at]
    return fit_mixture(*counts, sources, frequency, found.marker, found.error, bootstraps, rng)


def _called(
    row: dict[str, object], mixture: Mixture, minimum_fraction: float
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Return the row with fractions and call, and the rows of the single sources."""
    donors = [i for i, name in enumerate(mixture.names) if name not in ("baseline", "common", "other")]
    fractions = np.round(mixture.fractions, _DIGITS)
    part = dict(zip(mixture.names, fractions.tolist(), strict=True))
    donor = round(float(fractions[donors].sum()), _DIGITS)
    low, high = _interval(donor, mixture.draws[:, donors].sum(axis=1), mixture.reads)
    total = {"donor": donor, **{name: part.get(name, 0.0) for name in ("baseline", "common", "other")}}
    p = {name: _p_value(mixture.gains.get(name, 0.0)) for name in total}
    present = {name: total[name] >= minimum_fraction and p[name] < _ALPHA for name in total}
    if present["donor"] or present["baseline"]:
        both = present["donor"] and present["baseline"]
        call = "coexist" if both else "donor" if present["donor"] else "recipient"
    else:
        call = "unresolved" if present["common"] else "other"
    row |= {"strain_outcome": call, "donor_fraction": donor, "ci_low": low, "ci_high": high}
    row |= {f"{name}_fraction": total[name] for name in ("baseline", "common", "other")}
    if donors:
        main = max(donors, key=lambda i: mixture.fractions[i])
        row |= {"p_donor": p["donor"], "main_donor": mixture.names[main]}
        row["main_donor_fraction"] = float(fractions[main])
    else:
        # A donor without the taxon gave none of it: there is nothing to estimate.
        row |= {"ci_low": None, "ci_high": None}
    if "baseline" in mixture.names:
        row["p_baseline"] = p["baseline"]
    if call == "unresolved":
        row["reason"] = "donor and baseline have the same strain"
    sources = []
    for i, name in enumerate(mixture.names):
        bounds = _interval(part[name], mixture.draws[:, i], mixture.reads)
        source = {key: row[key] for key in ("subject", "sample", "day", "taxon")}
        sources.append({**source, "source": name, "fraction": part[name], "ci_low": bounds[0], "ci_high": bounds[1]})
    return row, sources


def _p_value(gain: float) -> float:
    return 1.0 if gain <= 0 else float(0.5 * stats.chi2.sf(gain, 1))


def _interval(value: float, draws: np.ndarray, reads: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction; see :func:`resolve_alleles`."""
    spread = stats.norm.ppf(0.975) * draws.std(ddof=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    hits, misses = value * reads, (1 - value) * reads
    # Jeffreys: no reads of it, or nothing but it, has its bound at 0 or 1.
    least = 0.0 if hits < 0.5 else float(stats.beta.ppf(0.025, hits + 0.5, misses + 0.5))
    most = 1.0 if misses < 0.5 else float(stats.beta.ppf(0.975, hits + 0.5, misses + 0.5))
    low, high = min(low, value - spread, least), max(high, value + spread, most)
    return round(float(np.clip(low, 0.0, value)), _DIGITS), round(float(np.clip(high, value, 1.0)), _DIGITS)
