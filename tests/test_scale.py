"""What thousands of samples need: memory that grows with what is there, and quick ways that give the same numbers."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from skbio import DistanceMatrix

from microbiome import table_text
from microbiome.diversity import beta, many, ordinate, ordination, read_distances, write_distances
from microbiome.donors import drawn_rows, match_pairs, match_rows
from microbiome.donors.match_folds import blocks, folds
from microbiome.errors import InputError
from microbiome.metaphlan import merge_files, merge_profiles, read_abundance, write_merged
from microbiome.metaphlan_format import parse_metaphlan
from microbiome.number_text import number_row, numbers_of
from microbiome.outcomes import study_limits, tidy
from microbiome.rates import rates
from microbiome.repair import repair
from microbiome.report.blocks import Figure
from microbiome.simulate.panel import Panel, PanelParameters, simulate_panel
from microbiome.stats import group_permutation
from microbiome.table_text import table_pieces
from microbiome.tables import Column, Table
from microbiome.triad_rates import TriadRates
from microbiome.triads import triads
from microbiome.tsv import read_result, write_table

# Bytes that a merge may hold for each clade that a profile lists; a whole table takes 8 for each that any of them does.
PER_CELL = 64


def peak(work: Callable[[], object]) -> int:
    """Return the most memory (bytes) that Python and numpy held at a time while this was done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def profiles(folder: Path, number: int, seen: int = 100, sgbs: int = 5000) -> list[Path]:
    """Write MetaPhlAn tables of 100 SGBs each, of 5,000."""
    rng = np.random.default_rng(number)
    folder.mkdir()
    paths = []
    for sample in range(number):
        chosen = np.sort(rng.choice(sgbs, seen, replace=False))
        share = np.round(rng.dirichlet(np.ones(seen)) * 100, 5)
        lines = ["#mpa_v1", "#clade_name\tNCBI_tax_id\trelative_abundance", f"k__B\t2\t{share.sum():.5f}"]
        for form in ("k__B|s__S{0}\t2|\t{1:.5f}", "k__B|s__S{0}|t__SGB{0}\t2||\t{1:.5f}"):
            lines += [form.format(i, value) for i, value in zip(chosen, share, strict=True)]
        path = folder / f"s{sample}_profile.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def test_merge_holds_what_is_not_zero(tmp_path: Path) -> None:
    few, more = profiles(tmp_path / "few", 60), profiles(tmp_path / "more", 120)
    merge_files(few, tmp_path / "warm.tsv")
    sizes = [peak(lambda paths=paths: merge_files(paths, tmp_path / "merged.tsv")) for paths in (few, more)]
    cells = 60 * 201
    assert sizes[1] - sizes[0] < PER_CELL * cells + 500_000
    # The whole table is that many columns of some 9,000 clades.
    assert sizes[1] < 0.7 * 8 * 120 * 9_000
    write_merged(merge_profiles(more), tmp_path / "whole.tsv")
    assert (tmp_path / "merged.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_merge_refuses_what_reading_refuses(tmp_path: Path) -> None:
    paths = profiles(tmp_path / "p", 3)
    paths[1].write_text(paths[1].read_text().replace("#mpa_v1", "#mpa_v2"))
    paths[2].write_text("nothing\n")
    said = []
    for merge in (lambda: merge_files(paths, tmp_path / "out.tsv"), lambda: merge_profiles(paths)):
        with pytest.raises(InputError) as error:
            merge()
        said.append(str(error.value))
    assert said[0] == said[1]
    assert "mpa_v2" in said[0]
    assert not (tmp_path / "out.tsv").exists()


def test_merged_table_is_read_by_rows(tmp_path: Path) -> None:
    path = tmp_path / "merged.tsv"
    merge_files(profiles(tmp_path / "p", 80, 50, 2000), path)
    text = path.read_text()
    numbers = 8 * 80 * text.count("\n")
    # The numbers, one rank of them, and the lines; cells as objects would take ten times as much.
    assert peak(lambda: parse_metaphlan("merged.tsv", text)) < 2 * len(text) + 2.5 * numbers
    abundance = read_abundance(path)
    assert np.allclose(abundance.sum(axis=1), 1)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["0", "0.0", "-0.0", "0.00", "00", "0e5", " 0", "1", "", "x", "nan", "é"]),
            st.floats(allow_nan=False).map(repr),
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 200),
)
def test_numbers_of_a_row_are_those_of_float(cells: list[str], zeros: int) -> None:
    row = [*cells[:2], *["0.0"] * zeros, *cells[2:]]
    try:
        expected = [float(cell) for cell in row]
    except ValueError:
        with pytest.raises(ValueError, match="float"):
            numbers_of("\t".join(row))
        return
    found = numbers_of("\t".join(row))
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(numbers_of(number_row(found)), expected, equal_nan=True)


CELLS = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=4), st.sampled_from(["007", "NA", "a b"]))


