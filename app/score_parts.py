"""The panels of the score page: the ranked table, the held-out distribution, one image's report."""

import base64
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st

from app import (
    errors,
    preparation,
    score_better,
    score_draws,
    score_export,
    score_words,
    services,
    shell,
    widgets,
)
from app.figures import scoring as figures
from app.figures import style
from app.score_desk import Desk
from app.score_inputs import Given, example, prepared_again
from app.score_job import Job, Scored
from app.services import Choice
from vae_core.images import Prepared
from vae_core.runs import UNFINISHED
from vae_core.scoring import HeldOut, pixel_terms

_SHOWN_ERRORS = 4
_MOST_WHILE_WORKING = 200  # rows
_MOST_PICTURES = 1000  # in a table: more would take seconds to send
_MOST_MARKS = 300
_TABLE = 320  # pixels: the head and seven rows, as many as there are examples


def panels(desk: Desk, job: Job, choice: Choice) -> None:
    """All images on the left, the chosen one on the right, what else there is to know below."""
    found = {given.label: (given, scored) for given, scored in job.scored()}
    chosen, unknown = _chosen(list(found), st.query_params.get("shown", ""))
    with st.container():  # stays, so that nothing below it moves in the tree
        failures(job)
        if unknown and not (desk.job or job).working and not _is_among(job.failed, unknown):
            st.caption(
                f":orange[{score_words.short(unknown)} is not among these images: what others "
                f"upload stays with them. This is {errors.plain(chosen)}.]"
            )
    if not found:
        return
    left, right = st.columns(2, gap="large")
    with left:
        ranking(job, chosen, choice)
        if job.scorer.held_out is not None:
            distribution(job, job.scorer.held_out, chosen)
    given, scored = found[chosen]
    prepared = _prepared(desk, job, given, choice)
    with right:
        report(given, scored, job, prepared, _why_not(job, choice))
        if given.place is not None:
            score_better.note(choice)
        convergence(given, scored)
    left, right = st.columns(2, gap="large")
    with left:
        score_words.figures(scored.report, job)
    with right:
        score_words.likeness(scored.report, choice)
    score_draws.section(given, job)
    with st.expander("How the image was prepared", icon=":material/tune:", key="score-how"):
        made_as = example(given.label) if given.place is None else None
        if prepared is None:
            st.caption(f"{made_as.about if made_as else ''} Its pixels are used as they are.")
        else:
            preparation.steps(prepared)
    config = choice.run.config
    widgets.code(
        score_export.code(
            choice.run.folder,
            config.dataset,
            job.scorer.binarisation,
            scored.score.importance_samples,
            job.scorer,
            given,
            job.reading.options,
        )
    )


def _chosen(labels: list[str], shown: str) -> tuple[str, str]:
    """The label to look at, and the one asked for if there is none like it.

    Of an archive its first image is looked at.
    """
    first = labels[0] if labels else ""
    if not first or not shown:
        return first, ""
    chosen = next((each for each in labels if _is_of(each, shown)), "")
    return (chosen, "") if chosen else (first, shown)


def _is_of(label: str, shown: str) -> bool:
    """Whether it is the image that was asked for, or in the archive that was."""
    return label == shown or label.startswith(f"{shown}/")


def _is_among(given: list[Given], shown: str) -> bool:
    return any(_is_of(each.label, shown) for each in given)


def _prepared(desk: Desk, job: Job, given: Given, choice: Choice) -> Prepared | None:
    """How a file was prepared; None for an example."""
    if given.place is None:
        return None
    if desk.prepared is None or desk.prepared[0] != (job.reading.key, given.place):
        config = choice.run.config
        prepared = prepared_again(
            job.reading.uploads,
            given.place,
            config.model.image_shape,
            job.reading.options,
            config.dataset,
        )
        desk.prepared = (job.reading.key, given.place), prepared
    return desk.prepared[1]


def _why_not(job: Job, choice: Choice) -> str:
    """Why there is no percentile, or a verdict by log p(x) alone, where that is so."""
    scorer = job.scorer
    if scorer.calibration is not None:
        return ""
    damage = services.damage(choice)
    if damage is not None:
        return errors.sentence(damage)
    if scorer.held_out is not None:
        return (
            "What its other figures are held against has not been measured for this model; "
            f"`python -m vae_core calibrate {score_export.shown_path(choice.run.folder)}` does so."
        )
    calibration = services.calibration(choice)
    held_out = calibration.scores if calibration else services.held_out(choice)
    if held_out is not None:
        return (
            f"The held-out images were scored with {held_out.protocol['binarisation']} "
            f"binarisation; scores with {scorer.binarisation} cannot be compared with them."
        )
    state = choice.run.status().state
    if state in UNFINISHED:
        return (
            "The run is not finished: its held-out images, with which an image is compared, are "
            "scored at the end of training."
        )
    return (
        f"The run is {state}: it ended before its held-out images were scored. Resume it on the "
        "Train page to get percentiles."
    )


