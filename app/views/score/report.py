"""Texts of an image's report: a plain sentence first, then the numbers behind it."""

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
from vae_core.inference.pareto import TRUSTED_ESS, largest_trusted_k
from vae_core.scoring.context import CLASS_SAMPLES
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.report import Report
from vae_core.scoring.typicality import Judgement
from vae_core.settings.choices import DENSITY, pixels_as
from vae_core.wording.lists import listed
from vae_core.wording.numbers import in_hundredths, number, typeset
from vae_core.wording.verdict import (
    class_condition,
    epoch_sentence,
    plain_sentence,
    rate_sentence,
    report_sentence,
    tail_sentence,
    value_with_unit,
)

_COLOURS = {"typical": "green", "unusual": "orange", "unlike the training data": "red"}
_DRAWN_FROM = {
    True: "draws from a mixture fitted to this image",
    False: "draws from the encoder's q(z|x)",
}
_NO_LIKELIHOOD = "not a likelihood"
_ONE_DRAW = (
    " Grey was turned to black or white at random once; another draw changes the score. *How much "
    "does the score depend on one draw?*, below, scores more draws."
)
_LIKELY = 0.05  # less probable classes are not named
_NEAREST_SIDE = 64  # width of a picture in pixels


def sentence(report: Report, why_not: str) -> None:
    """Say in one plain sentence whether the image looks like the training data.

    Args:
        why_not: reason why no verdict is available, if so.
    """
    judgement = report.judgement
    with st.container(key="score-said"):
        if judgement is None:
            st.markdown(f"**No verdict.** {why_not}")
            return
        verdict, colon, stranger = plain_sentence(judgement).partition(":")
        st.markdown(f":{_COLOURS[judgement.verdict]}[**{verdict}**]{colon}{stranger}")


def score_line(given: Given, scored: Scored, job: Job) -> None:
    """Show log p̂(x) of the image, with what is known about the number."""
    score = scored.score
    pixels = pixels_as(job.scorer.binarisation, job.scorer.model.config.likelihood)
    st.markdown(
        f"**{short(given.label)}**: log p̂(x) = {in_hundredths(score.log_px, score.se)} "
        + _badge(scored, pixels)
    )


def estimate(scored: Scored, job: Job) -> None:
    """Say how log p̂(x) was estimated, and what it does not say."""
    score = scored.score
    pixels = pixels_as(job.scorer.binarisation, job.scorer.model.config.likelihood)
    st.markdown(f"{_bits(score.bits_per_dim)} {_trust_sentence(scored)}")
    st.caption(
        "Do not judge an image by log p̂(x) alone: plain images often score higher than every real "
        f"image.{_ONE_DRAW if job.scorer.drawn else ''}  \nProtocol: {pixels} · "
        f"K = {score.importance_samples:,} {_DRAWN_FROM[score.refined]} · seed {SEED}"
    )


def _bits(bits: float) -> str:
    return f"This is {DENSITY}." if math.isnan(bits) else f"{typeset(bits, '.3f')} bits/dim."


def _badge(scored: Scored, pixels: str) -> str:
    """State log p̂(x) and how far it can be trusted, in the neutral colours of a note."""
    if not scored.score.trusted:
        return ":blue-badge[do not trust this number]"
    if _NO_LIKELIHOOD in pixels:
        return f":gray-badge[{_NO_LIKELIHOOD}]"
    is_exact = np.isneginf(scored.score.pareto_k)
    return f":gray-badge[{'exact' if is_exact else 'no sign of a missed mode'}]"


def short(label: str) -> str:
    """Name of an image, shortened to fit in a line."""
    return errors.plain(label if len(label) <= 40 else f"{label[:18]}…{label[-20:]}")


def _trust_sentence(scored: Scored) -> str:
    score = scored.score
    used = f"ESS {score.ess:,.0f} of {score.importance_samples:,}"
    if np.isneginf(score.pareto_k):
        return f"All importance weights are equal, so the estimate is exact ({used})."
    if np.isnan(score.pareto_k):
        return f"No k̂, {used}: too few samples to judge. Choose a larger K.{_still(scored)}"
    k = f"k̂ = {typeset(score.pareto_k, '.2f')}"
    limit = largest_trusted_k(score.importance_samples)
    if score.trusted:
        return (
            f"{k} ≤ {limit:.2f}, {used}: enough samples share the weight. A mode of p(z|x) that no "
            "sample reached leaves no sign in the weights."
        )
    if score.pareto_k <= limit:
        few = f"fewer than {TRUSTED_ESS:.0f} samples share the weight"
        if score.ess >= TRUSTED_ESS:
            few = f"p(z|x) has several modes, with fewer than {TRUSTED_ESS:.0f} samples for each"
        return f"{k}, {used}: {few}. Choose a larger K.{_still(scored)}"
    return (
        f"{k} > {limit:.2f}, {used}: the estimate depends on a few samples. The "
        f"true value is probably higher. A larger K helps.{_still(scored)}"
    )


def _still(scored: Scored) -> str:
    """Say that a verdict holds although log p̂(x) cannot be trusted."""
    if scored.report.verdict is None:
        return ""
    return " The verdict holds: the real images were scored in the same way."


