"""The table of all scored images, ranked."""

from collections import Counter
from typing import Any

import streamlit as st

from app.figures import style
from app.services.models import Choice
from app.views.score import export
from app.views.score.inputs import Given
from app.views.score.job import Job, Scored
from vae_core.wording.numbers import error_or_not_known

_MOST_WHILE_WORKING = 200  # rows
_MOST_PICTURES = 1000  # thumbnails in a table; more would take seconds to send
_TABLE = 320  # pixels: the header and seven rows, for seven examples


# ---- all images


def ranking(job: Job, chosen: str, choice: Choice, awaited: bool) -> None:
    """Draw the table of all images scored so far. Clicking a row chooses its image.

    During the work, the table shows the first images in the order in which they were given, so that
    no row moves under a click.

    Args:
        awaited: whether another image than the chosen one was asked for and has no score yet.
    """
    listed = job.scored()[:_MOST_WHILE_WORKING] if job.working else job.ranked()
    rows = [given.label for given, _ in listed]
    # The key depends on the rows, so a new stroke changes only the numbers. While rows are added,
    # the table stays the same and accepts clicks. It changes when the awaited image is there: the
    # browser may still send the row that was selected instead, as if it had been clicked.
    same = rows[0] if job.working else tuple(rows)
    key = f"score-table-{hash(same)}-{job.working}-{awaited}"
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
            f"The first {len(listed)} images. All are ranked when the work is done or stopped."
        )
    config = choice.run.config
    how = export.protocol(choice.key, config.dataset, job.scorer.binarisation, job.reading.options)
    st.download_button(
        "All scores as CSV",
        lambda: style.csv_text(export.columns(job, how)),
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


_COLUMNS = {
    "": st.column_config.ImageColumn(width=44, help="The prepared image, before binarisation."),
    "Image": st.column_config.TextColumn(width=112, help="Click a row to see its report."),
    "log p̂(x)": st.column_config.NumberColumn(
        format="%.1f", width=64, help="Estimated log-likelihood in nats; higher is more probable."
    ),
    "±": st.column_config.TextColumn(
        width=70, help="Its standard error, in nats. It is not known if log p̂(x) is not trusted."
    ),
    "k̂": st.column_config.NumberColumn(
        format="%.2f",
        width=50,
        help="Tail of the importance weights. Above min(1 − 1/log₁₀ K, 0.7), or with an ESS below "
        "30, do not trust log p̂(x).",
    ),
    "Percentile": st.column_config.NumberColumn(
        format="%.1f", width=70, help="Percentage of held-out images with a lower score."
    ),
    "Verdict": st.column_config.TextColumn(
        width=138,
        help="From the two-sided percentile and the other figures in the report of the image.",
    ),
}


def _table(ranked: list[tuple[Given, Scored]]) -> dict[str, list[Any]]:
    scores = [scored.score for _, scored in ranked]
    table: dict[str, list[Any]] = {}
    if len(ranked) <= _MOST_PICTURES:
        table[""] = [given.thumbnail for given, _ in ranked]
    table["Image"] = _names([given.label for given, _ in ranked])
    is_placed = any(score.place for score in scores)
    if is_placed:  # before the numbers: a phone shows only three columns
        table["Verdict"] = [scored.report.verdict or "" for _, scored in ranked]
    table |= {
        "log p̂(x)": [score.log_px for score in scores],
        "±": [error_or_not_known(score.se) for score in scores],
    }
    if is_placed:
        table["Percentile"] = [score.percentile for score in scores]
    return table | {"k̂": [score.pareto_k for score in scores]}


def _names(labels: list[str]) -> list[str]:
    """Last part of each path, or the whole path if several images have the same last part."""
    last = [label.rpartition("/")[2] for label in labels]
    often = Counter(last)
    return [name if often[name] == 1 else label for name, label in zip(last, labels, strict=True)]
