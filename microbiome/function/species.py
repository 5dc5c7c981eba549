"""HUMAnN's names of species and the taxa of MetaPhlAn's profiles: which belong together, and what became of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from microbiome.cells import CELLS, SOURCES
from microbiome.errors import InputError, Problem
from microbiome.files import open_text

__all__ = ["SpeciesOutcomes", "read_species", "species_of"]

_SGB = re.compile(r"t__\S+")


def species_of(stratum: str) -> str:
    """Return ``s__...`` of a stratum of HUMAnN 3 (``g__Genus.s__Species``) or 4 (``s__Species.t__SGB1``)."""
    return next((part for part in stratum.split(".") if part.startswith("s__")), stratum)


def read_species(path: str | Path) -> dict[str, list[str]]:
    """Read HUMAnN's own names of SGBs (``humann3_sgb_map.Jun23.tsv``): SGB, tab, ``g__Genus.s__Species``.

    HUMAnN's gene families keep the names of 2019, and MetaPhlAn renames species with every release.

    Returns
    -------
    dict
        Species by taxon (``t__SGB1``).

    Raises
    ------
    InputError
        When a line has another form.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(open_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        sgb, tab, name = line.partition("\t")
        if not tab or "s__" not in name:
            fix = "give lines of an SGB, a tab and g__Genus.s__Species"
            raise InputError(Problem(f"{line[:60]!r} names no species", fix, str(path), number, value=line[:60]))
        taxon = sgb if sgb.startswith("t__") else f"t__{sgb}"
        found.setdefault(taxon, []).append(species_of(name.strip()))
    return found


class SpeciesOutcomes:
    """What became of each species in each post sample: it is detected where any of its SGBs is.

    Parameters
    ----------
    outcomes
        Outcomes of taxa (:data:`microbiome.tables.OUTCOMES`); None: nothing is known.
    lineage
        Column ``species`` by taxon; None: the taxa are species.
    names
        Further species of taxa (:func:`read_species`).
    """

    def __init__(
        self,
        outcomes: pd.DataFrame | None,
        lineage: pd.DataFrame | None = None,
        names: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.there = outcomes is not None
        self._found: dict[tuple[str, str], tuple[str | None, str]] = {}
        if outcomes is None:
            return
        frame = outcomes[["sample", "taxon", "outcome", *(f"{source}_detected" for source in SOURCES)]]
        species = {taxon: self._names(str(taxon), lineage, names or {}) for taxon in frame["taxon"].unique()}
        cells: dict[tuple[str, str], list[tuple[np.ndarray, str]]] = {}
        for sample, taxon, outcome, *detected in frame.itertuples(index=False):
            seen = np.array([bool(flag) if not pd.isna(flag) else False for flag in detected])
            known = not any(pd.isna(flag) for flag in detected)
            text = f"{taxon}:{outcome}" if known and outcome is not None else f"{taxon}:?"
            for name in species[taxon]:
                cells.setdefault((sample, name), []).append((seen if known else np.full(3, -1), text))
        for key, members in cells.items():
            text = ",".join(word for _, word in sorted(members, key=lambda member: member[1]))
            if any((seen < 0).any() for seen, _ in members):
                self._found[key] = (None, text)
                continue
            donor, baseline, post = (any(seen[i] for seen, _ in members) for i in range(3))
            self._found[key] = (CELLS[4 * donor + 2 * baseline + post] or None, text)

    @staticmethod
    def _names(taxon: str, lineage: pd.DataFrame | None, names: Mapping[str, Collection[str]]) -> set[str]:
        own = {taxon, *names.get(taxon, ())}
        if taxon.endswith("_group"):
            own |= set(names.get(taxon.removesuffix("_group"), ()))
        if lineage is not None and taxon in lineage.index and lineage.loc[taxon, "species"] is not None:
            own.add(str(lineage.loc[taxon, "species"]))
        return own

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return ``outcome`` and ``sgbs`` of rows of ``sample`` and ``taxon`` (a stratum), missing where not known."""
        pairs = zip(rows["sample"], rows["taxon"], strict=True)
        found = [self._found.get((sample, self._key(str(taxon))), (None, None)) for sample, taxon in pairs]
        return pd.DataFrame(found, columns=["outcome", "sgbs"], index=rows.index, dtype=object)

    @staticmethod
    def _key(stratum: str) -> str:
        # HUMAnN 4 names the SGB itself.
        sgb = next((part for part in stratum.split(".") if _SGB.fullmatch(part)), None)
        return sgb or species_of(stratum)
