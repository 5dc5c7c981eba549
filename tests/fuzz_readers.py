"""Every reader of the package with small valid files of its kind: what the fuzzing starts from."""

from __future__ import annotations

import bz2
import json
import pickle
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from broken import CONFIG_FASTQ, CONFIG_PROFILES, DOSES, EC, INDEX, SAMPLES, SUBJECTS, profile, reads
from fuzzing import Seed

from microbiome.check import check_all
from microbiome.check_profiles import profile_samples
from microbiome.config import parse_config
from microbiome.declared import OTHER_INPUTS, RESULT_TABLES
from microbiome.diversity import distances as matrices
from microbiome.diversity.tree import place, read_tree
from microbiome.errors import InputError, Problem
from microbiome.fastq import check_pair, inspect_fastq
from microbiome.features import read_features
from microbiome.function.reading import kind_of_file, read_functions
from microbiome.function.regroup import read_map
from microbiome.function.species import read_species
from microbiome.metaphlan import read_abundance, read_metaphlan
from microbiome.molecules import parse_measured, parse_rows
from microbiome.profilers import parse_profile, read_taxonomy
from microbiome.simulate.accuracy import read_truth
from microbiome.simulate.tables import TRUTH_OUTCOMES, TRUTH_READS
from microbiome.strains.allele_file import CladeAlleles, check_mixable, open_alleles, write_alleles
from microbiome.strains.distance_files import read_distances
from microbiome.strains.markers import read_markers
from microbiome.strains.panel import panel_of, read_clade
from microbiome.study import read_study
from microbiome.tables import INPUT_TABLES, Column, Table
from microbiome.taxa.lineage import read_lineage
from microbiome.tsv import parse_table, read_result, read_table
from microbiome.yamlfile import read_yaml

__all__ = ["READERS", "seeds"]

# A feature table without empty cells.
FULL = EC.replace("\t\t", "\t0\t")
LESIONS = (
    "subject\tday\tsum_diameters\tnew_lesion\tnon_target\nR1\t-7\t40\t0\tnon_CR_non_PD\nR1\t60\t20\t0\tnon_CR_non_PD\n"
)
TOXICITIES = "subject\tday\tgrade\tterm\nR1\t30\t2\tcolitis\nC1\t40\t1\trash\n"
TREATMENTS = "subject\tday\tend_day\tkind\tname\nR1\t-9\t-3\tantibiotic\tvancomycin\n"
BY_SAMPLE = "sample\tIL6\tIL8\nD1.a\t1\t2.5\nR1.0\t<0.5\t3\nR1.28\t0\t>50\nC1.0\tNA\t1e-3\n"
BY_SUBJECT = "subject\tday\tIL6\tIL8\nR1\t-1\t1\t2\nR1\t28\t\t3\nC1\t0\t0.1\t0.2\n"
BY_FEATURE = "feature\tD1.a\tR1.0\tR1.28\tC1.0\nIL6\t1\t2\t3\t4\nIL8\t0.1\t0.2\t0.3\t<LOD\n"
LIMITS = "feature\tlod\tupper\nIL6\t0.1\t100\nIL8\t0.01\t\n"
HUMANN = (
    "# Gene Family\tS1_Abundance-RPKs\tS2_Abundance-RPKs\nUNMAPPED\t10\t20\nUniRef90_A: x\t3\t0\n"
    "UniRef90_A: x|g__B.s__B_c\t2\t0\nUniRef90_B|unclassified\t1\t1\nUniRef90_B\t1\t1.5\n"
)
PATHWAYS = "# Pathway\tS1_Abundance\nUNINTEGRATED\t4\nPWY-1: a\t2\nPWY-1: a|g__B.s__B_c\t1\n"
MUTATION = "ids\tA\tB\tC\nA\t\t0.5\tnan\nB\t5/10\t\t0.25\nC\tnan\t1/4\t\n"
DIST = "A\tB\t0.1\nA\tC\t0.25\nB\tC\t0\n"
PAIRS = "taxon\tsample_1\tsample_2\tsites\tdistance\nt__SGB1\tA\tB\t100\t0.01\nt__SGB1\tA\tC\t10\t\n"
EVENTS = "row\tcol\tclade\tsimilarity\toverlap\nA\tB\tt__SGB1\t0.999\t5000\nA\tC\tt__SGB1\t0\t0\n"
FRACTION = "Sample\tA\tB\tC\nA\t1\t0.99\t0\nB\t0.99\t1\t0.5\nC\t0\t0.5\t1\n"
OVERLAP = "Sample\tA\tB\tC\nA\t900\t100\t0\nB\t100\t800\t10\nC\t0\t10\t700\n"
TREE = "((1:1,2:0.5):1,(3:2,'a b':1e-3)95:0.25,t__SGB7:3);\n"
MATRIX = "# metric: bray_curtis\nsample\tA\tB\tC\nA\t0\t0.5\t0.25\nB\t0.5\t0\t1\nC\t0.25\t1\t0\n"
MERGED = (
    f"#{INDEX}\nclade_name\tD1.a\tR1.0\nUNCLASSIFIED\t10\t0\nk__Bacteria\t90\t100\nk__Bacteria|s__A_b\t90\t100\n"
    "k__Bacteria|s__A_b|t__SGB1\t60\t0\nk__Bacteria|s__A_b|t__SGB2\t30\t100\n"
)
OLD = (
    "#mpa_v30_CHOCOPhlAn_201901\n#SampleID\tMetaphlan_Analysis\n#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species\n"
    "k__Bacteria\t2\t100.0\t\nk__Bacteria|s__A_b\t2|3\t60.0\t\nk__Bacteria|s__C_d\t2|4\t40.0\tk__Bacteria|s__C_e\n"
)


