"""The design of a simulated trial: who gives which stool to whom and when, how deep, and how the patients fare."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.simulate.parameters import Parameters, stream

__all__ = ["depths", "doses_table", "samples_table", "subjects_table"]

_COLUMNS = ["sample", "subject", "role", "day"]
# Grades 0 to 4 of the worst immune-related adverse event under checkpoint inhibitors, roughly as trials report them.
_GRADES = (0.35, 0.2, 0.25, 0.15, 0.05)
_MOST_FOREIGN = 0.95


def samples_table(parameters: Parameters) -> pd.DataFrame:
    """Return the samples table of the contract.

    Donors ``D01...`` give samples ``D01-1...`` (no day). Recipients ``R01...`` give ``R01-T0, R01-T1, ...`` on the
    planned days, shifted by up to ``day_jitter`` days. The last recipient was screened before: ``-S``, 21 days before
    the first planned visit. With ``shallow_sample`` the first recipient gives one more sample 28 days after the last
    visit. Visits after a drop-out have no row.
    """
    rng = stream(parameters.seed, "days")
    rows: list[tuple[str, str, str, int | None]] = [
        (f"{donor}-{lot + 1}", donor, "donor", None)
        for donor in _names("D", parameters.donors)
        for lot in range(parameters.donor_samples)
    ]
    recipients = _names("R", parameters.recipients)
    for subject in recipients:
        shifts = rng.integers(-parameters.day_jitter, parameters.day_jitter, len(parameters.days), endpoint=True)
        days = _shift_days(parameters.days, shifts.tolist())
        visits = list(enumerate(days))[: _last_visit(parameters, subject, days)]
        if subject == recipients[-1]:
            rows.append((f"{subject}-S", subject, "recipient", min(days) - 21))
        rows += [(f"{subject}-T{visit}", subject, "recipient", day) for visit, day in visits]
        if subject == recipients[0] and parameters.shallow_sample:
            rows.append((f"{subject}-T{len(days)}", subject, "recipient", days[-1] + 28))
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    return frame.astype({"day": "Int64"})


def doses_table(parameters: Parameters) -> pd.DataFrame:
    """Return the doses table of the contract.

    The recipients after the first ``recipients - placebo`` receive nothing. A treated recipient gets one lot of a
    donor on day 0 (donors in turn, or drawn by ``donor_weights``); every third one a second dose of the donor's next
    lot on day 7; every fourth one a product of all lots of the donor (``donor_sample`` empty); and, where there are
    two donors and two post samples, the last treated one a dose of another donor after the first post sample.
    """
    rng = stream(parameters.seed, "donors")
    donors = _names("D", parameters.donors)
    lots = parameters.donor_samples
    treated = _names("R", parameters.recipients)[: parameters.recipients - parameters.placebo]
    post_days = [day for day in parameters.days if day > 0]
    rows: list[tuple[str, int, str, str | None]] = []
    for i, subject in enumerate(treated):
        which = i % parameters.donors
        if parameters.donor_weights:
            weights = np.array(parameters.donor_weights)
            which = int(rng.choice(parameters.donors, p=weights / weights.sum()))
        donor = donors[which]
        lot = (i // parameters.donors) % lots
        pooled = i % 4 == 3
        rows.append((subject, 0, donor, None if pooled else f"{donor}-{lot + 1}"))
        if i % 3 == 1 and not pooled:
            rows.append((subject, 7, donor, f"{donor}-{(lot + 1) % lots + 1}"))
        if i == len(treated) - 1 and parameters.donors > 1 and len(post_days) > 1:
            other = donors[(which + 1) % parameters.donors]
            rows.append((subject, (post_days[0] + post_days[1]) // 2, other, f"{other}-{lot + 1}"))
    return pd.DataFrame(rows, columns=["subject", "day", "donor", "donor_sample"])


def subjects_table(parameters: Parameters) -> pd.DataFrame:
    """Return the subjects table of the contract, with the covariates ``age`` and ``sex``.

    Response is drawn with ``response_rate``; progression-free survival is exponential with mean 420 days for
    responders and 150 for the others, death follows progression after an exponential time of mean 300 days, but comes
    after the last visit that is planned, and both are censored at day 720. Donors have no arm and no outcome.
    """
    rng = stream(parameters.seed, "subjects")
    rows: list[dict[str, object]] = []
    for donor in _names("D", parameters.donors):
        age, sex = int(rng.integers(20, 45)), str(rng.choice(["female", "male"]))
        rows.append({"subject": donor, "arm": None, "age": age, "sex": sex})
    for i, subject in enumerate(_names("R", parameters.recipients)):
        responder = bool(rng.random() < parameters.response_rate)
        best = rng.choice(["CR", "PR"], p=[0.3, 0.7]) if responder else rng.choice(["SD", "PD"])
        progression = rng.exponential(420 if responder else 150) + 20
        death = max(progression + rng.exponential(300), max(parameters.days) + parameters.day_jitter + 1)
        rows.append(
            {
                "subject": subject,
                "arm": "fmt" if i < parameters.recipients - parameters.placebo else "placebo",
                "best_response": str(best),
                "pfs_days": int(min(progression, 720)),
                "pfs_event": int(progression <= 720),
                "os_days": int(min(death, 720)),
                "os_event": int(death <= 720),
                "irae_grade": int(rng.choice(5, p=_GRADES)),
                "age": int(rng.integers(35, 80)),
                "sex": str(rng.choice(["female", "male"])),
            }
        )
    columns = [
        "subject",
        "arm",
        "best_response",
        "pfs_days",
        "pfs_event",
        "os_days",
        "os_event",
        "irae_grade",
        "age",
        "sex",
    ]
    integers = {name: "Int64" for name in columns if name.endswith(("_days", "_event", "_grade")) or name == "age"}
    return pd.DataFrame(rows, columns=columns).astype(integers)


def depths(parameters: Parameters, samples: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Return how each sample of the study is sequenced.

    Returns
    -------
    DataFrame
        Index ``sample``: ``layout`` (``single`` for the first post sample of the second recipient, else ``paired``),
        ``units`` (1; 2 for every fourth sample and 3 for every ninth), ``fragments`` (pairs; twice as many single
        reads, so that the reads are as many), ``host`` and ``junk`` (fractions of fragments, Beta distributed around
        their means, together 0.95 at most), ``reads`` (both mates).
    """
    rows = []
    single = _single(samples)
    recipients = samples[samples["role"] == "recipient"]
    shallow = recipients.loc[recipients["subject"] == recipients["subject"].iloc[0], "sample"].iloc[-1]
    post = _post_factors(parameters, subjects)
    for i, (sample, subject, day) in enumerate(samples[["sample", "subject", "day"]].itertuples(index=False)):
        rng = stream(parameters.seed, "depth", sample)
        factor = float(np.clip(np.exp(rng.normal(0, parameters.depth_sd)), 0.7, 1.5))
        if not pd.isna(day) and day > 0:
            factor *= post[subject]
        pairs = max(1, round(parameters.read_pairs * factor))
        units = 3 if i % 9 == 8 else 2 if i % 4 == 1 else 1
        if parameters.shallow_sample and sample == shallow:
            pairs, units = parameters.shallow_pairs, 1
        layout = "single" if sample == single else "paired"
        host, junk = _around(rng, parameters.host), _around(rng, parameters.junk)
        # However the two fall out, something is left of the SGBs.
        cut = min(1.0, _MOST_FOREIGN / (host + junk)) if host + junk else 1.0
        rows.append(
            {
                "sample": sample,
                "layout": layout,
                "units": 1 if layout == "single" else units,
                "fragments": pairs * (2 if layout == "single" else 1),
                "host": host * cut,
                "junk": junk * cut,
                "reads": 2 * pairs,
            }
        )
    return pd.DataFrame(rows).set_index("sample")


