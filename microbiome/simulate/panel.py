"""A whole trial as tables in milliseconds: to calibrate statistics over thousands of trials, and to plan a study."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.features import write_features
from microbiome.files import atomic_path
from microbiome.simulate.panel_design import depths, design, study_tables
from microbiome.simulate.panel_ecology import communities, donors, world
from microbiome.simulate.panel_parameters import PanelParameters
from microbiome.study import Study
from microbiome.tsv import write_table

__all__ = ["Panel", "PanelParameters", "simulate_panel", "write_panel"]


@dataclass(frozen=True)
class Panel:
    """A trial as tables, with its truth.

    Parameters
    ----------
    parameters
        What it was made with.
    study
        Samples (with ``reads`` if asked for), subjects, doses.
    abundance
        sample x taxon: fractions as a profiler prints them, closed to 1; a sample in which nothing was detected is a
        row of NaN.
    truth
        sample x taxon: true fractions, closed to 1; 0 is absent.
    reads
        Reads of each sample, whether or not the samples table has them.
    """

    parameters: PanelParameters
    study: Study
    abundance: pd.DataFrame
    truth: pd.DataFrame
    reads: pd.Series


def simulate_panel(parameters: PanelParameters, seed: int | np.random.Generator = 0) -> Panel:
    r"""Simulate one trial.

    For taxon i, person s, day d:

    * **Taxa.** Prevalence :math:`\pi_i \sim` Beta with mean ``prevalence``; log level :math:`\mu_i` normal with
      ``taxon_sd``, correlated with the prevalence.
    * **People.** A donor carries i with probability :math:`\pi_i`, a recipient with :math:`\rho_s \pi_i`,
      :math:`\rho_s` = ``recipient_richness`` (x exp(``richness_effect``) for responders), at log level :math:`\mu_i +
      N(0, subject\_sd^2)`; both probabilities times a factor of the person, log-normal with ``richness_sd`` and mean 1.
    * **Turnover** is a two-state chain: a resident taxon dies out at rate :math:`\lambda_{si} = -\log(1 - l_{si}) / 30`
      a day, :math:`logit(l_{si}) = logit(loss) + N(0, loss\_sd^2) - loss\_level \cdot level_{si}` (donors: without the
      second term); an absent one comes back at rate :math:`gain\,\lambda_{si} p / (1 - p)` with p the person's
      prevalence of it. Loss thus depends on the lag and levels off at 1 - p, and with ``gain`` 1 nobody's richness
      drifts.
    * **FMT.** The first day's products drive out resident taxa that none of them holds with ``displacement``; each
      product taxon that the recipient lacks engrafts with probability :math:`logit^{-1}(logit(engraftment) + taxon +
      recipient + donor + effect)`, at the donor's level. From day 0 a recipient's loss has the donor's effect
      (``donor_loss_sd``, also on ``displacement``) and, in treated responders, is multiplied by ``loss_ratio``.
      Samples of day 0 come before the dose.
    * **Truth.** Abundance is :math:`\exp(level + N(0, sample\_sd^2))` closed to 1 over what is present: what engrafts
      dilutes the rest.
    * **Observation.** Effective marker reads of i are Poisson with mean ``reads`` x ``marker_reads`` x abundance x
      :math:`e_i`, :math:`\log e_i \sim N(0, efficiency\_sd^2)`; a taxon with fewer than ``min_reads`` is not detected;
      abundance is reads / :math:`e_i`, closed to 1.

    Parameters
    ----------
    parameters
        See :class:`microbiome.simulate.panel_parameters.PanelParameters`.
    seed
        A number, or a generator (from which the next call draws another trial). The same seed gives the same trial;
        parameters of depth and detection change neither people nor their fates.

    Returns
    -------
    Panel
        Named as by ``microbiome simulate``: ``D01-1``, ``R01-T0`` (the baseline), ``R01-T1``...; further samples
        before FMT are ``R01-S1`` (the last before the baseline), ``R01-S2``...
    """
    p = parameters
    plans, worlds, people, fates, givers, sequencing = np.random.default_rng(seed).spawn(6)
    if p.world_seed is not None:
        worlds, fixed = np.random.default_rng(p.world_seed).spawn(2)
        givers = fixed if p.fixed_donors else givers
    plan = design(p, plans)
    taxa = world(p, worlds)
    truth = communities(p, plan, taxa, donors(p, plan, taxa, givers), people, fates)
    reads = depths(p, plan, sequencing)
    observed = _observe(p, truth, reads, taxa.efficiency, sequencing)
    study, kept = study_tables(p, plan, reads, plans)
    index = pd.Index(study.samples["sample"], name="sample")
    columns = pd.Index([f"t__SGB{900_000 + i}" for i in range(p.taxa)], name="taxon")
    return Panel(
        p,
        study,
        pd.DataFrame(observed[kept], index=index, columns=columns),
        pd.DataFrame(truth[kept], index=index, columns=columns),
        pd.Series(reads[kept], index=index, name="reads"),
    )


def write_panel(panel: Panel, folder: str | Path) -> None:
    """Write a trial to a folder, which is made if need be.

    ``samples.tsv``, ``subjects.tsv``, ``doses.tsv``, ``profiles.tsv`` (feature x sample, fractions; a sample in which
    nothing was detected is a column of zeros), ``truth.tsv`` (the same, of the true fractions) and
    ``parameters.json``. Files of these names are replaced.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name in ("samples", "subjects", "doses"):
        write_table(getattr(panel.study, name), place / f"{name}.tsv")
    write_features(panel.abundance.fillna(0.0), place / "profiles.tsv")
    write_features(panel.truth, place / "truth.tsv")
    record = {"microbiome": version("fmt-microbiome"), "parameters": panel.parameters.as_dict()}
    with atomic_path(place / "parameters.json") as path:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _observe(
    p: PanelParameters, truth: np.ndarray, reads: np.ndarray, efficiency: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    sample, taxon = np.nonzero(truth)
    mean = truth[sample, taxon] * reads[sample] * p.marker_reads * efficiency[taxon]
    counts = rng.poisson(mean)
    observed = np.zeros_like(truth)
    observed[sample, taxon] = np.where(counts >= p.min_reads, counts / efficiency[taxon], 0)
    total = observed.sum(axis=1, keepdims=True)
    return np.divide(observed, total, out=np.full_like(observed, np.nan), where=total > 0)