@cache
def seeds(reader: str) -> tuple[Seed, ...]:
    """Return the seeds of one of :data:`READERS`."""
    return tuple(_SEEDS[reader]())


# --------------------------------------------------------------------------------------------------- declared tables


def _cell(column: Column, row: int) -> str:
    if column.kind == "choice":
        return column.allowed[row % len(column.allowed)]
    if column.kind == "flag":
        return str(row % 2)
    if column.kind in ("integer", "number"):
        low = column.minimum if column.minimum is not None else 0
        high = column.maximum if column.maximum is not None else low + 100
        value = min(low + row, high)
        return str(int(value)) if column.kind == "integer" else repr(float(value))
    return f"{column.name[:3]}{row}"


def valid(table: Table, rows: int = 3) -> bytes:
    """Return a small valid file of a declared table, with a covariate where it may have one."""
    lines = ["\t".join([*table.names, *(["extra"] if table.open else [])])]
    for row in range(rows):
        lines.append("\t".join([*(_cell(column, row) for column in table.columns), *(["x"] if table.open else [])]))
    return ("\n".join(lines) + "\n").encode()


def _sheet(table: Table, path: Path) -> object:
    frame, problems = parse_table(path, table)
    assert frame.index.is_unique, "a line stands for two rows"
    return problems


def _result(table: Table, path: Path) -> object:
    """The quick reader takes nothing that the strict one refuses, and reads the same."""
    strict: pd.DataFrame | None = None
    refused: tuple[Problem, ...] = ()
    try:
        strict = read_table(path, table).reset_index(drop=True)
    except InputError as error:
        refused = error.problems
    try:
        quick = read_result(path, table)
    except InputError:
        assert strict is None, "the quick reader refuses what the strict one takes"
        raise
    if strict is None:
        assert all(_harmless(problem) for problem in refused), f"taken, though: {refused[0]}"
    else:
        pd.testing.assert_frame_equal(_stripped(quick[list(strict)]), strict, check_column_type=False)
    return quick


def _harmless(problem: Problem) -> bool:
    """Of tables of our own a number may be infinite, a whole number written otherwise, and text have white space."""
    written = problem.message.endswith(("is not a number", "is not an integer", "is not 0 or 1", "extra white space"))
    return problem.level == "warning" or (written and bool(problem.column) and problem.line != 1)


def _stripped(frame: pd.DataFrame) -> pd.DataFrame:
    columns = {name: frame[name].map(lambda cell: (cell or "").strip() or None) for name in frame.select_dtypes(object)}
    return frame.assign(**columns)