# ---- all images


def ranking(job: Job, chosen: str, choice: Choice) -> None:
    """The table of all images scored so far; clicking a row chooses its image.

    While there is work to do, the first images stand in the order in which they were given, so that
    no row moves under a click.
    """
    listed = job.scored()[:_MOST_WHILE_WORKING] if job.working else job.ranked()
    rows = [given.label for given, _ in listed]
    # The same rows keep their table, so that a new stroke changes its numbers and nothing else; and
    # while rows are being added, the table keeps its place and takes clicks.
    key = f"score-table-{hash(rows[0] if job.working else tuple(rows))}-{job.working}"
    places = [rows.index(chosen)] if chosen in rows else []
    selected: Any = {"rows": places, "columns": [], "cells": []}
    if st.session_state.get(key, {}).get("selection") != selected:
        st.session_state[key] = {"selection": selected}
    st.dataframe(
        _table(listed),
        key=key,
        on_select=lambda: _choose(rows, key, shown=selected),
        selection_mode=("single-row", "single-cell"),
        selection_default={"selection": selected},
        height=min(38 + 40 * len(listed), _TABLE),
        row_height=40,
        hide_index=True,
        column_config=_COLUMNS,
        alt="The images, ranked from the most to the least probable under the model.",
    )
    if job.working and len(job.scored()) > len(listed):
        st.caption(
            f"The first {len(listed)}; all of them, ranked, once the work is done or stopped."
        )
    config = choice.run.config
    how = score_export.protocol(
        choice.key, config.dataset, job.scorer.binarisation, job.reading.options
    )
    st.download_button(
        "All scores as CSV",
        lambda: style.csv_text(score_export.columns(job, how)),
        file_name="scores.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=job.working,
        key="scores-csv",
        icon=":material/download:",
        type="tertiary",
        help="Saves every score with its error, diagnostics and protocol, and what failed.",
    )


def _choose(rows: list[str], key: str, shown: dict[str, Any]) -> None:
    """A click anywhere in a row is meant for the row.

    Args:
        rows: the labels of the rows as they were when that table was drawn.
        shown: the selection that table was drawn with. The browser may send it back unasked;
            taken for a click, it would put the image in place of one whose score is to come.
    """
    selection = st.session_state[key]["selection"]
    if selection == shown:
        return
    chosen = [cell[0] for cell in selection["cells"]] + list(selection["rows"])
    if chosen and chosen[0] < len(rows):
        st.query_params["shown"] = rows[chosen[0]]


_COLUMNS = {
    "": st.column_config.ImageColumn(width=44, help="What the model was given, before binarising."),
    "Image": st.column_config.TextColumn(width=112, help="Click a row to see its report."),
    "log p̂(x)": st.column_config.NumberColumn(
        format="%.1f", width=64, help="Estimated log-likelihood in nats; higher is more probable."
    ),
    "±": st.column_config.NumberColumn(
        format="%.2f", width=40, help="Its standard error, in nats."
    ),
    "k̂": st.column_config.NumberColumn(
        format="%.2f",
        width=50,
        help="Tail of the importance weights; above 0.7, or with an ESS below 30, do not trust "
        "log p̂(x).",
    ),
    "Percentile": st.column_config.NumberColumn(
        format="%.1f", width=70, help="Of 100 held-out images, how many score lower."
    ),
    "Verdict": st.column_config.TextColumn(
        width=138,
        help="From the percentile, two-sided, and from what else the report of an image shows.",
    ),
}


def _table(ranked: list[tuple[Given, Scored]]) -> dict[str, list[Any]]:
    scores = [scored.score for _, scored in ranked]
    table: dict[str, list[Any]] = {}
    if len(ranked) <= _MOST_PICTURES:
        table[""] = [_thumbnail(given) for given, _ in ranked]
    table["Image"] = _names([given.label for given, _ in ranked])
    is_placed = any(score.place for score in scores)
    if is_placed:  # before the numbers: a phone shows no more than three columns
        table["Verdict"] = [scored.report.verdict or "" for _, scored in ranked]
    table |= {
        "log p̂(x)": [score.log_px for score in scores],
        "±": [score.se for score in scores],
    }
    if is_placed:
        table["Percentile"] = [score.percentile for score in scores]
    return table | {"k̂": [score.pareto_k for score in scores]}


def _names(labels: list[str]) -> list[str]:
    """The last part of each path, or all of it where others end alike."""
    last = [label.rpartition("/")[2] for label in labels]
    often = Counter(last)
    return [name if often[name] == 1 else label for name, label in zip(last, labels, strict=True)]


