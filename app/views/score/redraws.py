"""Scores of other random binarisations of the same image."""

from collections.abc import Hashable, Iterator

import streamlit as st

from app.parts import live, tables
from app.services.work import Bench, Task
from app.views.score.inputs import Given
from app.views.score.job import Job
from vae_core.scoring.redraws import DRAWS, Redraws, redraw_steps
from vae_core.wording.numbers import error_or_not_known, typeset


def section(given: Given, job: Job) -> None:
    """Draw the section. Its scores are computed when it is opened, for random binarisation only."""
    if not job.scorer.drawn:
        return
    fold = st.expander(
        "How much does the score depend on one draw?",
        icon=":material/casino:",
        key="score-draws",
        on_change="rerun",
    )
    if fold.open:
        with fold:
            _panel(given, job)


def _panel(given: Given, job: Job) -> None:
    assert given.pixels is not None
    if not ((given.pixels > 0) & (given.pixels < 255)).any():
        st.markdown("Not at all: no pixel of this image is grey, so every draw is the same.")
        return
    task = _task(given, job)
    live.panel([task], lambda bench: _show(bench, task), "score-draws")


def _task(given: Given, job: Job) -> Task[Redraws]:
    by = job.scorer
    key: tuple[Hashable, ...] = ("redraws", given.digest, by.key, by.judge.false_alarms)
    return Task(key, f"Scoring {DRAWS} draws", lambda: _redraws(given, job), lambda s: s.share)


def _redraws(given: Given, job: Job) -> Iterator[Redraws]:
    """Score with the K of the page, so that the draw of seed 0 has the score above."""
    by = job.scorer
    assert given.pixels is not None
    return redraw_steps(by.model, given.pixels, by.importance_samples, by.judge)


def _show(bench: Bench, task: Task[Redraws]) -> None:
    found = bench.latest(task)
    if found is None or len(found.reports) < 2:
        return
    scores = [each.score for each in found.reports]
    st.markdown(_in_words(found))
    table: dict[str, list[object]] = {"Seed": list(range(len(scores)))}
    if (
        found.percentiles
    ):  # before the numbers, as in the ranking, because a phone shows few columns
        table["Verdict"] = [each.verdict for each in found.reports]
    table |= {
        "log p̂(x)": [score.log_px for score in scores],
        "±": [error_or_not_known(score.se) for score in scores],
    }
    if found.percentiles:
        table["Percentile"] = list(found.percentiles)
    tables.table(
        table, key="score-redraws-table", hide_index=True, column_config=_COLUMNS, width="content"
    )
    st.caption(
        "Grey was turned to black or white at random: white with probability grey/255. The score "
        "above is of seed 0; another draw changes the score. "
        f"K = {scores[0].importance_samples:,}. Held-out images were also drawn once each, so the "
        "false-alarm rate of a verdict is correct for a single draw. If the draws disagree, the "
        "image is near the limit between two verdicts: rely on neither."
    )


def _in_words(found: Redraws) -> str:
    log_px, count = found.log_px, len(found.reports)
    mean = typeset(log_px.mean().item(), ",.1f")
    said = (
        f"Over {count} draws, log p̂(x) is {mean} nats on average, with a standard deviation of "
        f"**{log_px.std():,.1f} nats**"
    )
    if not found.percentiles:
        return f"{said}."
    low, high = min(found.percentiles), max(found.percentiles)
    told = ", ".join(f"{n} × *{verdict}*" for verdict, n in found.verdicts)
    return f"{said}; the percentile ranges from {low:.0f} to {high:.0f}. Verdicts: {told}."


_COLUMNS = {
    "Seed": st.column_config.NumberColumn(
        width=60, help="Seed of the draw. The score above uses seed 0."
    ),
    "log p̂(x)": st.column_config.NumberColumn(
        format="%.2f", width=80, help="Estimated log-likelihood of this draw, in nats."
    ),
    "±": st.column_config.TextColumn(
        width=70, help="Standard error from importance sampling, in nats, if it is known."
    ),
    "Percentile": st.column_config.NumberColumn(
        format="%.1f", width=90, help="Percentage of held-out images with a lower score."
    ),
    "Verdict": st.column_config.TextColumn(
        width=180, help="Verdict for this draw, from all figures of its report."
    ),
}