def _sheets() -> Iterable[Seed]:
    for table in (*INPUT_TABLES, *OTHER_INPUTS):
        yield Seed(f"{table.name}.tsv", valid(table), partial(_sheet, table))
    for name, text in (("samples.tsv", SAMPLES), ("subjects.tsv", SUBJECTS), ("doses.tsv", DOSES)):
        beside = {"samples.tsv": SAMPLES.encode(), "subjects.tsv": SUBJECTS.encode(), "doses.tsv": DOSES.encode()}
        yield Seed(name, text.encode(), _study, beside)


def _study(path: Path) -> object:
    return read_study(*(path.parent / f"{name}.tsv" for name in ("samples", "subjects", "doses")))


def _results() -> Iterable[Seed]:
    for table in (*RESULT_TABLES, TRUTH_OUTCOMES, TRUTH_READS):
        yield Seed(f"{table.name}.tsv", valid(table), partial(_result, table))


# ----------------------------------------------------------------------------------------------------------- profiles


def _fractions(frame: pd.DataFrame) -> None:
    """Every sample is a row of fractions that sum to 1, or of nothing at all."""
    values = frame.to_numpy()
    empty = np.isnan(values).all(axis=1)
    assert (np.isfinite(values[~empty]) & (values[~empty] >= 0)).all(), "an abundance that is none"
    assert np.allclose(values[~empty].sum(axis=1), 1), "abundances that do not sum to 1"
    assert frame.columns.is_unique
    assert frame.index.is_unique


def _profile(path: Path) -> object:
    _, problems = profile_samples([str(path)], whole=False)
    _fractions(read_abundance(path))
    return problems


def _single(path: Path) -> object:
    table = read_metaphlan([path, path.parent / "other_profile.tsv"])
    assert np.isfinite(table.percent.to_numpy()).all()
    read_lineage([path])
    return profile_samples([str(path), str(path.parent / "other_profile.tsv")])[1]


def _metaphlan() -> Iterable[Seed]:
    other = {"other_profile.tsv": profile("other").encode()}
    for data in (profile("R1.0"), OLD, MERGED):
        yield Seed("R1.0_profile.tsv", data.encode(), _profile)
    yield Seed("R1.0_profile.tsv", profile("R1.0").encode(), _single, other)


def _features(path: Path) -> object:
    _fractions(read_abundance(path))
    frame = read_features(path)
    assert frame.columns.is_unique
    return None


def _feature_tables() -> Iterable[Seed]:
    for text in (
        FULL,
        "#OTU ID\ta\tb\nx\t1\t2\ny\t0.5\t0\n",
        '"f"\t"a"\n"x ""y"""\t"1.5"\n',
        "# made by x\nf\ta\tb\n1\t1\t0\n",
    ):
        yield Seed("features.tsv", text.encode(), _features)


def _function(path: Path) -> object:
    kind_of_file(path)
    table = read_functions([path])
    assert (table.whole.to_numpy() >= 0).all()
    return None


def _functions() -> Iterable[Seed]:
    for text in (HUMANN, PATHWAYS, FULL):
        yield Seed("genefamilies.tsv", text.encode(), _function)
    yield Seed(
        "other.tsv",
        HUMANN.encode(),
        lambda path: read_functions([path, path.parent / "a.tsv"]),
        {"a.tsv": HUMANN.replace("S1", "S3").replace("S2", "S4").encode()},
    )
    yield Seed(
        "map.tsv",
        b"1.1.1.1\tUniRef90_A\tUniRef90_B\nK00001\tUniRef90_A\n",
        lambda path: read_map(path, ["UniRef90_A", "x"]),
    )
    yield Seed("species.tsv", b"SGB1\tg__A.s__A_b\nSGB2\tg__A.s__A_c\n", read_species)


@cache
def _small_study() -> object:
    with TemporaryDirectory() as folder:
        for name, text in (("samples.tsv", SAMPLES), ("subjects.tsv", SUBJECTS), ("doses.tsv", DOSES)):
            (Path(folder) / name).write_text(text)
        return _study(Path(folder) / "samples.tsv")


