"""What the score page keeps for a visitor between reruns: images, scores, the work under way.

All of it lies in the session's memory: nothing is written to disk, and it ends with the session.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from app.parts.components.paste_box import pasted
from app.parts.components.strokes import Stroke, picture

if TYPE_CHECKING:
    from app.views.score.inputs import Upload
    from app.views.score.job import Job, Known, Reading
    from vae_core.data.prepare import Prepared


@dataclass
class Desk:
    """A visitor's images and scores.

    Attributes:
        kept: pasted images, and files from before the uploader was left, which empties it.
        now: files in the uploader.
        strokes, drawing: what is on the pad, and that as a picture.
        photo: the last one taken.
        way, linked: of giving images, as chosen and as it was last in the address.
        round: changes whenever the widgets are to be emptied.
        known, reading, job: see :mod:`app.views.score.job`.
        seen: the job whose scores were shown last.
        prepared: how the image that is looked at was made, and which that is.
    """

    kept: "list[Upload]" = field(default_factory=list)
    now: "list[Upload]" = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    drawing: "Upload | None" = None
    photo: "Upload | None" = None
    way: str = "Files"
    linked: str = ""
    round: int = 0
    known: "Known | None" = None
    reading: "Reading | None" = None
    job: "Job | None" = None
    seen: "Job | None" = None
    prepared: "tuple[Hashable, Prepared] | None" = None

    @property
    def uploads(self) -> "list[Upload]":
        """All images: first the drawing, which is scored anew most often, then as given."""
        single = (each for each in (self.drawing, self.photo) if each is not None)
        return [*single, *self.kept, *self.now]

    def key(self, widget: str) -> str:
        """The key of a widget that takes images."""
        return f"score-{widget}-{self.round}"

    def take_way(self) -> None:
        """Know of another way before it is drawn."""
        self.way = st.session_state["way"]

    def take_files(self) -> None:
        """Take over what is in the uploader, and look at what is new in it."""
        from app.views.score.inputs import Upload

        files = [f for f in st.session_state[self.key("files")] if hasattr(f, "getvalue")]
        before = {upload.id for upload in self.uploads}
        self.now = [Upload(each.file_id, each.name, each.getvalue()) for each in files]
        fresh = [upload for upload in self.now if upload.id not in before]
        if fresh:
            _look_at(fresh[0])

    def keep_files(self) -> None:
        """The uploader has been left, and is empty when it is next seen."""
        self.kept, self.now = self.kept + self.now, []

    def draw(self, strokes: list[Stroke]) -> None:
        """Take over what is on the pad, and look at it."""
        from app.views.score.inputs import DRAWING, Upload

        self.strokes, self.drawing = strokes, None
        if strokes:
            self.drawing = Upload(f"drawing-{hash(tuple(strokes))}", DRAWING, picture(strokes))
            _look_at(self.drawing)

    def take_photo(self) -> None:
        """Take over the camera's photo, and look at it; or forget it, once it is cleared."""
        from app.views.score.inputs import PHOTO, Upload

        file = st.session_state[self.key("camera")]
        self.photo = Upload(file.file_id, PHOTO, file.getvalue()) if file else None
        if self.photo:
            _look_at(self.photo)

    def take_pasted(self) -> None:
        """Take over what was pasted, and look at it."""
        from app.views.score.inputs import PASTED, Upload

        for data in pasted(self.key("paste")):
            count = sum(upload.name.startswith(PASTED) for upload in self.kept)
            name = f"{PASTED} {count + 1}" if count else PASTED
            self.kept.append(Upload(f"{name}-{self.round}", name, data))
            _look_at(self.kept[-1])

    def clear(self) -> None:
        """Forget all images."""
        self.kept, self.now, self.reading, self.job, self.prepared = [], [], None, None, None
        self.strokes, self.drawing, self.photo, self.seen = [], None, None, None
        self.round += 1

    def on_screen(self, job: "Job") -> "Job":
        """The job to show: until this one has a score, the last one by the same scorer."""
        seen = self.seen
        if seen is None or seen.scorer.key != job.scorer.key or job.scored() or not job.working:
            seen = self.seen = job
        return seen


def _look_at(upload: "Upload") -> None:
    st.query_params["shown"] = upload.name


def desk() -> Desk:
    """The desk of this session."""
    return st.session_state.setdefault("score-desk", Desk())
