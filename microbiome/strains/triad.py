"""Which part of a strain population comes from which source: maximum likelihood from read counts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from microbiome.strains.genotypes import is_same_strain, with_error

__all__ = ["Mixture", "Source", "fit_mixture"]

# More strains than this are not told apart within one fit: the configurations double with each.
_MOST_STRAINS = 7
# Twice the gain in log-likelihood that a second strain of no source must bring. With one only, a population with two of
# them would need a source to explain its bases; with two always, shallow samples would lose what they can tell.
_MORE_GAIN, _MOST_MORE = 10.0, 2
# Rounds of the configurations, of which draws that start at the best parts need few; steps of the parts within each.
_ROUNDS, _DRAW_ROUNDS, _ITERATIONS = 60, 8, 300
_STEADY = 1e-6
# Of the logarithm of the likelihood.
_TOLERANCE = 1e-3
# A configuration less probable than this at a site is passed over.
_NEGLIGIBLE = 1e-5
_SURE = 0.8
_TWICE = 2
# Sites that tell the sources apart, with what probability, and sites that tell them from an unknown strain: more of
# them add nothing but time.
_MOST_SITES, _TELLING, _MORE_SITES = 800, 0.05, 300
# Numbers that are worked on at a time: what fits into the cache of a processor.
_CHUNK = 40_000


@dataclass(frozen=True)
class Source:
    """One sample that may have given strains.

    Parameters
    ----------
    name
        What it is called in the result (a donor, or ``baseline``); several samples may have the same name.
    alternative, depth
        Reads with the alternative base, and all reads, at each site.
    minor
        Part of its second strain, 0 = it has one (:func:`microbiome.strains.genotypes.minor_strain`).
    """

    name: str
    alternative: np.ndarray
    depth: np.ndarray
    minor: float


@dataclass(frozen=True)
class Mixture:
    """Parts of a strain population.

    Parameters
    ----------
    names
        Of the parts: names of the sources, ``common`` (strains that donor and baseline both have), ``other``.
    fractions
        Part of each; sums to 1.
    draws
        **bootstrap x part**: the same with markers resampled.
    gains
        Of all donors together (``donor``), ``baseline``, ``common`` and ``other``, where they are among the parts:
        twice the logarithm of the likelihood ratio against their absence.
    distinguishing
        Sites read in the population, in the baseline and in a donor, at which these differ with a probability above
        0.8; with one of the two only, the number of sites at which it is expected to differ from an unknown strain.
    informative
        Of these, sites that baseline and donor are read at twice or more.
    reads
        Reads of the population on distinguishing sites.
    """

    names: list[str]
    fractions: np.ndarray
    draws: np.ndarray
    gains: dict[str, float]
    distinguishing: int
    informative: int
    reads: int


def fit_mixture(
    alternative: np.ndarray,
    depth: np.ndarray,
    sources: Sequence[Source],
    prior: np.ndarray,
    marker: np.ndarray,
    error: float,
    bootstraps: int,
    rng: np.random.Generator,
) -> Mixture:
    r"""Estimate the part of each source in a strain population.

    Each source has one strain, or two where its own reads ask for it (``minor``); besides there is an unknown
    strain of no source, whose base at site i is the
    alternative one with probability :math:`p_i` (how often it is among other people). With :math:`c` a configuration
    of bases of all strains, :math:`\pi_{ic}` its probability given the reads of the sources at site i, :math:`a_{ch}`
    the base of strain h and :math:`w_h` its part in the population,

    .. math:: \log L(w) = \sum_i \log \sum_c \pi_{ic} \mathrm{Bin}\Big(k_i; n_i, \sum_h w_h a_{ch}\Big),

    with every base misread with probability :math:`\epsilon`. So sources that are read once or not at all at a site
    count as uncertain there, and not as what that one read says. w is found by EM from several starts. Up to two
    strains more are reckoned with, each where it gains 10 in twice the log-likelihood: of no source, or of a source
    with two strains, whose base is then as frequent as among its reads. Strains
    of donor and baseline that do not differ are one strain, ``common``.

    Intervals: the markers are drawn with replacement, each with all of its sites, which allows for what differs between
    marker genes beyond chance (Schmidt et al. 2022, 10.1038/s41591-022-01913-0, count the same reads on sites at which
    the sources differ).

    Parameters
    ----------
    alternative, depth
        Reads with the alternative base, and all reads, of the population at each site; two bases per site.
    sources
        The samples that may have given strains.
    prior
        Part of other people with the alternative base, above 0 and below 1.
    marker
        Marker of each site.
    error
        Probability of a misread base.
    bootstraps
        Number of draws of the markers.
    rng
        Random numbers.
    """
    there = depth > 0
    k, n, p = alternative[there].astype(float), depth[there].astype(float), prior[there]
    marker = marker[there]
    weight, bases, owners = _merged(*_configurations(sources, there, p, error), p)
    names = [*dict.fromkeys(owners), "other"]
    if not k.size:
        return Mixture(names, np.full(len(names), np.nan), np.full((bootstraps, len(names)), np.nan), {}, 0, 0, 0)
    telling = _telling(weight, bases, owners)
    # A base that nobody read differs from a rare one by all that is known of other people: that tells nothing.
    # With one kind of source it is compared with an unknown strain, of which only chances are known: they are summed.
    two_kinds = len({source.name == "baseline" for source in sources}) == 2
    sure = (telling > _SURE).astype(float) if two_kinds else telling
    once, twice = (sure * _read(sources, there, times) for times in (1, _TWICE))
    distinguishing, informative, reads = int(once.sum()), int(twice.sum()), int((once * n).sum())
    # Which sites are looked at depends on the sources only, so that nothing is bent towards an answer.
    use = _worth_a_look(telling, p)
    k, n, p, weight, marker = k[use], n[use], p[use], weight[use], marker[use]
    everything = np.ones((1, k.size))
    strains = [*owners, "other"]
    entries = _entries(k, n, weight, with_error(bases, error))
    parts, best = _maximise(entries, everything, np.ones(len(strains), dtype=bool))
    # Strains beyond those reckoned with: one more of no source, or of a source whose reads show two already (a product
    # pooled from several donors may hold many); its bases are as frequent as among its reads.
    mixed = [(source.name, _among_reads(source, there, use, p)) for source in sources if source.minor]
    for _ in range(_MOST_MORE):
        tried = []
        for name, frequency in [("other", p), *mixed]:
            wider = _with_another(weight, bases, frequency)
            found = _entries(k, n, wider[0], with_error(wider[1], error))
            tried.append((name, wider, found, *_maximise(found, everything, np.ones(len(strains) + 1, dtype=bool))))
        name, wider, found, more_parts, more_best = max(tried, key=lambda one: float(one[4][0]))
        if 2 * (more_best[0] - best[0]) <= _MORE_GAIN:
            break
        (weight, bases), entries, parts, best = wider, found, more_parts, more_best
        strains.append(name)
    names = [*dict.fromkeys(name for name in strains if name != "other"), "other"]
    group = np.array([names.index(name) for name in strains])
    kinds = np.array([name if name in ("baseline", "common", "other") else "donor" for name in names])[group]
    gains: dict[str, float] = {}
    for kind in np.unique(kinds).tolist():
        without = kinds != kind
        gain = 2 * (best[0] - _maximise(entries, everything, without)[1][0]) if without.any() else np.inf
        gains[kind] = max(0.0, float(gain))
    every, inverse = np.unique(marker, return_inverse=True)
    drawn = rng.multinomial(every.size, np.full(every.size, 1 / every.size), size=bootstraps)
    spread, _ = _maximise(entries, drawn[:, inverse].astype(float), np.ones(group.size, dtype=bool), parts)
    gather = np.eye(len(names))[group]
    return Mixture(names, (parts @ gather)[0], spread @ gather, gains, distinguishing, informative, reads)


def _configurations(
    sources: Sequence[Source], there: np.ndarray, frequency: np.ndarray, error: float
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the probability of every configuration at every site, its bases, and the owners of its strains.

    The last strain is the unknown one, which has no owner.
    """
    owners: list[str] = []
    minor: list[float] = []
    for number, source in enumerate(sources):
        room = len(owners) + 2 * (len(sources) - number) < _MOST_STRAINS
        minor.append(source.minor if room else 0.0)
        owners += [source.name] * (2 if minor[-1] else 1)
    bases = np.array(list(itertools.product((0, 1), repeat=len(owners) + 1)), dtype=float)
    logs = np.log(frequency)[:, None] * bases.sum(axis=1) + np.log1p(-frequency)[:, None] * (1 - bases).sum(axis=1)
    at = 0
    for part, source in zip(minor, sources, strict=True):
        share = (1 - part) * bases[:, at] + part * bases[:, at + 1] if part else bases[:, at]
        at += 2 if part else 1
        chance = with_error(share, error)
        k, n = source.alternative[there], source.depth[there]
        logs += k[:, None] * np.log(chance) + (n - k)[:, None] * np.log1p(-chance)
    weight = np.exp(logs - logs.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True), bases, owners


