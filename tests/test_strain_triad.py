"""Parts of a strain population by source: against the likelihood written out, simulated truth, and calibration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import optimize

from microbiome.strains.genotypes import Genotypes, genotypes
from microbiome.strains.pairs import clade_distances, square
from microbiome.strains.panel import panel_of
from microbiome.strains.resolve import _interval
from microbiome.strains.triad import Mixture, Source, fit_mixture
from tests.strain_counts import Clade, alleles_of, lengths

SITES = 40


def log_likelihood(
    parts: np.ndarray, k: np.ndarray, n: np.ndarray, sources: list[Source], prior: np.ndarray, error: float
) -> float:
    """The formula of the docstring, site by site and configuration by configuration; sources of one strain each.

    The last two parts are those of the strains of no source.
    """
    total = 0.0
    for i in range(k.size):
        if n[i] == 0:
            continue
        numerator = denominator = 0.0
        for bases in itertools.product((0, 1), repeat=len(parts)):
            weight = 1.0
            for base in bases:
                weight *= prior[i] if base else 1 - prior[i]
            for source, base in zip(sources, bases, strict=False):
                chance = 1 - error if base else error
                a, d = source.alternative[i], source.depth[i]
                weight *= chance**a * (1 - chance) ** (d - a)
            chance = sum(part * (1 - error if base else error) for part, base in zip(parts, bases, strict=True))
            numerator += weight * chance ** k[i] * (1 - chance) ** (n[i] - k[i])
            denominator += weight
        total += np.log(numerator / denominator)
    return total


def small(seed: int, parts: list[float]) -> tuple[np.ndarray, np.ndarray, list[Source], np.ndarray]:
    """Reads of a population of donor, baseline and another strain at 40 sites."""
    rng = np.random.default_rng(seed)
    prior = rng.uniform(0.05, 0.5, SITES)
    bases = (rng.random((3, SITES)) < prior).astype(int)
    n = rng.poisson(5, SITES)
    k = rng.binomial(n, np.clip(np.array(parts) @ bases, 0.003, 0.997))
    sources = []
    for name, own in zip(("D", "baseline"), bases, strict=False):
        depth = rng.poisson(3, SITES)
        sources.append(Source(name, rng.binomial(depth, np.clip(own, 0.003, 0.997)), depth, 0.0))
    return k, n, sources, prior


@pytest.mark.parametrize("parts", [[0.5, 0.4, 0.1], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]])
@pytest.mark.parametrize("seed", range(2))
def test_fractions_maximise_the_likelihood(seed: int, parts: list[float]) -> None:
    k, n, sources, prior = small(seed, parts)
    found = fit_mixture(k, n, sources, prior, np.arange(SITES), 0.003, 20, np.random.default_rng(1))
    assert found.names == ["D", "baseline", "other"]
    assert found.fractions.sum() == pytest.approx(1)

    def optimum(number: int) -> tuple[float, np.ndarray]:
        def worse(free: np.ndarray) -> float:
            return -log_likelihood(parts_of(free), k, n, sources, prior, 0.003)

        starts = [np.zeros(number - 1), np.eye(number - 1)[0] * 3, np.eye(number - 1)[1] * 3, np.full(number - 1, -3.0)]
        options = {"maxiter": 250, "fatol": 1e-3, "xatol": 1e-3}
        runs = [optimize.minimize(worse, start, method="Nelder-Mead", options=options) for start in starts]
        best = min(runs, key=lambda run: run.fun)
        return -best.fun, parts_of(best.x)

    def parts_of(free: np.ndarray) -> np.ndarray:
        e = np.exp([*free, 0.0])
        return e / e.sum()

    (one, _), (two, split) = optimum(3), optimum(4)
    d, b, other = found.fractions
    # The second unknown strain is there where it gains 10 in twice the log-likelihood.
    if 2 * (two - one) < 9:
        assert log_likelihood(found.fractions, k, n, sources, prior, 0.003) >= one - 0.1
    elif 2 * (two - one) > 11:
        share = split[2] / (split[2] + split[3])
        reached = log_likelihood(np.array([d, b, other * share, other * (1 - share)]), k, n, sources, prior, 0.003)
        assert reached >= two - 0.1
    # A fifth of so few reads on so few sites may be missed.
    assert found.gains["donor"] > 4 or parts[0] < 0.5
    assert found.gains["donor"] < 4 or parts[0] > 0


def population(clade: Clade, rng: np.random.Generator, depths: dict[str, float], mixtures: dict) -> tuple:
    """Genotypes of ten other people and of the samples of `mixtures`, and the row of each."""
    counts = [clade.counts({f"person{i}": 1}, 8, rng) for i in range(10)]
    counts += [clade.counts(mixture, depths.get(name, 8), rng) for name, mixture in mixtures.items()]
    names = [f"P{i}" for i in range(10)] + list(mixtures)
    markers = np.array(lengths(clade.sites))
    panel = panel_of("t__SGB1", names, [alleles_of(c) for c in counts], markers)
    first, second = np.triu_indices(len(names), 1)
    distance = clade_distances(panel, evidence=False)["distance"].to_numpy()
    return genotypes(panel, square(len(names), first, second, distance)), {n: i for i, n in enumerate(names)}


def fitted(found: Genotypes, rows: dict[str, int], sources: dict[str, str], bootstraps: int = 60) -> Mixture:
    """Fit sample `post`; `sources` are names in the result by the sample they are."""
    chosen = [
        Source(name, found.alternative[rows[s]], found.depth[rows[s]], found.minor[rows[s]])
        for s, name in sources.items()
    ]
    own = sorted(rows[name] for name in {"post", *sources})
    post = rows["post"]
    return fit_mixture(
        found.alternative[post],
        found.depth[post],
        chosen,
        found.frequency_without(own),
        found.marker,
        found.error,
        bootstraps,
        np.random.default_rng(2),
    )


def part_of(mixture: Mixture, *names: str) -> float:
    return float(sum(f for name, f in zip(mixture.names, mixture.fractions, strict=True) if name in names))


@pytest.mark.parametrize("divergence", [0.002, 0.01])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_donor_fraction(divergence: float, fraction: float) -> None:
    clade, rng = Clade(1, divergence=divergence), np.random.default_rng(int(100 * fraction) + 1)
    mixtures = {"D": {"d": 1}, "B": {"b": 1}, "post": {"d": fraction, "b": 1 - fraction}}
    found, rows = population(clade, rng, {"post": 4, "D": 3, "B": 3}, mixtures)
    mixture = fitted(found, rows, {"D": "D1", "B": "baseline"})
    assert part_of(mixture, "D1") == pytest.approx(fraction, abs=0.08)
    assert part_of(mixture, "other") < 0.06
    assert (mixture.gains["donor"] > 4) == (fraction > 0)
    assert (mixture.gains["baseline"] > 4) == (fraction < 1)


def test_a_strain_of_neither_is_other() -> None:
    found, rows = population(
        Clade(2), np.random.default_rng(2), {}, {"D": {"d": 1}, "B": {"b": 1}, "post": {"d": 0.3, "new": 0.7}}
    )
    mixture = fitted(found, rows, {"D": "D1", "B": "baseline"})
    assert part_of(mixture, "other") == pytest.approx(0.7, abs=0.06)
    assert part_of(mixture, "D1") == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("seed", range(6))
def test_two_strains_of_neither_are_not_taken_for_the_donors(seed: int) -> None:
    """Bases at intermediate frequencies that no source has need two strains, not one and a wrong source."""
    mixtures = {"D": {"d": 1}, "B": {"b": 1}, "post": {"new": 0.6, "newer": 0.4}}
    found, rows = population(Clade(20 + seed), np.random.default_rng(seed), {"post": 15}, mixtures)
    mixture = fitted(found, rows, {"D": "D1", "B": "baseline"}, bootstraps=20)
    assert part_of(mixture, "other") > 0.97
    assert mixture.gains["donor"] < 4


def test_two_donors_and_a_baseline_with_two_strains() -> None:
    mixtures = {"D": {"d": 1}, "E": {"e": 1}, "B": {"b": 0.7, "c": 0.3}}
    mixtures["post"] = {"d": 0.4, "e": 0.3, "c": 0.3}
    found, rows = population(Clade(3), np.random.default_rng(3), {"B": 15}, mixtures)
    mixture = fitted(found, rows, {"D": "D1", "E": "D2", "B": "baseline"})
    for name, part in {"D1": 0.4, "D2": 0.3, "baseline": 0.3}.items():
        assert part_of(mixture, name) == pytest.approx(part, abs=0.07)


def test_the_same_strain_in_donor_and_baseline_is_common() -> None:
    mixtures = {"D": {"x": 0.7, "d": 0.3}, "B": {"x": 1}, "post": {"x": 0.6, "d": 0.4}}
    found, rows = population(Clade(4), np.random.default_rng(4), {"D": 15}, mixtures)
    mixture = fitted(found, rows, {"D": "D1", "B": "baseline"})
    assert part_of(mixture, "common") == pytest.approx(0.6, abs=0.08)
    assert part_of(mixture, "D1") == pytest.approx(0.4, abs=0.08)
    same, rows = population(Clade(4), np.random.default_rng(5), {}, {"D": {"x": 1}, "B": {"x": 1}, "post": {"x": 1}})
    mixture = fitted(same, rows, {"D": "D1", "B": "baseline"})
    assert mixture.names == ["common", "other"]
    assert part_of(mixture, "common") > 0.97


def test_a_donor_with_nothing_read_says_nothing() -> None:
    mixtures = {"D": {"d": 1}, "B": {"b": 1}, "post": {"d": 1}}
    found, rows = population(Clade(5), np.random.default_rng(6), {"D": 0.001}, mixtures)
    mixture = fitted(found, rows, {"D": "D1", "B": "baseline"})
    assert mixture.distinguishing <= 1
    assert mixture.informative == 0


def test_no_reads_of_the_population() -> None:
    k, n, sources, prior = small(1, [1, 0, 0])
    mixture = fit_mixture(k * 0, n * 0, sources, prior, np.arange(SITES), 0.003, 20, np.random.default_rng(1))
    assert np.isnan(mixture.fractions).all()
    assert (mixture.distinguishing, mixture.reads) == (0, 0)


def test_the_same_seed_gives_the_same_draws_and_another_others() -> None:
    k, n, sources, prior = small(3, [0.5, 0.5, 0])
    runs = [
        fit_mixture(k, n, sources, prior, np.arange(SITES) // 5, 0.003, 30, np.random.default_rng(seed)).draws
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Coverage over depths, divergences and fractions; gene copies differ between markers in the simulation."""
    covered, errors = [], []
    for trial in range(60):
        rng = np.random.default_rng([7, trial])
        fraction = (0.0, 0.1, 0.5, 0.9, 1.0)[trial % 5]
        clade = Clade(100 + trial, sites=15_000, divergence=(0.003, 0.01)[trial % 2])
        depth = {name: float(rng.uniform(2, 10)) for name in ("post", "D", "B")}
        mixtures = {"D": {"d": 1}, "B": {"b": 1}, "post": {"d": fraction, "b": 1 - fraction}}
        found, rows = population(clade, rng, depth, mixtures)
        mixture = fitted(found, rows, {"D": "D1", "B": "baseline"}, bootstraps=100)
        value = part_of(mixture, "D1")
        low, high = _interval(value, mixture.draws[:, mixture.names.index("D1")], mixture.reads)
        covered.append(low <= fraction + 1e-9 and high >= fraction - 1e-9)
        errors.append(value - fraction)
    # 95 % of 60 with a margin of chance: fewer than 52 has a probability of 0.3 %.
    assert sum(covered) >= 52
    assert np.sqrt(np.mean(np.square(errors))) < 0.05
    assert abs(np.mean(errors)) < 0.02
