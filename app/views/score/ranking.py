"""The table of the listed images, the most unusual first, and the CSV of all scores."""

from collections import Counter
from typing import Any

import streamlit as st

from app.figures import style
from app.parts import tables
from app.services.models import Choice
from app.shell import frame
from app.views.score import export
from app.views.score.job import Job
from app.views.score.overview import Pairs
from vae_core.scoring.report import Report
from vae_core.wording.numbers import error_or_not_known
from vae_core.wording.verdict import short_verdict

_MOST_PICTURES = 1000  # thumbnails in a table; more would take seconds to send
_TABLE = 320  # pixels: the header and seven rows, for seven examples


def ranking(job: Job, listed: Pairs, chosen: str, choice: Choice, awaited: bool) -> None:
    """Draw the table of the listed images. Clicking a row chooses its image.

    Args:
        awaited: whether another image than the chosen one was asked for and has no score yet.
    """
    rows = [given.label for given, _ in listed]
    # The key depends on the rows, so a new stroke changes only the numbers. While rows are added,
    # the table stays the same and accepts clicks. It changes when the awaited image is there: the
    # browser may still send the row that was selected instead, as if it had been clicked.
    same = rows[:1] if job.working else rows
    key = f"score-table-{hash(tuple(same))}-{job.working}-{awaited}"
    places = [rows.index(chosen)] if chosen in rows else []
    selected: Any = {"rows": places, "columns": [], "cells": []}
    if st.session_state.get(key, {}).get("selection") != selected:
        st.session_state[key] = {"selection": selected}
    tables.table(
        _table(listed, choice),
        key=key,
        on_select=lambda: _choose(rows, key, shown=selected),
        selection_mode=("single-row", "single-cell"),
        selection_default={"selection": selected},
        height=min(38 + 40 * len(listed), _TABLE),
        row_height=40,
        hide_index=True,
        column_config=_columns(),
        alt="The images, the most unusual first.",
    )
    note_of_others(job, listed)
    download(job, choice)


def note_of_others(job: Job, listed: Pairs) -> None:
    """Say during the work that more images have a score than are listed."""
    if job.working and len(job.scored()) > len(listed):
        st.caption(
            f"The first {len(listed)} images. All are ranked when the work is done or stopped."
        )


def download(job: Job, choice: Choice) -> None:
    """Draw the button that saves all scores."""
    st.download_button(
        "All scores as CSV",
        lambda: style.csv_text(export.columns(job, export.protocol_of(job, choice))),
        file_name="scores.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=job.working,
        key="scores-csv",
        icon=":material/download:",
        type="tertiary",
        help="Saves every score with error, diagnostics and protocol, and the files that failed.",
    )


def _choose(rows: list[str], key: str, shown: dict[str, Any]) -> None:
    """Choose the image of a row after a click on any of its cells.

    Args:
        rows: labels of the rows when the table was drawn.
        shown: selection when the table was drawn. The browser may send it back without a click.
            It is ignored, because it could replace a new image whose score is not ready.
    """
    selection = st.session_state[key]["selection"]
    if selection == shown:
        return
    chosen = [cell[0] for cell in selection["cells"]] + list(selection["rows"])
    if chosen and chosen[0] < len(rows):
        st.query_params["shown"] = rows[chosen[0]]


def _columns() -> dict[str, Any]:
    """The columns, with widths for the present size of the type."""

    def wide(pixels: int) -> int:
        return round(pixels * frame.magnification())

    return {
        "": st.column_config.ImageColumn(
            width=wide(44), help="The prepared image, before binarisation."
        ),
        "Image": st.column_config.TextColumn(
            width=wide(104), help="Click a row to see its report."
        ),
        "Verdict": st.column_config.MultiselectColumn(
            options=["typical", "unusual", "unlike"],
            color=["green", "orange", "red"],
            width=wide(84),
            help="Whether the image looks like the training data, from the p-value. Unlike: p is "
            "at most the chosen rate of false alarms.",
        ),
        "p": st.column_config.NumberColumn(
            format="%.3f",
            width=wide(54),
            help="The p-value over all figures: the share of real images that look at least as "
            "strange. Small: unusual.",
        ),
        "Class": st.column_config.TextColumn(
            width=wide(56),
            help="The most probable class. It is left out for an image that is unlike the training "
            "data, because the classes are those of the data.",
        ),
        "log p̂(x)": st.column_config.NumberColumn(
            format="%.2f",
            width=wide(72),
            help="Estimated log-likelihood in nats; higher is more probable.",
        ),
        "±": st.column_config.TextColumn(
            width=wide(78), help="Its standard error, in nats, if it is known."
        ),
        "Percentile": st.column_config.NumberColumn(
            format="%.1f",
            width=wide(70),
            help="Percentage of held-out images with a lower log p̂(x).",
        ),
        "k̂": st.column_config.NumberColumn(
            format="%.2f",
            width=wide(50),
            help="Tail of the importance weights. Above min(1 − 1/log₁₀ K, 0.7), or with an ESS "
            "below 30, the error of log p̂(x) is not known.",
        ),
    }


def _table(listed: Pairs, choice: Choice) -> dict[str, list[Any]]:
    reports = [scored.report for _, scored in listed]
    scores = [report.score for report in reports]
    table: dict[str, list[Any]] = {}
    if len(listed) <= _MOST_PICTURES:
        table[""] = [given.thumbnail for given, _ in listed]
    table["Image"] = names([given.label for given, _ in listed])
    if any(report.judgement for report in reports):  # a phone shows only the first columns
        table["Verdict"] = [[short_verdict(r.verdict)] if r.verdict else [] for r in reports]
        table["p"] = [r.judgement.p_value if r.judgement else None for r in reports]
    if any(report.classes for report in reports):
        table["Class"] = [_class(report, choice) for report in reports]
    table |= {
        "log p̂(x)": [score.log_px for score in scores],
        "±": [error_or_not_known(score.se) for score in scores],
    }
    if any(score.place for score in scores):
        table["Percentile"] = [score.percentile for score in scores]
    return table | {"k̂": [score.pareto_k for score in scores]}


def _class(report: Report, choice: Choice) -> str:
    """Name of the most probable class; a dash where the classes say nothing."""
    if report.classes is None or report.verdict == "unlike the training data":
        return "–"
    return choice.run.config.info.class_name(report.classes.best)


def names(labels: list[str]) -> list[str]:
    """Shorten paths to their last parts, as many as are needed to tell them from each other."""
    parts = [label.split("/") for label in labels]
    short = [each[-1] for each in parts]
    for length in range(2, max(map(len, parts), default=0) + 1):
        often = Counter(short)
        if len(often) == len(short):
            break
        pairs = zip(short, parts, strict=True)
        short = [name if often[name] == 1 else "/".join(path[-length:]) for name, path in pairs]
    return short
