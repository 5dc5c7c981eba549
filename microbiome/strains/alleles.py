"""From the alignment of reads to marker genes to the allele counts of each clade."""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pysam

from microbiome.errors import InputError, Problem
from microbiome.strains.alignment import has_reads, index_of, opened
from microbiome.strains.allele_file import CladeAlleles, write_alleles
from microbiome.strains.allele_settings import AlleleSettings
from microbiome.strains.markers import Layout, layout_of, read_markers
from microbiome.tables import ID_PATTERN

__all__ = ["AlleleSettings", "alleles"]

logger = logging.getLogger(__name__)

# Reads that are worked on at a time: bounds the memory.
_BATCH = 100_000
_CODES = np.full(256, 4, dtype=np.uint8)
_CODES[[ord(base) for base in "ACGTacgt"]] = [0, 1, 2, 3, 0, 1, 2, 3]
_PILEUP_MOST = 65_535
# Flags of reads that are unmapped, secondary, failed, duplicates or supplementary.
_UNUSED = 0x4 | 0x100 | 0x200 | 0x400 | 0x800


def alleles(
    alignment: str | Path,
    output: str | Path,
    database: str | Path | None = None,
    sample: str | None = None,
    settings: AlleleSettings | None = None,
) -> int:
    r"""Count the bases at every position of the markers in the alignments of one sample, and write them.

    A base counts when its read passes `settings` (mapping quality, identity = 1 - NM / aligned length, length), its own
    quality is high enough, it is aligned to a base (not inserted) and is A, C, G or T. Mates are counted one by one.
    Which bases are those of the marker is taken from the MD tag, so the sequences of the database are not needed.

    Parameters
    ----------
    alignment
        SAM as MetaPhlAn writes it (``-s``): plain, .bz2 or .gz; or BAM. Reads in any order.
    output
        File to write (:mod:`microbiome.strains.allele_file`).
    database
        Pickle of the database; says which marker belongs to which clade. Without it the last part of the names of
        markers does (``UniRef90_X|1__1|SGB6751``), and the index is read from the header: much quicker with a
        database of millions of markers.
    sample
        Name of the sample; default: the name of the alignment up to ``.sam`` or ``.bam``.
    settings
        Filters.

    Returns
    -------
    int
        Number of clades written.

    Raises
    ------
    InputError
        When the alignment is missing, damaged, without MD tags or header, or was made with another database.
    """
    settings = settings or AlleleSettings()
    name = str(alignment)
    sample = re.sub(r"\.(sam|bam)(\.bz2|\.gz)?$", "", Path(alignment).name) if sample is None else sample
    if not re.fullmatch(ID_PATTERN, sample):
        raise InputError(Problem(f"{sample!r} cannot be the name of a sample", "give --sample", name, value=sample))
    known = read_markers(database) if database is not None else None
    with opened(alignment) as file:
        header = file.header.to_dict()
        names, lengths = list(file.references), np.asarray(file.lengths, dtype=np.int64)
        index = index_of(header)
        layout = layout_of(names, lengths, known, name)
        if known is not None and index and index != known.database:
            message = f"aligned to {index}, but --database is {known.database}"
            raise InputError(Problem(message, "give the database of the alignment", name, value=index))
        if not index and known is None:
            raise InputError(
                Problem("the header does not name the database (@CO index:...)", "give --database, its .pkl", name)
            )
        counts = _Counts(layout, settings)
        if names:
            for batch in _batches(file, settings, name):
                counts.add(batch)
        elif has_reads(alignment):
            raise InputError(Problem("the header has no @SQ lines", "keep the header of MetaPhlAn's SAM", name))
    clades = counts.clades(settings)
    # Without markers it is the alignment of a sample that had too few reads to be profiled.
    known_markers = sorted(zip(names, lengths.tolist(), strict=True))
    checksum = f"{zlib.crc32(repr(known_markers).encode()):08x}" if names else ""
    markers = {taxon: layout.markers[taxon] for taxon in clades}
    write_alleles(
        output, sample, index or (known.database if known else ""), checksum, asdict(settings), markers, clades
    )
    logger.info("%s: %d reads used, %d clades", sample, counts.reads, len(clades))
    return len(clades)


@dataclass(frozen=True)
class _Batch:
    """Aligned stretches of bases: reference, first position, length, the edges cut, and bases of all end to end."""

    reference: np.ndarray
    position: np.ndarray
    length: np.ndarray
    bases: np.ndarray
    quality: np.ndarray
    differs: np.ndarray
    reads: int


