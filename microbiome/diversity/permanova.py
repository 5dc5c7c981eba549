"""PERMANOVA and PERMDISP with permutations that respect repeated samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import skbio

from microbiome.diversity.factors import aligned, as_factor, untestable
from microbiome.diversity.ordination import gower
from microbiome.diversity.squares import between_groups, between_groups_of_values, dispersions, regression
from microbiome.diversity.tables import PERMANOVA
from microbiome.errors import InputError, Problem, raise_problems
from microbiome.stats.permutations import Design, restrict
from microbiome.subject_groups import as_groups

__all__ = ["permanova"]

# Labels per block of permutations: bounds the memory they take (8 MiB per work array, about five at a time).
_BLOCK = 1 << 20
# Two sums of squares closer than this share of the total are equal: rounding, not evidence.
_TIE = 1e-10


def permanova(
    distances: skbio.DistanceMatrix,
    samples: pd.DataFrame,
    factors: str | Sequence[str],
    strata: str | None = None,
    permutations: int = 999,
    seed: int = 0,
    continuous: Sequence[str] = (),
) -> pd.DataFrame:
    r"""Test whether samples that differ in a factor lie apart, one factor at a time.

    With :math:`SS_T = \tfrac1n \sum_{i<j} d_{ij}^2`, :math:`SS_W = \sum_g \tfrac{1}{n_g} \sum_{i<j \in g} d_{ij}^2` and
    :math:`SS_A = SS_T - SS_W` for g groups of n samples:

    .. math:: F = \frac{SS_A / (g - 1)}{SS_W / (n - g)}, \qquad R^2 = SS_A / SS_T

    For a number x in place of groups, :math:`SS_A = x'Gx / x'x` with x centred and G the centred squared distances (a
    design of rank 1; :math:`g - 1` becomes 1 and :math:`n - g` becomes :math:`n - 2`).

    Parameters
    ----------
    distances
        Distances between samples.
    samples
        One row per sample: ``sample``, the factors, the strata; properties of the subject are joined by the caller.
        Samples without distances are left out and logged.
    factors
        Columns to test, each by itself. Text is groups; so are numbers of two values. A column of numbers with more
        values is regressed on.
    strata
        Column that tells which samples belong together, usually ``subject``. Where the factor is constant within
        every stratum (arm, response), **whole strata** change labels, each taking its samples along, however many
        they are. Otherwise labels change places **within** strata only.
    permutations
        How many random permutations. Where the scheme has no more arrangements than this, all of them are looked at
        once instead and the test is exact.
    seed
        Of the random numbers, the same for every factor: a row does not depend on which other factors are tested.
    continuous
        Columns of text that hold numbers to be regressed on (covariates of a table are text).

    Returns
    -------
    DataFrame
        One row per factor, :data:`microbiome.diversity.tables.PERMANOVA`. ``p_value`` is the share of arrangements
        whose F is at least the observed one: :math:`(b + 1) / (m + 1)` with b of m random permutations, or exact.
        ``p_floor`` is the smallest p-value that any data could have given. ``permdisp_f`` tests (with the same
        permutations) whether the groups differ in spread: where they do, a small p-value of PERMANOVA need not mean
        that they differ in place. Where a factor cannot be tested ``note`` says why and ``p_value`` is missing.

    Raises
    ------
    InputError
        A column that is not there, a sample of the matrix that is not in the table or twice, a number that is none,
        `permutations` below 1, a negative `seed`.

    Notes
    -----
    F and R2 are those of ``vegan::adonis2(d ~ factor)``, of all samples. The schemes are ``how(blocks = strata)``, and
    ``how(plots = Plots(strata, type = "free"), within = Within(type = "none"))``, which vegan has for strata of equal
    size only. Without `strata` repeated samples of a subject are treated as independent, p-values are too small, and
    ``note`` says so.

    With whole strata arrangements are compared by F of the strata's centroids, each stratum counting once: the same
    order, and the same p-value, where strata have equally many samples. Counting samples goes wrong where the groups
    differ in them: one donor with 17 samples against 24 recipients with 2 gave p < 0.05 in 70 % of trials without any
    difference, by centroids in 1 %. The p-value then remains approximate, and ``note`` says so (5 subjects with 2
    samples against 10 with 6: 4 to 16 %, the other way round 1 to 4 %).

    ``permdisp_f`` is the one-way F of the samples' distances to their group's centroid, adjusted for the size of the
    group: without strata ``anova(betadisper(d, group, type = "centroid", bias.adjust = TRUE))``, with strata see
    :func:`microbiome.diversity.squares.dispersions`. (Unadjusted, groups of 5 and 15 with nothing different gave p <
    0.05 in 28 % of trials; adjusted for samples but not for subjects with 4 samples each, in 18 %.) The p-value
    permutes these distances by the scheme above; vegan permutes residuals, and knows no strata.

    References
    ----------
    Anderson, Austral Ecol 26:32 (2001), 10.1111/j.1442-9993.2001.01070.pp.x; McArdle, Ecology 82:290 (2001); Anderson,
    Biometrics 62:245 (2006), 10.1111/j.1541-0420.2005.00440.x; Phipson, Stat Appl Genet Mol Biol 9:39 (2010),
    10.2202/1544-6115.1585.
    """
    factors = [factors] if isinstance(factors, str) else list(dict.fromkeys(factors))
    if permutations < 1:
        raise InputError(
            Problem(f"{permutations} permutations were asked for", "ask for at least one", value=str(permutations))
        )
    if seed < 0:
        raise InputError(Problem(f"seed {seed} is negative", "give 0 or more", value=str(seed)))
    frame = aligned(distances, samples, [*factors, *([strata] if strata else []), *continuous])
    problems: list[Problem] = []
    columns = {factor: as_factor(frame[factor], factor in continuous, problems) for factor in factors}
    raise_problems(problems)
    strata_of = None if strata is None else as_groups(frame[strata])
    rows = []
    for factor, (values, is_number) in columns.items():
        has = values.notna().to_numpy() & (True if strata_of is None else strata_of.notna().to_numpy())
        levels, labels = np.unique(values[has].to_numpy(), return_inverse=True)
        stratum = None if strata_of is None else np.unique(strata_of[has].to_numpy(), return_inverse=True)[1]
        row: dict[str, object] = {
            "factor": factor,
            "n_samples": int(has.sum()),
            "n_missing": int((~has).sum()),
            "n_groups": pd.NA if is_number else len(levels),
            "strata": strata,
            "n_strata": pd.NA if stratum is None else int(stratum.max(initial=-1)) + 1,
        }
        notes = untestable(int(has.sum()), len(levels), is_number)
        if not notes:
            design = restrict(
                labels.astype(np.int16 if len(levels) < 2**15 else np.int32), stratum, levels if is_number else None
            )
            found, more = _test(distances.data, has, design, stratum, levels if is_number else None, permutations, seed)
            row |= found
            notes = more
            persons = frame.loc[has, "subject"].fillna("").to_numpy() if "subject" in frame else np.zeros(0)
            if len(persons) and design.separates(persons):
                people = len(np.unique(persons))
                notes.append(
                    f"{len(persons)} samples of {people} subjects are taken as independent: use strata subject"
                )
        rows.append(row | {"note": "; ".join(notes) or None})
    return pd.DataFrame(rows, columns=PERMANOVA.names).astype(
        {
            column.name: "Int64" if column.kind == "integer" else "float64"
            for column in PERMANOVA.columns
            if column.kind in ("integer", "number")
        }
    )


def _test(
    distances: np.ndarray,
    has: np.ndarray,
    design: Design,
    strata: np.ndarray | None,
    levels: np.ndarray | None,
    permutations: int,
    seed: int,
) -> tuple[dict[str, object], list[str]]:
    """Test one factor: its statistics, their p-values, how small these could have become, and what else to say."""
    gram = gower(distances if has.all() else distances[np.ix_(has, has)])
    n, total = len(gram), float(np.trace(gram))
    exact = design.arrangements <= permutations
    row: dict[str, object] = {"scheme": design.scheme + (", exact" if exact else "")}
    if not total > 0:
        return row, ["not testable: all distances are 0"]
    groups = int(design.labels.max()) + 1
    # Distances to the centroids belong to the samples: they are computed once, and the labels change places over them.
    spread = np.zeros(n) if levels is not None else dispersions(gram, design.labels[design.unit], groups, strata)

    def between(gram: np.ndarray, spread: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return two sums of squares per arrangement (column): of the distances, and of those to the centroid."""
        if levels is not None:
            return np.stack([regression(gram, levels[labels]), np.zeros(len(labels))])
        return np.stack([between_groups(gram, labels, groups), between_groups_of_values(spread, labels, groups)])

    totals = np.array([total, _squares(spread, total)])
    (explained, explained_spread) = between(gram, spread - spread.mean(), design.labels[design.unit][None, :])[:, 0]
    df = 1 if levels is not None else groups - 1
    row |= {"pseudo_f": _f(explained, totals[0], df, n - df - 1), "r2": explained / total}
    if levels is None:
        row["permdisp_f"] = _f(explained_spread, totals[1], df, n - df - 1)
    if design.equivalent == design.arrangements:
        return row | {"p_floor": 1.0}, ["not testable: every allowed arrangement of the labels gives the same pseudo_f"]
    notes = [] if levels is None else ["regression on a number: no groups, no permdisp"]
    if design.scheme == "whole strata":
        # A stratum counts once, by its centroid, however many samples it has.
        sizes = np.bincount(design.unit)
        share = np.eye(len(sizes))[design.unit] / sizes
        gram = _centred(share.T @ (gram @ share))
        spread = spread @ share
        totals = np.array([np.trace(gram), _squares(spread, total)])
        per_group = np.bincount(design.labels, weights=sizes) / np.bincount(design.labels)
        if per_group.max() >= 1.5 * per_group.min():
            notes.append(
                f"groups differ in samples per stratum ({per_group.min():.3g} to {per_group.max():.3g}): "
                "p_value is approximate"
            )
    spread = spread - spread.mean()
    limit = between(gram, spread, design.labels[None, :]) - _TIE * totals[:, None]
    hits = np.zeros(2, dtype=np.int64)
    for labels in _arrangements(design, exact, permutations, seed):
        hits += (between(gram, spread, labels) >= limit).sum(axis=1)
    count = design.arrangements if exact else permutations
    p_values = hits / count if exact else (hits + 1) / (count + 1)
    p_floor = design.smallest_p if exact else max(design.smallest_p, 1 / (count + 1))
    row |= {"p_value": p_values[0], "permutations": count, "p_floor": p_floor}
    if levels is None and totals[1] > 0:
        row["permdisp_p_value"] = p_values[1]
    if strata is not None and design.scheme == "within strata" and len(design.blocks) <= strata.max():
        notes.append(
            f"the factor varies in {len(design.blocks)} of {strata.max() + 1} strata; the others stay as they are"
        )
    if levels is None and np.isnan(totals[1]):
        notes.append(f"no permdisp: a group has one {'sample' if strata is None else 'stratum'} only")
    if p_floor > 0.05:
        notes.append(f"p_value cannot fall below {p_floor:.3g}")
    return row, notes


def _arrangements(design: Design, exact: bool, permutations: int, seed: int) -> Iterator[np.ndarray]:
    """Yield arrangements in pieces that bound the memory they take."""
    step = max(1, _BLOCK // len(design.labels))
    if exact:
        yield from design.every(step)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, permutations, step):
        yield design.draw(rng, min(step, permutations - start))


def _squares(values: np.ndarray, scale: float) -> float:
    """Sum of squares of `values` about their mean; 0 where they are the same but for rounding."""
    found = float(((values - values.mean()) ** 2).sum())
    return 0.0 if found <= _TIE**2 * scale else found


def _centred(gram: np.ndarray) -> np.ndarray:
    mean = gram.mean(axis=0)
    return np.asarray(gram - mean - mean[:, None] + mean.mean())


def _f(between: float, total: float, df_between: int, df_within: int) -> float:
    """F ratio; infinite where nothing is left within the groups, missing where there is nothing at all."""
    if not total > 0:
        return np.nan
    within = total - between
    return (between / df_between) / (within / df_within) if within > _TIE * total else np.inf
