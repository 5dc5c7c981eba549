"""The outcomes of a study as matrices of subjects and taxa: who could lose, engraft or gain a taxon, and who did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from microbiome.cells import CELLS, SOURCES
from microbiome.errors import Problem, raise_problems
from microbiome.tables import OUTCOME_NAMES, OUTCOMES
from microbiome.taxa.tables import QUANTITIES
from microbiome.tsv import missing_columns
from microbiome.visits import Analysis, analysis_samples

__all__ = ["Calls", "Tally", "calls", "checked_outcomes", "detected", "post_table", "rolled_up"]

# Bits of donor, baseline and post.
_DONOR, _BASELINE, _POST = 4, 2, 1
# Sources whose missed taxa change a quantity.
_NEEDS = {"loss": _POST, "engraftment": _BASELINE | _POST, "gain": 7, "arrival": _BASELINE | _POST}


@dataclass(frozen=True)
class Tally:
    """One quantity.

    Parameters
    ----------
    risk
        **subject x taxon**: share of the subject's visits (of a clade: its taxa, summed over them) at which it could
        happen, in units of 1 / `scale`: whole numbers, so that equal shares are equal to the last bit.
    event
        The same of those at which it did; ``event <= risk``.
    scale
        Common denominator of the weights of all samples.
    subjects
        Boolean per subject: whether the quantity is defined there at all (engraftment needs a donor product).
    samples
        Samples that count, per subject.
    calls, below_limit
        Samples at risk per taxon, and in how many of them it may be otherwise.
    """

    risk: np.ndarray
    event: np.ndarray
    scale: int
    subjects: np.ndarray
    samples: np.ndarray
    calls: np.ndarray
    below_limit: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """**subject x taxon**: event / risk, NaN where it could not happen."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.risk > 0, self.event / self.risk, np.nan)


@dataclass(frozen=True)
class Calls:
    """What the primary analysis counts.

    Parameters
    ----------
    subjects, taxa
        Names of the rows and columns of the matrices, in alphabetical order.
    tallies
        By quantity (:data:`microbiome.taxa.tables.QUANTITIES`).
    members
        Taxa in each column: 1, or how many make the clade.
    analysis
        Which samples count.
    """

    subjects: list[str]
    taxa: list[str]
    tallies: dict[str, Tally]
    members: np.ndarray
    analysis: Analysis


def checked_outcomes(table: pd.DataFrame) -> None:
    """Raise InputError unless `table` has the columns of outcomes and each sample has a taxon once."""
    raise_problems(missing_columns(table, OUTCOMES, "outcomes"))
    twice = table.duplicated(["sample", "taxon"])
    if twice.any():
        sample, taxon = table.loc[twice, ["sample", "taxon"]].iloc[0]
        message = f"{int(twice.sum())} rows stand twice, the first is sample {sample!r}, taxon {taxon!r}"
        raise_problems([Problem(message, "make the table again", "outcomes", value=str(sample))])


def detected(table: pd.DataFrame, source: str) -> np.ndarray:
    """Return per row of outcomes whether the taxon is in `source` (donor, baseline, post): 1, 0, or -1 for unknown."""
    column = f"{source}_detected"
    if column in table:
        return pd.to_numeric(table[column]).astype("Int64").fillna(-1).to_numpy(dtype=np.int8)
    place = SOURCES.index(source)
    code = pd.Categorical(table["outcome"], categories=list(OUTCOME_NAMES)).codes
    of_outcome = [int(format(CELLS.index(outcome), "03b")[place]) for outcome in OUTCOME_NAMES]
    return np.array([*of_outcome, -1], dtype=np.int8)[code]


