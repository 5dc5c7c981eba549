"""Which mistake in the labels would explain who shares strains with whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from microbiome.strains.audit_labels import MAY, UNRELATED, Labels, relations
from microbiome.strains.audit_links import Links

__all__ = ["Move", "State", "explanations", "others_as_good"]

# Natural logarithms of how much rarer than an exchange of two labels these are taken to be.
_RARER = {"swapped": 0.0, "wrong_donor": 0.0, "wrong_person": 4.0, "contaminated": 4.0}
# Explanations whose rank differs by less cannot be told apart.
_AS_GOOD = 2.0


@dataclass(frozen=True)
class State:
    """Labels as far as they are mended.

    Parameters
    ----------
    labels
        The labels.
    slot
        Whose label (code of a sample) each sample has now.
    sources
        Of each contaminated sample the one whose strains it holds.
    """

    labels: Labels
    slot: np.ndarray
    sources: dict[int, int] = field(default_factory=dict)

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """Return what these samples are to all others, **samples x all**; to themselves UNRELATED."""
        found = relations(self.labels.take(samples), self.labels)
        for sample, source in self.sources.items():
            through = relations(self.labels.take([source]), self.labels)[0] != UNRELATED
            through[source] = True
            place = np.flatnonzero(samples == sample)
            own = found[place]
            found[place] = np.where((own == UNRELATED) & through, MAY, own)
            # The same link seen from the other side.
            column = found[:, sample]
            found[:, sample] = np.where((column == UNRELATED) & through[samples], MAY, column)
        found[np.arange(len(samples)), samples] = UNRELATED
        return found

    def relation(self) -> np.ndarray:
        """Return **sample x sample** what all are to each other."""
        return self.rows(np.arange(len(self.slot)))


@dataclass(frozen=True)
class Move:
    """A mistake that would explain something.

    Parameters
    ----------
    kind
        A verdict (:data:`microbiome.strains.rate_tables.VERDICTS`).
    samples
        The samples it is about.
    partner
        Code of a sample (swapped, contaminated), person (wrong_person; -1 nobody) or donor (wrong_donor).
    gain
        By how much it raises the log-likelihood of all calls.
    state
        The labels when it is mended.
    """

    kind: str
    samples: tuple[int, ...]
    partner: int
    gain: float
    state: State

    @property
    def rank(self) -> float:
        """Gain less how much rarer it is than an exchange."""
        return self.gain - _RARER[self.kind]


def explanations(state: State, sample: int, linked: np.ndarray, links: Links) -> list[Move]:
    """Return the mistakes that would explain anything of what speaks against the label of a sample.

    Looked at are: its label exchanged with that of any other sample; that it is of the person of a sample that it is
    linked to, or of nobody in the study; that its subject received another donor, instead of or besides those in the
    doses table; that it holds strains of a sample that it is linked to.

    Parameters
    ----------
    state
        The labels.
    sample
        The sample.
    linked
        Samples unrelated by label with which it shares too much.
    links
        How clearly all pairs share.
    """
    moves = _moves(state, sample, linked, links, state.relation())
    return [move for move in moves if move.gain > 0]


def others_as_good(best: Move, moves: list[Move], labels: Labels) -> list[Move]:
    """Return other mistakes with the same people that are nearly as likely as the best one, the likeliest first.

    Two recipients of one donor with one sample before and one after FMT each: exchanging either pair explains the same.
    """
    found: dict[object, Move] = {_accusation(best, labels): best}
    people = _people(best, labels)
    for move in sorted(moves, key=lambda move: -move.rank):
        if move.rank >= best.rank - _AS_GOOD and _people(move, labels) == people:
            found.setdefault(_accusation(move, labels), move)
    return list(found.values())[1:]


def _accusation(move: Move, labels: Labels) -> tuple[object, ...]:
    if move.kind == "contaminated":
        return (move.kind, frozenset(move.samples), int(labels.person[move.partner]))
    return (move.kind, frozenset(move.samples), None if move.kind == "swapped" else move.partner)


def _people(move: Move, labels: Labels) -> frozenset[int]:
    people = {int(labels.person[sample]) for sample in move.samples}
    if move.kind == "contaminated":
        people.add(int(labels.person[move.partner]))
    elif move.kind == "wrong_person":
        people.add(move.partner)
    elif move.kind == "wrong_donor":
        people |= set(labels.person[labels.donor == move.partner].tolist())
    return frozenset(people)


def _moves(state: State, sample: int, linked: np.ndarray, links: Links, relation: np.ndarray) -> Iterator[Move]:
    size = len(state.slot)
    for other in range(size):
        if other != sample:
            order = np.arange(size)
            order[[sample, other]] = order[[other, sample]]
            changed = State(state.labels.take(order), state.slot[order], state.sources)
            pair = (sample, other)
            gains = _gains(changed, pair, links, relation)
            # An exchange needs evidence from both; else the one is of the other's person, and no more is known.
            if gains[1] > 0:
                yield Move("swapped", pair, other, _total(changed, pair, links, relation, gains), changed)
    # The clearest link first: of several samples of one person it is the one that is named.
    for other in linked[np.argsort(links.p[sample, linked], kind="stable")].tolist():
        order = np.arange(size)
        order[sample] = other
        changed = State(state.labels.take(order), state.slot, state.sources)
        partner = int(state.labels.person[other])
        yield Move("wrong_person", (sample,), partner, _gain(changed, (sample,), links, relation), changed)
        changed = State(state.labels, state.slot, state.sources | {sample: other})
        yield Move("contaminated", (sample,), other, _gain(changed, (sample,), links, relation), changed)
    changed = State(state.labels.of_nobody(sample), state.slot, state.sources)
    yield Move("wrong_person", (sample,), -1, _gain(changed, (sample,), links, relation), changed)
    if state.labels.post[sample]:
        yield from _donor_moves(state, sample, links, relation)


def _donor_moves(state: State, sample: int, links: Links, relation: np.ndarray) -> Iterator[Move]:
    labels = state.labels
    posts = (labels.person == labels.person[sample]) & labels.post
    for donor in range(labels.received.shape[1]):
        if labels.received[sample, donor]:
            continue
        alone = np.zeros(labels.received.shape[1], dtype=bool)
        alone[donor] = True
        for received in (alone, labels.received[sample] | alone):
            changed = State(labels.with_donors(posts, received), state.slot, state.sources)
            who = tuple(np.flatnonzero(posts).tolist())
            yield Move("wrong_donor", who, donor, _gain(changed, who, links, relation), changed)


def _gains(changed: State, samples: tuple[int, ...], links: Links, relation: np.ndarray) -> np.ndarray:
    """Return by how much the log-likelihood of the pairs of each of some samples rises."""
    places = np.array(samples)
    new, old = changed.rows(places), relation[places]
    size = np.arange(len(relation))
    value = links.likelihood[new, places[:, None], size] - links.likelihood[old, places[:, None], size]
    gains: np.ndarray = value.sum(axis=1)
    return gains


def _gain(changed: State, samples: tuple[int, ...], links: Links, relation: np.ndarray) -> float:
    return _total(changed, samples, links, relation, _gains(changed, samples, links, relation))


def _total(changed: State, samples: tuple[int, ...], links: Links, relation: np.ndarray, gains: np.ndarray) -> float:
    """Return the gain over all pairs: those within the samples are in the sum twice."""
    if len(samples) == 1:
        return float(gains[0])
    places = np.array(samples)
    new, old = changed.rows(places)[:, places], relation[np.ix_(places, places)]
    one, other = places[:, None], places[None, :]
    within = links.likelihood[new, one, other] - links.likelihood[old, one, other]
    return float(gains.sum() - within.sum() / 2)
