"""Panels of the Score page: the ranked table, the held-out distribution, one image's report."""

import streamlit as st

from app.figures import score as figures
from app.figures.pictures import as_picture
from app.parts import charts, preparation, widgets
from app.services.models import Choice
from app.shell import errors, frame
from app.views.score import better_model, calibrating, export, redraws
from app.views.score import report as report_texts
from app.views.score.desk import Desk
from app.views.score.examples import example
from app.views.score.inputs import Given, prepared_again
from app.views.score.job import Job, Scored
from app.views.score.ranking import ranking
from vae_core.data.prepare import Prepared
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.pixel_map import pixel_terms

_SHOWN_ERRORS = 4
_MOST_MARKS = 300


def panels(desk: Desk, job: Job, choice: Choice) -> None:
    """Draw all images on the left, the chosen image on the right, and more details below."""
    found = {given.label: (given, scored) for given, scored in job.scored()}
    chosen, unknown = _chosen(list(found), st.query_params.get("shown", ""))
    with st.container():  # always present, so that nothing below it moves
        failures(job)
        if unknown and not (desk.job or job).working and not _is_among(job.failed, unknown):
            st.caption(
                f":orange[{report_texts.short(unknown)} is not among these images. Uploads are "
                f"visible only to the person who made them. Shown instead: {errors.plain(chosen)}.]"
            )
    if not found:
        return
    left, right = st.columns(2, gap="large")
    with left:
        ranking(job, chosen, choice, awaited=bool(unknown))
        if job.scorer.judge.calibration is not None:
            distribution(job, job.scorer.judge.calibration, chosen)
    given, scored = found[chosen]
    prepared = _prepared(desk, job, given, choice)
    with right:
        report(given, scored, job, prepared, choice)
        if given.place is not None:
            better_model.note(choice)
        convergence(given, scored)
    left, right = st.columns(2, gap="large")
    with left:
        report_texts.figures(scored.report, job)
    with right:
        report_texts.likeness(scored.report, choice)
    redraws.section(given, job)
    with st.expander("How the image was prepared", icon=":material/tune:", key="score-how"):
        made_as = example(given.label) if given.place is None else None
        if prepared is None:
            st.caption(f"{made_as.about if made_as else ''} The pixels are used as they are.")
        else:
            preparation.steps(prepared)
    config = choice.run.config
    widgets.code(
        export.code(
            choice.run.folder,
            config.dataset,
            job.scorer.binarisation,
            scored.score.importance_samples,
            job.scorer,
            given,
            job.reading.options,
        )
    )


def _chosen(labels: list[str], shown: str) -> tuple[str, str]:
    """Label of the image to show, and the requested label if it does not exist.

    For an archive, the first image in it is shown.
    """
    first = labels[0] if labels else ""
    if not first or not shown:
        return first, ""
    chosen = next((each for each in labels if _is_of(each, shown)), "")
    return (chosen, "") if chosen else (first, shown)


def _is_of(label: str, shown: str) -> bool:
    """Whether this is the requested image, or an image in the requested archive."""
    return label == shown or label.startswith(f"{shown}/")


def _is_among(given: list[Given], shown: str) -> bool:
    return any(_is_of(each.label, shown) for each in given)


def _prepared(desk: Desk, job: Job, given: Given, choice: Choice) -> Prepared | None:
    """Preparation steps of the image; None for an example."""
    if given.place is None:
        return None
    if desk.prepared is None or desk.prepared[0] != (job.reading.key, given.place):
        config = choice.run.config
        prepared = prepared_again(
            job.reading.uploads,
            given.place,
            config.model.image_shape,
            job.reading.options,
            config.info,
        )
        desk.prepared = (job.reading.key, given.place), prepared
    return desk.prepared[1]