@given(st.data())
@settings(max_examples=60)
def test_text_of_a_table_is_that_of_the_csv_module(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 5))

    def column(of: st.SearchStrategy[object]) -> list[object]:
        return data.draw(st.lists(of, min_size=rows, max_size=rows))

    frame = pd.DataFrame(
        {
            "text": pd.Series(column(CELLS), dtype=object),
            "number": np.array(column(st.floats()), dtype=float),
            "integer": pd.array(column(st.one_of(st.none(), st.integers(-(2**40), 2**40))), dtype="Int64"),
            "plain": np.array(column(st.integers(-5, 5)), dtype=np.int64),
        }
    )
    pieces = table_pieces(frame)
    texts = [text for text in frame["text"] if text is not None]
    if any(mark in text for text in texts for mark in '\t\n\r"'):
        assert pieces is None
    else:
        assert pieces is not None
        assert "".join(pieces) == frame.to_csv(sep="\t", index=False, na_rep="", lineterminator="\n")


@pytest.mark.parametrize("odd", ["flag", "category", "mixed", "single", "short"])
def test_other_tables_are_left_to_the_csv_module(odd: str) -> None:
    frames = {
        "flag": pd.DataFrame({"a": [True], "b": [1.0]}),
        "category": pd.DataFrame({"a": pd.Categorical(["x"]), "b": [1.0]}),
        "mixed": pd.DataFrame({"a": pd.Series(["x", 1.0], dtype=object), "b": [1.0, 2.0]}),
        "single": pd.DataFrame({"a": [""]}),
        "short": pd.DataFrame({"a": np.array([0.1], dtype=np.float32), "b": [1.0]}),
    }
    assert table_pieces(frames[odd]) is None


def test_long_tables_are_written_and_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, path = 40_000, tmp_path / "long.tsv"
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "sample": pd.Series(rng.choice([f"sample_{i}" for i in range(500)], rows), dtype=object),
            "taxon": pd.Series(np.arange(rows).astype(str), dtype=object),
            "abundance": np.where(rng.random(rows) < 0.1, np.nan, rng.random(rows)),
            **{f"n{i}": pd.array(rng.integers(0, 9, rows), dtype="Int64") for i in range(17)},
        }
    )
    monkeypatch.setattr(table_text, "_CELLS", 1 << 14)
    # A piece of fifty: all cells as texts would take twenty times the file.
    assert peak(lambda: write_table(frame, path, ["a comment"])) < 2 * path.stat().st_size
    kinds = {"sample": "id", "taxon": "id", "abundance": "number"}
    columns = [Column(name, kinds.get(name, "integer"), "", required=True) for name in frame]  # type: ignore[arg-type]
    table = Table("long", "Many rows.", tuple(columns), key=("sample", "taxon"))
    pd.testing.assert_frame_equal(read_result(path, table), frame, check_exact=True)


def test_distances_are_written_and_read_by_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    matrix = DistanceMatrix(pdist(rng.random((200, 5))), [f"s{i}" for i in range(200)])
    path, size = tmp_path / "d.tsv", 8 * 200**2
    assert peak(lambda: write_distances(matrix, path, "euclidean", ["so"])) < size / 4
    frame = pd.DataFrame(matrix.data, index=matrix.ids, columns=matrix.ids)
    stream = io.StringIO()
    frame.to_csv(stream, sep="\t", index_label="sample", lineterminator="\n")
    assert path.read_text() == f"# metric: euclidean\n# so\n{stream.getvalue()}"
    # Its text, that in lines, and the matrix with what scikit-bio copies of it.
    assert peak(lambda: read_distances(path)) < 3 * path.stat().st_size + 5 * size
    assert np.array_equal(read_distances(path).data, matrix.data)


# ---- the quick ways


@pytest.fixture(scope="module")
def trial() -> Panel:
    return simulate_panel(PanelParameters(taxa=120, recipients=10, donors=3, donor_samples=2), 3)


@pytest.mark.parametrize("gone", [0, 1])
def test_rates_without_the_table_of_outcomes(trial: Panel, gone: int) -> None:
    samples, abundance = trial.study.samples, trial.abundance
    if gone:
        donors, first = samples.index[samples["role"] == "donor"], samples.index[samples["day"] == 0]
        abundance = abundance.drop(index=samples.loc[[*donors[:2], first[0], samples.index[-1]], "sample"])
    table = study_limits(abundance, trial.study)
    thinned = repair(abundance, table, "thinning", 0.0, 1, 2.0)
    cases = [(abundance, table), (thinned.abundance, thinned.limits), (abundance, table.iloc[4:])]
    for values, limits in cases:
        aligned = triads(values, trial.study)
        quick = TriadRates(aligned)
        for detection in (0.0, 1e-4, 3e-3, 0.2, 0.95):
            calls = tidy(aligned, detection, limits)
            found = quick.at(detection, limits)
            if len(calls):
                pd.testing.assert_frame_equal(found, rates(calls), check_exact=True)
            else:
                assert found.empty


