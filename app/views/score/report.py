"""What the report of an image says: its verdict in words, and the figures that it rests on."""

import math

import numpy as np
import streamlit as st

from app.parts import charts, missing_data
from app.services import data
from app.services.models import Choice
from app.shell import errors
from app.views.score.inputs import Given
from app.views.score.job import SEED, Job, Scored
from vae_core.analysis.classification import ClassProbabilities
from vae_core.analysis.neighbours import Neighbours
from vae_core.inference.pareto import TRUSTED_ESS, TRUSTED_PARETO_K
from vae_core.scoring.calibration import CLASS_SAMPLES
from vae_core.scoring.report import Report
from vae_core.scoring.score import Place
from vae_core.scoring.typicality import FIGURES, Judgement, Verdict
from vae_core.settings.choices import pixels_as
from vae_core.settings.data_sets import DATASETS
from vae_core.wording.numbers import number, typeset

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
        why_not: why there is no percentile, or a verdict by log p(x) alone, if that is so.
    """
    score, place = scored.score, scored.score.place
    pixels = pixels_as(job.scorer.binarisation, job.scorer.model.config.likelihood)
    st.markdown(
        f"**{short(given.label)}: log p̂(x) = {number(score.log_px, score.se)}** "
        + _trust_badge(score.trusted, pixels)
        + f"  \n{typeset(score.bits_per_dim, '.3f')} bits/dim. "
        + _trust_sentence(scored)
    )
    if place is None:
        st.markdown(f"**No percentile.** {why_not}")
    else:
        st.markdown(_place_sentence(place, scored.report, why_not))
    held_out = job.scorer.held_out
    compared = f" · percentile at K = {held_out.importance_samples:,}" if held_out else ""
    if held_out and score.refined and not held_out.refined:
        compared += f" {_DRAWN_FROM[False]}"
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


def _place_sentence(place: Place, report: Report, why_not: str) -> str:
    percentile = number(place.percentile, place.percentile_se, unit="")
    verdict = report.verdict or place.verdict
    head = f"**Percentile {percentile}** {_badge(verdict)}"
    if report.judgement is not None:
        return f"{head}  \n{report.sentence}"
    head += f" by log p(x) alone. {why_not}"
    share = f"{place.lower:,.0f} of {place.images:,} held-out images score lower"
    if verdict == "typical":
        return f"{head}  \n{share}."
    if place.percentile > 50:
        return (
            f"{head}  \n{share}: it is unusually *probable*, which is atypical too. Plain images, "
            "with little to get wrong, end up here."
        )
    return f"{head}  \n{share}: the model finds it unusually improbable."


def _badge(verdict: Verdict) -> str:
    return f":{_COLOURS[verdict]}-badge[{verdict}]"


def figures(report: Report, job: Job) -> None:
    """What the verdict rests on; without one, what is known of the image besides log p̂(x)."""
    calibration = job.scorer.calibration
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
    for figure, about in FIGURES.items():
        title, value = about.title.capitalize(), about.shown(judgement.values[figure])
        if figure == "log_px":
            title = f"log p̂(x), K = {samples:,}"
        elif figure == "regret":
            value = number(judgement.values[figure], report.regret_se)
        lines.append(
            f"| {title} | {value} | "
            f"{judgement.percentiles[figure]:.1f} | {judgement.tails[figure]:.2g} |"
        )
    return "\n".join(lines)


def _unjudged(report: Report) -> str:
    """The figures that need no held-out images."""
    corrected = FIGURES["complexity_corrected"]
    return (
        "| Figure | Value |\n| --- | ---: |\n"
        f"| {corrected.title.capitalize()} | {corrected.shown(report.complexity_corrected)} |\n"
        f"| {FIGURES['regret'].title.capitalize()} | "
        f"{number(report.regret, report.regret_se)} |"
    )


def _classes(classes: ClassProbabilities, choice: Choice) -> str:
    """The classes that are not improbable, the likeliest first."""
    names = DATASETS[choice.run.config.dataset].classes
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
    names = [DATASETS[dataset].classes[label] for label in neighbours.labels]
    away = map(FIGURES["latent_distance"].shown, neighbours.distances)
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
            charts.image(images[index].numpy().mean(0) / 255, caption, _NEAREST_SIDE)
