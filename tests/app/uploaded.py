"""Files in uploaders without a browser, and those that only a lost session had."""

from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from app.parts import uploads


@dataclass(frozen=True)
class File:
    """An uploaded file."""

    file_id: str
    name: str = "a.png"

    def getvalue(self) -> bytes:
        return b"image"

    def getbuffer(self) -> memoryview:
        return memoryview(b"image")


@dataclass(frozen=True)
class Lost:
    """What Streamlit gives for a file that another session had."""

    file_id: str


class Rerun(Exception):
    """The page is drawn again."""


def widgets(monkeypatch: pytest.MonkeyPatch, page: ModuleType) -> dict[str, Any]:
    """Return the values of the widgets of a page, as the browser sends them. A test sets them."""

    def rerun() -> None:
        raise Rerun

    state: dict[str, Any] = {}
    streamlit = SimpleNamespace(session_state=state, query_params={}, rerun=rerun)
    for module in (page, uploads):
        monkeypatch.setattr(module, "st", streamlit)
    return state