def _batches(file: pysam.AlignmentFile, settings: AlleleSettings, name: str) -> Iterator[_Batch]:
    reference: list[int] = []
    position: list[int] = []
    length: list[int] = []
    bases: list[bytes] = []
    quality: list[bytes] = []
    template: list[bytes] = []
    reads = 0

    def batch() -> _Batch:
        text = np.frombuffer(b"".join(bases), dtype=np.uint8)
        pattern = np.frombuffer(b"".join(template), dtype=np.uint8)
        # pysam gives the base of the marker in lower case where the read has another one.
        return _Batch(
            np.array(reference, dtype=np.int64),
            np.array(position, dtype=np.int64),
            np.array(length, dtype=np.int64),
            text,
            np.frombuffer(b"".join(quality), dtype=np.uint8),
            pattern >= ord("a"),
            reads,
        )

    try:
        for read in file:
            if read.flag & _UNUSED or read.mapping_quality < settings.min_mapq:
                continue
            cigar = read.cigartuples
            # Skipped stretches (N) are of spliced alignments, which markers have none of.
            if not cigar or read.query_sequence is None or any(operation == 3 for operation, _ in cigar):
                continue
            size = read.query_alignment_length
            differences = read.get_tag("NM") if read.has_tag("NM") else 0
            if size < settings.min_length or int(differences) > (1 - settings.min_identity) * size:
                continue
            qualities = read.query_qualities
            quals = bytes(qualities) if qualities is not None else b"\xff" * len(read.query_sequence)
            sequence = read.query_sequence.encode()
            if not read.has_tag("MD"):
                raise InputError(Problem(f"read {read.query_name} has no MD tag", "add it with `samtools calmd`", name))
            target = read.get_reference_sequence().encode()
            reads += 1
            at, on = 0, 0
            for operation, run in cigar:
                if operation in (0, 7, 8):
                    reference.append(read.reference_id)
                    position.append(read.reference_start + on)
                    length.append(run)
                    bases.append(sequence[at : at + run])
                    quality.append(quals[at : at + run])
                    template.append(target[on : on + run])
                if operation in (0, 1, 4, 7, 8):
                    at += run
                if operation in (0, 2, 7, 8):
                    on += run
            if reads == _BATCH:
                yield batch()
                for part in (reference, position, length, bases, quality, template):
                    part.clear()
                reads = 0
    except (OSError, ValueError, AssertionError) as error:
        text = str(error) or "truncated"
        raise InputError(Problem(f"the alignment cannot be read to its end ({text})", "make it again", name)) from None
    if reads:
        yield batch()


class _Counts:
    """Counts of depth and of other bases than the marker's, growing as markers are met."""

    def __init__(self, layout: Layout, settings: AlleleSettings) -> None:
        self.layout = layout
        self.settings = settings
        self.reads = 0
        # Where a marker begins in the flat array of depth, -1 before it is met.
        self.place = np.full(len(layout.clade), -1, dtype=np.int64)
        self.depth = np.zeros(0, dtype=np.int64)
        self.seen: list[np.ndarray] = []
        self.other: list[np.ndarray] = []
        self.number: list[np.ndarray] = []

    def add(self, batch: _Batch) -> None:
        layout, edge = self.layout, self.settings.edge
        self.reads += batch.reads
        new = np.unique(batch.reference)
        new = new[(self.place[new] < 0) & (layout.clade[new] >= 0)]
        sizes = layout.length[new]
        self.place[new] = self.depth.size + np.cumsum(sizes) - sizes
        self.seen.append(new)
        self.depth = np.concatenate([self.depth, np.zeros(int(sizes.sum()), dtype=np.int64)])
        row = np.repeat(np.arange(len(batch.length)), batch.length)
        first = np.cumsum(batch.length) - batch.length
        within = np.arange(row.size) - first[row] + batch.position[row]
        size = layout.length[batch.reference]
        low, high = np.full(size.shape, edge), size - edge
        code = _CODES[batch.bases]
        use = (batch.quality >= self.settings.min_base_quality) & (code < 4)
        use &= (within >= low[row]) & (within < high[row]) & (layout.clade[batch.reference] >= 0)[row]
        flat = self.place[batch.reference][row[use]] + within[use]
        self.depth += np.bincount(flat, minlength=self.depth.size)
        differs = batch.differs[use]
        key, number = np.unique(flat[differs] * 4 + code[use][differs], return_counts=True)
        self.other.append(key)
        self.number.append(number)

    def clades(self, settings: AlleleSettings) -> dict[str, CladeAlleles]:
        layout = self.layout
        if not self.seen:
            return {}
        met = np.concatenate(self.seen)
        flat = np.concatenate(self.other)
        key, back = np.unique(flat, return_inverse=True)
        number = np.bincount(back, weights=np.concatenate(self.number), minlength=key.size)
        number = np.minimum(number, _PILEUP_MOST).astype(np.uint16)
        # Markers of the flat array one after another, so that each entry finds its marker.
        starts = self.place[met]
        owner = met[np.searchsorted(starts, key // 4, side="right") - 1] if key.size else np.zeros(0, dtype=np.int64)
        position = key // 4 - self.place[owner] + layout.start[owner]
        clade_of = layout.clade[owner]
        found: dict[str, CladeAlleles] = {}
        for clade in np.unique(layout.clade[met]).tolist():
            taxon = layout.taxa[clade]
            depth = np.zeros(int(layout.markers[taxon].sum()), dtype=np.uint16)
            for marker in met[layout.clade[met] == clade].tolist():
                size = int(layout.length[marker])
                run = self.depth[self.place[marker] : self.place[marker] + size]
                depth[layout.start[marker] : layout.start[marker] + size] = np.minimum(run, _PILEUP_MOST)
            covered = int(np.count_nonzero(depth))
            if covered < max(1.0, settings.min_breadth * depth.size) or depth.sum() < settings.min_depth * covered:
                continue
            mine = np.flatnonzero(clade_of == clade)
            mine = mine[np.lexsort((key[mine] % 4, position[mine]))]
            bases = (key[mine] % 4).astype(np.uint8)
            found[taxon] = CladeAlleles(depth, position[mine].astype(np.int32), bases, number[mine])
        return found
