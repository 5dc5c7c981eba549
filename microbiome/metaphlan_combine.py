"""What keeps MetaPhlAn tables from being put together."""

from __future__ import annotations

from microbiome.errors import Problem
from microbiome.metaphlan_format import ParsedTable

__all__ = ["combination_problems"]


def combination_problems(parsed: list[ParsedTable]) -> list[Problem]:
    """Return what keeps tables from being put together: databases, ranks that some lack, samples that stand twice."""
    return [
        *_database_problems(parsed),
        *_taxonomy_problems(parsed),
        *_rank_problems(parsed),
        *_sample_problems(parsed),
    ]


def _taxonomy_problems(parsed: list[ParsedTable]) -> list[Problem]:
    """Find the taxonomy ids that stand for one taxon in one table and for another in the next: one for each table."""
    problems: list[Problem] = []
    known: dict[str, tuple[str, str]] = {}
    for table in parsed:
        told = False
        for clade, ids in zip(table.clades, table.taxids or (), strict=False):
            number = ids.rsplit("|", 1)[-1]
            if not number:
                continue
            before, file = known.setdefault(number, (clade, table.file))
            if before != clade and not told:
                told = True
                message = f"taxonomy id {number} is {clade} here and {before} in {file}: they are of two taxonomies"
                fix = "profile all samples with one database"
                problems.append(Problem(message, fix, table.file, value=number))
    return problems


def _rank_problems(parsed: list[ParsedTable]) -> list[Problem]:
    has = {id(table): any("|t__" in clade for clade in table.clades) for table in parsed}
    if not any(has.values()):
        return []
    return [
        Problem("the table has no SGB rows (t__...), while others have", "copy or make it again", table.file)
        for table in parsed
        if table.clades and not has[id(table)]
    ]


def _database_problems(parsed: list[ParsedTable]) -> list[Problem]:
    files: dict[str, list[str]] = {}
    for table in parsed:
        if table.database is not None:
            files.setdefault(table.database, []).append(table.file)
    unnamed = [table for table in parsed if table.database is None and table.clades]
    problems = [
        Problem(
            "the table names no database, while others do",
            "make sure that it is the same one",
            table.file,
            1,
            level="warning",
        )
        for table in unnamed
        if files
    ]
    if len(files) < 2:
        return problems
    usual = max(files, key=lambda database: len(files[database]))
    return problems + [
        Problem(
            f"the table is of database {database}, while {len(files[usual])} of {len(parsed)} tables are of {usual}"
            + (f" (such as {files[usual][0]})" if files[usual] else ""),
            "profile all samples with one database: SGBs of different databases are not comparable",
            file,
            1,
            value=database,
        )
        for database, names in files.items()
        if database != usual
        for file in names
    ]


def _sample_problems(parsed: list[ParsedTable]) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[str, str] = {}
    files: set[str] = set()
    for table in parsed:
        if table.file in files:
            problems.append(Problem("the file is given twice", "give it once", table.file))
            continue
        files.add(table.file)
        for sample in table.samples:
            if sample in first:
                place = "twice in the header" if first[sample] == table.file else f"in {first[sample]} as well"
                problems.append(
                    Problem(f"sample {sample!r} stands {place}", "keep one or rename it", table.file, value=sample)
                )
            first.setdefault(sample, table.file)
    return problems