def post_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per post sample of outcomes: subject, sample, day, and whether baseline and donors are known."""
    known = {f"{name}_known": detected(table, name) >= 0 for name in ("baseline", "donor")}
    held = table[["subject", "sample", "day"]].assign(**known, donor_held=detected(table, "donor") == 1)
    rows = held.drop_duplicates("sample").sort_values(["subject", "day", "sample"], kind="stable")
    # A source without a profile is unknown in every row of its sample.
    some = held.groupby("sample")["donor_held"].any()
    return rows.assign(donor_held=rows["sample"].map(some)).reset_index(drop=True)


def calls(table: pd.DataFrame, window: Sequence[int] | None = None) -> Calls:
    r"""Count for every subject and taxon at which visits the taxon could be lost, engraft or be gained, and was.

    The samples are those of the primary analysis (:func:`microbiome.visits.analysis_samples`), chosen once among the
    post samples of all subjects with a baseline. Each has the weight :math:`w = 1 / (v m)`, with v visits of its
    subject that count and m samples of the subject at the visit, so that the weights of a subject sum to 1:

    .. math:: risk = \sum_{s:\ at\ risk} w_s, \qquad event = \sum_{s:\ at\ risk,\ it\ happened} w_s

    with B, D, R for the taxon in baseline, donor set and post sample: loss B, not R; engraftment D and not B, R; gain
    neither D nor B, R; arrival not B, R. What needs the donor leaves out samples of which no donor product has a
    profile.

    Parameters
    ----------
    table
        Outcomes (:data:`microbiome.tables.OUTCOMES`); without the ``*_detected`` columns they follow from ``outcome``.
    window
        First and last day that count, instead of the common visits.

    Raises
    ------
    InputError
        When a required column is missing, a sample has a taxon twice, no sample has a baseline, or the window is none.
    """
    checked_outcomes(table)
    posts = post_table(table)
    with_baseline = posts[posts["baseline_known"]]
    if with_baseline.empty:
        raise_problems([Problem("no post sample has a baseline", "give outcomes of subjects with one", "outcomes")])
    analysis = analysis_samples(with_baseline, window)
    counted = analysis.samples.merge(with_baseline[["sample", "donor_known", "donor_held"]], on="sample")
    subjects = sorted(counted["subject"].unique())
    taxa = sorted(table["taxon"].unique())
    owner = pd.Index(subjects).get_indexer(counted["subject"])
    visits = counted.groupby("subject")["visit"].transform("nunique")
    parts = (visits * counted.groupby(["subject", "visit"])["sample"].transform("size")).to_numpy(dtype=np.int64)
    scale = math.lcm(*parts.tolist())
    weight = scale // parts
    place = pd.Index(counted["sample"]).get_indexer(table["sample"])
    rows = np.flatnonzero(place >= 0)
    place = place[rows]
    some = table.iloc[rows]
    cell = sum(bit * (detected(some, name) == 1) for name, bit in zip(SOURCES, (4, 2, 1), strict=True))
    unsure = _unsure(some, np.asarray(cell))
    column = pd.Index(taxa).get_indexer(some["taxon"])
    known = counted["donor_known"].to_numpy(dtype=bool)
    size = (len(subjects), len(taxa))

    def total(keep: np.ndarray) -> np.ndarray:
        flat = np.bincount(
            owner[place[keep]] * size[1] + column[keep], weights=weight[place[keep]], minlength=size[0] * size[1]
        )
        return flat.reshape(size)

    def number(keep: np.ndarray) -> np.ndarray:
        return np.bincount(column[keep], minlength=size[1])

    def by_subject(samples: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.bincount(owner[samples], weights=weights[samples], minlength=size[0])

    tallies = {}
    for quantity in QUANTITIES:
        needs_donor = quantity in ("engraftment", "gain")
        usable = known if needs_donor else np.ones(len(counted), dtype=bool)
        if quantity == "engraftment":
            usable = usable & counted["donor_held"].to_numpy(dtype=bool)
        row_usable = usable[place]
        at_risk = row_usable & _at_risk(quantity, np.asarray(cell))
        happened = at_risk & (((cell & _POST) == 0) if quantity == "loss" else ((cell & _POST) > 0))
        event, n_calls = total(happened), number(at_risk)
        risk = total(at_risk)
        if quantity in ("gain", "arrival"):
            # A taxon that is nowhere has no row, and is at risk none the less.
            held = row_usable & ~_at_risk(quantity, np.asarray(cell))
            risk = by_subject(usable, weight)[:, np.newaxis] - total(held)
            n_calls = int(usable.sum()) - number(held)
        samples = by_subject(usable, np.ones(len(counted))).astype(np.int64)
        below = number(at_risk & ((unsure & _NEEDS[quantity]) > 0))
        tallies[quantity] = Tally(risk, event, scale, samples > 0, samples, n_calls, below)
    return Calls(subjects, taxa, tallies, np.ones(len(taxa), dtype=np.int64), analysis)


def _at_risk(quantity: str, cell: np.ndarray) -> np.ndarray:
    if quantity == "loss":
        return np.asarray((cell & _BASELINE) > 0)
    if quantity == "engraftment":
        return np.asarray((cell & (_DONOR | _BASELINE)) == _DONOR)
    return np.asarray((cell & ((_DONOR | _BASELINE) if quantity == "gain" else _BASELINE)) == 0)


def _unsure(table: pd.DataFrame, cell: np.ndarray) -> np.ndarray:
    """Return the bits of the sources in which it may have been missed; without `unsure` those of all absences."""
    if "certainty" not in table:
        return np.zeros(len(table), dtype=np.int64)
    below = (table["certainty"] == "below_limit").to_numpy(dtype=bool)
    if "unsure" not in table:
        return np.where(below, 7 - cell, 0)
    words = table["unsure"].astype("category")
    bits = dict(zip(SOURCES, (4, 2, 1), strict=True))
    masks = [sum(bits[word] for word in set(str(name).split(","))) for name in words.cat.categories]
    return np.where(below, np.array([*masks, 0])[words.cat.codes.to_numpy()], 0)


def rolled_up(found: Calls, clades: Sequence[str]) -> Calls:
    """Sum taxa to clades: the share of a subject is then that of the clade's taxa at risk to which it happened.

    Parameters
    ----------
    found
        Of :func:`calls`.
    clades
        Clade of each taxon.

    Returns
    -------
    Calls
        Clades in alphabetical order; ``risk`` and ``event`` are numbers of taxa (mean over visits).
    """
    clade, names = pd.factorize(np.asarray(clades, dtype=object), sort=True)
    member = np.zeros((len(found.taxa), len(names)))
    member[np.arange(len(clade)), clade] = 1
    tallies = {
        quantity: replace(
            tally,
            risk=tally.risk @ member,
            event=tally.event @ member,
            calls=np.bincount(clade, weights=tally.calls, minlength=len(names)).astype(np.int64),
            below_limit=np.bincount(clade, weights=tally.below_limit, minlength=len(names)).astype(np.int64),
        )
        for quantity, tally in found.tallies.items()
    }
    members = np.bincount(clade, weights=found.members, minlength=len(names)).astype(np.int64)
    return Calls(found.subjects, list(names), tallies, members, found.analysis)
