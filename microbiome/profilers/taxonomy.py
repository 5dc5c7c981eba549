"""Taxonomies: where an identifier stands, from NCBI's dump files or from a table of lineages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from microbiome.errors import InputError, Problem, raise_problems
from microbiome.files import open_text
from microbiome.number_text import lines_of
from microbiome.profilers.clades import PREFIXES, Place, bare_name, clade_name

__all__ = ["Taxonomy", "comma_rows", "ranked", "read_taxonomy"]

_LINEAGE_COLUMNS = ("superkingdom", "phylum", "class", "order", "family", "genus", "species")
_ROOTS = ("1", "131567")


@dataclass(frozen=True)
class Taxonomy:
    """Lineages by identifier.

    Parameters
    ----------
    source
        The file or folder they come from.
    places
        Table of lineages: by identifier.
    parents, ranks, names, merged
        Dump files: by taxonomy id; `merged` are ids that were replaced.
    """

    source: str
    places: Mapping[str, Place] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    ranks: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)

    def place(self, identifier: str) -> Place | None:
        """Return where an identifier stands, None where it is not known.

        Of a table of lineages an identifier is also found without its version (``GCF_000025985`` for
        ``GCF_000025985.1``), as `sourmash tax` does.
        """
        if self.places:
            return self.places.get(identifier) or self.places.get(identifier.rsplit(".", 1)[0])
        node = identifier if identifier in self.parents else self.merged.get(identifier, "")
        if node not in self.parents:
            return None
        chain = []
        while node not in _ROOTS and node in self.parents:
            chain.append(node)
            parent = self.parents[node]
            # A damaged file may go round in circles.
            if parent == node or parent in chain:
                break
            node = parent
        return ranked((self.ranks[node], self.names.get(node, node), node) for node in reversed(chain))


def ranked(steps: Iterable[tuple[str, str, str]]) -> Place:
    """Return a place of (rank, name, identifier) from the top down: the ranks that a profile has, each once."""
    names: dict[str, tuple[str, str]] = {}
    for rank, name, identifier in steps:
        prefix = PREFIXES.get(rank.strip().lower())
        # What stands below a strain of MetaPhlAn's is an SGB: here a strain counts as its species.
        if prefix and prefix != "t__" and prefix not in names and bare_name(name):
            names[prefix] = clade_name(prefix, name), identifier
    return Place(tuple(name for name, _ in names.values()), tuple(number for _, number in names.values()))


def read_taxonomy(path: str | Path) -> Taxonomy:
    """Read a taxonomy.

    Parameters
    ----------
    path
        A folder with ``nodes.dmp`` and ``names.dmp`` (and ``merged.dmp``, where there is one), as NCBI publishes them
        and as Kraken2 keeps them beside its database; or a table of lineages as `sourmash tax` takes it (CSV:
        ``ident``, perhaps ``taxid``, and ``superkingdom`` to ``species``).

    Raises
    ------
    InputError
        When it is neither, a column is missing, or an identifier stands twice.
    """
    return _dump(Path(path)) if Path(path).is_dir() else _lineages(str(path))


def comma_rows(file: str, text: str) -> list[list[str]]:
    """Return the rows of a table separated by commas, whichever line ends it has."""
    reader = csv.reader(io.StringIO("\n".join(lines_of(text))))
    try:
        return list(reader)
    except csv.Error as error:
        message = f"no table separated by commas ({error})"
        raise InputError(Problem(message, "copy or make the table again", file, reader.line_num)) from None


def _dump(folder: Path) -> Taxonomy:
    raise_problems(
        Problem(f"{name} is missing", "name the folder of the taxonomy, such as DATABASE/taxonomy", str(folder))
        for name in ("nodes.dmp", "names.dmp")
        if not (folder / name).is_file()
    )
    parents: dict[str, str] = {}
    ranks: dict[str, str] = {}
    for node, parent, rank in _rows(folder / "nodes.dmp", 3):
        parents[node], ranks[node] = parent, rank
    names = {node: name for node, name, _, kind in _rows(folder / "names.dmp", 4) if kind == "scientific name"}
    replaced = folder / "merged.dmp"
    merged = {row[0]: row[1] for row in _rows(replaced, 2)} if replaced.is_file() else {}
    return Taxonomy(str(folder), {}, parents, ranks, names, merged)


def _rows(path: Path, width: int) -> Iterable[tuple[str, ...]]:
    """Yield the first cells of each row of a dump file, which are divided by bars."""
    for number, line in enumerate(lines_of(open_text(path)), start=1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < width:
            message = f"the row has {len(cells)} cells, {width} are needed"
            raise InputError(Problem(message, "copy the file again", str(path), number))
        yield tuple(cells[:width])


def _lineages(file: str) -> Taxonomy:
    rows = comma_rows(file, open_text(file))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    ident = next((header.index(name) for name in ("ident", "identifiers", "name") if name in header), None)
    # A table of lineages may call the first rank a domain.
    columns = [(rank, header.index(rank)) for rank in ("domain", *_LINEAGE_COLUMNS) if rank in header]
    missing = [] if ident is not None else ["ident"]
    missing += [rank for rank in _LINEAGE_COLUMNS[1:] if rank not in header]
    raise_problems(
        Problem(f"column {name!r} is missing", "give lineages as sourmash tax takes them (CSV)", file, 1, name)
        for name in missing
    )
    assert ident is not None  # noqa: S101 - said above
    places: dict[str, Place] = {}
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for number, cells in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            message = f"the row has {len(cells)} cells for {len(header)} columns"
            problems.append(Problem(message, "mend the row", file, number))
            continue
        name = cells[ident].strip()
        place = ranked((rank, cells[column], "") for rank, column in columns)
        if name in lines:
            message = f"{name!r} stands already in line {lines[name]}"
            problems.append(Problem(message, "keep one row", file, number, header[ident], name))
            continue
        lines[name] = number
        places[name] = place
    raise_problems(problems)
    # Without their version where no other has that name.
    bare: dict[str, list[str]] = {}
    for name in places:
        bare.setdefault(name.rsplit(".", 1)[0], []).append(name)
    places |= {short: places[same[0]] for short, same in bare.items() if len(same) == 1 and short not in places}
    return Taxonomy(file, places)
