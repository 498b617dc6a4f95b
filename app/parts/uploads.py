"""Files in uploaders, also after the connection to the server was lost.

After a restart of the server or a long break, the browser sends the values of all its widgets to a
new session, which calls no callback. A file of the old session is gone, but its name still stands
in the uploader. So a page looks at its uploaders whenever it is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st


@dataclass
class Uploads:
    """What a page keeps about its uploaders; the base of the desks.

    Attributes:
        round: part of the keys of uploaders; another one empties them.
        lost: number of files that ended with another session, until files are given again.
    """

    round: int = 0
    lost: int = 0

    def empty_if_lost(self, key: str, keep: Callable[[], object] = lambda: None) -> None:
        """Empty the uploaders, and draw again, if the one with this key shows a lost file.

        The number of lost files is stored.

        Args:
            keep: called before, to keep the files that were not lost.
        """
        lost = len(_shown(key)) - len(received(key))
        if lost:
            keep()
            self.lost = lost
            self.round += 1
            st.rerun()

    def say_lost(self, kind: str, again: str = "") -> None:
        """Warn of the files that were lost, if there are any.

        Args:
            kind: what a file is, such as "image".
            again: what to give again; by default, the lost files.
        """
        if self.lost:
            st.warning(lost_sentence(self.lost, kind, again), icon=":material/cloud_off:")


def received(key: str) -> list[Any]:
    """The files in an uploader or a camera. Those that only another session had are left out."""
    return [each for each in _shown(key) if hasattr(each, "getvalue")]


def lost_sentence(count: int, kind: str, again: str = "") -> str:
    """Say that files were lost with the connection, and which to give again."""
    which, them = (f"One {kind}", "it") if count == 1 else (f"{count} {kind}s", "them")
    return (
        f"{which} could not be kept, as the connection to the server was lost. "
        f"Give {again or them} again."
    )


def _shown(key: str) -> list[Any]:
    value = st.session_state.get(key) or []
    return value if isinstance(value, list) else [value]
