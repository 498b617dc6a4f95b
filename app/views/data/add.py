"""Add images: files dropped on the page become a data set, after a preview."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.parts import live, widgets
from app.parts.uploads import Uploads, received
from app.services.adding import (
    Adding,
    Intake,
    examination,
    start,
    take_handed_over,
    under_way,
)
from app.services.work import Bench, Task
from app.shell import errors
from app.shell.streamlit_internals import REFUSAL, forget_uploads, take_refusal
from app.views.data import choices, preview
from vae_core.settings.data_sets import DataError

if TYPE_CHECKING:
    from vae_core.data.examination import Examined
    from vae_core.settings.own_data import AddOptions

FILES, FOLDER = WAYS = ("Files", "A folder")
PRIVACY = (
    "Your files lie in a temporary folder of the computer that this app runs on until you press "
    "Add, and are removed when you close this page. A data set is kept on that computer, and "
    "everybody who uses this app sees it."
)
_HELP = (
    "Images (PNG, JPEG, WebP, HEIC, AVIF, BMP, TIFF, GIF, PPM), a .zip, .tar or .tar.gz of them, a "
    ".npy or .npz array, or a .parquet file. A CSV file beside images, with the columns file and "
    "label, names their classes."
)
_TYPES = [
    "png", "jpg", "jpeg", "webp", "heic", "heif", "avif", "bmp", "tif", "tiff", "gif", "ppm", "pgm",
    "pnm", "zip", "tar", "tgz", "gz", "npy", "npz", "parquet", "csv",
]  # fmt: skip


@dataclass
class Desk(Uploads):
    """What one visitor is adding.

    Attributes:
        intake: the given files.
        ids: of the files in the uploader.
        adding: the data set that is being made.
        failure: why the last attempt failed.
        refused: whether files were refused because they take too much memory.
    """

    intake: Intake | None = None
    ids: list[str] = field(default_factory=list)
    adding: Adding | None = None
    failure: str = ""
    refused: bool = False

    @property
    def key(self) -> str:
        """Key of the uploader."""
        return f"data-files-{self.round}"

    def take(self) -> None:
        """Callback: take the files from the uploader, in place of earlier ones."""
        files = received(self.key)
        self._let_go()
        self.ids = [each.file_id for each in files]
        self.failure, self.refused = "", False
        if files:
            self.lost = 0
            name = _name_of(files)
            self.intake = Intake(name, files)
            choices.suggest(name)

    def take_over(self, intake: Intake) -> None:
        """Take files that another page gave, in place of earlier ones."""
        self.clear()
        self.intake = intake
        choices.suggest(intake.name)

    def see(self) -> None:
        """Take the files of the uploader if the callback did not, as after a lost connection."""
        found = [each.file_id for each in received(self.key)]
        if found and found != self.ids:
            self.take()
        self.empty_if_lost(self.key)

    def clear(self) -> None:
        """Forget the files."""
        forget_uploads(self.ids)
        self._let_go()
        self.ids, self.failure, self.lost = [], "", 0
        self.round += 1

    def start(self, name: str, options: "AddOptions") -> None:
        """Callback: make the data set."""
        assert self.intake is not None
        self.failure = ""
        try:
            self.adding = start(name, self.intake, options)
        except DataError as error:
            self.failure = errors.sentence(error)

    def _let_go(self) -> None:
        if self.intake is not None:
            self.intake.let_go()
        self.intake = None


def desk() -> Desk:
    """Return the desk of this session."""
    return st.session_state.setdefault("data-desk", Desk())


def take_finished() -> bool:
    """Choose the data set that has just been made; return whether there is one."""
    mine = desk()
    job = mine.adding
    if job is None or job.working:
        return False
    mine.adding = None
    if job.made is None:
        mine.failure = (
            errors.sentence(job.error) if job.error else "Stopped; nothing was kept. Add again?"
        )
        return False
    st.session_state["dataset"] = job.made.name
    st.toast(f"**{errors.plain(job.made.title)}** was added.", icon=":material/check:")
    mine.clear()
    return True


def show() -> None:
    """Draw the tab: the uploader, then choices and preview, then progress."""
    mine = desk()
    if mine.adding is not None:
        _progress(mine.adding, "data-adding")
        return
    if (given := take_handed_over()) is not None:
        mine.take_over(given)
    for place, job in enumerate(under_way()):
        _progress(job, f"data-other-{place}")
    _give(mine)
    if mine.failure:
        st.error(mine.failure)
    if mine.intake is not None:
        _look(mine, mine.intake)


def _give(mine: Desk) -> None:
    left, right = st.columns([1, 2.2], gap="medium", vertical_alignment="top")
    with left:
        way = st.segmented_control(
            "Your images", WAYS, default=FILES, required=True, key="data-way",
            help="Give single files and archives, or a folder with all that is in it.",
        )  # fmt: skip
        st.caption(PRIVACY)
    with right:
        st.file_uploader(
            "Files",
            accept_multiple_files="directory" if way == FOLDER else True,
            type=_TYPES,
            key=mine.key,
            on_change=mine.take,
            label_visibility="collapsed",
        )
        st.caption(f"{_HELP} Folders called train, validation and test are the parts; the folders "
                   "below them are the classes.")  # fmt: skip
        mine.see()
        mine.say_lost("file", "all of your files")
        mine.refused = take_refusal() or mine.refused
        if mine.refused:
            st.warning(REFUSAL)


def _look(mine: Desk, intake: Intake) -> None:
    """Look at the files; once that is done, draw the choices and the preview."""
    task = examination(intake, choices.reading())
    bench = live.bench()
    state = bench.latest(task) if bench.finished(task) else None
    if (failure := bench.failure(task)) is not None:
        st.error(errors.sentence(failure))
        _forget_button(mine)
        return
    if state is None or state.result is None:
        live.panel([task], lambda bench: _draw_again_after(bench, task), "data-looking")
        return
    _choose(mine, intake, state.result)


def _draw_again_after(bench: Bench, task: Task[Any]) -> None:
    """Draw the page again once the files have been looked at, or cannot be used."""
    if bench.finished(task) or bench.failure(task) is not None:
        st.rerun()


def _choose(mine: Desk, intake: Intake, found: "Examined") -> None:
    form, shown = st.columns([1, 1.7], gap="large")
    with form:
        name, options = choices.form(found)
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Add",
                type="primary",
                icon=":material/add_photo_alternate:",
                disabled=options is None,
                on_click=mine.start,
                args=(name, options),
                key="data-add",
                help="Makes the data set. It can then be trained on, here and on the command line.",
            )
            _forget_button(mine)
    with shown:
        if options is not None:
            preview.show(intake, found, options)
    widgets.code(choices.code(name, intake.name, options))


def _forget_button(mine: Desk) -> None:
    st.button(
        "Forget these files",
        on_click=mine.clear,
        key="data-forget",
        type="tertiary",
        icon=":material/close:",
        help="Removes the files from this app. Nothing has been kept of them.",
    )


def _progress(job: Adding, key: str) -> None:
    """Draw the progress of a data set that is made; who began it gets a button to stop it."""

    def draw() -> None:
        with st.container(key=key, horizontal=True, vertical_alignment="center"):
            left = job.seconds_left
            whose = "" if job.is_mine else "Another visitor: "
            text = f"{whose}Adding {errors.plain(job.name)}, {job.share:.0%}"
            st.progress(job.share, text + (f", {live.to_go(left)}" if left is not None else ""))
            if job.is_mine:
                st.button("Stop", on_click=job.stop, key=f"{key}-stop",
                          help="Stops the work. Nothing of the data set is kept.")  # fmt: skip

    live.watch(job, draw, key)
    if not job.working:
        st.rerun()


def _name_of(files: Sequence[Any]) -> str:
    """What files are called together: the name of the only file, or of the folder."""
    if len(files) == 1:
        return files[0].name.rsplit("/", 1)[-1]
    tops = {each.name.split("/", 1)[0] for each in files if "/" in each.name}
    if len(tops) == 1 and all("/" in each.name for each in files):
        return tops.pop()
    return "your files"
