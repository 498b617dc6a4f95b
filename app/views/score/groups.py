"""Good and bad images: two groups of files, scored in the background, and the operating point."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.parts import live
from app.parts.text import PRIVACY
from app.parts.uploads import Uploads, received
from app.services import models, results
from app.services.models import Choice
from app.services.work import Bench, Task
from app.shell import errors
from app.shell.streamlit_internals import forget_uploads
from app.views.score import calibrating
from app.views.score.desk import uploads_in

if TYPE_CHECKING:
    from app.views.score.inputs import Upload
    from vae_core.basics.progress import Step
    from vae_core.scoring.calibration import Calibration
    from vae_core.scoring.groups import GroupName, Groups

_KEY = "score-groups"
_TEXTS: "dict[GroupName, tuple[str, str]]" = {
    "good": (
        "Good images",
        "Images like the training data, which should not be called unlike it. Give new ones: with "
        "images that the model was trained on, false alarms would seem rarer than they are.",
    ),
    "bad": ("Bad images", "Images that the verdict should find, such as parts with a fault."),
}


@dataclass
class Desk(Uploads):
    """The two groups of one session, in memory only.

    Attributes:
        given: the files of each group.
        begun: whether the present files were asked to be compared.
    """

    given: "dict[GroupName, list[Upload]]" = field(default_factory=lambda: {"good": [], "bad": []})
    begun: bool = False

    def key(self, group: "GroupName") -> str:
        """Key of the uploader of a group."""
        return f"{_KEY}-{group}-{self.round}"

    def take(self, group: "GroupName") -> None:
        """Callback: take the files in the uploader of a group."""
        found = self.given[group] = uploads_in(self.key(group))
        self.begun = False
        if found:
            self.lost = 0

    def see(self) -> None:
        """Take the files of the uploaders if the callbacks did not, as after a lost connection."""
        for group in self.given:
            found = [each.file_id for each in received(self.key(group))]
            if found and found != [each.id for each in self.given[group]]:
                self.take(group)
        for group in self.given:
            self.empty_if_lost(self.key(group))

    def begin(self) -> None:
        """Callback: compare the groups."""
        self.begun = True

    def clear(self) -> None:
        """Callback: forget all files."""
        forget_uploads([each.id for group in self.given.values() for each in group])
        self.given = {"good": [], "bad": []}
        self.begun = False
        self.round += 1
        self.lost = 0

    def digest(self) -> str:
        """Digest of the contents of all files and of their groups."""
        digest = hashlib.sha256()
        for group, uploads in self.given.items():
            digest.update(group.encode())
            for each in uploads:
                digest.update(hashlib.sha256(each.data).digest())
        return digest.hexdigest()


def section(choice: Choice, steps: dict[str, Any], false_alarms: float) -> None:
    """Draw the fold: the operating point, both groups of files, and what they show.

    Args:
        steps: how files are prepared.
        false_alarms: the rate of the slider.
    """
    note = results.usual_rate(choice).note
    if note:
        st.warning(errors.plain(note))
    fold = st.expander("Good and bad images", icon=":material/rule:", key=_KEY, on_change="rerun")
    if not fold.open:
        return
    with fold:
        from app.views.score import groups_point

        groups_point.present(choice)
        calibration = calibrating.calibration(choice)
        if calibration is None:
            st.markdown(
                "Groups can be compared when the scores of this model are calibrated, because a "
                "verdict compares an image with held-out images."
            )
            return
        _groups(choice, calibration, steps, false_alarms)


def _groups(
    choice: Choice, calibration: "Calibration", steps: dict[str, Any], false_alarms: float
) -> None:
    mine: Desk = st.session_state.setdefault(f"{_KEY}-desk", Desk())
    st.markdown(
        "Give images that are known to be good and bad: the page measures how many bad ones the "
        "verdict finds at each false-alarm rate, and suggests the rate with the lowest cost."
    )
    for column, group in zip(st.columns(2, gap="large"), _TEXTS, strict=True):
        with column:
            _uploader(mine, group)
    mine.see()
    mine.say_lost("image", "all images of that group")
    st.caption(PRIVACY)
    if not all(mine.given.values()):
        return
    with st.container(horizontal=True, gap="small"):
        if not mine.begun:
            st.button(
                "Compare the groups",
                on_click=mine.begin,
                key=f"{_KEY}-begin",
                icon=":material/compare_arrows:",
                type="primary",
            )
        st.button(
            "Forget these images",
            on_click=mine.clear,
            key=f"{_KEY}-clear",
            icon=":material/delete:",
            type="tertiary",
            help="Removes both groups from memory.",
        )
    if not mine.begun:
        return
    task = _task(choice, calibration, mine, steps)

    def show(bench: Bench) -> None:
        state = bench.latest(task) if bench.finished(task) else None
        if state is not None and state.result is not None:
            from app.views.score import groups_panels

            groups_panels.panels(state.result, choice, steps, false_alarms)

    live.panel([task], show, _KEY)


def _uploader(mine: Desk, group: "GroupName") -> None:
    label, about = _TEXTS[group]
    files = st.file_uploader(
        label,
        accept_multiple_files=True,
        key=mine.key(group),
        on_change=mine.take,
        args=(group,),
        help=f"{about} Image files, or a .zip of them.",
    )
    kept = len(mine.given[group])
    if kept and not files:
        st.caption(f"{'1 file' if kept == 1 else f'{kept:,} files'} given before; still in memory.")


def _task(
    choice: Choice, calibration: "Calibration", mine: Desk, steps: dict[str, Any]
) -> "Task[Step[Groups]]":
    given = dict(mine.given)  # the lists are replaced, never changed
    return Task(
        (_KEY, *choice.weights(), *results.judged_by(choice), mine.digest(), *steps.values()),
        "Scoring good and bad images",
        lambda: _measured(choice, calibration, given, steps),
        lambda state: state.share,
    )


def _measured(
    choice: Choice,
    calibration: "Calibration",
    given: "dict[GroupName, list[Upload]]",
    steps: dict[str, Any],
) -> "Iterator[Step[Groups]]":
    from app.views.score.inputs import entries, ways_of
    from vae_core.scoring.groups import groups_steps

    options, frames = ways_of(steps)
    good, bad = (
        ((each.name, each.data) for each in entries(given[group], frames)) for group in _TEXTS
    )
    info = choice.run.config.info
    return groups_steps(models.model(choice), calibration, good, bad, options, info)
