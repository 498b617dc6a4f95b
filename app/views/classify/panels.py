"""The parts of the Classify page: choices, the table of ways, figures, and your own image."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import streamlit as st

from app.figures import classify as figures
from app.parts import charts, live, picture_rows
from app.parts.widgets import IN_URL, code
from app.services import data, models
from app.services.models import Choice
from app.services.work import Bench, Task
from app.shell import errors, navigation
from app.views.classify import own
from app.views.classify.sources import source_of
from vae_core.analysis.calibrated import confusion, reject_curve, reliability
from vae_core.analysis.class_figures import quality
from vae_core.analysis.classifiers import (
    TITLES,
    Classified,
    Way,
    classify_steps,
)
from vae_core.settings.options import ClassifyOptions
from vae_core.wording.command import command

_COUNTS = (100, 200, 500, 1000)
_SAMPLES = (100, 500, 2000)
_SHOWN = 24


def show(choice: Choice) -> None:
    """Draw the page for a model whose data are here."""
    with st.container(horizontal=True, key="classify-choice"):
        chosen = [choice, *_other(choice)]
        limit = st.selectbox(
            "Test images", _COUNTS, 1, key="classify-images", help=_LIMIT, **IN_URL
        )
        samples = st.selectbox("Samples K", _SAMPLES, 1, key="classify-samples", help=_K, **IN_URL)
    options = ClassifyOptions(limit=limit, importance_samples=samples)
    task = _task(chosen, options)
    live.panel([task], lambda bench: _results(chosen, task, bench), "classify")
    found = live.bench().latest(task)
    if found is not None and live.bench().finished(task):
        own.show(chosen, found, task.key)
    words = ["--and", chosen[1].key] if len(chosen) > 1 else []
    code(
        lambda: command("classify", [choice.key, *words], options),
        "Show the command",
        key="classify-code",
    )


_LIMIT = "Accuracy and calibration are measured on so many test images; T on validation images."
_K = "Importance samples for each image, and for each class of p(x|y)."
_GIVEN = "Bayes' rule needs a model of the images of each class. This one is put beside the other."


def _other(choice: Choice) -> list[Choice]:
    """Draw the choice of a model of p(x|y) beside another model."""
    config = choice.run.config
    if config.model.is_conditional:
        return []
    found = {
        key: each
        for key, each in models.choices(conditional=True).items()
        if each.run.config.model.is_conditional and each.run.config.dataset == config.dataset
    }
    if not found:
        with st.container():
            st.caption(
                "There is no model of p(x|y) of this data set yet. Train one with *Conditioning: "
                "on the class*, and Bayes' rule is shown too."
            )
            navigation.link("train", "Train a model of p(x|y)", dataset=config.dataset)
        return []
    names = models.labels(found)
    key = st.selectbox(
        "Model of p(x|y)", list(found), format_func=names.__getitem__, key="given", help=_GIVEN,
        **IN_URL,
    )  # fmt: skip
    return [found[key]]


def _task(chosen: Sequence[Choice], options: ClassifyOptions) -> Task[Classified]:
    keys = tuple(each.weights() for each in chosen)
    return Task(
        ("classify", keys, tuple(options.to_dict().items())),
        "Classifying",
        partial(_steps, chosen, options),
        lambda state: state.share,
    )


def _steps(chosen: Sequence[Choice], options: ClassifyOptions) -> Iterator[Classified]:
    dataset = data.dataset(chosen[0].run.config.dataset)
    return classify_steps([source_of(each) for each in chosen], dataset, options)


def _results(chosen: Sequence[Choice], task: Task[Classified], bench: Bench) -> None:
    found = bench.latest(task)
    if found is None or not found.ways:
        return
    st.html(_table(found))
    st.caption(
        f"{len(found.labels):,} test images. NLL: mean of −log p(y|x), in nats. ECE: mean distance "
        "of confidence and accuracy. T is set on validation images. The error of p(y|x) is the "
        "mean over images of the largest standard error of a class; unknown errors are left out "
        "and counted. Times include log p̂(x)."
    )
    titles = {each.name: TITLES[each.name] for each in found.ways}
    first = found.ways[0].name
    if st.session_state.get("way", first) not in titles:
        del st.session_state["way"]  # of models that were chosen before
    name = st.segmented_control(
        "Way", list(titles), default=first, format_func=titles.__getitem__, key="way",
        required=True, **IN_URL,
    )  # fmt: skip
    way = next(each for each in found.ways if each.name == (name or first))
    _figures(chosen[0], found, way)


def _table(found: Classified) -> str:
    head = ("", "accuracy", "NLL", "ECE", "T", "NLL at T", "ECE at T", "error of p(y|x)",
            "ms an image", "fit, s")  # fmt: skip
    rows = [_row(found, each) for each in found.ways]
    cells = "".join(
        "<tr>" + "".join(f"<td style='padding:.25rem .6rem'>{c}</td>" for c in row) + "</tr>"
        for row in (head, *rows)
    )
    return f'<div style="overflow-x:auto"><table class="classify-table">{cells}</table></div>'


def _row(found: Classified, way: Way) -> list[str]:
    raw, soft = quality(way.raw.probabilities, found), quality(way.softened, found)
    return [
        TITLES[way.name],
        f"{raw['accuracy']:.1%} ± {raw['accuracy_se']:.1%}",
        f"{raw['nll']:.3f}",
        f"{raw['ece']:.3f}",
        f"{way.temperature:.2f}",
        f"{soft['nll']:.3f}",
        f"{soft['ece']:.3f}",
        _error(way),
        f"{1000 * way.seconds:.1f}",
        f"{way.fit_seconds:.1f}",
    ]


def _error(way: Way) -> str:
    if way.raw.se is None:
        return "no sampling"
    known = np.isfinite(way.raw.se).all(1)
    mean = f"{way.raw.se[known].max(1).mean():.4f}" if known.any() else "unknown"
    return mean + (f" ({(~known).sum()} unknown)" if not known.all() else "")


def _figures(choice: Choice, found: Classified, way: Way) -> None:
    labels, p = found.labels.numpy(), way.raw.probabilities
    names = choice.run.config.info.classes
    table = confusion(p, labels)
    one, two, three = st.columns(3)
    with one:
        event = charts.chart(
            figures.confusion_figure(table, names),
            f"classify-confusion-{way.name}",
            "Numbers of test images by true and by most probable class.",
            on_select="rerun",
        )
    with two:
        bins = [
            ("raw", reliability(p, labels)),
            (f"T = {way.temperature:.2f}", reliability(way.softened, labels)),
        ]
        charts.chart(
            figures.reliability_figure([(n, b.confidence, b.accuracy) for n, b in bins]),
            "classify-reliability",
            "Share of right answers against confidence, raw and with the temperature.",
        )
    with three:
        curves = [("by p(y|x)", p.max(1)), ("by log p(x)", way.raw.log_px)]
        charts.chart(
            figures.reject_figure([(n, *reject_curve(p, labels, trust)) for n, trust in curves]),
            "classify-reject",
            "Error among kept images against the share rejected, by p(y|x) and by log p(x).",
        )
    _images_of_cell(choice, found, way, event, figures.cells(table))


def _images_of_cell(choice, found, way, event, cells) -> None:  # type: ignore[no-untyped-def]
    points = ((event or {}).get("selection") or {}).get("points") or []
    place = points[0].get("point_index") if points else None
    wrong = [cell for cell in cells if cell[0] != cell[1]]
    cell = cells[place] if place is not None and place < len(cells) else next(iter(wrong), cells[0])
    best = way.raw.probabilities.argmax(1)
    chosen = np.flatnonzero((found.labels.numpy() == cell[0]) & (best == cell[1]))[:_SHOWN]
    images = data.dataset(choice.run.config.dataset).split("test")[0]
    names = choice.run.config.info.classes
    st.caption(
        errors.plain(f"Test images of class {names[cell[0]]} whose most probable class is "
                     f"{names[cell[1]]}:")
    )  # fmt: skip
    texts = [f"image {i}, p = {way.raw.probabilities[i, cell[1]]:.3f}" for i in chosen]
    picture_rows.show([picture_rows.Row("", images[chosen].numpy(), texts)], "classify-cell-images")
