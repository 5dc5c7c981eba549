"""One row per donor: counts on paper, shrinkage against its formula and lme4, and what cannot be told is said."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaln

from microbiome.cli import main
from microbiome.donors import donors, shrink_means, shrink_proportions, taxon_lists
from microbiome.donors.tables import DONOR_SPREAD, DONOR_TAXA, DONORS
from microbiome.errors import InputError
from microbiome.study import Study
from microbiome.tsv import read_table, write_table

# ---- shrinkage


@pytest.mark.parametrize("case", ["spread", "little", "two", "none"])
def test_means_are_those_of_lme4(golden: Path, case: str) -> None:
    table = pd.read_csv(golden / "donors_blup.tsv", sep="\t", comment="#").query("case == @case")
    first = table.drop_duplicates("donor").set_index("donor")
    found, spread = shrink_means(table["value"], table["donor"], first.index)
    assert found.estimate == pytest.approx(first["blup"].to_numpy(), abs=1e-5)
    assert spread.mean == pytest.approx(first["fixed"].iloc[0], abs=1e-5)
    assert spread.between_sd == pytest.approx(first["tau"].iloc[0], abs=1e-5)
    # The formulas of the prediction and of its error, from lme4's variances.
    tau2, sigma2 = first["tau"].iloc[0] ** 2, first["sigma"].iloc[0] ** 2
    size = table.groupby("donor").size()[first.index].to_numpy()
    v = sigma2 / size
    weight = tau2 / (tau2 + v)
    assert found.weight == pytest.approx(weight, abs=1e-4)
    # With the variance between donors known the error would be this; it is not, and the interval no narrower.
    error = np.sqrt(weight * v + (1 - weight) ** 2 / (1 / (tau2 + v)).sum())
    known = 2 * stats.t.ppf(0.975, len(table) - len(first)) * error
    assert (found.high - found.low > 0.95 * known).all()
    if case == "none":
        assert "no more than chance" in found.note
        assert np.ptp(found.estimate) < 1e-9


def test_proportions_are_of_largest_likelihood_and_the_posterior_mean() -> None:
    x, n = np.array([1, 9, 4, 12, 2]), np.array([10, 12, 9, 14, 11])
    found, spread = shrink_proportions(x, n)

    def likelihood(mu: float, m: float) -> float:
        return float((betaln(m * mu + x, m * (1 - mu) + n - x) - betaln(m * mu, m * (1 - mu))).sum())

    mus, ms = np.linspace(0.2, 0.8, 241), np.exp(np.linspace(0, 6, 241))
    grid = np.array([[likelihood(mu, m) for m in ms] for mu in mus])
    i, j = np.unravel_index(grid.argmax(), grid.shape)
    assert spread.mean == pytest.approx(mus[i], abs=0.005)
    m = (n * (1 - found.weight) / found.weight)[0]
    assert math.log(m) == pytest.approx(math.log(ms[j]), abs=0.05)
    mu = spread.mean
    assert found.estimate == pytest.approx((m * mu + x) / (m + n))
    assert spread.between_sd == pytest.approx(math.sqrt(mu * (1 - mu) / (m + 1)))
    # The interval is wider than that of the posterior with known mean, and holds it.
    low, high = (stats.beta.ppf(p, m * mu + x, m * (1 - mu) + n - x) for p in (0.025, 0.975))
    assert (found.high - found.low > 0.95 * (high - low)).all()
    assert spread.statistic == pytest.approx(stats.chi2_contingency([x, n - x], correction=False).statistic)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=2, max_size=6))
def test_shrunken_proportions_lie_between_their_own_and_the_mean(pairs: list[tuple[int, int]]) -> None:
    x, n = (np.array([f(pair) for pair in pairs]) for f in (min, max))
    found, spread = shrink_proportions(x, n)
    if (n > 0).sum() < 2:
        assert np.isnan(found.estimate).all()
        assert found.note.startswith("not shrunk")
        return
    raw = np.where(n > 0, x / np.maximum(n, 1), spread.mean)
    assert (found.estimate >= np.minimum(raw, spread.mean) - 1e-9).all()
    assert (found.estimate <= np.maximum(raw, spread.mean) + 1e-9).all()
    assert ((found.low >= 0) & (found.low <= found.estimate + 1e-9) & (found.high >= found.estimate - 1e-9)).all()
    assert (found.high <= 1).all()
    assert ((found.high - found.low) > 0).all()
    again, _ = shrink_proportions(n - x, n)
    assert again.estimate == pytest.approx(1 - found.estimate, abs=1e-4)


def test_donors_that_do_not_differ_are_drawn_to_the_pooled_proportion() -> None:
    found, spread = shrink_proportions([3, 3, 3], [10, 10, 10])
    assert found.estimate == pytest.approx(0.3)
    assert spread.between_sd == 0
    assert "no more than chance" in found.note
    none, spread = shrink_proportions([0, 0], [5, 7])
    exact = stats.binomtest(0, 12).proportion_ci(method="exact")
    assert (spread.low, spread.high) == pytest.approx((exact.low, exact.high))
    assert (none.estimate == 0).all()
    assert (none.high > 0.1).all()


def test_what_cannot_be_shrunk_says_why() -> None:
    assert "one donor" in shrink_proportions([2], [5])[0].note
    assert "no donor has" in shrink_proportions([0, 0], [0, 0])[0].note
    found, spread = shrink_means([0.2, 0.4, 0.5], ["a", "b", "c"], ["a", "b", "c"])
    assert "no donor has two recipients who differ" in found.note
    assert spread.note.startswith("not testable")
    assert "one donor" in shrink_means([0.2, 0.4], ["a", "a"], ["a", "b"])[1].note
    with pytest.raises(ValueError, match="0 <= events <= n"):
        shrink_proportions([3], [2])


def test_shrunken_estimates_are_nearer_to_the_truth_and_their_intervals_hold_it() -> None:
    rng = np.random.default_rng(3)
    raw_error, error, held = [], [], []
    for _ in range(40):
        truth = np.clip(rng.normal(0.4, 0.08, 15), 0.02, 0.98)
        label = np.repeat(np.arange(15), rng.integers(1, 6, 15))
        value = np.clip(rng.normal(truth[label], 0.12), 0, 1)
        found, _ = shrink_means(value, label, np.arange(15))
        raw = pd.Series(value).groupby(label).mean().to_numpy()
        raw_error.append(((raw - truth) ** 2).mean())
        error.append(((found.estimate - truth) ** 2).mean())
        held.append(((found.low <= truth) & (truth <= found.high)).mean())
    assert np.mean(error) < 0.8 * np.mean(raw_error)
    assert 0.9 < np.mean(held) < 0.99


def test_intervals_of_shrunken_proportions_hold_the_truth() -> None:
    rng = np.random.default_rng(4)
    held = []
    for _ in range(40):
        truth = rng.beta(4, 6, 15)
        n = rng.integers(1, 9, 15)
        found, _ = shrink_proportions(rng.binomial(n, truth), n)
        held.append(((found.low <= truth) & (truth <= found.high)).mean())
    assert 0.92 < np.mean(held) < 0.99


# ---- the table


def trial() -> tuple[pd.DataFrame, Study]:
    """Return four recipients: two of donor A, one of B, one of both; donor C has no profile and no recipient."""
    samples = pd.DataFrame(
        [
            ("A1", "A", "donor", None),
            ("A2", "A", "donor", None),
            ("B1", "B", "donor", None),
            ("C1", "C", "donor", None),
            *((f"{s}_{d}", s, "recipient", d) for s in ("r1", "r2", "r3", "r4") for d in (0, 28)),
        ],
        columns=["sample", "subject", "role", "day"],
    ).astype({"day": "Int64"})
    doses = pd.DataFrame(
        [("r1", 0, "A", None), ("r2", 0, "A", None), ("r3", 0, "B", None), ("r4", 0, "A", None), ("r4", 7, "B", None)],
        columns=["subject", "day", "donor", "donor_sample"],
    )
    subjects = pd.DataFrame(
        {
            "subject": ["r1", "r2", "r3", "r4"],
            "best_response": ["CR", "PD", "SD", "NE"],
            "irae_grade": pd.array([3, 1, None, 4], dtype="Int64"),
        }
    )
    taxa = ["t__SGB1626", "t__SGB4037_group", "t__SGB9226", "t__SGB7"]
    rows = {
        "A1": [0.5, 0, 0.1, 0.4],
        "A2": [0.3, 0, 0.0, 0.7],
        "B1": [0, 0, 1.0, 0],
        "r1_0": [0, 0.5, 0, 0.5],
        "r1_28": [0.5, 0, 0, 0.5],
        "r2_0": [0, 0.5, 0, 0.5],
        "r2_28": [0, 0.5, 0.5, 0],
        "r3_0": [0, 0.5, 0, 0.5],
        "r3_28": [0, 0.5, 0, 0.5],
        "r4_0": [0, 0.5, 0, 0.5],
        "r4_28": [0.5, 0, 0.5, 0],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=taxa), Study(samples, subjects, doses)


def test_counts_and_rates_on_paper() -> None:
    abundance, study = trial()
    table, spread, taxa = donors(abundance, study)
    assert list(table) == DONORS.names
    assert list(spread) == DONOR_SPREAD.names
    assert list(taxa) == DONOR_TAXA.names
    a, b, c = (table.set_index("donor").loc[name] for name in "ABC")
    assert (a["n_samples"], a["n_profiled"], a["richness"]) == (2, 2, 2.5)
    shannon = [-sum(p * math.log(p) for p in row if p) for row in ([0.5, 0.1, 0.4], [0.3, 0.7])]
    assert a["shannon"] == pytest.approx(np.mean(shannon))
    # S. copri is of concern, A. muciniphila of benefit; C. innocuum is in no donor.
    assert (a["concern_taxa"], a["concern_names"], a["concern_abundance"]) == (1, "Segatella copri", 0.4)
    assert (b["concern_taxa"], b["concern_names"], b["benefit_abundance"]) == (0, None, 1.0)
    assert (a["n_recipients"], a["n_sole"], a["n_shared"]) == (3, 2, 1)
    assert (b["n_recipients"], b["n_sole"], b["n_shared"]) == (2, 1, 1)
    assert (a["n_evaluable"], a["n_responders"], a["response_rate"]) == (2, 1, 0.5)
    exact = stats.binomtest(1, 2).proportion_ci(method="exact")
    assert (a["response_rate_ci_low"], a["response_rate_ci_high"]) == pytest.approx((exact.low, exact.high))
    assert (a["n_toxicity_known"], a["n_toxicity"]) == (3, 2)
    assert (b["n_toxicity_known"], b["n_toxicity"]) == (1, 1)
    # A gave two new taxa: r1 took one of two, r2 one of two, r4 both of two.
    assert a["engraftment_rate"] == pytest.approx(np.mean([0.5, 0.5, 1.0]))
    assert b["engraftment_rate"] == pytest.approx(np.mean([0.0, 1.0]))
    assert a["depletion_rate"] == pytest.approx(np.mean([0.5, 0.5, 1.0]))
    assert "1 of 3 recipients received other donors" in a["note"]
    assert "one recipient" in b["response_rate_note"]
    assert c["note"] == "no sample has a profile; nobody received it"
    assert math.isnan(c["richness"])
    assert c["n_recipients"] == 0
    row = spread.set_index("quantity").loc["engraftment_rate"]
    assert (row["n_donors"], row["n_subjects"], row["permutations"]) == (2, 4, 3)
    assert "1 recipients of several donors" in row["note"]
    assert "visits that all have: day 28" in row["note"]


def test_listed_taxa_of_every_donor_have_their_rows() -> None:
    abundance, study = trial()
    taxa = donors(abundance, study).taxa
    assert len(taxa) == 3 * len(taxon_lists())
    copri = taxa[taxa["asked"] == "Segatella copri"].set_index("donor")
    assert copri.loc["A", ["abundance", "prevalence", "taxon"]].tolist() == [0.4, 1.0, "t__SGB1626"]
    assert copri.loc["B", ["abundance", "prevalence"]].tolist() == [0.0, 0.0]
    assert copri.loc["C", "note"] == "the donor has no profile"
    assert taxa.loc[taxa["how"] == "not_found", "note"].str.contains("no row of the profile").all()


def test_a_taxon_counts_once_and_given_diversity_is_used(tmp_path: Path) -> None:
    abundance, study = trial()
    path = tmp_path / "list.tsv"
    path.write_text("list\ttaxon\treason\tsource\nconcern\tSGB1626\t\t\nconcern\tPrevotella copri\t\t\n")
    alpha = pd.DataFrame({"sample": ["A1", "A2"], "richness": [7, 9], "shannon": [1.0, 3.0]})
    table, _, taxa = donors(abundance, study, taxon_lists(path), alpha_table=alpha)
    row = table.set_index("donor").loc["A"]
    assert (row["concern_taxa"], row["concern_abundance"]) == (1, 0.4)
    assert (row["richness"], row["shannon"]) == (8, 2)
    assert len(taxa[taxa["donor"] == "A"]) == 2
    with pytest.raises(InputError, match="column 'shannon' is missing"):
        donors(abundance, study, alpha_table=alpha[["sample", "richness"]])


def test_one_donor_has_no_spread_and_says_so() -> None:
    abundance, study = trial()
    keep = study.doses["subject"].isin(["r1", "r2"])
    table, spread, _ = donors(abundance, Study(study.samples, study.subjects, study.doses[keep]))
    assert spread["note"].str.startswith("not testable: one donor has recipients that tell").all()
    assert spread["p_value"].isna().all()
    assert table["engraftment_rate_note"].str.contains("not shrunk: one donor").all()
    assert np.isfinite(table.loc[0, "response_rate_ci_low"])


def test_bad_input() -> None:
    abundance, study = trial()
    nobody = study.samples[study.samples["role"] != "donor"]
    with pytest.raises(InputError, match="no dose names a donor"):
        donors(abundance, Study(nobody, study.subjects, study.doses.iloc[:0]))
    with pytest.raises(InputError, match="detection"):
        donors(abundance, study, detection=2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("list\ttaxon\treason\tsource\nworry\tE coli\t\t\n", "worry"),
        ("list\ttaxon\treason\tsource\nconcern\tE coli\t\t\nconcern\tE_coli\t\t\n", "already, in line 2"),
        ("list\ttaxon\treason\tsource\nconcern\t[]\t\t\n", "no name is left"),
        ("list\ttaxon\treason\tsource\n", "has no taxon"),
        ("taxon\nE coli\n", "list"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "list.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        taxon_lists(path)


def written(folder: Path) -> list[str]:
    abundance, study = trial()
    for name, frame in (("samples", study.samples), ("subjects", study.subjects), ("doses", study.doses)):
        write_table(frame, folder / f"{name}.tsv")
    write_table(abundance.T.rename_axis("taxon").reset_index(), folder / "profile.tsv")
    named = [[f"--{name}", str(folder / f"{name}.tsv")] for name in ("samples", "subjects", "doses", "profile")]
    return [word for pair in named for word in pair]


def test_the_command_writes_declared_tables(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("donors.tsv", "spread.tsv", "taxa.tsv")]
    arguments = [*written(tmp_path), "-o", files[0], "--spread", files[1], "--taxa", files[2]]
    assert main(["donors", *arguments]) == 0
    for file, table, size in zip(files, (DONORS, DONOR_SPREAD, DONOR_TAXA), (3, 4, 63), strict=True):
        assert len(read_table(file, table)) == size
    outcomes, rates, again = (str(tmp_path / name) for name in ("outcomes.tsv", "rates.tsv", "again.tsv"))
    given_tables = ["--profile", "--samples", "--doses"]
    words = [word for name in given_tables for word in (name, str(tmp_path / f"{name.removeprefix('--')}.tsv"))]
    assert main(["outcomes", *words, "-o", outcomes]) == 0
    assert main(["rates", "--outcomes", outcomes, "-o", rates]) == 0
    for option, path in (("--outcomes", outcomes), ("--rates", rates)):
        assert main(["donors", *written(tmp_path), option, path, "-o", again]) == 0
        assert Path(again).read_text() == Path(files[0]).read_text()


def test_all_problems_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = written(tmp_path)
    words[words.index("--samples") + 1] = str(tmp_path / "nothing.tsv")
    assert main(["donors", *words, "--list", str(tmp_path / "no_list.tsv"), "-o", str(tmp_path / "out.tsv")]) == 2
    told = capsys.readouterr().err
    assert "nothing.tsv" in told
    assert "no_list.tsv" in told
    assert not (tmp_path / "out.tsv").exists()


@pytest.mark.real
def test_published_trials(real_data: Path) -> None:
    from microbiome.metaphlan import read_abundance
    from microbiome.study import read_study
    from microbiome.taxa.lineage import read_lineage

    def of(name: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        folder = real_data / name
        study = read_study(folder / "samples.tsv", folder / "subjects.tsv", folder / "doses.tsv")
        files = [folder / "profiles.tsv.gz"]
        return donors(read_abundance(files), study, lineage=read_lineage(files))

    table, spread, _ = of("baruch2021")
    rows = table.set_index("donor")
    assert rows.loc[["Donor1", "Donor2"], "n_sole"].tolist() == [5, 5]
    assert rows.loc[["Donor1", "Donor2"], "n_responders"].tolist() == [3, 0]
    assert (rows["response_rate_shrunken"] - rows["response_rate"]).loc["Donor2"] > 0
    assert "Segatella copri" in rows.loc["Donor2", "concern_names"]
    assert "Clostridium innocuum" in rows.loc["Donor1", "concern_names"]
    response = spread.set_index("quantity").loc["response_rate"]
    assert response["p_value"] == pytest.approx(stats.fisher_exact([[3, 2], [0, 5]]).pvalue)
    table, spread, _ = of("ucfmt1")
    assert table["n_recipients"].tolist() == [12]
    assert spread["note"].str.startswith("not testable").all()