def _among_reads(source: Source, there: np.ndarray, use: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return how frequent the alternative base is among the reads of a source, drawn to its frequency among people."""
    k, n = source.alternative[there][use], source.depth[there][use]
    return np.clip((k + 2 * frequency) / (n + 2), 0.002, 0.998)


def _with_another(weight: np.ndarray, bases: np.ndarray, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and bases of the configurations with one strain more, of which only a frequency is known."""
    both = np.hstack([weight * (1 - frequency)[:, None], weight * frequency[:, None]])
    column = np.repeat([0.0, 1.0], len(bases))[:, None]
    return both, np.hstack([np.vstack([bases, bases]), column])


def _worth_a_look(telling: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return the sites that are used: those that tell sources apart, and the best of the rest for unknown strains."""
    order = np.argsort(-telling, kind="stable")
    apart = order[: min(_MOST_SITES, int((telling > _TELLING).sum()))]
    rest = np.setdiff1d(np.arange(telling.size), apart)
    even = np.argsort(-(frequency * (1 - frequency))[rest], kind="stable")
    return np.sort(np.concatenate([apart, rest[even[:_MORE_SITES]]]))


def _read(sources: Sequence[Source], there: np.ndarray, times: int) -> np.ndarray:
    """Tell at which sites some donor and the baseline (whichever are among the sources) are read so many times."""
    kinds = {source.name == "baseline" for source in sources}
    return np.all(
        [
            np.any([source.depth[there] >= times for source in sources if (source.name == "baseline") == kind], axis=0)
            for kind in kinds
        ],
        axis=0,
    )


def _telling(weight: np.ndarray, bases: np.ndarray, owners: Sequence[str]) -> np.ndarray:
    """Return the probability of each site that a strain of a donor differs from one of the baseline.

    Where there is only one of the two: that its strain differs from the unknown one.
    """
    own = ("baseline", "common")
    number = len(owners)
    pairs = [(i, j) for i in range(number) for j in range(number) if owners[i] not in own and owners[j] in own]
    if not pairs:
        pairs = [(i, number) for i in range(number)]
    differs = np.any([bases[:, i] != bases[:, j] for i, j in pairs], axis=0)
    return np.asarray(weight @ differs.astype(float))


def _merged(
    weight: np.ndarray, bases: np.ndarray, owners: Sequence[str], frequency: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Take strains of different owners that are the same by the evidence of their reads as one.

    It is called ``common`` where one of them is of the baseline; of two donors the first name stands.
    """
    owners = list(owners)
    kept = list(range(len(owners)))
    for i, j in itertools.combinations(range(len(owners)), 2):
        if i not in kept or j not in kept or owners[i] == owners[j]:
            continue
        known = weight @ bases[:, [i, j]]
        if not is_same_strain(known[:, 0], known[:, 1], frequency):
            continue
        # Configurations in which they differ are left out: what little they weigh is misread bases.
        use = bases[:, i] == bases[:, j]
        weight, bases = weight[:, use], bases[use]
        total = weight.sum(axis=1, keepdims=True)
        weight = np.where(total > 1e-12, weight / np.maximum(total, 1e-300), 1 / weight.shape[1])
        if "baseline" in (owners[i], owners[j]):
            owners[i] = "common"
        kept.remove(j)
    columns = [*kept, bases.shape[1] - 1]
    return weight, bases[:, columns], [owners[i] for i in kept]


@dataclass(frozen=True)
class _Entries:
    """Configurations that are possible at each site, one after another.

    ``start`` is the first entry of each site, ``site`` and ``configuration`` say what an entry is, ``weight`` its
    logarithmic probability, ``k`` and ``rest`` the reads with and without the alternative base; ``reading`` is
    configuration x strain, the probability of reading the alternative base from a strain; ``sums`` adds entries up by
    configuration.
    """

    start: np.ndarray
    site: np.ndarray
    configuration: np.ndarray
    weight: np.ndarray
    k: np.ndarray
    rest: np.ndarray
    reading: np.ndarray
    sums: sparse.csr_matrix


def _entries(k: np.ndarray, n: np.ndarray, weight: np.ndarray, reading: np.ndarray) -> _Entries:
    site, configuration = np.nonzero(weight > _NEGLIGIBLE)
    start = np.searchsorted(site, np.arange(k.size))
    logs = np.log(weight[site, configuration])
    sums = sparse.csr_matrix(
        (np.ones(site.size), (configuration, np.arange(site.size))), shape=(len(reading), site.size)
    )
    return _Entries(start, site, configuration, logs, k[site], (n - k)[site], reading, sums)


def _maximise(
    entries: _Entries, times: np.ndarray, allowed: np.ndarray, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Maximise the likelihood for several weightings of the sites at once; return parts and log-likelihoods.

    EM in two layers: given how probable each configuration is at each site, the parts are found from the sums of reads
    by configuration, which is quick; then the configurations are weighed anew (an ECM algorithm, Meng and Rubin 1993,
    10.1093/biomet/80.2.267). The likelihood never falls.
    """
    even = allowed / allowed.sum()
    if start is None:
        # The likelihood can have several tops, because strains of sources that were hardly read may have any base:
        # start near each strain by itself, too, and take the best.
        corners = 0.9 * np.eye(allowed.size)[allowed] + 0.1 * even
        begin = np.vstack([even[None], corners])
        parts, value = _climb(entries, np.repeat(times, len(begin), axis=0), np.tile(begin, (len(times), 1)), _ROUNDS)
        best = value.reshape(len(times), -1).argmax(axis=1) + np.arange(len(times)) * len(begin)
        return parts[best], value[best]
    return _climb(entries, times, 0.95 * np.tile(start, (len(times), 1)) + 0.05 * even, _DRAW_ROUNDS)


def _climb(entries: _Entries, times: np.ndarray, parts: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Go uphill from given parts until nothing is gained, or for so many rounds."""
    value = np.full(len(times), -np.inf)
    active = np.arange(len(times))
    parts = parts.copy()
    for _ in range(rounds):
        hits, misses, reached = _sums(entries, times[active], parts[active])
        gained = reached - value[active]
        value[active] = reached
        going = gained > _TOLERANCE
        active, hits, misses = active[going], hits[going], misses[going]
        if not active.size:
            break
        parts[active] = _parts(hits, misses, entries.reading, parts[active])
    else:
        value[active] = _sums(entries, times[active], parts[active])[2]
    return parts, value


def _parts(hits: np.ndarray, misses: np.ndarray, reading: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Find the parts of strains from the reads with and without the alternative base, by configuration (EM)."""
    for _ in range(_ITERATIONS):
        chance = np.clip(parts @ reading.T, 1e-9, 1 - 1e-9)
        new = parts * ((hits / chance) @ reading + (misses / (1 - chance)) @ (1 - reading))
        new /= np.maximum(new.sum(axis=1, keepdims=True), 1e-300)
        done = np.abs(new - parts).max() < _STEADY
        parts = new
        if done:
            break
    return parts


def _sums(entries: _Entries, times: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return reads with and without the alternative base by configuration, and the log-likelihood of some parts."""
    height = max(1, _CHUNK // max(1, entries.site.size))
    if len(parts) > height:
        slices = [slice(i, i + height) for i in range(0, len(parts), height)]
        done = [_sums(entries, times[rows], parts[rows]) for rows in slices]
        hits, misses, values = (np.concatenate(part) for part in zip(*done, strict=True))
        return hits, misses, values
    chance = np.clip(parts @ entries.reading.T, 1e-9, 1 - 1e-9)
    at = entries.configuration
    logs = entries.k * np.log(chance)[:, at] + entries.rest * np.log1p(-chance)[:, at] + entries.weight
    top = np.maximum.reduceat(logs, entries.start, axis=1)
    logs -= top[:, entries.site]
    each = np.exp(logs, out=logs)
    total = np.add.reduceat(each, entries.start, axis=1)
    value = (times * (np.log(total) + top)).sum(axis=1)
    each *= (times / total)[:, entries.site]
    hits = (entries.sums @ (each * entries.k).T).T
    misses = (entries.sums @ (each * entries.rest).T).T
    return hits, misses, value
