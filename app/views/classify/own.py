"""An image of the user's own on the Classify page, by every way."""

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from torch import Tensor

from app.figures import classify as figures
from app.parts import charts, live, picture_rows
from app.services.models import Choice
from app.services.work import Bench, Task
from app.shell import errors
from app.views.classify.sources import source_of
from vae_core.analysis.classifiers import TITLES, Answers, Classified, names_of
from vae_core.data.decode import ImageError
from vae_core.data.pixels import model_input
from vae_core.data.prepare import prepare


@dataclass(frozen=True)
class Answered:
    """The answers of the ways that have classified an image so far."""

    share: float
    answers: tuple[tuple[str, Answers], ...] = ()


def show(chosen: Sequence[Choice], found: Classified, measured: Hashable) -> None:
    """Draw the uploader and, once there is an image, p(y|x) by every way.

    Args:
        measured: key of the classification that measured the ways.
    """
    info = chosen[0].run.config.info
    file = st.file_uploader("An image of your own", key="classify-file")
    if file is None:
        return
    content = file.getvalue()
    try:
        pixels = prepare(content, file.name, info.image_shape, None, info).pixels
    except ImageError as error:
        st.warning(errors.plain(str(error)))
        return
    picture_rows.show(
        [picture_rows.Row("", pixels[None].numpy(), [errors.plain(file.name)])], "classify-own"
    )
    task = Task(
        ("classify own", measured, hashlib.sha256(content).digest()),
        "Classifying your image",
        partial(_steps, chosen, found, pixels),
        lambda state: state.share,
    )
    live.panel([task], lambda bench: _answers(bench, task, info.classes), "classify-mine")


def _steps(chosen: Sequence[Choice], found: Classified, pixels: Tensor) -> Iterator[Answered]:
    sources = {name: s for s in map(source_of, chosen) for name in names_of(s.model)}
    answers: tuple[tuple[str, Answers], ...] = ()
    for way in found.ways:
        x = model_input(pixels, sources[way.name].binarisation)
        answers = (*answers, (TITLES[way.name], way.classify(x)))
        yield Answered(len(answers) / len(found.ways), answers)


def _answers(bench: Bench, task: Task[Answered], classes: Sequence[str]) -> None:
    state = bench.latest(task)
    if state is None:
        return
    charts.chart(
        figures.probabilities_figure(
            [
                (title, a.probabilities[0], None if a.se is None else a.se[0])
                for title, a in state.answers
            ],
            classes,
        ),
        "classify-own-probabilities",
        "p(y|x) of your image by every way, with two standard errors.",
    )
    unknown = [t for t, a in state.answers if a.se is not None and not np.isfinite(a.se).all()]
    if unknown:
        st.caption(f"The error of p(y|x) is not known by {', '.join(unknown)}; take a larger K.")
