"""Session data of the Score page: the user's images, their scores and the running work.

Everything is in the memory of the session. Nothing is written to disk.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from app.parts.components.paste_box import pasted
from app.parts.components.strokes import Stroke, picture
from app.parts.uploads import Uploads, received
from app.shell.streamlit_internals import MOST_UPLOADED_BYTES, forget_uploads, take_refusal

if TYPE_CHECKING:
    from app.views.score.inputs import Upload
    from app.views.score.job import Job, Known, Reading
    from vae_core.data.prepare import Prepared


@dataclass
class Desk(Uploads):
    """The images and scores of one session.

    Attributes:
        kept: pasted images, and files from an uploader that is no longer shown (and so emptied).
        now: files in the uploader.
        strokes, drawing: strokes on the pad, and the same as a picture.
        photo: the latest photo.
        way, linked: way of giving images: as chosen, and as it was last in the URL.
        known, reading, job: see :mod:`app.views.score.job`.
        seen: the job whose scores were shown last.
        prepared: key of the chosen image, and how that image was prepared.
        refused: whether an image was refused because the others take too much memory.
    """

    kept: "list[Upload]" = field(default_factory=list)
    now: "list[Upload]" = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    drawing: "Upload | None" = None
    photo: "Upload | None" = None
    way: str = "Files"
    linked: str = ""
    known: "Known | None" = None
    reading: "Reading | None" = None
    job: "Job | None" = None
    seen: "Job | None" = None
    prepared: "tuple[Hashable, Prepared] | None" = None
    refused: bool = False

    @property
    def uploads(self) -> "list[Upload]":
        """All images. The drawing comes first because it is scored most often."""
        single = (each for each in (self.drawing, self.photo) if each is not None)
        return [*single, *self.kept, *self.now]

    def key(self, widget: str) -> str:
        """Key of a widget that receives images."""
        return f"score-{widget}-{self.round}"

    def take_way(self) -> None:
        """Callback: store the newly chosen way before the page is drawn."""
        self.way = st.session_state["way"]

    def take_files(self) -> None:
        """Callback: take the files from the uploader, and show the new one.

        Of several new files, the page shows the most unusual one.
        """
        from app.views.score.inputs import Upload

        files = received(self.key("files"))
        before = {upload.id for upload in self.uploads}
        self.now = [Upload(each.file_id, each.name, each.getvalue()) for each in files]
        shown = {upload.id for upload in self.now}
        self.kept = [upload for upload in self.kept if upload.id not in shown]
        self.refused = False
        fresh = [upload for upload in self.now if upload.id not in before]
        if fresh:
            self.lost = 0
            if len(fresh) == 1 and not fresh[0].is_archive:
                _show_report_of(fresh[0])
            else:
                st.query_params.pop("shown", None)

    def see_files(self) -> None:
        """Take the files that are in the uploader, if the callback did not.

        See :mod:`app.parts.uploads`. An uploader that is empty says nothing; see
        :meth:`keep_files`.
        """
        found = [each.file_id for each in received(self.key("files"))]
        if found and found != [each.id for each in self.now]:
            self.take_files()
        self.empty_if_lost(self.key("files"), self.keep_files)

    def see_photo(self) -> None:
        """Take the photo in the camera widget, if the callback did not; see :meth:`see_files`."""
        found = [each.file_id for each in received(self.key("camera"))]
        if found and (self.photo is None or self.photo.id != found[0]):
            self.take_photo()
        self.empty_if_lost(self.key("camera"), self.keep_files)

    def keep_files(self) -> None:
        """Keep the files of an uploader that is no longer shown and will be empty next time."""
        self.kept, self.now = self.kept + self.now, []

    def draw(self, strokes: list[Stroke]) -> None:
        """Take the drawing from the pad and show it."""
        from app.views.score.inputs import DRAWING, Upload

        self.strokes, self.drawing = strokes, None
        if strokes:
            self.drawing = Upload(f"drawing-{hash(tuple(strokes))}", DRAWING, picture(strokes))
            _show_report_of(self.drawing)

    def take_photo(self) -> None:
        """Callback: take the camera's photo and show it, or forget it if the user cleared it."""
        from app.views.score.inputs import PHOTO, Upload

        self.photo = None
        for file in received(self.key("camera")):
            self.lost = 0
            self.photo = Upload(file.file_id, PHOTO, file.getvalue())
            _show_report_of(self.photo)

    def take_pasted(self) -> None:
        """Callback: take the pasted images and show the last one."""
        from app.views.score.inputs import PASTED, Upload

        for data in pasted(self.key("paste")):
            if sum(len(upload.data) for upload in self.uploads) + len(data) > MOST_UPLOADED_BYTES:
                self.refused = True
                return
            count = sum(upload.name.startswith(PASTED) for upload in self.kept)
            name = f"{PASTED} {count + 1}" if count else PASTED
            self.kept.append(Upload(f"{name}-{self.round}", name, data))
            _show_report_of(self.kept[-1])

    def clear(self) -> None:
        """Forget all images."""
        forget_uploads([upload.id for upload in self.uploads])
        self.refused = False
        self.kept, self.now, self.reading, self.job, self.prepared = [], [], None, None, None
        self.strokes, self.drawing, self.photo, self.seen = [], None, None, None
        self.round += 1
        self.lost = 0

    def has_refused(self) -> bool:
        """Whether an image was refused since the images last changed."""
        self.refused = take_refusal() or self.refused
        return self.refused

    def on_screen(self, job: "Job") -> "Job":
        """Job to show. Until this job has a score, this is the last job with the same scorer."""
        seen = self.seen
        if seen is None or seen.scorer.key != job.scorer.key or job.scored() or not job.working:
            seen = self.seen = job
        return seen


def uploads_in(widget: str) -> "list[Upload]":
    """Return the files in an uploader; files that another session had are left out."""
    from app.views.score.inputs import Upload

    return [Upload(each.file_id, each.name, each.getvalue()) for each in received(widget)]


def _show_report_of(upload: "Upload") -> None:
    st.query_params["shown"] = upload.name


def desk() -> Desk:
    """Return the desk of this session."""
    return st.session_state.setdefault("score-desk", Desk())
