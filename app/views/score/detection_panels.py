"""Panels of the evaluation of a model's scores: sentences, map, verdict and protocol."""

import html
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st

from app.figures import score_detection as figures
from app.figures.score_detection import Metric
from app.parts import charts, widgets
from app.parts.text import shown_path
from app.parts.widgets import IN_URL
from app.services.models import Choice
from app.shell import errors
from vae_core.settings.options import DetectOptions
from vae_core.settings.protocol import Protocol
from vae_core.wording.command import command
from vae_core.wording.detection import SCORE_NAMES, findings, kind_name, misled

if TYPE_CHECKING:
    from vae_core.scoring.detection import DetectionReport


class MetricText(NamedTuple):
    """A metric, its name in a report, and a sentence that explains it."""

    metric: Metric
    name: str
    sentence: str


METRICS = {
    "AUROC": MetricText(
        Metric("AUROC", 0.5, 1),
        "auroc",
        "How often this score rates a foreign image as more foreign than one of the model's own "
        "images: 1 is always, 0.5 is chance, and below 0.5 the score misleads.",
    ),
    "AUPR": MetricText(
        Metric("AUPR", 0.5, 1),
        "aupr",
        "All images are sorted, the most foreign-looking first. AUPR is the share of foreign "
        "images so far, averaged over all foreign images. 1 is no mistake; chance gives the share "
        "of foreign images, about 0.5.",
    ),
    "FPR at 95 % TPR": MetricText(
        Metric("FPR at 95 % TPR", 0.95, 0),
        "fpr_at_95_tpr",
        "The share of the model's own images that is wrongly called foreign when 95 % of the "
        "foreign images are found: 0 is none; chance gives 0.95.",
    ),
}


@st.fragment
def show(report: "DetectionReport", choice: Choice, kept: bool) -> None:
    """Draw everything about a report.

    Args:
        kept: True if the report is stored in the run folder, False if only in memory.
    """
    first, *others = map(errors.plain, findings(report))
    colour = ":orange[**{}**]" if misled(report) else "**{}**"
    st.markdown(" ".join([colour.format(first), *others]))
    left, right = st.columns([3, 2], gap="large")
    with left:
        _map(report)
    with right:
        _verdict(report)
    _protocol(report, choice, kept)


def _map(report: "DetectionReport") -> None:
    chosen = st.segmented_control(
        "Measured by",
        METRICS,
        default="AUROC",
        required=True,
        key="separation",
        help="What the map shows for each score: how well it ranks images (AUROC, AUPR), or how "
        "many false alarms it makes when it finds nearly all foreign images (FPR at 95 % TPR).",
        **IN_URL,
    )
    about = METRICS[chosen]
    kinds, scores = list(report.kinds), list(SCORE_NAMES)
    values = np.array(
        [[getattr(report.kinds[k].scores[s], about.name) for s in scores] for k in kinds]
    )
    se = None
    if about.name == "auroc":
        se = np.array([[report.auroc_se(kind, score) for score in scores] for kind in kinds])
    names = [html.escape(kind_name(kind)) for kind in kinds]  # Plotly reads HTML
    figure = figures.separation_figure(values, names, list(SCORE_NAMES.values()), about.metric, se)
    table = {"kind": kinds} | dict(zip(scores, values.T, strict=True))
    alt = f"{chosen} of {len(scores)} scores against {len(kinds)} kinds of foreign images."
    charts.chart(figure, "separation-map", alt, table)
    st.caption(
        about.sentence + ("" if se is None else f" Standard errors: {se.max():.3f} at most.")
    )


def _verdict(report: "DetectionReport") -> None:
    kinds = list(report.kinds)
    foreign = [report.kinds[kind].called_unlike for kind in kinds]
    images = [report.own_images, *(report.kinds[kind].images for kind in kinds)]
    called = [report.false_alarms, *foreign]
    names = ["own test images", *(html.escape(kind_name(kind)) for kind in kinds)]
    charts.chart(
        figures.called_figure(names, images, called, report.level),
        "called-unlike",
        f"The verdict calls {report.false_alarms:.1%} of own test images unlike the training data, "
        f"and {min(foreign):.0%} to {max(foreign):.0%} of each foreign kind.",
        {"kind": ["own", *kinds], "images": images, "called_unlike": called},
    )
    st.caption(
        "Share of images that the verdict calls unlike the training data. For own images it "
        f"should be {report.level:.0%} (false alarms), for foreign images 100%."
    )


def _protocol(report: "DetectionReport", choice: Choice, kept: bool) -> None:
    config, about = choice.run.config, report.calibration
    are_all = report.own_images == config.info.sizes.get("test")
    protocol = Protocol(
        config.dataset,
        "test" if are_all else "test, drawn by chance",
        images=report.own_images,
        importance_samples=about["importance_samples"],
        seed=report.seed,
    )
    widgets.protocol(
        protocol,
        f"calibrated on {about['images']:,} {about['split']} images",
        "" if kept else "kept only until the app ends: the run folder cannot be written",
        pixels=config.pixels,
    )
    own = "With `--foreign` it also uses images of your own"
    st.caption(f"This command repeats the evaluation. {own}, or another data set:")
    st.code(_command(report, choice), language="bash", wrap_lines=True)


def _command(report: "DetectionReport", choice: Choice) -> str:
    sizes = choice.run.config.info.sizes
    all_there_are = report.own_images == min(DetectOptions.limit, sizes["test"])
    limit = DetectOptions.limit if all_there_are else report.own_images
    options = DetectOptions(limit=limit, seed=report.seed)
    return command("detect", [shown_path(choice.run.folder)], options)