def figures(report: Report, job: Job) -> None:
    """Show the figures behind the verdict; without a verdict, all figures except log p̂(x)."""
    calibration = job.scorer.judge.calibration
    if report.judgement is not None and calibration is not None:
        samples = calibration.importance_samples
        both = listed([each.heading for each in FIGURES.values() if each.two_sided])
        st.markdown(f"{report_sentence(report)} {_percentile(report)}")
        st.markdown(_table(report, report.judgement))
        st.caption(
            f"Percentile and tail among {report.judgement.images:,} held-out images. The tail is "
            f"the share of them that are at least as extreme. {tail_sentence(calibration)}High "
            f"values are extreme; for {both} low values too. All tails together give p = "
            f"{report.judgement.p_value:.2g}: "
            "the probability that an image of the data looks at least as extreme. Percentile and "
            f"tail of log p̂(x) are by K = {samples:,}, as for the held-out images.  \n"
            f"{rate_sentence(report.judgement.false_alarms, report.judgement.images)}"
            f"{epoch_sentence(calibration)}"
        )
    else:
        st.markdown(_unjudged(report))
        st.caption("High values are atypical. Calibration shows which values are too high.")


def _percentile(report: Report) -> str:
    """Say the percentile of log p̂(x)."""
    place = report.score.place
    if place is None:
        return ""
    return (
        f"**Percentile {number(place.percentile, place.percentile_se, unit='')}** of log p̂(x): "
        "both very low and very high percentiles are atypical."
    )


def likeness(report: Report, choice: Choice) -> None:
    """Show the class of the image and its nearest training images."""
    if report.classes is not None:
        st.markdown(_classes(report.classes, choice))
    if report.neighbours is not None:
        _nearest(report.neighbours, choice)


def _table(report: Report, judgement: Judgement) -> str:
    """Table of all figures among the held-out images. log p̂(x) is that of the score."""
    lines = ["| Figure | Value | Percentile | Tail |", "| --- | ---: | ---: | ---: |"]
    for name, figure in FIGURES.items():
        title, value = figure.title.capitalize(), _value(name, judgement.values[name], report)
        if name == "log_px":
            title, value = "log p̂(x)", in_hundredths(report.score.log_px, report.score.se)
        lines.append(
            f"| {title} | {value} | "
            f"{judgement.percentiles[name]:.1f} | {judgement.tails[name]:.2g} |"
        )
    return "\n".join(lines)


def _unjudged(report: Report) -> str:
    """Table of the figures, except log p̂(x), that need no calibration."""
    lines = ["| Figure | Value |", "| --- | ---: |"]
    for name, value in report.values.items():
        if name != "log_px" and not math.isnan(value):
            lines.append(f"| {FIGURES[name].title.capitalize()} | {_value(name, value, report)} |")
    return "\n".join(lines)


def _value(figure: str, value: float, report: Report) -> str:
    """Value of a figure with its unit, and its standard error if known."""
    if figure in report.errors:
        return number(value, report.errors[figure], FIGURES[figure].unit)
    return value_with_unit(figure, value)


def _classes(classes: ClassProbabilities, choice: Choice) -> str:
    """Name the probable classes, the most probable first."""
    names = choice.run.config.info.classes
    order = np.argsort(classes.probabilities)[::-1]
    likely = [i for i in order if classes.probabilities[i] >= _LIKELY] or order[:1]
    told = ", ".join(f"**{names[i]}** ({_probability(classes, i)})" for i in likely)
    how = "logistic regression on E[z|x]" if classes.se is None else "the model's own class head"
    if classes.se is not None and all(map(math.isnan, classes.se)):
        how += f", Monte Carlo error unknown: few of its {CLASS_SAMPLES:,} draws carry the weight"
    return (
        f"Class: {told}, {class_condition(choice.run.config.info)} :small[· {how}, right for "
        f"{classes.accuracy:.1%} of held-out images]"
    )


def _probability(classes: ClassProbabilities, index: int) -> str:
    """Format a class probability with its Monte Carlo error, if known."""
    error = math.nan if classes.se is None else classes.se[index]
    shown = f"{100 * classes.probabilities[index]:.0f}"
    if math.isnan(error):
        return f"{shown} %"
    return f"{shown} ± {100 * error:.0f} %" if error >= 0.005 else f"{shown} ± <1 %"


def _nearest(neighbours: Neighbours, choice: Choice) -> None:
    """Show the training images with the nearest latents, as text if the data set is missing."""
    names = map(choice.run.config.info.class_name, neighbours.labels)
    away = (value_with_unit("latent_distance", each) for each in neighbours.distances)
    captions = [f"{name}, {far}" for name, far in zip(names, away, strict=True)]
    if data.missing(choice):
        st.markdown(
            f"Classes of the training images with the nearest latents: {'; '.join(captions)}"
        )
        missing_data.note(choice, "Their pictures are part of")
        return
    st.markdown("Most similar training images, by the distance between their latents")
    images = data.dataset(choice.run.config.dataset).split("train")[0]
    with st.container(horizontal=True, gap="xsmall", key="score-nearest"):
        for index, caption in zip(neighbours.indices, captions, strict=True):
            charts.image(as_picture(images[index]), caption, _NEAREST_SIDE)