def _measured(transform: str, unit: str, path: Path) -> object:
    study = _small_study()
    limits = path.parent / "limits.tsv"
    measured, problems = parse_measured(path, "molecules", study, unit, transform, limits, 0.001, ())
    assert (measured is None) == any(problem.level == "error" for problem in problems)
    return [*problems, *parse_rows(path, "molecules", study)[1]]


def _molecules() -> Iterable[Seed]:
    for text in (BY_SAMPLE, BY_SUBJECT, BY_FEATURE):
        for transform, unit in (("none", ""), ("log2", "pg/mL"), ("logit", "%")):
            yield Seed(
                "molecules.tsv", text.encode(), partial(_measured, transform, unit), {"limits.tsv": LIMITS.encode()}
            )

    def limited(path: Path) -> object:
        return _measured("log", "", path.parent / "molecules.tsv")

    yield Seed("limits.tsv", LIMITS.encode(), limited, {"molecules.tsv": BY_FEATURE.encode()})


# ----------------------------------------------------------------------------------------------------- other profilers

KRAKEN = (
    " 10.00\t10\t10\tU\t0\tunclassified\n 90.00\t90\t0\tR\t1\troot\n 90.00\t90\t5\tD\t2\t  Bacteria\n"
    " 85.00\t85\t0\tG\t9\t    Blautia\n 60.00\t60\t60\tS\t10\t      Blautia obeum\n 25.00\t25\t25\tS\t11\t      B. x\n"
)
BRACKEN = (
    "name\ttaxonomy_id\ttaxonomy_lvl\tkraken_assigned_reads\tadded_reads\tnew_est_reads\tfraction_total_reads\n"
    "Blautia obeum\t10\tS\t60\t2\t62\t0.7\nB. x\t11\tS\t25\t1\t26\t0.3\n"
)
TAXPASTA = (
    "taxonomy_id\tname\trank\tlineage\trank_lineage\ts1\ts2\n0\t\t\t\t\t10\t0\n"
    "10\tBlautia obeum\tspecies\tBacteria;Blautia;Blautia obeum\tsuperkingdom;genus;species\t60\t3\n"
)
GATHER = (
    "intersect_bp,f_unique_to_query,f_unique_weighted,name,filename,query_name,ksize,scaled\n"
    "1000,0.1,0.6,GCF_0.1 strain 0,db/gtdb.zip,s1,31,1000\n1000,0.1,0.3,GCF_1.1 strain 1,db/gtdb.zip,s1,31,1000\n"
)
LINEAGES = (
    "ident,superkingdom,phylum,class,order,family,genus,species\nGCF_0.1,Bacteria,P,C,O,F,Blautia,Blautia obeum\n"
    "GCF_1.1,Bacteria,P,C,O,F,Blautia,Blautia x\n"
)
NODES = "1\t|\t1\t|\tno rank\t|\n2\t|\t1\t|\tsuperkingdom\t|\n9\t|\t2\t|\tgenus\t|\n10\t|\t9\t|\tspecies\t|\n"
NAMES = "1\t|\troot\t|\t\t|\tscientific name\t|\n2\t|\tBacteria\t|\t\t|\tscientific name\t|\n"
BIOM = json.dumps(
    {
        "id": None,
        "format": "Biological Observation Matrix 1.0.0",
        "format_url": "http://biom-format.org",
        "type": "OTU table",
        "generated_by": "hand",
        "date": "2026-01-01T00:00:00",
        "rows": [
            {"id": "a", "metadata": {"taxonomy": ["k__Bacteria", "g__Blautia", "s__obeum"]}},
            {"id": "b", "metadata": {"taxonomy": ["Unassigned"]}},
        ],
        "columns": [{"id": "s1", "metadata": None}, {"id": "s2", "metadata": None}],
        "matrix_type": "sparse",
        "matrix_element_type": "int",
        "shape": [2, 2],
        "data": [[0, 0, 5], [0, 1, 3], [1, 0, 2]],
    }
)