@pytest.mark.parametrize("metric", ["bray_curtis", "jaccard", "robust_aitchison"])
def test_distances_of_many_samples(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    rng = np.random.default_rng(4)
    values = np.where(rng.random((70, 90)) < 0.15, rng.lognormal(0, 2, (70, 90)), 0.0)
    values[:, 0] += 1e-3
    # Alike, all but alike, and a sample of one taxon.
    values[5], values[6] = values[3], values[3]
    values[6, 1] += 1e-10
    values[9] = np.eye(90)[4]
    frame = pd.DataFrame(values / values.sum(axis=1, keepdims=True), index=[f"s{i}" for i in range(70)])
    few = beta(frame, metric)
    monkeypatch.setattr(many, "MANY", 10)
    monkeypatch.setattr(many, "_BLOCK", 16)
    quick = beta(frame, metric)
    assert np.allclose(quick.data, few.data, rtol=1e-12, atol=0)
    assert quick["s3", "s5"] == 0


def test_leading_axes_of_many_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    distances = DistanceMatrix(pdist(rng.dirichlet(np.full(40, 0.2), 60), "braycurtis"))
    whole = ordinate(distances, 4)
    monkeypatch.setattr(ordination, "_SMALL", 10)
    leading = ordinate(distances, 4)
    columns = whole.explained.index
    assert np.allclose(leading.coordinates[columns], whole.coordinates[columns], rtol=0, atol=1e-12)
    assert np.allclose(leading.explained, whole.explained, rtol=1e-12)
    assert leading.negative_eigenvalues == whole.negative_eigenvalues > 0
    assert leading.negative_share == pytest.approx(whole.negative_share, rel=1e-12)


def test_draws_that_are_kept_are_those_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    values, labels, strata = rng.random(40), rng.integers(0, 2, 40), rng.integers(0, 3, 40)

    def tests() -> list[float]:
        cases = [(None, 1), (strata, 1), (None, 2), (None, 1)]
        return [group_permutation(values, labels, stratum, 500, seed).p_value for stratum, seed in cases]

    kept = tests()
    monkeypatch.setattr("microbiome.stats.tests._MOST_KEPT", 0)
    assert kept == tests()


# ---- the match of a large study


def test_rows_of_a_match_are_drawn_by_whole_samples(trial: Panel) -> None:
    rows = match_rows(trial.abundance, trial.study)
    assert drawn_rows(rows, 0)[0] is rows
    assert drawn_rows(rows, len(rows)) == (rows, "")
    some, text = drawn_rows(rows, len(rows) // 2, seed=1)
    assert 0.3 * len(rows) < len(some) <= len(rows) // 2
    size = rows.groupby("sample").size()
    assert some.groupby("sample").size().equals(size[sorted(some["sample"].unique())])
    number = f"{some['sample'].nunique()} of {len(size)} post samples"
    assert number in text
    # Nobody has two samples while somebody has none.
    per_person = some.groupby("subject")["sample"].nunique().reindex(rows["subject"].unique(), fill_value=0)
    assert per_person.max() - per_person.min() <= 1
    assert not drawn_rows(rows, len(rows) // 2, seed=2)[0].index.equals(some.index)
    with pytest.raises(InputError, match="too few"):
        drawn_rows(rows, -1)


def test_many_donors_are_held_out_in_ten_parts() -> None:
    frame = pd.DataFrame({"cohort": "all", "subject": [f"R{i}" for i in range(60)]})
    for donors in (20, 21, 30):
        rows = frame.assign(donor=[f"D{i % donors}" for i in range(60)])
        found = folds(rows, "donor", 1)
        assert found.nunique() == (donors if donors == 20 else 10)
        assert found.groupby(blocks(rows, "donor")).nunique().max() == 1
    sizes = found.groupby(found).size()
    assert sizes.max() == sizes.min()


def test_pairs_are_foretold_for_those_who_wait_first(trial: Panel) -> None:
    rows = match_rows(trial.abundance, trial.study)
    whole = match_pairs(rows, trial.abundance, trial.study, model="logistic", most=0)
    some = match_pairs(rows, trial.abundance, trial.study, model="logistic", most=7)
    assert len(whole) == len(some)
    there = some["expected_engrafted"].notna()
    assert there.sum() == 6
    pd.testing.assert_frame_equal(some[there], whole[there])
    treated = some.groupby("subject")["received"].transform("max") == 1
    if (~treated).any():
        assert not (there & treated).any() or there[~treated].all()
    assert some.loc[~there, "note"].str.contains("--most-pairs 7").all()
    with pytest.raises(InputError, match="too few"):
        match_pairs(rows, trial.abundance, trial.study, model="logistic", most=-1)


# --- report ---------------------------------------------------------------------------------------------------------


def test_a_figure_has_any_number_of_rows() -> None:
    rows = pd.DataFrame({"x": range(6000)})
    figure = Figure("key", "Title", "Caption.", alt.Chart(rows).mark_point().encode(x="x:Q"), rows, 6000, 0)
    (values,) = figure.spec["datasets"].values()
    assert [row["x"] for row in values] == list(range(6000))
    with pytest.raises(alt.MaxRowsError):
        figure.chart.to_dict()