def _thumbnail(given: Given) -> str:
    assert given.pixels is not None
    pixels = given.pixels.numpy().mean(0).astype(np.uint8)
    return _data_url(pixels.tobytes(), pixels.shape)


@lru_cache(maxsize=4096)
def _data_url(pixels: bytes, shape: tuple[int, int]) -> str:
    picture = np.frombuffer(pixels, np.uint8).reshape(shape) / 255
    scale = max(1, round(64 / shape[1]))
    return "data:image/png;base64," + base64.b64encode(widgets.png(picture, scale)).decode()


def failures(job: Job) -> None:
    """Name what could not be read, and why."""
    lines = [_failure(given) for given in job.failed]
    if not lines:
        return
    others = [_rest_of(job)] if job.readable else []
    st.error("  \n".join(lines[:_SHOWN_ERRORS] + others))
    if len(lines) > _SHOWN_ERRORS:
        with st.expander(f"{len(lines) - _SHOWN_ERRORS} more that could not be read"):
            st.markdown("  \n".join(lines[_SHOWN_ERRORS:]))


def _failure(given: Given) -> str:
    """Why it could not be read; of a file in an archive, which archive that is."""
    archive, inside, _ = given.label.partition("/")
    return (
        f"{score_words.short(archive)}: {errors.plain(given.error)}"
        if inside
        else errors.plain(given.error)
    )


def _rest_of(job: Job) -> str:
    """What becomes of the files that could be read."""
    scored, readable = len(job.scored()), len(job.readable)
    if scored == readable and job.done:
        return "The other one is scored." if scored == 1 else f"The other {scored:,} are scored."
    return f"Of the other {readable:,} files {scored:,} are scored so far."


def distribution(job: Job, held_out: HeldOut, chosen: str | None) -> None:
    """All images on the distribution of the held-out ones."""
    placed = [(g.label, s.score.place) for g, s in job.ranked() if s.score.place is not None]
    step = -(-len(placed) // _MOST_MARKS)
    placed = [each for i, each in enumerate(placed) if i % step == 0 or each[0] == chosen]
    labels = [label for label, _ in placed]
    values = [place.log_px for _, place in placed]
    index = labels.index(chosen) if chosen in labels else None
    figure = figures.held_out_figure(
        held_out.log_px.numpy(), held_out.importance_samples, labels, values, index
    )
    where = f" {chosen} stands at {values[index]:.1f} nats." if index is not None else ""
    alt = f"Histogram of log p(x) of {len(held_out.log_px)} held-out images, with marks." + where
    names = ["held-out"] * len(held_out.log_px) + labels
    widgets.chart(
        figure,
        "held-out",
        alt,
        {"image": names, "log_px_nats": [*held_out.log_px.tolist(), *values]},
    )


# ---- one image


def report(given: Given, scored: Scored, job: Job, prepared: Prepared | None, why_not: str) -> None:
    """The score report of one image.

    Args:
        prepared: how it was made from a file.
        why_not: why there is no percentile, if there is none.
    """
    _pictures(given, scored, job, prepared)
    score_words.judgement(given, scored, job, why_not)


def convergence(given: Given, scored: Scored) -> None:
    """How the estimate of one image went with the number of samples."""
    course = scored.convergence
    widgets.chart(
        figures.convergence_figure(
            course.samples, course.log_px, course.se, scored.score.elbo, height=230
        ),
        "convergence",
        f"log p(x) of {given.label} while the number of importance samples grows to "
        f"{course.samples[-1]:,}: it ends at {course.log_px[-1]:.2f} nats.",
        {"samples": course.samples, "log_px_nats": course.log_px, "se_nats": course.se},
    )


def _pictures(given: Given, scored: Scored, job: Job, prepared: Prepared | None) -> None:
    terms = pixel_terms(job.scorer.model, scored.x)
    assert given.pixels is not None
    first = given.pixels.numpy().mean(0) / 255
    if prepared is not None:
        first = prepared.steps[0].image / 255
    with st.container(horizontal=True, gap="xsmall", key="score-pictures"):
        preparation.picture(first, "Given")
        preparation.picture(scored.x[0].mean(0).numpy(), "The model saw")
        preparation.picture(terms.reconstruction.mean(0).numpy(), "Reconstruction")
        pixels = terms.log_likelihood.sum(0).numpy()
        with st.container(width=round(170 * shell.magnification()), gap=None):
            widgets.chart(
                figures.pixel_figure(pixels, height=preparation.SIDE),
                "pixels",
                "log p(x|z) pixel by pixel: bright pixels are those that surprise the model.",
            )
            st.caption("log p(x|z) by pixel: bright is surprising")