def _other(path: Path) -> object:
    lineages = path.parent / "taxonomy"
    known = read_taxonomy(lineages if lineages.is_dir() else path.parent / "lineages.csv")
    table = parse_profile(path.parent / "profile.txt", known)
    assert np.isfinite(table.percent).all()
    assert (table.percent >= 0).all()
    _fractions(read_abundance(path.parent / "profile.txt", taxonomy=known))
    return profile_samples([str(path.parent / "profile.txt")], taxonomy=known)[1]


def _profilers() -> Iterable[Seed]:
    table = {"lineages.csv": LINEAGES.encode()}
    nodes = NODES.encode() + b"11\t|\t9\t|\tspecies\t|\n"
    dump = {"taxonomy/nodes.dmp": nodes, "taxonomy/names.dmp": NAMES.encode()}
    for text in (KRAKEN, BRACKEN, TAXPASTA, GATHER, BIOM):
        yield Seed("profile.txt", text.encode(), _other, dump if text in (BRACKEN, TAXPASTA) else table)
    yield Seed("lineages.csv", table["lineages.csv"], _other, {"profile.txt": GATHER.encode()})
    for name, data in dump.items():
        yield Seed(name, data, lambda path: _other(path.parent), {**dump, "profile.txt": BRACKEN.encode()})


# ------------------------------------------------------------------------------------------- strains, trees, distances


def _strain_distances(path: Path) -> object:
    frame = read_distances([path])
    assert ((frame["distance"] >= 0) | frame["distance"].isna()).all(), "a distance below 0"
    assert (frame["sample_1"] < frame["sample_2"]).all()
    return None


def _strain_files() -> Iterable[Seed]:
    kinds = (("t__SGB1.tre", "((A:1,B:2):1,C:3,D:0);\n"), ("t__SGB1.mutation", MUTATION), ("t__SGB1.dist", DIST))
    for name, text in (*kinds, ("pairs.tsv", PAIRS), ("sstr_strain_events.tsv", EVENTS)):
        yield Seed(name, text.encode(), _strain_distances)
    names = {"t__SGB1.fraction.txt": FRACTION.encode(), "t__SGB1.overlap.txt": OVERLAP.encode()}
    for name, data in names.items():
        yield Seed(name, data, lambda path: _strain_distances(path.parent / "t__SGB1.fraction.txt"), names)


def _tree(path: Path) -> object:
    tree = read_tree(path)
    placed = place(
        np.array([[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 1.0, 0.0]]), ["t__SGB1", "t__SGB2", "t__SGB3", "x"], tree
    )
    assert np.isfinite(placed.lengths).all()
    assert (placed.lengths >= 0).all()
    return None


def _newick(data: bytes, random: Random) -> bytes:
    """Insert what Newick is made of."""
    at = random.randint(0, len(data))
    mark = random.choice(
        (b"(", b")", b",", b":", b";", b":nan", b":-1", b":1e999", b"[", b"]", b"'", b":1", b"(1:1,1:1):1")
    )
    return data[:at] + mark * random.choice((1, 1, 1, 2, 3000)) + data[at:]


def _trees() -> Iterable[Seed]:
    for text in (TREE, "((1:1,2:1):1,3:2);\n", "(1:1,2:1,3:2);"):
        yield Seed("tree.nwk", text.encode(), _tree, damage=(_newick,))


def _matrix(path: Path) -> object:
    matrices.read_metric(path)
    found = matrices.read_distances(path)
    assert np.isfinite(found.data).all()
    assert (found.data >= 0).all()
    return None


def _matrices() -> Iterable[Seed]:
    yield Seed("beta.tsv", MATRIX.encode(), _matrix)


def _allele(path: Path) -> object:
    files = [open_alleles(path), open_alleles(path.parent / "other.alleles")]
    for file in files:
        file.read()
    check_mixable(files)
    for taxon in dict.fromkeys(taxon for file in files for taxon in file.taxa):
        panel_of(taxon, *read_clade(files, taxon))
    return None


