"""What the report of an image says: its verdict in words, and the figures that it rests on."""

import math

import numpy as np
import streamlit as st

from app.figures.pictures import as_picture
from app.parts import charts, missing_data
from app.services import data
from app.services.models import Choice
from app.shell import errors
from app.views.score.inputs import Given
from app.views.score.job import SEED, Job, Scored
from vae_core.analysis.classification import ClassProbabilities
from vae_core.analysis.neighbours import Neighbours
from vae_core.inference.pareto import TRUSTED_ESS, TRUSTED_PARETO_K
from vae_core.scoring.context import CLASS_SAMPLES
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.report import Report
from vae_core.scoring.typicality import Judgement, Verdict
from vae_core.settings.choices import pixels_as
from vae_core.settings.data_sets import find_dataset
from vae_core.wording.numbers import number, typeset
from vae_core.wording.verdict import report_sentence, value_with_unit

_COLOURS = {"typical": "green", "unusual": "orange", "unlike the training data": "red"}
_DRAWN_FROM = {
    True: "draws from a Gaussian fitted to this image",
    False: "draws from the encoder's q(z|x)",
}
_NO_LIKELIHOOD = "not a likelihood"
_TRUSTED = ":green-badge[trustworthy]"
_ONE_DRAW = (
    " Both are of one draw of the binary pixels: *How much hangs on one draw?*, below, makes more."
)
_LIKELY = 0.05  # classes less probable are not named
_NEAREST_SIDE = 64  # of a picture, in pixels


def judgement(given: Given, scored: Scored, job: Job, why_not: str) -> None:
    """log p̂(x) with how far to trust it, and the verdict.

    Args:
        why_not: why there is no percentile, if that is so.
    """
    score = scored.score
    pixels = pixels_as(job.scorer.binarisation, job.scorer.model.config.likelihood)
    st.markdown(
        f"**{short(given.label)}: log p̂(x) = {number(score.log_px, score.se)}** "
        + _trust_badge(score.trusted, pixels)
        + f"  \n{typeset(score.bits_per_dim, '.3f')} bits/dim. "
        + _trust_sentence(scored)
    )
    st.markdown(_verdict(scored.report) or f"**No percentile.** {why_not}")
    calibration = job.scorer.judge.calibration
    compared = f" · percentile at K = {calibration.importance_samples:,}" if calibration else ""
    st.caption(
        "Do not read log p̂(x) alone: plain images often score above every real one, whatever they "
        "show. The percentile says how usual the score is for images like those the model learnt; "
        f"both ends are atypical.{_ONE_DRAW if job.scorer.drawn else ''}  \nProtocol: {pixels} · "
        f"K = {score.importance_samples:,} {_DRAWN_FROM[score.refined]} · seed {SEED}{compared}"
    )


def _trust_badge(trusted: bool, pixels: str) -> str:
    if not trusted:
        return ":red-badge[do not trust this number]"
    return f":orange-badge[{_NO_LIKELIHOOD}]" if _NO_LIKELIHOOD in pixels else _TRUSTED


def short(label: str) -> str:
    """What visitors call an image, short enough for a line."""
    return errors.plain(label if len(label) <= 40 else f"{label[:18]}…{label[-20:]}")


def _trust_sentence(scored: Scored) -> str:
    score = scored.score
    used = f"ESS {score.ess:,.0f} of {score.importance_samples:,}"
    if np.isneginf(score.pareto_k):
        return f"All importance weights are equal: the estimate is exact ({used})."
    k = f"k̂ = {typeset(score.pareto_k, '.2f')}"
    if score.trusted:
        return f"{k} ≤ {TRUSTED_PARETO_K}, {used}: enough samples share the weight."
    if score.pareto_k <= TRUSTED_PARETO_K:
        return f"{k}, {used}: fewer than {TRUSTED_ESS} samples share the weight. Choose a larger K."
    heavy = f" > {TRUSTED_PARETO_K}" if score.pareto_k > TRUSTED_PARETO_K else ""
    return (
        f"{k}{heavy}, {used}: a few samples carry the whole estimate. The "
        "true value is probably higher; a larger K helps."
    )


def _verdict(report: Report) -> str:
    """The percentile and the verdict; empty without a calibration."""
    place = report.score.place
    if place is None or report.verdict is None:
        return ""
    percentile = number(place.percentile, place.percentile_se, unit="")
    return f"**Percentile {percentile}** {_badge(report.verdict)}  \n{report_sentence(report)}"


def _badge(verdict: Verdict) -> str:
    return f":{_COLOURS[verdict]}-badge[{verdict}]"


