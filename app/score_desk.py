"""What the score page keeps for a visitor between reruns: files, scores, the work under way.

All of it lies in the session's memory: nothing is written to disk, and it ends with the session.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.formparsers import MultiPartParser

if TYPE_CHECKING:
    from app.score_inputs import Upload
    from app.score_job import Job, Known, Reading
    from vae_core.images import Prepared

# Streamlit's server would let an upload of over a megabyte pass through a temporary file.
MultiPartParser.spool_max_size = 2**40


_PRIVACY = (
    "Your files stay in this app's memory, for this session: never written to disk, and gone when "
    "you reload or close the page."
)


@dataclass
class Desk:
    """A visitor's files and scores.

    Attributes:
        kept: files from before the visitor went to another page, which empties the uploader.
        now: files in the uploader.
        round: changes whenever the uploader is to be emptied.
        known, reading, job: see :mod:`app.score_job`.
        prepared: how the image that is looked at was made, and which that is.
    """

    kept: "list[Upload]" = field(default_factory=list)
    now: "list[Upload]" = field(default_factory=list)
    round: int = 0
    known: "Known | None" = None
    reading: "Reading | None" = None
    job: "Job | None" = None
    prepared: "tuple[Hashable, Prepared] | None" = None

    @property
    def uploads(self) -> "list[Upload]":
        """All files, in the order in which they were given."""
        return self.kept + self.now

    @property
    def uploader(self) -> str:
        """The key of the uploader."""
        return f"score-files-{self.round}"

    def take(self) -> None:
        """Take over what is in the uploader, and look at what is new in it."""
        from app.score_inputs import Upload

        files = [each for each in st.session_state[self.uploader] if hasattr(each, "getvalue")]
        before = {upload.id for upload in self.uploads}
        self.now = [Upload(each.file_id, each.name, each.getvalue()) for each in files]
        fresh = [upload.name for upload in self.now if upload.id not in before]
        if fresh:
            st.query_params["shown"] = fresh[0]

    def clear(self) -> None:
        """Forget all files."""
        self.kept, self.now, self.reading, self.job, self.prepared = [], [], None, None, None
        self.round += 1


def desk() -> Desk:
    """The desk of this session."""
    return st.session_state.setdefault("score-desk", Desk())


def uploader(mine: Desk) -> None:
    """The place to drop files, and what is said about them."""
    st.html(Path(__file__).with_name("score.css"))
    left, right = st.columns([6, 5], gap="medium", vertical_alignment="bottom")
    files = left.file_uploader(
        "Your images",
        accept_multiple_files=True,
        key=mine.uploader,
        on_change=mine.take,
        help="PNG, JPEG, WebP, BMP, TIFF or GIF, or a .zip of them; every image gets a score.",
    )
    if not files and mine.now:  # the uploader was emptied by going to another page
        mine.kept, mine.now = mine.uploads, []
    with right:
        if not mine.uploads:
            st.caption(f"Until you give images of your own, examples are scored. {_PRIVACY}")
            return
        st.caption(_PRIVACY)
        if mine.kept:
            st.button(
                f"Forget {len(mine.uploads)} files",
                on_click=mine.clear,
                key="score-forget",
                icon=":material/delete:",
                type="tertiary",
                help="Removes your files from memory and goes back to the examples.",
            )
