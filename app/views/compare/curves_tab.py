"""The Curves tab: a figure over the training of each run."""

import contextlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import cast

import streamlit as st

from app.figures.compare import AXES, Axis, Curve, curves_figure
from app.parts import charts
from app.services.history import History, history
from app.shell import errors
from app.views.compare.linked import choose
from vae_core.runs.comparison import Comparison
from vae_core.runs.run import UNFINISHED, RunError

CURVES = {
    "elbo": ("ELBO", "elbo"),
    "log-likelihood": ("E log p(x|z)", "log_px_z"),
    "kl": ("KL", "kl"),
    "log-px": ("log p̂(x)", "log_px"),
}
"""Figures by their name in links: their title, and their name in the metrics."""
PARTS = {"validation": "Validation", "training": "Training", "both": "Both"}
_EVERY = 2.0  # seconds between two looks at runs that train
_IN_METRICS = {"validation": "validation", "training": "train"}


def show(found: Comparison) -> None:
    """Draw the tab, again and again while one of its runs trains."""
    busy = _is_busy(found)

    def drawn() -> None:
        if busy and not _is_busy(found):
            st.rerun()  # for the final figures; only the page can change the timer of this part
        _draw(found)

    st.fragment(drawn, run_every=_EVERY if busy else None)()


def _is_busy(found: Comparison) -> bool:
    """Whether one of the runs is queued or running now."""
    for each in found.runs:
        with contextlib.suppress(RunError):  # damaged since
            if each.state in UNFINISHED and each.run.status().state in UNFINISHED:
                return True
    return False


def _draw(found: Comparison) -> None:
    with st.container(horizontal=True, key="compare-curve-choice"):
        name = choose("Figure", list(CURVES), "curve", lambda key: CURVES[key][0])
        axis = cast(Axis, choose("Along", list(AXES), "x", str.capitalize))
        part = choose("Images", list(PARTS), "part", PARTS.__getitem__)
    title, column = CURVES[name]
    histories = [history(each.run) for each in found.runs]
    parts = ["training", "validation"] if part == "both" else [part]
    if name == "log-px":  # of validation images only
        parts = ["validation"]
    curves = [
        _curve(index, found.names[index], recorded, column, axis, each)
        for index, recorded in enumerate(histories)
        for each in parts
    ]
    curves = [curve for curve in curves if any(map(math.isfinite, curve.y))]
    _say_what_is_damaged(found, histories)
    if not curves:
        st.caption(f"None of these runs has recorded {title} so far.")
        return
    for place, (images, members) in enumerate(_comparable(found).items()):
        drawn = [curve for curve in curves if curve.run in members]
        if drawn:
            charts.chart(
                curves_figure(drawn, f"{title}, {images}", axis),
                f"compare-curves-{place}",
                f"{title} of {len({c.run for c in drawn})} runs over their training, by {axis}.",
            )
    missing = len(found.runs) - len({curve.run for curve in curves})
    st.caption(
        "In nats per image. Each data set and each likelihood has a chart of its own, because "
        "their figures cannot be compared."
        + (f" {missing} of the runs have not recorded {title}." if missing else "")
    )


def _comparable(found: Comparison) -> dict[str, set[int]]:
    """Runs whose figures are of the same kind of images, by a description of these images."""
    groups: dict[tuple[str, str, str], set[int]] = {}
    titles: dict[tuple[str, str, str], str] = {}
    for index, each in enumerate(found.runs):
        info = each.config.info
        kind = (info.name, info.digest, each.config.pixels)
        groups.setdefault(kind, set()).add(index)
        titles[kind] = f"{info.title}, {each.config.pixels}"
    counts = Counter(titles.values())
    return {
        titles[kind] if counts[titles[kind]] == 1 else f"{titles[kind]} ({kind[1]})": members
        for kind, members in groups.items()
    }


def _curve(run: int, name: str, recorded: History, column: str, axis: Axis, part: str) -> Curve:
    where = "importance" if column == "log_px" else _IN_METRICS[part]
    x = [float(row.get(axis, math.nan)) for row in recorded.rows]
    return Curve(run, name, x, recorded.column(where, column), part == "training")


def _say_what_is_damaged(found: Comparison, histories: Sequence[History]) -> None:
    for name, recorded in zip(found.names, histories, strict=True):
        if recorded.problem:
            st.warning(errors.plain(f"The curves of {name} cannot be read: {recorded.problem}."))
        elif recorded.unreadable:
            lines = f"{recorded.unreadable} of the lines of its curves cannot be read"
            st.warning(errors.plain(f"{name}: {lines}; the others are shown."))