def _head(data: bytes, random: Random) -> bytes:
    """Change a value of the head, and put the file together so that no checksum tells."""
    try:
        (size,) = struct.unpack("<I", data[8:12])
        head = json.loads(zlib.decompress(data[12 : 12 + size]))
        rest = data[12 + size :]
    except (struct.error, zlib.error, ValueError):
        return data
    places: list[tuple[object, object]] = []

    def walk(value: object) -> None:
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
        ):
            places.append((value, key))
            walk(inner)

    walk(head)
    wrong = (None, -1, 0, 1, 2**31, 2**63, 10**30, 1.5, float("nan"), "x", "", [], {}, [[]], True, "9" * 5000)
    if random.random() < 0.1 or not places:
        head = random.choice((wrong[3], [], None, "x", {}))
    else:
        holder, key = random.choice(places)
        holder[key] = random.choice(wrong)  # type: ignore[index]
    packed = zlib.compress(json.dumps(head).encode())
    return data[:8] + struct.pack("<I", len(packed)) + packed + rest


def _block(data: bytes, random: Random) -> bytes:
    """Change a byte of what is packed in the first block, with the checksum that belongs to it."""
    import lzma

    from microbiome.strains.allele_file import _FILTERS

    try:
        (size,) = struct.unpack("<I", data[8:12])
        head = json.loads(zlib.decompress(data[12 : 12 + size]))
        start = 12 + size
        first = head["clades"][0]
        text = bytearray(lzma.decompress(data[start : start + first["size"]], format=lzma.FORMAT_RAW, filters=_FILTERS))
        rest = data[start + first["size"] :]
        for _ in range(random.randint(1, 4)):
            text[random.randrange(len(text))] = random.randrange(256)
        block = lzma.compress(bytes(text), format=lzma.FORMAT_RAW, filters=_FILTERS)
        for other in head["clades"][1:]:
            other["offset"] += len(block) - first["size"]
        first["size"], first["crc"] = len(block), zlib.crc32(block)
        packed = zlib.compress(json.dumps(head).encode())
        return data[:8] + struct.pack("<I", len(packed)) + packed + block + rest
    except Exception:
        # It was damaged before.
        return data


@cache
def _allele_bytes(sample: str) -> bytes:
    rng = np.random.default_rng(len(sample))
    clades = {}
    for taxon in ("t__SGB1", "t__SGB2"):
        position = np.sort(rng.choice(60, 7, replace=False)).astype(np.int32)
        depth = rng.integers(5, 30, 60).astype(np.uint16)
        clades[taxon] = CladeAlleles(depth, position, np.ones(7, dtype=np.uint8), np.full(7, 4, dtype=np.uint16))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        write_alleles(path, sample, INDEX, "00", {"min_mapq": 5}, {taxon: [40, 20] for taxon in clades}, clades)
        return path.read_bytes()


def _alleles() -> Iterable[Seed]:
    other = {"other.alleles": _allele_bytes("other")}
    for damage in ((_head, _block), ()):
        yield Seed("A.alleles", _allele_bytes("A"), _allele, other, damage)


def _databases() -> Iterable[Seed]:
    content = {"markers": {"m1": {"clade": "t__SGB1", "len": 500}, "m2": {"clade": "t__SGB2", "len": 100}}, "x": {1, 2}}
    plain = pickle.dumps(content, 2)
    for data in (plain, bz2.compress(plain)):
        yield Seed("mpa_v1.pkl", data, read_markers)


# ------------------------------------------------------------------------------------------------- FASTQ, configuration


def _fastq(path: Path) -> object:
    whole, glance = inspect_fastq(path), inspect_fastq(path, whole=False)
    other = inspect_fastq(path.parent / "other.fq")
    return [*whole.problems, *glance.problems, *check_pair(other, whole), *check_pair(other, glance)]


def _fastqs() -> Iterable[Seed]:
    import gzip

    beside = {"other.fq": reads("R1", 5)}
    for name, data in (("R1.fq", reads("R1", 5, 2)), ("R1.fq.gz", gzip.compress(reads("R1", 5, 2), mtime=0))):
        yield Seed(name, data, _fastq, beside)


CONFIG = CONFIG_PROFILES + (
    "compare: {by: [arm], window: [1, 90], covariates: []}\nassociate:\n  by: [best_response]\n"
    "tables:\n  cytokines: {file: cytokines.tsv, unit: pg/mL, transform: log2, lod: 1e-3}\n  cells: cells.tsv\n"
    "lesions: lesions.tsv\ntoxicities: toxicities.tsv\ntreatments: treatments.tsv\n"
)
STRAINS = "strains: {alleles: [a/*.alleles]}\n"


