"""The image file that a user gives to the Posterior lab."""

from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st

from app.parts.uploads import Uploads, received
from app.shell.streamlit_internals import forget_uploads


class Kept(NamedTuple):
    """A copy of a file, because opening another page empties the uploader."""

    name: str
    data: bytes
    id: str


@dataclass
class Given(Uploads):
    """The file of one session, in memory only.

    Attributes:
        kept: the file; None before one is given.
    """

    kept: Kept | None = None

    @property
    def key(self) -> str:
        """Key of the uploader."""
        return f"posterior-file-{self.round}"

    def take(self) -> None:
        """Callback: keep the file in the uploader, or forget it if the user removed it."""
        self.kept = None
        for file in received(self.key):
            self.kept, self.lost = Kept(file.name, file.getvalue(), file.file_id), 0

    def see(self) -> None:
        """Take the file of the uploader if the callback did not, as after a lost connection."""
        found = [each.file_id for each in received(self.key)]
        if found and (self.kept is None or [self.kept.id] != found):
            self.take()
        self.empty_if_lost(self.key)

    def forget(self) -> None:
        """Callback: remove the file from memory."""
        if self.kept is not None:
            forget_uploads([self.kept.id])
        self.kept = None


def given() -> Given:
    """Return the file of this session."""
    return st.session_state.setdefault("posterior-given", Given())
