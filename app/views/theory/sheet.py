"""Layout of the Theory page: text that appears at once, and numbers that follow."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from app.parts import widgets
from app.shell.streamlit_internals import DeltaGenerator
from app.views.theory.source import sources
from app.views.theory.subject import Subject

Draw = Callable[[Subject], object]
Row = tuple[str, str]
"""A symbol in LaTeX and its value."""


class Sheet:
    """A page whose text is drawn first. Numbers are computed and drawn afterwards, in their places.

    So the text appears at once, even while a model is being loaded.
    """

    def __init__(self) -> None:
        self._later: list[tuple[DeltaGenerator, Draw]] = []

    def later(self, draw: Draw) -> None:
        """Keep a place here, in which ``draw`` draws numbers when :meth:`finish` is called."""
        self._later.append((st.container(gap="xsmall"), draw))

    def finish(self, subject: Subject) -> None:
        """Draw all numbers, from top to bottom."""
        for place, draw in self._later:
            with place:
                draw(subject)

    @contextmanager
    def topic(self, name: str, live: Draw, code: Sequence[str]) -> Iterator[None]:
        """Lay out a part of a section: text on the left; numbers, links and code on the right.

        Args:
            name: a name for the style sheet and tests.
            live: draws the numbers of the chosen image and the links to labs.
            code: names of ``vae_core`` that compute them, as "module:object".
        """
        with st.container(key=f"topic-{name}"):
            left, right = st.columns([7, 4], gap="large")
            with right, st.container(key=f"live-{name}", gap="xsmall", border=True):
                self.later(live)
                widgets.code(lambda: sources(code), "The lines that compute it", f"code-{name}")
            with left:
                yield

    def slip(self, name: str, written: str, right: str, number: Callable[[Subject], str]) -> None:
        """Draw a box about a common mistake.

        Args:
            name: a name for the style sheet and tests.
            written: what is often written, in Markdown.
            right: what is right, in Markdown.
            number: writes a number of the chosen image that shows the difference.
        """
        with st.container(key=f"slip-{name}", gap="xsmall"):
            st.markdown(":material/error: **A common slip**")
            st.markdown(f"*Often written:* {written}")
            st.markdown(f"*Right:* {right}")
            self.later(lambda subject: st.markdown(f"*On this image:* {number(subject)}"))


def heading(number: str, title: str, anchor: str) -> None:
    """Draw the heading of a section, or of a part if the number has a dot."""
    draw = st.subheader if "." in number else st.header
    draw(f"{number} {title}".strip(), anchor=anchor)


def numbers(rows: Sequence[Row], title: str = "On this image") -> None:
    """Draw symbols and their values, by default on the chosen image."""
    lines = [f"| {title} | Value |", "|:--|--:|", *(f"| {name} | {text} |" for name, text in rows)]
    st.markdown("\n".join(lines))