def _post_factors(parameters: Parameters, subjects: pd.DataFrame) -> dict[str, float]:
    """Return the factor on the depth of each subject's samples after day 0."""
    factors = {}
    for subject, arm, best in subjects[["subject", "arm", "best_response"]].itertuples(index=False):
        factors[subject] = parameters.post_depth
        if arm == "placebo":
            factors[subject] *= parameters.placebo_depth
        if best in ("SD", "PD"):
            factors[subject] *= parameters.nonresponder_depth
    return factors


def _last_visit(parameters: Parameters, subject: str, days: list[int]) -> int:
    """Return to how many of the planned visits a recipient comes."""
    first_post = sum(day <= 0 for day in days)
    if parameters.shallow_sample and subject == _names("R", parameters.recipients)[0]:
        return len(days)
    leaves = stream(parameters.seed, "dropout", subject).random(len(days) - first_post - 1) < parameters.dropout
    return first_post + 1 + (int(np.argmax(leaves)) if leaves.any() else len(leaves))


def _shift_days(planned: tuple[int, ...], shifts: list[int]) -> list[int]:
    """Move visits, but neither across day 0 nor past one another."""
    before: list[int] = []
    after: list[int] = []
    for day, shift in reversed([pair for pair in zip(planned, shifts, strict=True) if pair[0] <= 0]):
        before.insert(0, min(day + shift, before[0] - 1 if before else 0))
    for day, shift in [pair for pair in zip(planned, shifts, strict=True) if pair[0] > 0]:
        after.append(max(day + shift, after[-1] + 1 if after else 1))
    return before + after


def _single(samples: pd.DataFrame) -> str:
    """Pick the single-end sample: the first post sample of the second recipient, or of the only one."""
    post = samples[samples["role"].eq("recipient") & (samples["day"] > 0).fillna(False)]
    subjects = post["subject"].unique()
    return str(post.loc[post["subject"] == subjects[min(1, len(subjects) - 1)], "sample"].iloc[0])


def _around(rng: np.random.Generator, mean: float) -> float:
    """Draw a Beta variate of that mean, with the spread of 40 observations."""
    if mean in (0.0, 1.0):
        return mean
    return float(rng.beta(40 * mean, 40 * (1 - mean)))


def _names(prefix: str, number: int) -> list[str]:
    width = max(2, len(str(number)))
    return [f"{prefix}{i + 1:0{width}d}" for i in range(number)]
