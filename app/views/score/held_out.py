"""The histogram of what decides a verdict: how unusual images are, beside the held-out images."""

import streamlit as st

from app.figures import score as figures
from app.parts import charts
from app.views.score.job import Job
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.typicality import Judgement, limit_at

_MOST_MARKS = 300


def histogram(job: Job, calibration: Calibration, chosen: str) -> None:
    """Draw all images on the distribution of the held-out images, with the line at α."""
    found = [(given.label, s.report.judgement) for given, s in job.ranked()]
    judged = [(label, judgement) for label, judgement in found if judgement is not None]
    if not judged:
        return
    step = -(-len(judged) // _MOST_MARKS)
    marked = [each for i, each in enumerate(judged) if i % step == 0 or each[0] == chosen]
    labels = [label for label, _ in marked]
    index = labels.index(chosen) if chosen in labels else None
    held_out = calibration.reference.unusualness(marked[index or 0][1])
    limit = limit_at(held_out, job.scorer.judge.false_alarms)
    alpha = f"α = {100 * job.scorer.judge.false_alarms:g} %"
    values = [each.unusualness for _, each in marked]
    figure = figures.unusual_figure(
        held_out.numpy(),
        labels,
        values,
        [each.verdict for _, each in marked],
        limit,
        index,
        line=f"{alpha}: unlike",
    )
    shown = None if index is None else marked[index][1]
    real = 0 if limit is None else int((held_out > limit).sum())
    told = _told([each for _, each in judged], alpha, real, shown)
    log_px = [*calibration.held_out.log_px.tolist(), *(e.values["log_px"] for _, e in marked)]
    charts.chart(
        figure,
        "held-out",
        f"Histogram of how unusual {len(held_out)} held-out images are, with marks. {told}",
        {
            "image": ["held-out"] * len(held_out) + labels,
            "log_px_nats": log_px,
            "unusualness": [*held_out.tolist(), *values],
        },
    )
    st.caption(
        told,
        help="Unusualness is the mean of 1/√tail over the figures of an image, where a tail is the "
        "share of real images that are as extreme in this figure. It decides the verdict. Real "
        "images are held-out images of the data set, which the model has not seen.",
    )


def _told(judged: list[Judgement], alpha: str, real: int, shown: Judgement | None) -> str:
    """Say how many images are beyond the line, and what is in colour."""
    unlike = sum(each.verdict == "unlike the training data" for each in judged)
    beyond = (
        f"Right of the line at {alpha}: {unlike:,} of {len(judged):,} images here, and {real:,} of "
        f"{judged[0].images:,} real images (false alarms)."
    )
    if shown is None or not shown.as_unusual:
        return beyond
    return f"{beyond} In colour: the {shown.as_unusual:,} real images that look stranger."
