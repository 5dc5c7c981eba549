"""Whether samples are whose their labels say, by the strains that they share."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.stats import benjamini_hochberg
from microbiome.strains.audit_labels import MAY, SAME, UNRELATED, Labels, labels_of
from microbiome.strains.audit_links import Links, links_of
from microbiome.strains.audit_moves import Move, State, explanations, others_as_good
from microbiome.strains.audit_words import sentence
from microbiome.strains.calls import pair_calls
from microbiome.strains.rate_tables import STRAIN_AUDIT
from microbiome.study import Study
from microbiome.validation import typed

__all__ = ["strain_audit"]

logger = logging.getLogger(__name__)

# A link to the own person or donor is shown at this p-value.
_SHOWN = 0.05
_MOST_OTHERS = 2


@dataclass(frozen=True)
class Tests:
    """What each sample says of its label: p-values of strangers, of missing links, of both, and q-values."""

    other: np.ndarray
    missing: np.ndarray
    p: np.ndarray
    q: np.ndarray


def strain_audit(
    study: Study, shared: pd.DataFrame, method: str | None = None, level: float = 0.05, least_taxa: int = 5
) -> pd.DataFrame:
    """Return for every sample whether its strains agree with its label, and if not, which mistake would explain them.

    Two samples may share strains where the labels say that they are of one person; a recipient and a donor product
    received by then (engraftment); or two recipients who had received a donor in common. All others are unrelated, and
    share the strain of taxon t with probability :math:`u_t`, which all unrelated pairs of the study give
    (:func:`microbiome.strains.audit_links.taxon_rates`).

    Two things speak against a label. More strains in common with an unrelated sample than chance gives
    (Poisson-binomial over the taxa compared; the smallest p-value of all unrelated samples, times their number), and
    more than unrelated people of this study usually have in common
    (:func:`microbiome.strains.audit_links.usual_excess`). And next to none with any sample of the same person between
    which nothing was given (beta-binomial; the largest p-value of these pairs, so that one wrong sample does not accuse
    the others). ``p_value`` is the smaller of the two, times two; q-values are over the samples. A baseline whose
    strains are gone after FMT, or a donor that did not engraft, speak against nothing.

    Samples with q <= `level` are then explained, the best explanation first (:mod:`microbiome.strains.audit_moves`):
    whoever is only in the way, as the partner of a sample with a wrong label is, is not accused.

    Parameters
    ----------
    study
        The study.
    shared
        Columns of :data:`microbiome.strains.tables.STRAIN_SHARED`; its ``relation`` is not used.
    method
        Which distance of `shared` to use (:func:`microbiome.strains.calls.pair_calls`).
    level
        q-value up to which a label is doubted: without any mistake a study has a doubted label with at most this
        probability, as far as taxa are independent.
    least_taxa
        With fewer taxa compared with any related sample, a sample that shares too little to show whose it is is said to
        have too few.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.strains.rate_tables.STRAIN_AUDIT`, one row per sample of the study, in its order.

    Raises
    ------
    InputError
        As :func:`microbiome.strains.calls.pair_calls`, and when an option is out of range.
    """
    problems = []
    if not 0 < level < 1:
        problems.append(Problem(f"level {level:g} is not between 0 and 1", "give 0.05", column="level"))
    if least_taxa < 1:
        problems.append(Problem(f"{least_taxa} taxa are too few", "give 1 or more", column="taxa"))
    raise_problems(problems)
    names = study.samples["sample"].tolist()
    if not names:
        raise InputError("the samples table has no sample")
    calls = pair_calls(shared, names, method)
    labels, persons, donors = labels_of(study)
    state = State(labels, np.arange(len(names)))
    first = state.relation()
    links = links_of(calls, first, labels.person)
    tests = _tests(first, links)
    moves: list[Move] = []
    # Each round mends something; a sample that is explained is not looked at again.
    explained: set[int] = set()
    also: dict[int, tuple[str, ...]] = {}
    now = tests
    while True:
        doubted = [i for i in np.flatnonzero(now.q <= level).tolist() if i not in explained]
        if not doubted:
            break
        relation = state.relation()
        better = [move for i in doubted for move in explanations(state, i, _linked(i, relation, links, level), links)]
        if not better:
            break
        move = max(better, key=lambda move: move.rank)
        alike = _alike(move, better, relation)
        moves += [move, *alike]
        rest = [] if alike else others_as_good(move, better, state.labels)
        words = tuple(_in_words(other, names, persons, donors) for other in rest[:_MOST_OTHERS])
        also |= dict.fromkeys(move.samples, words)
        explained |= set(move.samples)
        state = move.state
        now = _tests(state.relation(), links)
    left = [i for i in np.flatnonzero(now.q <= level).tolist() if i not in explained]
    verdicts = _verdicts(moves, state, labels, left)
    relation = state.relation()
    rows = []
    for i, name in enumerate(names):
        row: dict[str, object] = {"sample": name, "p_value": tests.p[i], "q_value": tests.q[i]}
        row |= {"p_missing": tests.missing[i], **{k: study.samples[k].iloc[i] for k in ("subject", "role", "day")}}
        own = first[i] == SAME
        own |= (labels.person == labels.person[i]) & (np.arange(len(names)) != i)
        gave = labels.received[i][labels.donor] & (labels.donor >= 0) if len(donors) else np.zeros(len(names), bool)
        for what, who in (("own", own), ("donor", gave), ("other", first[i] == UNRELATED)):
            row |= _nearest(what, i, who, links.p_stranger if what == "other" else links.p, links, names)
        verdict, partner, gain = verdicts.get(i, (_quiet(i, relation, links, state.labels), None, np.nan))
        row |= {"verdict": verdict, "log_odds": gain}
        row["partner"] = _name_of(verdict, partner, names, persons, donors)
        kin = _nearest("kin", i, (first[i] == MAY) & ~own & ~gave, links.p, links, names)
        row["sentence"] = sentence(row, kin, least_taxa, bool(tests.q[i] <= level), also.get(i, ()))
        rows.append(row)
        if verdict not in ("ok", "untestable"):
            logger.warning("%s: %s", name, row["sentence"])
    return _as_table(rows)


def _tests(relation: np.ndarray, links: Links) -> Tests:
    """Test every label; NaN where there is nothing to compare with."""
    compared = links.taxa > 0
    np.fill_diagonal(compared, False)
    strangers = compared & (relation == UNRELATED)
    least = np.where(strangers, links.p_stranger, 1.0).min(axis=1)
    number = strangers.sum(axis=1)
    other = np.where(number > 0, np.minimum(1.0, least * number), np.nan)
    partners = compared & (relation == SAME)
    missing = np.where(partners, links.p_missing, 0.0).max(axis=1)
    missing = np.where(partners.any(axis=1), missing, np.nan)
    both = ~np.isnan(other) & ~np.isnan(missing)
    p = np.minimum(1.0, np.fmin(other, missing) * np.where(both, 2.0, 1.0))
    return Tests(other, missing, p, benjamini_hochberg(p))


def _linked(sample: int, relation: np.ndarray, links: Links, level: float) -> np.ndarray:
    """Return the unrelated samples with which one shares too much, by the standard that it is doubted by."""
    strangers = (relation[sample] == UNRELATED) & (links.taxa[sample] > 0)
    strangers[sample] = False
    clear = links.p_stranger[sample] * strangers.sum() <= level
    return np.flatnonzero(strangers & clear)


def _alike(move: Move, others: list[Move], relation: np.ndarray) -> list[Move]:
    """Return the moves that say the same of the partner: of two samples that differ nobody knows which one is wrong."""
    if move.kind != "wrong_person" or move.partner != -1:
        return []
    one = move.samples[0]
    return [
        other
        for other in others
        if other.kind == "wrong_person"
        and other.partner == -1
        and relation[one, other.samples[0]] == SAME
        and abs(other.gain - move.gain) < 1e-9
    ]


def _in_words(move: Move, names: list[str], persons: list[str], donors: list[str]) -> str:
    who = names[move.samples[0]]
    partner = _name_of(move.kind, move.partner, names, persons, donors)
    return {
        "swapped": f"{who} exchanged with {partner}",
        "wrong_person": f"{who} of {partner or 'nobody in the study'}",
        "wrong_donor": f"donor {partner} given to the person of {who}",
        "contaminated": f"{who} holding strains of {partner}",
    }[move.kind]


def _verdicts(
    moves: list[Move], state: State, labels: Labels, left: list[int]
) -> dict[int, tuple[str, int | None, float]]:
    """Return verdict, partner and gain of each sample that is accused."""
    found: dict[int, tuple[str, int | None, float]] = {}
    for move in moves:
        for sample in move.samples:
            found[sample] = (move.kind, move.partner, move.gain)
    for sample, slot in enumerate(state.slot.tolist()):
        if sample in found and found[sample][0] == "swapped":
            gain = found[sample][2]
            if slot == sample:
                del found[sample]
            elif state.slot[slot] == sample:
                found[sample] = ("swapped", slot, gain)
            else:
                # Three or more labels went round.
                found[sample] = ("wrong_person", int(labels.person[slot]), gain)
    return found | dict.fromkeys(left, ("wrong_person", -1, np.nan))


def _nearest(
    name: str, sample: int, who: np.ndarray, p: np.ndarray, links: Links, names: list[str]
) -> dict[str, object]:
    """Return the columns on the sample among some that one shares strains with most clearly."""
    candidates = np.flatnonzero(who & (links.taxa[sample] > 0))
    candidates = candidates[candidates != sample]
    if not len(candidates):
        return {f"{name}_taxa": 0}
    taxa, shared = links.taxa[sample, candidates], links.shared[sample, candidates]
    best = candidates[np.lexsort((-taxa, -shared / taxa, p[sample, candidates]))[0]]
    return {
        f"{name}_sample": names[best],
        f"{name}_taxa": int(links.taxa[sample, best]),
        f"{name}_shared": int(links.shared[sample, best]),
        f"{name}_expected": float(links.expected[sample, best]),
        f"{name}_p_value": float(min(1.0, p[sample, best] * len(candidates))),
    }


def _quiet(sample: int, relation: np.ndarray, links: Links, labels: Labels) -> str:
    """Return the verdict on a sample that nothing speaks against: ok where it shows whose it is."""
    size = np.arange(len(labels.person))
    own = (labels.person == labels.person[sample]) & (size != sample)
    kin = (relation[sample] == MAY) & ~own
    for who in (own, kin):
        here = who & (links.taxa[sample] > 0)
        if here.any() and links.p[sample, here].min() * here.sum() <= _SHOWN:
            return "ok"
    return "untestable"


def _name_of(verdict: str, partner: int | None, names: list[str], persons: list[str], donors: list[str]) -> str | None:
    if partner is None or partner < 0:
        return None
    known = {"swapped": names, "contaminated": names, "wrong_donor": donors}.get(verdict, persons)
    return known[partner] if partner < len(known) else None


def _as_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    index = pd.RangeIndex(len(rows))
    columns = {}
    for column in STRAIN_AUDIT.columns:
        cells = [row.get(column.name) for row in rows]
        cells = [None if cell is None or pd.isna(cell) else cell for cell in cells]
        columns[column.name] = typed(cells, column.kind, index)
    return pd.DataFrame(columns, index=index)
