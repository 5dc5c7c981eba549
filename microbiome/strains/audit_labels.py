"""What the labels of samples say that they are to each other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from microbiome.study import Study

__all__ = ["MAY", "SAME", "UNRELATED", "Labels", "labels_of", "relations"]

logger = logging.getLogger(__name__)

#: Nothing links the two samples; they may share strains; they are of one person, and nothing was given between.
UNRELATED, MAY, SAME = 0, 1, 2


@dataclass(frozen=True)
class Labels:
    """The label of every sample, as numbers.

    Parameters
    ----------
    person
        Code of the person on the label.
    donor
        Code of the donor that the person is, -1 for who is none.
    received
        **sample x donor**: received by the time of the sample.
    doses
        How many doses were.
    post
        Whether the sample was taken after day 0.
    """

    person: np.ndarray
    donor: np.ndarray
    received: np.ndarray
    doses: np.ndarray
    post: np.ndarray

    def take(self, order: np.ndarray | Sequence[int]) -> Labels:
        """Return the labels in another order: element i gets the label of element ``order[i]``."""
        places = np.asarray(order, dtype=np.int64)
        return Labels(*(values[places] for values in (self.person, self.donor, self.received, self.doses, self.post)))

    def with_donors(self, samples: np.ndarray, donors: np.ndarray) -> Labels:
        """Return the labels with other donors received by some samples."""
        received = self.received.copy()
        received[samples] = donors
        return replace(self, received=received, doses=np.where(samples, np.maximum(self.doses, 1), self.doses))

    def of_nobody(self, sample: int) -> Labels:
        """Return the labels with one sample that belongs to none of the study."""
        person, donor, received, doses = (a.copy() for a in (self.person, self.donor, self.received, self.doses))
        person[sample], donor[sample], received[sample], doses[sample] = person.max() + 1, -1, False, 0
        return replace(self, person=person, donor=donor, received=received, doses=doses)


def labels_of(study: Study) -> tuple[Labels, list[str], list[str]]:
    """Return the labels of all samples of a study, the names of its persons, and those of its donors, by code."""
    samples = study.samples
    person, persons = pd.factorize(samples["subject"])
    donors = list(dict.fromkeys(samples.loc[samples["role"] == "donor", "subject"]))
    code = {name: i for i, name in enumerate(donors)}
    received = np.zeros((len(samples), len(donors)), dtype=bool)
    doses = np.zeros(len(samples), dtype=np.int64)
    given: dict[str, list[tuple[int, str]]] = {}
    for subject, day, donor in zip(study.doses["subject"], study.doses["day"], study.doses["donor"], strict=True):
        given.setdefault(subject, []).append((int(day), donor))
    days = [None if pd.isna(day) else int(day) for day in samples["day"]]
    for i, (subject, role, day) in enumerate(zip(samples["subject"], samples["role"], days, strict=True)):
        if role == "donor" or day is None or day <= 0:
            continue
        for dose_day, donor in given.get(subject, ()):
            if dose_day <= day:
                doses[i] += 1
                if donor in code:
                    received[i, code[donor]] = True
    if study.doses.empty and donors:
        logger.warning("no doses: any post sample may have strains of any donor")
        later = np.array([day is not None and day > 0 for day in days], dtype=bool)
        received[later & (samples["role"] != "donor").to_numpy()] = True
        doses[received.any(axis=1)] = 1
    post = np.array([day is not None and day > 0 for day in days], dtype=bool) & (samples["role"] != "donor").to_numpy()
    is_donor = samples["role"] == "donor"
    donor_code = samples["subject"].map(code).where(is_donor).fillna(-1).to_numpy(dtype=np.int64)
    return Labels(person.astype(np.int64), donor_code, received, doses, post), list(persons), donors


def relations(one: Labels, other: Labels) -> np.ndarray:
    """Return what each sample of `one` is to each of `other`: **one x other** of the three codes.

    SAME: one person, the same number of doses received. MAY: one person with doses between; a recipient and a donor
    received by then; two recipients who had received a donor in common. All else is UNRELATED.
    """
    same = one.person[:, None] == other.person[None, :]
    between = one.doses[:, None] != other.doses[None, :]
    may = (one.received.astype(np.float32) @ other.received.T.astype(np.float32)) > 0
    may |= _gave(one, other) | _gave(other, one).T
    found = np.where(may, MAY, UNRELATED).astype(np.int8)
    return np.where(same, np.where(between, MAY, SAME), found).astype(np.int8)


def _gave(donors: Labels, recipients: Labels) -> np.ndarray:
    """Tell whether each of the first, being a donor, was received by each of the second."""
    found = np.zeros((len(donors.person), len(recipients.person)), dtype=bool)
    who = np.flatnonzero(donors.donor >= 0)
    found[who] = recipients.received[:, donors.donor[who]].T
    return found