def _yaml(data: bytes, random: Random) -> bytes:
    """Insert what YAML is made of, or replace a value."""
    lines = data.split(b"\n")
    i = random.randrange(len(lines))
    marks = (
        b"&a ",
        b"*a",
        b"!!",
        b"? ",
        b"- ",
        b"{",
        b"}",
        b"[",
        b"]",
        b"|",
        b">",
        b"'",
        b'"',
        b"<<: *a",
        b"%",
        b"---",
        b"...",
    )
    words = (
        b"007",
        b"0x_",
        b"1_0",
        b"12:61",
        b"on",
        b"yes",
        b"2020-13-45",
        b"2001-01-01",
        b"!!int x",
        b".inf",
        b".nan",
        b"=",
    )
    if random.random() < 0.5:
        key = lines[i].partition(b":")[0]
        lines[i] = (
            key
            + b": "
            + random.choice((*words, *marks, b"[" * 900, b"9" * 5000, b"!!float x", b"!!timestamp x", b"!!binary e"))
        )
    else:
        at = random.randint(0, len(lines[i]))
        lines[i] = lines[i][:at] + random.choice((*marks, *words)) + lines[i][at:]
    return b"\n".join(lines)


def _config(path: Path) -> object:
    config, problems = parse_config(path)
    assert isinstance(config, dict)
    return [*problems, *read_yaml(path).problems]


def _configs() -> Iterable[Seed]:
    for text in (CONFIG + STRAINS, CONFIG_FASTQ):
        yield Seed("config.yaml", text.encode(), _config, damage=(_yaml,))


def _checked(path: Path) -> object:
    """A study from profiles of which one file is damaged, as `microbiome check` sees it, from its folder."""
    import os

    before = Path.cwd()
    os.chdir(path.parent)
    try:
        return check_all("config.yaml", tools=False).problems
    finally:
        os.chdir(before)


def _studies() -> Iterable[Seed]:
    files = {
        "config.yaml": CONFIG,
        "samples.tsv": SAMPLES,
        "subjects.tsv": SUBJECTS,
        "doses.tsv": DOSES,
        "lesions.tsv": LESIONS,
        "toxicities.tsv": TOXICITIES,
        "treatments.tsv": TREATMENTS,
        "cytokines.tsv": BY_SAMPLE,
        "cells.tsv": BY_SUBJECT,
    }
    beside = {name: text.encode() for name, text in files.items()}
    for sample in ("D1.a", "D2.a", "R1.0", "R1.28", "C1.0"):
        beside[f"{sample}_profile.tsv"] = profile(sample).encode()
    beside["config.yaml"] = beside["config.yaml"].replace(b"profiles/*_profile.tsv", b"'*_profile.tsv'")
    for name in (*files, "R1.0_profile.tsv"):
        yield Seed(name, beside[name], _checked, beside, (_yaml,) if name == "config.yaml" else ())


def _truths() -> Iterable[Seed]:
    beside = {
        "abundance.tsv": b"taxon\tA\tB\nt__SGB1\t0.5\t1\nt__SGB2\t0.5\t0\n",
        "outcomes.tsv": valid(TRUTH_OUTCOMES),
        "reads.tsv": valid(TRUTH_READS),
    }
    for name, data in beside.items():
        yield Seed(name, data, lambda path: read_truth(path.parent), beside)


_SEEDS: dict[str, Callable[[], Iterable[Seed]]] = {
    "sheets": _sheets,
    "results": _results,
    "metaphlan": _metaphlan,
    "profilers": _profilers,
    "features": _feature_tables,
    "functions": _functions,
    "molecules": _molecules,
    "strain_distances": _strain_files,
    "trees": _trees,
    "matrices": _matrices,
    "alleles": _alleles,
    "databases": _databases,
    "fastq": _fastqs,
    "config": _configs,
    "check": _studies,
    "truth": _truths,
}
#: Groups of readers.
READERS = tuple(_SEEDS)
