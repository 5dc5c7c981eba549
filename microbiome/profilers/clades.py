"""From amounts of single taxa to the rows of a profile: every clade holds what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microbiome.errors import Problem, raise_problems
from microbiome.metaphlan_format import ParsedTable
from microbiome.validation import shown

__all__ = ["PREFIXES", "Place", "bare_name", "clade_name", "name_problems", "profile_of", "sample_name"]

#: Prefix of each rank that a lineage may have here, by the words that taxonomies use. What is below a species counts
#: as that species, and a kingdom within a domain is passed over: MetaPhlAn's kingdoms are domains.
PREFIXES = {
    "superkingdom": "k__",
    "domain": "k__",
    "acellular root": "k__",
    "kingdom": "k__",
    "phylum": "p__",
    "class": "c__",
    "order": "o__",
    "family": "f__",
    "genus": "g__",
    "species": "s__",
    "strain": "t__",
}

_TAILS = re.compile(
    r"([._](profile|kraken2?|kreport2?|k2report|report|bracken|gather|taxpasta|species|tsv|txt|csv|biom))+$",
    re.IGNORECASE,
)
_COMPRESSED = (".gz", ".bz2")


@dataclass(frozen=True)
class Place:
    """Where a taxon stands.

    Parameters
    ----------
    names
        From the kingdom down, each with its prefix (``k__Bacteria``, ..); ranks may be missing.
    ids
        Identifier of each in its taxonomy, empty where there is none.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]

    @property
    def clade(self) -> str:
        """The lineage as one text."""
        return "|".join(self.names)


def clade_name(prefix: str, name: str) -> str:
    """Return a name as MetaPhlAn writes it: the prefix of the rank, and no blanks or bars.

    A prefix that the name has already (GTDB: ``s__Blautia_A wexlerae``, ``d__Bacteria``) is taken off first.
    """
    return prefix + re.sub(r"[\s|]+", "_", bare_name(name))


def bare_name(name: str) -> str:
    """Return a name without the prefix of its rank; empty where there is nothing else (``s__``)."""
    return re.sub(r"^[a-z]__", "", name.strip())


def name_problems(samples: Sequence[str], file: str) -> list[Problem]:
    """Return what is wrong with names of samples: empty, white space around them, or what cannot be printed.

    A tab or a line break in a name would break every table that the name is written to.
    """
    problems: list[Problem] = []
    for place, name in enumerate(samples, start=1):
        if not name.strip():
            problems.append(Problem(f"sample {place} has no name", "name it", file, value=name))
        elif name != name.strip():
            message = f"the sample name {shown(name)} has extra white space"
            problems.append(Problem(message, f"write {shown(name.strip())}", file, value=name))
        elif not name.isprintable():
            message = f"the sample name {shown(name)} has a tab, a line break or an invisible character"
            problems.append(Problem(message, "rename the sample", file, value=name))
    return problems


def sample_name(file: str) -> str:
    """Return the sample that a file is of: its name without what tells the kind of file."""
    name = Path(file).name
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    return _TAILS.sub("", name) or name


def profile_of(
    file: str,
    samples: Sequence[str],
    rows: Sequence[tuple[Place, np.ndarray]],
    total: np.ndarray,
    database: str | None,
    unclassified: np.ndarray,
    reads: int | None = None,
    counted: bool = False,
    threshold: float = 0.0,
) -> ParsedTable:
    r"""Return the profile of taxa that have each an amount of their own.

    The amount of a clade is the sum over the taxa in it, :math:`\sum_{i \in c} n_i`, and its percentage
    :math:`100 \sum_{i \in c} n_i / N`.

    Parameters
    ----------
    file, samples, database
        As in :class:`ParsedTable`.
    rows
        Place of each taxon, and what it has itself (without the taxa below it) in each sample. A place may stand more
        than once: its amounts are summed.
    total
        N of each sample; a sample with 0 is one with nothing in it.
    unclassified
        Amount of each sample that no taxon was found for; NaN where that is not known.
    reads
        Reads processed.
    counted
        The amounts are reads, of which the profile keeps the number (of one sample only).
    threshold
        A clade with less than this in a sample is left out of it; what it had stays in the clades above.

    Raises
    ------
    InputError
        For names of samples that no table can hold (:func:`name_problems`), and amounts whose sum is no number.
    """
    problems = name_problems(samples, file)
    problems += [
        Problem(f"the amounts of sample {name!r} are too large to be added up", "correct them", file, value=name)
        for name, whole in zip(samples, total, strict=True)
        if not np.isfinite(whole)
    ]
    raise_problems(problems)
    amounts: dict[tuple[str, ...], np.ndarray] = {}
    ids: dict[tuple[str, ...], str] = {}
    for place, values in rows:
        for depth in range(1, len(place.names) + 1):
            names = place.names[:depth]
            if names in amounts:
                amounts[names] = amounts[names] + values
            else:
                amounts[names] = np.array(values, dtype=float)
                ids[names] = "|".join(place.ids[:depth])
    kept = {names: np.where(values >= threshold, values, 0.0) for names, values in amounts.items()}
    order = sorted((names for names, values in kept.items() if (values > 0).any()), key=lambda name: (len(name), name))
    values = np.array([kept[names] for names in order], dtype=float).reshape(len(order), len(samples))
    whole = np.where(total > 0, total, 1.0)
    return ParsedTable(
        file=file,
        database=database,
        samples=list(samples),
        clades=["|".join(names) for names in order],
        percent=100.0 * values / whole,
        unclassified=np.where(total > 0, 100.0 * unclassified / whole, np.where(np.isnan(unclassified), np.nan, 100.0)),
        reads=reads,
        clade_reads=values[:, 0].copy() if counted and len(samples) == 1 else None,
        taxids=[ids[names] for names in order],
    )
