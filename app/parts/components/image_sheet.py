"""A sheet of small pictures in groups, which can be selected; it copies their names."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from app.parts.components.versions import numbered

_HERE = Path(__file__).parent
_MOST = 10_000  # names that are taken from a browser

_component = component(
    "image_sheet",
    css=(_HERE / "image_sheet.css").read_text("utf-8"),
    js=(_HERE / "image_sheet.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Thumbnail:
    """A picture: its unique name, its data URL, and a text for a pointer and screen readers."""

    name: str
    source: str
    text: str


@dataclass(frozen=True)
class Group:
    """Pictures with a title in a colour.

    Attributes:
        line_below: whether the line is drawn below this group.
    """

    title: str
    colour: str
    pictures: Sequence[Thumbnail]
    line_below: bool = False


def selected(key: str) -> list[str]:
    """Return the names of the selected pictures, in the order in which they were selected."""
    sent = (st.session_state.get(key) or {}).get("selected")
    if not isinstance(sent, list):
        return []
    return [each for each in sent[:_MOST] if isinstance(each, str)]


def image_sheet(
    key: str, groups: Sequence[Group], line: str, shown: str, on_select: Callable[[], None]
) -> None:
    """Draw the sheet.

    Args:
        line: text of the line between two groups.
        shown: name of the picture that is shown elsewhere on the page.
        on_select: called when the selection has changed; see :func:`selected`.
    """
    data = {"groups": [asdict(group) for group in groups], "line": line, "shown": shown}
    _component(key=key, data=numbered(key, data), on_selected_change=on_select)