def failures(job: Job) -> None:
    """Show which files could not be read, and why."""
    lines = [_failure(given) for given in job.failed]
    if not lines:
        return
    others = [_rest_of(job)] if job.readable else []
    st.error("  \n".join(lines[:_SHOWN_ERRORS] + others))
    if len(lines) > _SHOWN_ERRORS:
        with st.expander(f"{len(lines) - _SHOWN_ERRORS} more that could not be read"):
            st.markdown("  \n".join(lines[_SHOWN_ERRORS:]))


def _failure(given: Given) -> str:
    """Reason why a file could not be read, with the archive if it is in one."""
    archive, inside, _ = given.label.partition("/")
    return (
        f"{report_texts.short(archive)}: {errors.plain(given.error)}"
        if inside
        else errors.plain(given.error)
    )


def _rest_of(job: Job) -> str:
    """Say how many of the readable files are scored."""
    scored, readable = len(job.scored()), len(job.readable)
    if scored == readable and job.done:
        return "The other one is scored." if scored == 1 else f"The other {scored:,} are scored."
    return f"Of the other {readable:,} files, {scored:,} are scored so far."


def distribution(job: Job, calibration: Calibration, chosen: str | None) -> None:
    """Draw all images on the distribution of the held-out scores."""
    placed = [(g.label, s.score.place) for g, s in job.ranked() if s.score.place is not None]
    step = -(-len(placed) // _MOST_MARKS)
    placed = [each for i, each in enumerate(placed) if i % step == 0 or each[0] == chosen]
    labels = [label for label, _ in placed]
    values = [place.log_px for _, place in placed]
    index = labels.index(chosen) if chosen in labels else None
    held_out = calibration.held_out.log_px
    figure = figures.held_out_figure(
        held_out.numpy(), calibration.importance_samples, labels, values, index
    )
    where = f" {chosen} is at {values[index]:.1f} nats." if index is not None else ""
    alt = f"Histogram of log p(x) of {len(held_out)} held-out images, with marks." + where
    names = ["held-out"] * len(held_out) + labels
    charts.chart(
        figure,
        "held-out",
        alt,
        {"image": names, "log_px_nats": [*held_out.tolist(), *values]},
    )


# ---- one image


def report(
    given: Given, scored: Scored, job: Job, prepared: Prepared | None, choice: Choice
) -> None:
    """Draw the score report of one image, and a button if its verdict lacks a calibration.

    Args:
        prepared: how the image was made from a file.
    """
    _pictures(given, scored, job, prepared)
    report_texts.judgement(given, scored, job, calibrating.why_not(choice, job.scorer.judge))
    calibrating.offer(choice, job.scorer.judge)


def convergence(given: Given, scored: Scored) -> None:
    """Draw the estimate of one image against the number of samples."""
    course = scored.convergence
    charts.chart(
        figures.convergence_figure(
            course.samples, course.log_px, course.se, scored.score.elbo, height=230
        ),
        "convergence",
        f"log p(x) of {given.label} while the number of importance samples grows to "
        f"{course.samples[-1]:,}: it ends at {course.log_px[-1]:.2f} nats.",
        {"samples": course.samples, "log_px_nats": course.log_px, "se_nats": course.se},
    )


def _pictures(given: Given, scored: Scored, job: Job, prepared: Prepared | None) -> None:
    terms = pixel_terms(job.scorer.model, scored.x)
    assert given.pixels is not None
    first = as_picture(given.pixels)
    if prepared is not None:
        first = prepared.steps[0].image / 255
    with st.container(horizontal=True, gap="xsmall", key="score-pictures"):
        preparation.picture(first, "Given")
        preparation.picture(as_picture(scored.x[0]), "Model input")
        preparation.picture(as_picture(terms.reconstruction), "Reconstruction")
        pixels = terms.log_likelihood.sum(0).numpy()
        with st.container(width=round(170 * frame.magnification()), gap=None):
            charts.chart(
                figures.pixel_figure(pixels, height=preparation.SIDE),
                "pixels",
                "log p(x|z) of each pixel: bright pixels surprise the model.",
            )
            st.caption("log p(x|z) by pixel: bright is surprising")
