"""The sections on chance, comparisons, choices, shares and single taxa: every number in them is one of their tables."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_trial import ARM, COLUMNS, Trial, write_trial

from microbiome.cli import main
from microbiome.compare.tables import COMPARE, TRAJECTORIES
from microbiome.errors import InputError
from microbiome.nulls.tables import NULLS
from microbiome.report import data
from microbiome.report import page as report_page
from microbiome.report.blocks import (
    Cell,
    Figure,
    Heading,
    Missing,
    Note,
    Section,
    TableBlock,
    below,
    p_text,
    signed,
    span,
)
from microbiome.report.choices import hangs_on, sign_counts
from microbiome.report.counting import label_taxa, share_bars
from microbiome.report.figures import sensitivity as sensitivity_figures
from microbiome.report.groups import (
    column_title,
    donors_by_group,
    effect_title,
    group_colours,
    group_noun,
    group_title,
    subject_groups,
)
from microbiome.report.methods import methods
from microbiome.report.notes import brief, statements, told
from microbiome.report.page import build
from microbiome.report.roster import arm_scheme, people
from microbiome.sensitivity.tables import SENSITIVITY
from microbiome.tables import LIMITS, OUTCOME_NAMES
from microbiome.taxa.tables import CHANGES, DECOMPOSITION, QUANTITIES, RETENTION, TAXA


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return write_trial(tmp_path_factory.mktemp("trial"))


@pytest.fixture(scope="module")
def tables(trial: Trial) -> data.Tables:
    return data.read(
        data.inputs(trial.results), *(trial.folder / f"{name}.tsv" for name in ("samples", "subjects", "doses"))
    )


@pytest.fixture(scope="module")
def whole(tables: data.Tables) -> report_page.Page:
    return build(tables)


def page_of(tables: data.Tables, **parts) -> report_page.Page:
    """Make a page of the study and of these tables alone."""
    return build(data.Tables(tables.study, **parts))


def figure_of(page: report_page.Page, key: str) -> Figure:
    return next(figure for figure in page.figures if figure.key == key)


def tables_of(page: report_page.Page) -> dict[str, TableBlock]:
    return {block.key: block for section in page.sections for block in section.blocks if isinstance(block, TableBlock)}


def section_of(page: report_page.Page, key: str):
    return next(section for section in page.sections if section.key == key)


def words_of(section) -> str:
    """Return all words of a section but those of its tables."""
    parts = list(section.paragraphs)
    for block in section.blocks:
        parts += [block.text, *block.items] if isinstance(block, Note) else []
        parts += [block.text] if isinstance(block, Missing) else []
        parts += [block.caption] if isinstance(block, Figure | TableBlock) else []
    return "\n".join(parts)


def column(block: TableBlock, name: str) -> list[str]:
    place = [heading.name for heading in block.headings].index(name)
    return [row[place].text for row in block.rows]


def drawn(figure: Figure) -> list[dict]:
    """Return all rows of data in a chart."""
    return [row for rows in figure.spec["datasets"].values() for row in rows]


def as_read(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.reset_index(drop=True).astype(object).where(frame.reset_index(drop=True).notna(), None)


# ---------------------------------------------------------------- which tables


def test_tables_are_found_by_the_column_that_they_name(trial: Trial, tables: data.Tables) -> None:
    for name in ("compare", "trajectories", "sensitivity", "taxa", "retention", "changes"):
        assert set(getattr(tables, name)) == set(COLUMNS), name
    for by, name in itertools.product(COLUMNS, ("compare", "sensitivity", "taxa")):
        assert set(getattr(tables, name)[by]["by"].dropna()) == {by}
    assert tables.comments["taxa", "arm"]
    assert not any(line.startswith("#") for lines in tables.comments.values() for line in lines)
    linked = [path for path, _ in tables.files]
    assert len(linked) == len(set(linked))


def test_two_tables_of_one_column_are_refused(trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = str(trial.results / "outcomes" / "compare_arm.tsv")
    target = tmp_path / "page.html"
    assert main(["report", *trial.study, "--compare", table, table, "-o", str(target)]) == 2
    assert "a second table with groups by 'arm'" in capsys.readouterr().err
    assert not target.exists()


def test_tables_of_another_study_are_refused(trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = pd.read_csv(trial.results / "outcomes" / "limits.tsv", sep="\t", comment="#", dtype=str)
    limits.assign(sample="x" + limits["sample"]).to_csv(tmp_path / "limits.tsv", sep="\t", index=False)
    options = ["--limits", str(tmp_path / "limits.tsv"), "-o", str(tmp_path / "page.html")]
    assert main(["report", *trial.study, *options]) == 2
    assert "give the tables of one study" in capsys.readouterr().err


def test_an_empty_option_means_that_there_is_no_such_table(trial: Trial) -> None:
    found = data.inputs(trial.results, taxa=[], nulls="", compare=["other/compare_arm.tsv"])
    assert (found.taxa, found.nulls, found.compare) == ((), None, ("other/compare_arm.tsv",))
    names = {Path(path).name for path in found.link}
    assert not names & {"taxa_arm.tsv", "nulls.tsv", "compare_arm.tsv", "rates.tsv"}


_DECLARED = {
    "nulls": NULLS,
    "decomposition": DECOMPOSITION,
    "compare": COMPARE,
    "trajectories": TRAJECTORIES,
    "sensitivity": SENSITIVITY,
    "taxa": TAXA,
    "retention": RETENTION,
    "changes": CHANGES,
    "limits": LIMITS,
}


def test_columns_that_are_not_required_may_lack(trial: Trial, tmp_path: Path) -> None:
    options = []
    for name, table in _DECLARED.items():
        by_column = name not in ("nulls", "decomposition", "limits")
        path = trial.results / "outcomes" / (f"{name}_responder.tsv" if by_column else f"{name}.tsv")
        frame = pd.read_csv(path, sep="\t", comment="#", dtype=str, keep_default_na=False)
        needed = [column.name for column in table.columns if column.required or column.name in table.key]
        target = tmp_path / path.name
        frame[needed].to_csv(target, sep="\t", index=False)
        options += [f"--{name}", str(target)]
    target = tmp_path / "page.html"
    assert main(["report", *trial.study, *options, "-o", str(target)]) == 0
    assert "Against chance" in target.read_text(encoding="utf-8")


# ---------------------------------------------------------------- against chance


def test_chance_shows_the_overall_rows(tables: data.Tables, whole: report_page.Page) -> None:
    overall = tables.nulls[tables.nulls["level"] == "overall"]
    block = tables_of(whole)["nulls"]
    assert column(block, "observed") == [signed(value) for value in overall["observed"]]
    assert column(block, "excess") == [signed(value) for value in overall["excess"]]
    assert column(block, "p") == [p_text(value) for value in overall["p_value"]]
    assert column(block, "smallest p") == [p_text(value) for value in overall["p_floor"]]
    known = overall[overall["expected"].notna()]
    assert len(known)
    shown = pd.concat(
        [figure.data for figure in whole.figures if figure.key in ("chance_engraftment", "chance_depletion")]
    )
    key = ["quantity", "null"]
    for name in ("observed", "expected", "excess", "ci_low", "ci_high", "p_value"):
        one, other = (frame.set_index(key)[name].sort_index() for frame in (shown, known))
        pd.testing.assert_series_equal(one, other, check_dtype=False)


def test_what_cannot_be_tested_against_chance_says_why(tables: data.Tables) -> None:
    rows = tables.nulls[tables.nulls["level"] == "overall"].copy()
    numbers = ["expected", "excess", "ci_low", "ci_high", "p_value"]
    rows.loc[:, numbers] = np.nan
    rows["note"] = "not testable: one donor for everybody (D0; no other); conditional on the one donor"
    made = page_of(tables, nulls=rows)
    words = words_of(section_of(made, "chance"))
    for row in rows.itertuples():
        assert f"observed {signed(row.observed)}" in words
    assert ": one donor for everybody (D0; no other)." in words
    assert "Conditional on the one donor." in words
    assert "Depletion includes dilution" in words
    assert not [figure for figure in made.figures if figure.key.startswith("chance")]


def test_each_recipient_is_drawn_with_its_own_numbers(tables: data.Tables, whole: report_page.Page) -> None:
    rows = tables.nulls[(tables.nulls["level"] == "subject") & tables.nulls["expected"].notna()].set_index(
        ["quantity", "null", "subject"]
    )
    figure = figure_of(whole, "chance_recipients")
    assert set(figure.data["quantity"]) == {"engraftment_rate", "donor_recovery", "baseline_recovery"} & set(
        rows.index.get_level_values(0)
    )
    assert not figure.data.duplicated(["quantity", "subject"]).any()
    for row in figure.data.itertuples():
        source = rows.loc[(row.quantity, row.null, row.subject)]
        assert (row.observed, row.expected) == (source["observed"], source["expected"])
    points = [row for row in drawn(figure) if row.get("kind") == "expected"]
    assert sorted(row["value"] for row in points) == sorted(figure.data["expected"])


def test_the_sentence_names_p_and_its_floor(tables: data.Tables) -> None:
    rows = tables.nulls[(tables.nulls["level"] == "overall") & (tables.nulls["quantity"] == "depletion_rate")]
    row = rows.iloc[:1].assign(
        null="placebo_arm", observed=0.5, expected=0.2, excess=0.3, ci_low=-0.1, ci_high=0.7, p_value=0.0123,
        p_floor=0.0041, n_subjects=4, n_null=3, n_samples=9, n_donors=2, note=None,
    )  # fmt: skip
    words = words_of(section_of(page_of(tables, nulls=row), "chance"))
    for piece in (
        "observed 0.50",
        "expected from subjects without doses 0.20",
        "excess 0.30 (95 % interval −0.10 to 0.70)",
        "p = 0.012 (no data of this design could give less than 0.004)",
        "4 subjects, 3 in the null, 9 samples, 2 donors",
    ):
        assert piece in words, piece


def test_taxa_against_chance_are_all_in_the_download(tables: data.Tables, whole: report_page.Page) -> None:
    rows = tables.nulls[tables.nulls["level"] == "taxon"]
    block = tables_of(whole)["nulls_taxa"]
    assert len(block.data) == len(rows)
    assert len(block.rows) == rows["observed"].notna().sum()
    shown = rows[rows["observed"].notna()]
    assert sorted(column(block, "p")) == sorted(p_text(value) for value in shown["p_value"])


# ---------------------------------------------------------------- comparisons


@pytest.mark.parametrize("by", COLUMNS)
def test_a_comparison_shows_all_rows_of_its_table(tables: data.Tables, whole: report_page.Page, by: str) -> None:
    frame = tables.compare[by]
    block = tables_of(whole)[f"compare_{by}"]
    assert len(block.rows) == len(frame)
    for place, name in (("p", "p_value"), ("smallest p", "p_floor")):
        assert column(block, place) == [p_text(value) for value in frame[name]]
    effects = [cell.split(" ")[0] for cell in column(block, "effect")]
    assert effects == [signed(value) for value in frame["effect"]]
    assert {figure.key for figure in whole.figures if figure.key.startswith(f"effects_{by}")} or frame[
        "effect"
    ].isna().all()


def test_effects_are_drawn_with_their_intervals(tables: data.Tables, whole: report_page.Page) -> None:
    frame = tables.compare["responder"]
    figure = figure_of(whole, "effects_responder_yes_no")
    source = frame[frame["effect"].notna()]
    for name in ("rate", "method", "effect", "ci_low", "ci_high", "p_value", "n_subjects", "n_samples"):
        assert as_read(figure.data)[name].tolist() == as_read(source)[name].tolist()
    marks = [row for row in drawn(figure) if "method" in row]
    assert sorted(row["effect"] for row in marks) == sorted(source["effect"])
    assert {row["analysis"] for row in marks if row["method"] == "pooled_wilcoxon"} == {
        "samples pooled (anti-conservative)"
    }


def test_a_changed_effect_is_a_changed_sentence(tables: data.Tables) -> None:
    frame = tables.compare["responder"].copy()
    one = (frame["rate"] == "depletion_rate") & (frame["method"] == "subject_permutation")
    frame.loc[one, ["mean_1", "mean_2", "effect", "ci_low", "ci_high"]] = [0.111, 0.654, 0.543, -0.321, 0.987]
    frame.loc[one, ["p_value", "p_floor"]] = [0.0425, 0.0033]
    frame.loc[one, ["n_subjects_1", "n_subjects_2"]] = [71, 82]
    words = words_of(section_of(page_of(tables, compare={"responder": frame}), "compare_responder"))
    assert (
        "Depletion rate: 0.65 in responders (n = 82), 0.11 in non-responders (n = 71); difference 0.54 (95 % interval "
        "−0.32 to 0.99), p = 0.043 (no data of this design could give less than 0.003)." in words
    )


def test_every_note_of_a_comparison_is_told(tables: data.Tables, whole: report_page.Page) -> None:
    for by in COLUMNS:
        words = words_of(section_of(whole, f"compare_{by}")).lower()
        for note in tables.compare[by]["note"].dropna():
            for text in statements(note):
                assert text.replace("`", "").lower() in words


def test_depth_and_donors_are_told_before_the_effects(tables: data.Tables) -> None:
    frame = tables.compare["responder"].assign(
        note="a; post samples of no are 3.0 times deeper than post samples of yes"
    )
    blocks = section_of(page_of(tables, compare={"responder": frame}), "compare_responder").blocks
    place = next(i for i, block in enumerate(blocks) if isinstance(block, Note) and block.level == "warn")
    assert blocks[place].items == ["Post samples of no are 3.0 times deeper than post samples of yes."]
    assert "no is non-responder, yes is responder" in blocks[place].text
    assert all(place < i for i, block in enumerate(blocks) if isinstance(block, Figure))


def test_a_difference_that_cannot_be_tested_says_why(tables: data.Tables) -> None:
    frame = tables.compare["responder"].assign(
        mean_1=0.5, mean_2=0.25, effect=-0.25, ci_low=np.nan, ci_high=np.nan, p_value=np.nan, n_subjects_1=1
    )
    frame["note"] = "not testable: group no has one subject; conditional on the one donor"
    words = words_of(section_of(page_of(tables, compare={"responder": frame}), "compare_responder"))
    assert "in non-responders (n = 1); difference −0.25; not testable: group no has one subject." in words


def test_who_is_left_out_is_said(tables: data.Tables) -> None:
    frame = tables.compare["responder"].assign(n_left_out_1=2, n_left_out_2=1)
    words = words_of(section_of(page_of(tables, compare={"responder": frame}), "compare_responder"))
    assert "3 subjects are left out" in words


def test_more_than_two_groups_have_a_figure_per_pair(tables: data.Tables) -> None:
    frame = tables.compare["responder"]
    names = ["a", "b", "c", "d", "e", "f", "g"]
    pairs = list(itertools.combinations(names, 2))
    parts = [frame.assign(groups=f"{j} - {i}", group_1=i, group_2=j, by="cohort") for i, j in pairs]
    overall = frame[frame["method"] == "subject_permutation"].assign(
        groups=" / ".join(names), group_1=None, group_2=None, by="cohort", effect=np.nan, ci_low=np.nan, ci_high=np.nan
    )
    made = page_of(tables, compare={"cohort": pd.concat([*parts, overall], ignore_index=True)})
    keys = [figure.key for figure in made.figures if figure.key.startswith("effects_")]
    assert len(keys) == len(set(keys)) == 15
    assert len(tables_of(made)["compare_cohort"].rows) == len(frame) * len(pairs) + len(overall)
    assert " / ".join(names) in column(tables_of(made)["compare_cohort"], "groups")


def test_donors_of_the_groups_are_counted(tables: data.Tables, whole: report_page.Page) -> None:
    groups = {"007": "no", "1e5": "no", "pt10": "yes", "<script>alert(1)</script>": "yes"}
    assert subject_groups(tables, "responder") == groups
    counted = donors_by_group(tables, "responder", ["no", "yes"]).set_index("donor")
    given_doses = tables.study.doses
    for donor, (value, title) in itertools.product(
        given_doses["donor"].unique(), (("no", "non-responder"), ("yes", "responder"))
    ):
        expected = {
            row.subject for row in given_doses.itertuples() if row.donor == donor and groups.get(row.subject) == value
        }
        assert counted.loc[donor, title] == len(expected)
    assert tables_of(whole)["donors_responder"].data.set_index("donor").equals(counted)
    by_donor = subject_groups(tables, "donor")
    assert by_donor["007"] == "D0+D1"
    assert "pt10" not in by_donor


def test_trajectories_show_the_table_over_the_samples(tables: data.Tables, whole: report_page.Page) -> None:
    frame = tables.trajectories["responder"]
    shown = pd.concat([figure.data for figure in whole.figures if figure.key.startswith("trajectories_responder")])
    means = shown[shown["what"] == "mean"]
    known = frame[frame["mean"].notna()]
    key = ["rate", "group", "visit"]
    known = known.assign(group=known["group"].map({"yes": "responder", "no": "non-responder"}))
    for name in ("mean", "ci_low", "ci_high", "n_subjects"):
        one, other = (part.set_index(key)[name].sort_index().astype(float) for part in (means, known))
        pd.testing.assert_series_equal(one, other, check_index_type=False)
    samples = shown[shown["what"] == "sample"]
    rates = tables.rates.set_index("sample")
    for row in samples.itertuples():
        assert row.value == rates.loc[row.sample, row.rate]
    assert set(samples["subject"]) <= set(subject_groups(tables, "responder"))


def test_one_visit_is_no_course_over_time(tables: data.Tables) -> None:
    frame = tables.trajectories["responder"]
    single = {"responder": frame[frame["visit"] == 1]}
    made = page_of(tables, trajectories=single)
    assert not [figure for figure in made.figures if figure.key.startswith("trajectories")]
    assert "no course over time" in words_of(section_of(made, "compare_responder"))


def test_those_who_left_are_named_with_their_group(tables: data.Tables) -> None:
    frame = tables.trajectories["responder"].copy()
    frame["n_left"] = 0
    frame.loc[(frame["group"] == "no") & (frame["visit"] == frame["visit"].max()), "n_left"] = 2
    made = page_of(tables, trajectories={"responder": frame})
    assert "2 of non-responder" in words_of(section_of(made, "compare_responder"))


# ---------------------------------------------------------------- what it hangs on

_SIGNS = st.lists(
    st.tuples(
        st.sampled_from(["depletion_rate", "lost_taxa", "engraftment_rate"]),
        st.sampled_from(["subject_permutation", "pooled_wilcoxon"]),
        st.sampled_from([0.0, 1e-4]),
        st.sampled_from([float("nan"), 0.5]),
        st.sampled_from([-0.2, 0.0, 0.3, float("nan")]),
        st.sampled_from([0.01, 0.2]),
    ),
    min_size=1,
    max_size=24,
    unique_by=lambda row: (row[0], row[1], row[2], str(row[3])),
)


def grid(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["rate", "method", "detection", "depth_fraction", "effect", "p_value"])
    direction = frame["effect"].map(
        lambda e: None if np.isnan(e) else "equal" if e == 0 else "b > a" if e > 0 else "a > b"
    )
    return frame.assign(
        direction=direction, by="x", groups="b - a", group_1="a", group_2="b", common_threshold=0, scale="difference",
        ci_low=frame["effect"] - 1, ci_high=frame["effect"] + 1, n_subjects=6, n_samples=9, n_donors=2, p_floor=0.01,
        taxa_per_sample=10.0, note=None,
    )  # fmt: skip


@given(_SIGNS)
def test_signs_are_counted(rows: list[tuple]) -> None:
    n = sign_counts(hangs_on(grid(rows)))
    effects = [(effect, p) for *_, effect, p in rows]
    assert n["all"] == len(rows)
    assert n["higher"] == sum(effect > 0 for effect, _ in effects)
    assert n["lower"] == sum(effect < 0 for effect, _ in effects)
    assert n["equal"] == sum(effect == 0 for effect, _ in effects)
    assert n["untested"] == sum(np.isnan(effect) for effect, _ in effects)
    assert n["clear_higher"] == sum(effect > 0 and p < 0.05 for effect, p in effects)
    assert n["clear_lower"] == sum(effect < 0 and p < 0.05 for effect, p in effects)


def test_the_sentence_on_signs_counts_the_table(trial: Trial, whole: report_page.Page) -> None:
    frame = pd.read_csv(trial.results / "outcomes" / "sensitivity_responder.tsv", sep="\t", comment="#")
    frame = frame[frame["group_2"].notna()]
    words = words_of(section_of(whole, "sensitivity"))
    for rates, verb in (
        (["depletion_rate", "depletion_rate_donor_absent", "lost_taxa"], "lose"),
        (["engraftment_rate", "donor_recovery", "engrafted"], "take up"),
    ):
        part = frame[frame["rate"].isin(rates) & frame["direction"].notna()]
        if part.empty:
            assert f"Whether responders {verb} more than non-responders could not be tested in any analysis" in words
            continue
        more, less = part[part["direction"] == "yes > no"], part[part["direction"] == "no > yes"]
        clear = [(group["p_value"] < 0.05).sum() or "none" for group in (more, less)]
        assert (
            f"Responders {verb} more than non-responders in {len(more)} of {len(part)} analyses ({clear[0]} with p < "
            f"0.05), less in {len(less)} ({clear[1]} with p < 0.05)" in words
        )


def test_the_sentence_says_where_the_sign_changes(tables: data.Tables) -> None:
    # depletion_rate: up at both thresholds; lost_taxa: up, then down. Pooled: the same but always up.
    rows = [
        ("depletion_rate", "subject_permutation", 0.0, float("nan"), 0.1, 0.01),
        ("depletion_rate", "subject_permutation", 1e-4, float("nan"), 0.1, 0.9),
        ("lost_taxa", "subject_permutation", 0.0, float("nan"), 0.1, 0.9),
        ("lost_taxa", "subject_permutation", 1e-4, float("nan"), -0.1, 0.9),
        ("depletion_rate", "pooled_wilcoxon", 0.0, float("nan"), 0.1, 0.01),
        ("depletion_rate", "pooled_wilcoxon", 1e-4, float("nan"), 0.1, 0.9),
        ("lost_taxa", "pooled_wilcoxon", 0.0, float("nan"), 0.1, 0.9),
        ("lost_taxa", "pooled_wilcoxon", 1e-4, float("nan"), 0.1, 0.9),
    ]
    made = page_of(tables, sensitivity={"x": grid(rows)})
    words = words_of(section_of(made, "sensitivity"))
    assert (
        "Subjects of x b lose more than subjects of x a in 7 of 8 analyses (2 with p < 0.05), less in 1 (none with p < "
        "0.05)." in words
    )
    assert "More by rate: depletion rate 4 of 4; lost taxa 3 of 4." in words
    assert "with the threshold in 1 of 4, with the rate in 1 of 4, with the unit of analysis in 1 of 4 cases" in words
    figure = figure_of(made, "signs_x_b_a")
    assert figure.data["sign"].value_counts().to_dict() == {"b higher": 5, "b higher, p < 0.05": 2, "a higher": 1}


def test_tiles_have_the_sign_of_the_table(tables: data.Tables, whole: report_page.Page) -> None:
    frame = tables.sensitivity["responder"]
    figure = figure_of(whole, "signs_responder_yes_no")
    source = frame[frame["group_2"].notna()].set_index(["rate", "method", "detection", "depth"])
    tiles = drawn(figure)
    assert {row["rate"] for row in tiles} <= set(frame["rate"]) - {"baseline_recovery"}
    for row in tiles:
        depth = "as_sequenced" if row["depth"] == "as sequenced" else f"thinned_{row['depth_fraction']:g}"
        found = source.loc[[(row["rate"], row["method"], row["detection"], depth)]].iloc[0]
        assert row["effect"] == (None if pd.isna(found["effect"]) else found["effect"])
        if pd.isna(found["direction"]):
            assert row["sign"] == "not testable"
        elif found["direction"] == "equal":
            assert row["sign"] == "no difference"
        else:
            side = "responder" if found["direction"] == "yes > no" else "non-responder"
            assert row["sign"] == f"{side} higher" + (", p < 0.05" if found["p_value"] < 0.05 else "")
    effects = figure_of(whole, "sensitivity_responder_yes_no").data
    assert effects["depth_fraction"].isna().all()


def test_rates_that_are_nowhere_testable_are_named_and_not_drawn(tables: data.Tables) -> None:
    rows = [
        ("depletion_rate", "subject_permutation", 0.0, float("nan"), 0.1, 0.2),
        ("engraftment_rate", "subject_permutation", 0.0, float("nan"), float("nan"), 0.2),
    ]
    made = page_of(tables, sensitivity={"x": grid(rows)})
    figure = figure_of(made, "signs_x_b_a")
    assert set(figure.data["rate"]) == {"depletion_rate"}
    assert "Nowhere testable, and not drawn: engraftment rate." in figure.caption
    assert "could not be tested in any analysis (engraftment rate)" in words_of(section_of(made, "sensitivity"))


def test_rates_without_groups_are_drawn_over_thresholds(trial: Trial, tables: data.Tables) -> None:
    target = trial.folder / "alone.tsv"
    options = ["--thresholds", "0", "--depths", "0.5", "--repeats", "1", "-o", str(target)]
    profile = ["--profile", str(trial.results / "profiles" / "merged.tsv")]
    assert main(["--quiet", "sensitivity", *profile, *trial.study, *options]) == 0
    paths = data.Inputs(sensitivity=(str(target),))
    read = data.read(paths, *(trial.folder / f"{name}.tsv" for name in ("samples", "subjects", "doses")))
    assert set(read.sensitivity) == {""}
    figure = figure_of(build(read), "sensitivity_all")
    source = read.sensitivity[""]
    assert sorted(figure.data["mean_1"]) == sorted(source["mean_1"].dropna())


# ---------------------------------------------------------------- shares, limits


def test_shares_are_those_of_the_table_and_sum_to_one(tables: data.Tables, whole: report_page.Page) -> None:
    bars = share_bars(tables.decomposition, people(tables))
    assert set(bars["outcome"]) <= set(OUTCOME_NAMES)
    for row in tables.decomposition.itertuples():
        part = bars[bars["sample"] == row.sample].set_index("outcome")
        if pd.isna(row.post_engrafted):
            assert "engrafted" not in part.index
            continue
        assert part["signed"].clip(lower=0).sum() == pytest.approx(1)
        assert part.loc["shared_kept", "share"] == row.post_shared
        assert -part["signed"].clip(upper=0).sum() == pytest.approx(row.baseline_lost)
    figure = figure_of(whole, "decomposition")
    assert len(figure.data) == len(bars)
    assert tables_of(whole)["decomposition"].data.equals(tables.decomposition)


def test_limits_are_drawn_by_time_point_and_group(tables: data.Tables, whole: report_page.Page) -> None:
    figure = figure_of(whole, "limits")
    source = tables.limits.set_index("sample")["limit"]
    assert figure.data.set_index("sample")["limit"].to_dict() == source.to_dict()
    times = figure.data.set_index("sample")["time"]
    assert times["d0.1"] == "donors"
    assert times[["s0.0", "s0.7"]].tolist() == ["before", "baseline"]
    assert times["s1.14"].startswith("day")


def test_differences_in_depth_are_told(tables: data.Tables) -> None:
    limits = tables.limits.assign(unit=1e-6, limit=3e-6)
    posts = limits["sample"].isin(tables.rates["sample"])
    limits.loc[posts, ["unit", "limit"]] *= 10
    words = words_of(section_of(page_of(tables, limits=limits), "limits"))
    assert "Baselines are 10.0 times deeper than post samples" in words
    same = words_of(section_of(page_of(tables, limits=limits.assign(unit=1e-6)), "limits"))
    assert "do not differ in depth" in same


def test_unsure_calls_are_counted(tables: data.Tables, whole: report_page.Page) -> None:
    calls = tables.outcomes["certainty"].dropna()
    unsure = int((calls == "below_limit").sum())
    assert f"{unsure} of {len(calls)} outcomes" in words_of(section_of(whole, "limits"))


def test_bounds_stand_beside_the_rates(tables: data.Tables, whole: report_page.Page) -> None:
    figure = figure_of(whole, "rates")
    rates = tables.rates.set_index("sample")
    for row in figure.data.itertuples():
        assert (row.low, row.high) == (
            rates.loc[row.sample, f"{row.rate}_low"],
            rates.loc[row.sample, f"{row.rate}_high"],
        )
        assert row.low <= row.value <= row.high
    row = tables.rates.dropna(subset=["depletion_rate"]).iloc[0]
    block = tables_of(whole)["rates_by_sample"]
    place = [heading.name for heading in block.headings].index("depletion rate")
    cell = next(cells for cells in block.rows if row["sample"] in [cell.text for cell in cells])[place]
    assert cell.sub.split("\n")[1] == span(row["depletion_rate_low"], row["depletion_rate_high"])
    without = tables.rates.drop(columns=[name for name in tables.rates if name.endswith(("_low", "_high"))])
    plain = figure_of(page_of(tables, rates=without), "rates")
    assert not {"low", "high"} & set(plain.data)


# ---------------------------------------------------------------- single taxa


@pytest.mark.parametrize("by", COLUMNS)
def test_every_taxon_that_could_is_in_the_table(tables: data.Tables, whole: report_page.Page, by: str) -> None:
    frame = tables.taxa[by]
    block = tables_of(whole)[f"taxa_{by}"]
    compared = frame.loc[frame["quantity"] == "engraftment", "p_value"].notna().any()
    shown = ["loss", "engraftment", *([] if compared else ["arrival"])]
    expected = frame[frame["quantity"].isin(shown) & (frame["n_event"] > 0)]
    assert len(block.rows) == len(expected) > 0
    assert set(frame["quantity"]) == set(QUANTITIES)
    assert len(block.data) == len(frame)
    names = label_taxa(expected["taxon"], tables.lineages)["name"]
    key = ["taxon", "what"]
    listed = pd.DataFrame({name: column(block, name) for name in (*key, "difference", "p", "smallest p", "q", "note")})
    source = pd.DataFrame(
        {
            "taxon": names,
            "what": expected["quantity"],
            "difference": expected["effect"].map(signed),
            "p": expected["p_value"].map(p_text),
            "smallest p": expected["p_floor"].map(p_text),
            "q": expected["q_value"].map(p_text),
            "note": expected["note"].map(brief),
        }
    )
    pd.testing.assert_frame_equal(
        listed.sort_values(key).reset_index(drop=True), source.sort_values(key).reset_index(drop=True)
    )


def test_the_most_lost_taxa_are_drawn_by_group(tables: data.Tables, whole: report_page.Page) -> None:
    frame = tables.taxa["responder"]
    figure = next(figure for figure in whole.figures if figure.key == "taxa_loss_responder")
    lost = frame[(frame["quantity"] == "loss") & (frame["n_event"] > 0)]
    most = lost["n_event"].sort_values(ascending=False).head(20)
    assert figure.data["taxon"].nunique() == len(most)
    shown = lost.set_index("taxon").loc[figure.data["taxon"].unique(), "n_event"]
    assert sorted(shown) == sorted(most)
    for row in figure.data.itertuples():
        end = {"non-responder": "1", "responder": "2"}[row.group]
        source = lost[lost["taxon"] == row.taxon].iloc[0]
        assert (row.n_event, row.n_at_risk) == (source[f"n_event_{end}"], source[f"n_at_risk_{end}"])
        np.testing.assert_equal([row.rate, row.ci_low], [source[f"rate_{end}"], source[f"rate_{end}_ci_low"]])


def test_what_the_table_of_taxa_says_is_told(tables: data.Tables, whole: report_page.Page) -> None:
    words = words_of(section_of(whole, "taxa")).lower()
    for by in COLUMNS:
        for line in tables.comments["taxa", by]:
            assert line.lower() in words


def test_retention_is_that_of_the_table(tables: data.Tables, whole: report_page.Page) -> None:
    frame = tables.retention["responder"]
    source = frame[(frame["level"] == "all") & (frame["group"] != "all") & frame["retention"].notna()]
    figure = figure_of(whole, "retention_responder")
    assert figure.data["retention"].tolist() == source["retention"].tolist()
    assert set(figure.data["group"]) == {"responder", "non-responder"}
    single = figure_of(whole, "retention_taxa_responder").data
    taxon = frame[frame["level"] == "taxon"].set_index(["taxon", "visit", "group"])["retention"]
    names = {"responder": "yes", "non-responder": "no"}
    for row in single.itertuples():
        assert row.retention == taxon[row.taxon, row.visit, names[row.group]]


def test_changes_of_everybody_are_listed_once(tables: data.Tables, whole: report_page.Page) -> None:
    blocks = tables_of(whole)
    first, *others = [name for name in blocks if name.startswith("changes_")]
    assert "all" in column(blocks[first], "group")
    assert all("all" not in column(blocks[name], "group") for name in others)
    by = first.removeprefix("changes_")
    frame = tables.changes[by]
    known = frame[(frame["n_had"] > 0) | (frame["n_has"] > 0) | (frame["n_both"] > 0)]
    assert sorted(column(blocks[first], "p presence")) == sorted(p_text(value) for value in known["presence_p_value"])


# ---------------------------------------------------------------- long tables


def test_a_long_table_is_whole_in_the_page(whole: report_page.Page) -> None:
    paged = [block for block in tables_of(whole).values() if len(block.rows) > 100]
    assert paged
    html = report_page.render(report_page.Page("", [Section("s", "", (), paged)], (), ()))
    for block in paged:
        start = html.index(f'id="rows-{block.key}">') + len(f'id="rows-{block.key}">')
        packed = base64.b64decode(html[start : html.index("</script>", start)])
        assert json.loads(gzip.decompress(packed)) == block.cells
        assert len(block.cells) == len(block.rows)


def test_cells_are_packed_with_what_they_are_sorted_by() -> None:
    block = TableBlock("t", "", "", [Heading("a")], [[Cell("x")], [Cell("1.0", "of 2", "1", numeric=True)]])
    assert block.cells == [["x"], [["1.0", "1", "of 2"]]]


# ---------------------------------------------------------------- words


@given(st.lists(st.text("ab ([,", min_size=1).map(str.strip).filter(bool), max_size=5))
def test_notes_are_split_where_they_were_joined(parts: list[str]) -> None:
    closed = [part + ")" * part.count("(") + "]" * part.count("[") for part in parts]
    assert statements("; ".join(closed)) == closed


def test_brackets_hold_a_note_together() -> None:
    note = "not testable: x (no: D2; yes: D1); conditional on these 2 donors"
    assert statements(note) == ["not testable: x (no: D2; yes: D1)", "conditional on these 2 donors"]
    assert statements(None) == []
    assert brief(note).startswith("x (no")
    assert brief(None) == ""


def test_statements_name_whom_they_are_about() -> None:
    frame = pd.DataFrame({"note": ["all; one", "all", "all; two", "all; two; three"]})
    rates, ways = ["a", "a", "b", "b"], ["s", "p", "s", "p"]
    assert told(frame, rates, ways) == ["All.", "One (a: s).", "Two (b).", "Three (b: p)."]
    frame = pd.DataFrame({"note": ["x", "", "", "x"]})
    assert told(frame, rates, ways) == ["X (a, s; b, p)."]


def test_numbers_for_reading() -> None:
    assert [p_text(v) for v in (0.5, 0.0312, 0.0004, 1.2e-7, 1.0, float("nan"))] == [
        "0.500",
        "0.031",
        "0.0004",
        "1e-07",
        "1.00",
        "–",
    ]
    assert [signed(v) for v in (0.126, -0.126, -0.001, None)] == ["0.13", "−0.13", "0.00", "–"]
    assert span(-0.1, 0.25) == "−0.10 to 0.25"
    assert span(0.1, float("nan")) == "–"
    assert below(float("nan"), 1) == ""


def test_groups_have_one_name_and_one_colour(tables: data.Tables) -> None:
    subjects = people(tables)
    arms = arm_scheme(subjects)
    assert arms is not None
    assert group_colours("arm", ["placebo", ARM], subjects) == {name: arms.colours[name] for name in ("placebo", ARM)}
    assert list(group_colours("responder", ["no", "yes"], subjects)) == ["non-responder", "responder"]
    assert len(set(group_colours("centre", ["yes", "no", "x"], subjects).values())) == 3
    assert (group_title("responder", "yes"), group_title("remission", "yes")) == ("responder", "yes")
    assert (group_noun("responder", "no"), group_noun("arm", "fmt")) == ("non-responders", "subjects of arm fmt")
    assert effect_title("responder", "no", "yes") == "responder − non-responder"
    assert (column_title("responder"), column_title("irae_grade")) == ("response", "irAE grade")


def test_methods_tell_only_what_was_done(tables: data.Tables) -> None:
    words = " ".join(methods(tables, "1"))
    for piece in ("[@bh]", "[@welch]", "[@lod]", "[@mcnemar]", "[@clopper_pearson]", "[@mixed_model]", "[@wilcoxon]"):
        assert piece in words, piece
    bare = " ".join(
        methods(dataclasses.replace(tables, compare={}, taxa={}, changes={}, retention={}, nulls=None), "1")
    )
    for piece in ("[@bh]", "[@welch]", "[@mcnemar]", "[@clopper_pearson]", "Against chance"):
        assert piece not in bare, piece
    exact = tables.compare["responder"].assign(scheme="exact", permutations=126)
    words = " ".join(methods(dataclasses.replace(tables, compare={"responder": exact}), "1"))
    assert "all 126 arrangements" in words
    assert "logit of the rate" in words
    without = exact[exact["method"] != "mixed_model"]
    assert "logit of the rate" not in " ".join(
        methods(dataclasses.replace(tables, compare={"responder": without}), "1")
    )


# ---------------------------------------------------------------- published trials


@pytest.mark.real
def test_a_published_trial_shows_what_its_sign_hangs_on(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "baruch2021"
    study = [
        word for table in ("samples", "subjects", "doses") for word in (f"--{table}", str(source / f"{table}.tsv"))
    ]
    profile = ["--profile", str(source / "profiles.tsv.gz")]
    grid_options = ["--thresholds", "0", "1e-4", "1e-3", "--depths", "--permutations", "199", "--by", "responder"]
    target = tmp_path / "sensitivity.tsv"
    assert main(["--quiet", "sensitivity", *profile, *study, *grid_options, "-o", str(target)]) == 0
    paths = [source / f"{name}.tsv" for name in ("samples", "subjects", "doses")]
    tables = data.read(data.Inputs(sensitivity=(str(target),)), *paths)
    figure = figure_of(build(tables), "signs_responder_yes_no")
    signs = figure.data[figure.data["rate"].isin(["depletion_rate", "lost_taxa"])]["sign"].str.split(" ").str[0]
    assert {"responder", "non-responder"} <= set(signs)
    assert (figure.subjects, figure.samples) == (10, 30)
    with pytest.raises(InputError):
        data.read(data.Inputs(sensitivity=(str(target), str(target))), *paths)


def test_a_panel_without_any_effect_keeps_its_place() -> None:
    # The mixed model of lost_taxa has no effect at all: its panel must not be taken by the next one.
    rows = [
        ("depletion_rate", "subject_permutation", 0.0, float("nan"), 0.1, 0.01),
        ("depletion_rate", "mixed_model", 0.0, float("nan"), 0.2, 0.9),
        ("lost_taxa", "subject_permutation", 0.0, float("nan"), -0.3, 0.9),
        ("lost_taxa", "mixed_model", 0.0, float("nan"), float("nan"), float("nan")),
    ]
    frame = hangs_on(grid(rows)).assign(higher="a", sign="")
    chart = sensitivity_figures.over_thresholds(
        frame, {"a": "#000000", "b": "#ffffff"}, {"subject_permutation": "per subject", "mixed_model": "mixed model"}
    )
    spec = chart if isinstance(chart, dict) else chart.to_dict()
    (values,) = spec["datasets"].values()
    seen = {(row["rows"], row["analysis"]): row for row in values}
    assert len(seen) == 4
    assert [key for key, row in seen.items() if row["unseen"]] == [("lost taxa", "mixed model")]
