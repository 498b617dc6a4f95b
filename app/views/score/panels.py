"""Panels of the Score page: the images, the most unusual first, and one image's report."""

import streamlit as st

from app.figures import score as figures
from app.figures.pictures import as_picture
from app.parts import charts, preparation, widgets
from app.services.models import Choice
from app.shell import errors, frame
from app.shell.streamlit_internals import DeltaGenerator
from app.views.score import (
    better_model,
    calibrating,
    export,
    held_out,
    overview,
    ranking,
    redraws,
    sheet,
)
from app.views.score import report as report_texts
from app.views.score.controls import SHEET
from app.views.score.desk import Desk
from app.views.score.inputs import Given, prepared_again
from app.views.score.job import Job, Scored
from vae_core.data.prepare import Prepared
from vae_core.scoring.examples import example
from vae_core.scoring.pixel_map import pixel_terms
from vae_core.settings.choices import BINARY

_SHOWN_ERRORS = 4


def panels(desk: Desk, job: Job, choice: Choice) -> None:
    """Draw all images on the left, the chosen image on the right, and more details below."""
    found = {given.label: (given, scored) for given, scored in job.scored()}
    above = st.container()  # always present, so that nothing below it moves
    with above:
        failures(job)
        overview.foreign(job, choice)
    if not found:
        return
    left, right = _columns()
    with left:
        listed, view = overview.controls(job)
        labels = [given.label for given, _ in listed]
        rest = [given.label for given, _ in overview.ordered(job)]
        chosen, unknown = _chosen(labels, [*rest, *found], st.query_params.get("shown", ""))
        if not listed:
            st.caption("No image has this verdict.")
        elif view == SHEET:
            sheet.sheet(job, listed, chosen, choice)
        else:
            ranking.ranking(job, listed, chosen, choice, awaited=bool(unknown))
        if job.scorer.judge.calibration is not None:
            with st.container(key="score-histogram"):
                held_out.histogram(job, job.scorer.judge.calibration, chosen)
    if unknown and not (desk.job or job).working and not _is_among(job.failed, unknown):
        above.caption(
            f":orange[{report_texts.short(unknown)} is not among these images. Uploads are "
            f"visible only to the person who made them. Shown instead: {errors.plain(chosen)}.]"
        )
    given, scored = found[chosen]
    prepared = _prepared(desk, job, given, choice)
    with right:
        report(given, scored, job, prepared, choice)
        _numbers(given, scored, job)
    redraws.section(given, job)
    _preparation(given, prepared)
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


def _columns() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw two columns; the pictures of the report need more width in large type."""
    with st.container(key="score-results"):
        if frame.presenting():
            left, right = st.columns([4, 5], gap="medium")
        else:
            left, right = st.columns(2, gap="large")
        return left, right


def _numbers(given: Given, scored: Scored, job: Job) -> None:
    """Draw the numbers of the report, folded: each part is made when it is opened."""
    judged = scored.report.judgement is not None
    why = "Why this verdict?" if judged else "More about the image"
    fold = st.expander(why, icon=":material/balance:", key="score-why", on_change="rerun")
    if fold.open:
        with fold:
            report_texts.figures(scored.report, job)
    fold = st.expander(
        "How sure is log p̂(x)?", icon=":material/query_stats:", key="score-sure", on_change="rerun"
    )
    if fold.open:
        with fold:
            report_texts.estimate(scored, job)
            convergence(given, scored)


def _preparation(given: Given, prepared: Prepared | None) -> None:
    """Draw how the image was made, folded."""
    with st.expander("How the image was prepared", icon=":material/tune:", key="score-how"):
        made_as = example(given.label) if given.place is None else None
        if prepared is None:
            st.caption(f"{made_as.about if made_as else ''} The pixels are used as they are.")
        else:
            preparation.steps(prepared)


def _chosen(listed: list[str], labels: list[str], shown: str) -> tuple[str, str]:
    """Label of the image to show, and the requested label if it does not exist.

    Of an archive or a film, the first listed image in it is shown. Without a request, it is the
    first listed image, which is the most unusual one once all are scored.

    Args:
        listed: the images that the filter lists.
        labels: all images, in the same order.
    """
    first = next(iter([*listed, *labels]))
    if not shown:
        return first, ""
    chosen = next((each for each in [*listed, *labels] if _is_of(each, shown)), "")
    return (chosen, "") if chosen else (first, shown)


def _is_of(label: str, shown: str) -> bool:
    """Whether this is the requested image, or one in the requested archive or film."""
    return label == shown or label.startswith((f"{shown}/", f"{shown}["))


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
            job.reading.frames,
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


# ---- one image


def report(
    given: Given, scored: Scored, job: Job, prepared: Prepared | None, choice: Choice
) -> None:
    """Draw the score report of one image, and a button if its verdict lacks a calibration.

    Args:
        prepared: how the image was made from a file.
    """
    report_texts.sentence(scored.report, calibrating.why_not(choice, job.scorer.judge))
    calibrating.offer(choice, job.scorer.judge)
    _pictures(given, scored, job, prepared)
    report_texts.score_line(given, scored, job)
    report_texts.likeness(scored.report, choice)
    if given.place is not None:
        better_model.note(choice)


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
        is_binary = job.scorer.model.config.likelihood in BINARY
        seen = "Binarised" if is_binary and job.scorer.binarisation != "none" else "Model input"
        preparation.picture(as_picture(scored.x[0]), seen)
        preparation.picture(as_picture(terms.reconstruction), "Reconstruction")
        pixels = terms.log_likelihood.sum(0).numpy()
        with st.container(width=round(170 * frame.magnification()), gap=None):
            charts.chart(
                figures.pixel_figure(pixels, height=preparation.SIDE),
                "pixels",
                "log p(x|z) of each pixel: bright pixels surprise the model.",
            )
            st.caption("Bright pixels surprise")
