"""What is expected of every available donor in every recipient, from a model of all data."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd

from microbiome.donors.lists import listed_taxa, taxon_lists
from microbiome.donors.match_features import Experience
from microbiome.donors.match_folds import JOIN, folds
from microbiome.donors.match_models import LEARNT, fit_model
from microbiome.donors.match_rows import describe, genera, taxon_keys, with_keys
from microbiome.donors.match_table import inner_units, one_outcome, subject_weights
from microbiome.donors.per_donor import recipients_of
from microbiome.donors.tables import DONOR_PAIRS, LIST_NAMES
from microbiome.errors import InputError, Problem
from microbiome.seeds import stream
from microbiome.study import Study

__all__ = ["MOST_PAIRS", "match_pairs"]

#: Recipients times donors that are foretold; more take minutes.
MOST_PAIRS = 1_000


def match_pairs(
    rows: pd.DataFrame,
    abundance: pd.DataFrame,
    study: Study,
    lineage: pd.DataFrame | None = None,
    lists: pd.DataFrame | None = None,
    detection: float = 0.0,
    day: int | None = None,
    model: str = LEARNT[0],
    trees: int = 200,
    seed: int = 0,
    most: int = MOST_PAIRS,
) -> pd.DataFrame:
    """Foretell what each donor would leave in each recipient.

    The model is learnt from all `rows`; for a recipient who is among them, from all but the fold of subjects it is in,
    lest it be told its own answer. How far the model can be trusted with a donor that it has not seen is what the
    cross-validation by donor says (:func:`microbiome.donors.match_table.match`), and the model for such a donor is
    learnt as there. Expected numbers are sums of probabilities over taxa.

    Parameters
    ----------
    rows
        What is learnt from; of :func:`microbiome.donors.match_rows.match_rows`, also of other studies.
    abundance, study
        Of the recipients and donors that are asked about: every sample with role donor and a profile is available (all
        of a donor's together, the largest abundance), and every recipient with a profiled sample of day <= 0.
    lineage, lists
        Of the taxa of concern and of benefit; None for the package's.
    detection
        A taxon is detected above this abundance.
    day
        Day after FMT; None for the median of the rows.
    model, trees, seed
        As in :func:`microbiome.donors.match_table.match`.
    most
        Of more pairs than this (0: of any number) all donors are foretold for some recipients only: those who received
        nothing yet come first, and then the table's order counts.

    Returns
    -------
    DataFrame
        Columns of :data:`microbiome.donors.tables.DONOR_PAIRS`, every recipient and donor; recipients and donors
        without a profile, and recipients who are not foretold, keep their rows and say so.

    Raises
    ------
    InputError
        An unknown model, no donor or no recipient, a negative `most`.
    """
    if model not in LEARNT:
        raise InputError(Problem(f"model {model!r} is not known", f"use {', '.join(LEARNT)}", value=model))
    if most < 0:
        raise InputError(Problem(f"{most} pairs are too few", "give 1 or more, or 0 for all", value=str(most)))
    keyed = with_keys(abundance)
    profiled = set(keyed.index[~keyed.isna().any(axis=1)])
    samples = study.samples
    of_donor = samples[samples["role"] == "donor"].groupby("subject", sort=False)["sample"].agg(list).to_dict()
    before = samples[(samples["role"] == "recipient") & samples["day"].le(0)].sort_values("day", kind="stable")
    baseline = before[before["sample"].isin(profiled)].groupby("subject")["sample"].last().to_dict()
    recipients = list(dict.fromkeys(samples.loc[samples["role"] == "recipient", "subject"]))
    if not of_donor or not recipients:
        word = "donor" if not of_donor else "recipient"
        raise InputError(Problem(f"no sample has role {word}", "add one to the samples table", column="role"))
    alike = one_outcome(rows)
    fold = folds(rows, "subject", seed)
    fold_of = dict(zip(rows["subject"], fold, strict=True)) if len(set(fold)) > 1 else {}
    donors_seen = {name for text in rows["donor"].unique() for name in text.split(JOIN)}

    @functools.cache
    def learnt(held_out: str | None, cv: str) -> Callable[[pd.DataFrame], np.ndarray]:
        return _learnt(rows if held_out is None else rows[fold != held_out], cv, model, trees, seed)

    asked = listed_taxa(taxon_lists() if lists is None else lists, abundance.columns, lineage)
    listed = {
        kind: set(taxon_keys(pd.Index(asked.loc[asked["list"] == kind, "taxon"].dropna()))) for kind in LIST_NAMES
    }
    genus = genera(abundance.columns, lineage)
    names = keyed.columns.to_numpy(dtype=object)
    received = set(recipients_of(study)[["subject", "donor"]].itertuples(index=False, name=None))
    when = int(rows["day"].median()) if day is None else day
    treated = {subject for subject, _ in received}
    waiting = sorted((s for s in recipients if s in baseline), key=lambda subject: subject in treated)
    foretold = set(waiting[: max(1, most // len(of_donor))] if most else waiting)
    out = []
    for subject in recipients:
        asked_of: dict[str, list[tuple[dict[str, object], pd.DataFrame]]] = {}
        for donor, own in of_donor.items():
            pair: dict[str, object] = dict.fromkeys(DONOR_PAIRS.names)
            pair |= {"subject": subject, "donor": donor, "received": int((subject, donor) in received), "model": model}
            pair["baseline_sample"] = baseline.get(subject)
            out.append(pair)
            there = [sample for sample in own if sample in profiled]
            if subject not in baseline or not there:
                lacks = "the recipient has no profiled baseline" if there else "the donor has no profile"
                pair["note"] = f"not foretold: {lacks}"
                continue
            if alike:
                pair["note"] = f"not foretold: {alike}"
                continue
            if subject not in foretold:
                pair["note"] = f"not foretold: of {len(waiting)} recipients {len(foretold)} are (--most-pairs {most})"
                continue
            facts = describe(
                keyed.loc[there].max(axis=0).to_numpy(), keyed.loc[baseline[subject]].to_numpy(), detection
            )
            keep = (facts["donor_present"] | facts["baseline_present"]).astype(bool)
            frame = pd.DataFrame({key: value[keep] for key, value in facts.items()})
            frame = frame.assign(taxon=names[keep], subject=subject, donor=donor, sample=subject, day=when)
            frame["genus"] = [genus.get(name) for name in frame["taxon"]]
            number = len(donors_seen)
            note = f"learnt from {number} donor{'s' * (number > 1)}"
            pair["note"] = note + ("" if donor in donors_seen else ", not from this one")
            asked_of.setdefault("subject" if donor in donors_seen else "donor", []).append((pair, frame))
        # A model is asked about all donors at once: each question costs it more than a hundred taxa do.
        for cv, pairs in asked_of.items():
            probability = learnt(fold_of.get(subject), cv)(pd.concat([frame for _, frame in pairs], ignore_index=True))
            ends = np.cumsum([len(frame) for _, frame in pairs])[:-1]
            for (pair, frame), part in zip(pairs, np.split(probability, ends), strict=True):
                pair |= _expected(frame, part, listed)
    table = pd.DataFrame(out, columns=DONOR_PAIRS.names)
    rank = table.groupby("subject", sort=False)["expected_engrafted"].rank(ascending=False, method="min")
    return table.assign(rank=rank.astype("Int64"), n_candidates=table["n_candidates"].astype("Int64"))


def _learnt(rows: pd.DataFrame, cv: str, model: str, trees: int, seed: int) -> Callable[[pd.DataFrame], np.ndarray]:
    units = inner_units(rows, cv)
    experience = Experience(rows, units)
    number = int(stream(seed, "match", "pairs").integers(2**31))
    predict = fit_model(model, experience.features(rows, units), rows["present"], subject_weights(rows), trees, number)
    return lambda frame: predict(experience.features(frame))


def _expected(frame: pd.DataFrame, probability: np.ndarray, listed: dict[str, set[str]]) -> dict[str, object]:
    donor, baseline = frame["donor_present"] == 1, frame["baseline_present"] == 1
    new = (donor & ~baseline).to_numpy()
    engrafted = float(probability[new].sum())
    out: dict[str, object] = {
        "n_candidates": int(new.sum()),
        "expected_engrafted": engrafted,
        "expected_engraftment_rate": engrafted / new.sum() if new.any() else np.nan,
        "expected_kept": float(probability[baseline.to_numpy()].sum()),
        "expected_richness": float(probability.sum()),
    }
    for kind, keys in listed.items():
        of_list = frame["taxon"].isin(keys).to_numpy()
        out[f"expected_{kind}"] = float(probability[of_list].sum())
        out[f"expected_{kind}_gained"] = float(probability[of_list & new].sum())
    return out
