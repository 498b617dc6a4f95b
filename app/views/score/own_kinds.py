"""Foreign images of the visitor's own, as kinds of their own in the evaluation of the scores."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.parts import live
from app.parts.text import PRIVACY
from app.parts.uploads import Uploads, received
from app.services import data as data_service
from app.services import models, results
from app.services.models import Choice
from app.services.work import Bench, Task
from app.shell import errors
from app.shell.streamlit_internals import forget_uploads
from app.views.score.desk import uploads_in
from vae_core.basics.text import printable

if TYPE_CHECKING:
    from app.views.score.inputs import Upload
    from vae_core.basics.progress import Step
    from vae_core.scoring.detection import DetectionReport

_KEY = "score-own-kind"
_NAME = f"{_KEY}-name"
USUAL = "bad images"
_LONGEST_NAME = 40
_MOST_KINDS = 10


@dataclass(frozen=True)
class OwnKind:
    """Images that should be recognised, under one name.

    Attributes:
        digest: of the contents of the files.
    """

    name: str
    uploads: "tuple[Upload, ...]"
    digest: str


@dataclass
class Desk(Uploads):
    """The kinds of one session, in memory only.

    Attributes:
        kinds: in the order in which they were given.
    """

    kinds: list[OwnKind] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Key of the uploader."""
        return f"{_KEY}-files-{self.round}"

    def add(self, taken: Sequence[str]) -> None:
        """Callback: make a kind of the files in the uploader.

        Args:
            taken: names of the kinds that exist.
        """
        uploads = uploads_in(self.key)
        if not uploads:
            return
        digest = hashlib.sha256()
        for each in uploads:
            digest.update(hashlib.sha256(each.data).digest())
        name = _free_name(str(st.session_state.get(_NAME) or USUAL), taken)
        self.kinds.append(OwnKind(name, tuple(uploads), digest.hexdigest()))
        self.round += 1
        self.lost = 0

    def forget(self, kind: OwnKind) -> None:
        """Callback: forget the files of a kind."""
        self.kinds.remove(kind)
        forget_uploads([each.id for each in kind.uploads])


def _taken(mine: Desk, report: "DetectionReport") -> tuple[str, ...]:
    """Names that stand for other images, also where the report is older than a kind."""
    from vae_core.scoring.detection import OWN, kinds_for

    usual = kinds_for(report.calibration["dataset"])
    return (OWN, *usual, *report.kinds, *(each.name for each in mine.kinds))


def _free_name(wanted: str, taken: Sequence[str]) -> str:
    name = printable(wanted.strip(), _LONGEST_NAME) or USUAL
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def desk() -> Desk:
    """Return the kinds of this session."""
    return st.session_state.setdefault(f"{_KEY}-desk", Desk())


def with_own(report: "DetectionReport", choice: Choice, steps: dict[str, Any]) -> "DetectionReport":
    """Add the kinds of this session that have been measured to a report."""
    from vae_core.scoring.detection import joined

    bench = live.bench()
    for kind in desk().kinds:
        task = _task(choice, report, kind, steps)
        state = bench.latest(task) if bench.finished(task) else None
        if state is not None and state.result is not None:
            report = joined(report, state.result)
    return report


def section(report: "DetectionReport", choice: Choice, steps: dict[str, Any]) -> None:
    """Draw the fold in which images of the visitor's own become a kind.

    Args:
        report: the report without kinds of this session.
        steps: how files are prepared.
    """
    fold = st.expander(
        "Foreign images of your own",
        icon=":material/add_photo_alternate:",
        key=_KEY,
        on_change="rerun",
    )
    mine = desk()
    drawn = fold.open or bool(received(mine.key))  # files that are chosen stay chosen
    if not (drawn or mine.kinds):  # kinds are measured behind a closed fold too
        return
    with fold:
        if data_service.missing(choice):
            st.markdown(
                "The test images of the data set are needed to compare them with images of yours."
            )
            return
        st.markdown(
            "Give images that the verdict should find, such as parts with a fault. They become a "
            "row of the map above. They are prepared as the images that you score."
        )
        if drawn and len(mine.kinds) < _MOST_KINDS:
            _give(mine, report)
        for place, kind in enumerate(mine.kinds):
            _listed(mine, kind, place)
        tasks = [_task(choice, report, kind, steps) for kind in mine.kinds]
        done = [live.bench().finished(task) for task in tasks]
        if tasks:
            live.panel(tasks, lambda bench: _draw_again(bench, tasks, done), _KEY)


def _give(mine: Desk, report: "DetectionReport") -> None:
    mine.say_lost("image", "all images of that kind")
    name, files = st.columns([1, 2], gap="medium")
    name.text_input("Name of the kind", USUAL, max_chars=_LONGEST_NAME, key=_NAME)
    with files:
        given = st.file_uploader(
            "Images of the kind",
            accept_multiple_files=True,
            key=mine.key,
            help=f"Image files, or a .zip of them. The first {report.own_images:,} that can be "
            "read are used, as many as of every other kind.",
        )
    mine.empty_if_lost(mine.key)  # Streamlit knows what the uploader shows once it is drawn
    name.button(
        "Test the scores on them",
        on_click=mine.add,
        args=(_taken(mine, report),),
        disabled=not given,
        key=f"{_KEY}-add",
        icon=":material/fact_check:",
        help="Scores these images and the model's own test images, which takes a fraction of the "
        "time of the whole evaluation.",
    )
    st.caption(f"{PRIVACY} Nothing of them is stored with the model.")


def _listed(mine: Desk, kind: OwnKind, place: int) -> None:
    files = "1 file" if len(kind.uploads) == 1 else f"{len(kind.uploads):,} files"
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown(f"**{errors.plain(kind.name)}**, {files}", width="content")
        st.button(
            "Forget",
            on_click=mine.forget,
            args=(kind,),
            key=f"{_KEY}-forget-{place}",
            icon=":material/delete:",
            type="tertiary",
            help="Removes these images from memory, and their row from the map.",
        )


def _draw_again(bench: Bench, tasks: "Sequence[Task[Any]]", done: Sequence[bool]) -> None:
    """Draw the whole page once a kind has been measured: the map above has one row more."""
    if [bench.finished(task) for task in tasks] != list(done):
        st.rerun()


def _task(
    choice: Choice, report: "DetectionReport", kind: OwnKind, steps: dict[str, Any]
) -> "Task[Step[DetectionReport]]":
    way = report.own_images, report.seed
    return Task(
        (_KEY, *choice.weights(), *results.judged_by(choice), *way, kind.name, kind.digest,
         *steps.values()),
        f"Scoring {errors.plain(kind.name)} and test images",
        lambda: _measured(choice, report, kind, steps),
        lambda state: state.share,
    )  # fmt: skip


def _measured(
    choice: Choice, report: "DetectionReport", kind: OwnKind, steps: dict[str, Any]
) -> "Iterator[Step[DetectionReport]]":
    from app.views.score.inputs import entries, ways_of
    from vae_core.basics.progress import mapped
    from vae_core.runs.judging import new_detection_steps
    from vae_core.scoring.foreign_sources import prepared_images

    options, frames = ways_of(steps)
    config = choice.run.config
    pixels = prepared_images(
        ((each.name, each.data) for each in entries(kind.uploads, frames)),
        report.own_images,
        config.model.image_shape,
        config.info,
        options=options,
    )
    found = new_detection_steps(
        choice.run,
        models.model(choice),
        data_service.dataset(config.dataset),
        report.own_images,
        report.seed,
        {kind.name: pixels},
        choice.digest,
        only=(),
    )
    return mapped(found, lambda kept: kept.record)