def figures(report: Report, job: Job) -> None:
    """What the verdict rests on; without one, what is known of the image besides log p̂(x)."""
    calibration = job.scorer.judge.calibration
    if report.judgement is not None and calibration is not None:
        st.subheader("What the verdict rests on", anchor=False)
        st.markdown(_table(report, report.judgement, calibration.importance_samples))
        st.caption(
            f"Percentile and tail among {report.judgement.images} held-out images: the tail is the "
            "share of them that are as extreme, which is high, and for log p(x) low as well. The "
            f"tails together give p = {report.judgement.p_value:.2g}, how rarely an image of the "
            "data looks so extreme."
        )
    else:
        st.subheader("More about the image", anchor=False)
        st.markdown(_unjudged(report))
        st.caption("High values are atypical; how high is known once the scores are calibrated.")


def likeness(report: Report, choice: Choice) -> None:
    """What class the image would have, and what it is near to."""
    if report.classes is None and report.neighbours is None:
        return
    st.subheader("What it is like", anchor=False)
    if report.classes is not None:
        st.markdown(_classes(report.classes, choice))
    if report.neighbours is not None:
        _nearest(report.neighbours, choice)


def _table(report: Report, judgement: Judgement, samples: int) -> str:
    """Every figure among the held-out ones; log p̂(x) with as many samples as theirs."""
    lines = ["| Figure | Value | Percentile | Tail |", "| --- | ---: | ---: | ---: |"]
    for name, figure in FIGURES.items():
        title = figure.title.capitalize() if name != "log_px" else f"log p̂(x), K = {samples:,}"
        lines.append(
            f"| {title} | {_value(name, judgement.values[name], report)} | "
            f"{judgement.percentiles[name]:.1f} | {judgement.tails[name]:.2g} |"
        )
    return "\n".join(lines)


def _unjudged(report: Report) -> str:
    """The figures besides log p̂(x) that are known without a calibration."""
    lines = ["| Figure | Value |", "| --- | ---: |"]
    for name, value in report.values.items():
        if name != "log_px" and not math.isnan(value):
            lines.append(f"| {FIGURES[name].title.capitalize()} | {_value(name, value, report)} |")
    return "\n".join(lines)


def _value(figure: str, value: float, report: Report) -> str:
    """The value of a figure with its unit, and its standard error if it has one."""
    if figure in report.errors:
        return number(value, report.errors[figure], FIGURES[figure].unit)
    return value_with_unit(figure, value)


def _classes(classes: ClassProbabilities, choice: Choice) -> str:
    """The classes that are not improbable, the likeliest first."""
    names = find_dataset(choice.run.config.dataset).classes
    order = np.argsort(classes.probabilities)[::-1]
    likely = [i for i in order if classes.probabilities[i] >= _LIKELY] or order[:1]
    told = ", ".join(f"**{names[i]}** {_probability(classes, i)}" for i in likely)
    how = "logistic regression on E[z|x]" if classes.se is None else "the model's own class head"
    if classes.se is not None and all(map(math.isnan, classes.se)):
        how += (
            f", Monte Carlo error unknown: few of its own {CLASS_SAMPLES:,} draws carry the weight"
        )
    return (
        f"p(y|x), if it is of the data at all: {told} :small[({how}; right for "
        f"{classes.accuracy:.1%} of held-out images)]"
    )


def _probability(classes: ClassProbabilities, index: int) -> str:
    """With its Monte Carlo error, where that is known."""
    error = math.nan if classes.se is None else classes.se[index]
    shown = f"{classes.probabilities[index]:.0%}"
    if math.isnan(error):
        return shown
    return f"{shown} ± {error:.0%}" if error >= 0.005 else f"{shown} ± <1%"


def _nearest(neighbours: Neighbours, choice: Choice) -> None:
    """The training images with the nearest latents; in words where they are not at hand."""
    dataset = choice.run.config.dataset
    names = [find_dataset(dataset).classes[label] for label in neighbours.labels]
    away = (value_with_unit("latent_distance", each) for each in neighbours.distances)
    captions = [f"{name}, {far}" for name, far in zip(names, away, strict=True)]
    if data.missing(choice):
        st.markdown(
            f"Classes of the training images with the nearest latents: {'; '.join(captions)}"
        )
        missing_data.note(choice, "Their pictures are part of")
        return
    st.markdown("Training images with the nearest latents, and how far they are")
    images = data.dataset(dataset).split("train")[0]
    with st.container(horizontal=True, gap="xsmall", key="score-nearest"):
        for index, caption in zip(neighbours.indices, captions, strict=True):
            charts.image(as_picture(images[index]), caption, _NEAREST_SIDE)
