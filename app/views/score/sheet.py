"""A sheet of the listed images, the most unusual first, to select from and export."""

from functools import partial

import streamlit as st

from app.figures import style
from app.figures.score import VERDICT_COLOURS
from app.parts.components.image_sheet import Group, Thumbnail, image_sheet, selected
from app.services.models import Choice
from app.views.score import export, ranking
from app.views.score.job import Job, Scored
from app.views.score.overview import Pairs

_MOST = 1000  # pictures; more would take seconds to send
_TITLES = {
    "unlike the training data": "Unlike the training data",
    "unusual": "Unusual",
    "typical": "Typical",
    None: "Without a verdict",
}


def sheet(job: Job, listed: Pairs, chosen: str, choice: Choice) -> None:
    """Draw the sheet and, below it, what can be done with the selected images."""
    shown, key = listed[:_MOST], f"score-sheet-{hash(job.reading.key)}"
    alpha = f"α = {100 * job.scorer.judge.false_alarms:g} %"
    image_sheet(
        key,
        _groups(shown),
        f"{alpha} · above this line: unlike the training data",
        chosen,
        partial(_show, key),
    )
    if len(listed) > len(shown):
        st.caption(f"The {_MOST:,} most unusual of {len(listed):,} images.")
    ranking.note_of_others(job, listed)
    _export(job, choice, selected(key))
    ranking.download(job, choice)


def _groups(shown: Pairs) -> list[Group]:
    groups = []
    for verdict, title in _TITLES.items():
        members = [each for each in shown if each[1].report.verdict == verdict]
        if members:
            pictures = [Thumbnail(g.label, g.as_given, _text(g.label, s)) for g, s in members]
            colour = VERDICT_COLOURS.get(verdict or "", style.NEUTRAL)
            is_last = verdict == "unlike the training data"
            groups.append(Group(title, colour, pictures, line_below=is_last))
    return groups


def _text(label: str, scored: Scored) -> str:
    judgement = scored.report.judgement
    return label if judgement is None else f"{label}, p = {judgement.p_value:.3f}"


def _show(key: str) -> None:
    """Callback: show the report of the image that was selected last."""
    labels = selected(key)
    if labels:
        st.query_params["shown"] = labels[-1]


def _export(job: Job, choice: Choice, labels: list[str]) -> None:
    known = {given.label for given, _ in job.scored()}
    chosen = [each for each in labels if each in known]
    with st.container(horizontal=True, gap="small", key="score-selected"):
        st.download_button(
            "Selected as CSV",
            lambda: style.csv_text(
                export.columns(job, export.protocol_of(job, choice), frozenset(chosen))
            ),
            file_name="selected.csv",
            mime="text/csv",
            on_click="ignore",
            disabled=not chosen,
            key="selected-csv",
            icon=":material/table:",
            help="Saves the scores of the selected images.",
        )
        st.download_button(
            "Selected as .zip",
            lambda: export.files(job, frozenset(chosen)),
            file_name="selected.zip",
            mime="application/zip",
            on_click="ignore",
            disabled=not chosen,
            key="selected-zip",
            icon=":material/folder_zip:",
            help="Saves the files of the selected images, as they were given.",
        )
