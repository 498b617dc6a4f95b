"""Uploaders of the pages Posterior, Data and Score after the connection to the server was lost."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from app.parts import uploads
from app.parts.uploads import Uploads
from app.views.data import add, choices
from app.views.posterior import given
from app.views.score import groups, own_kinds
from tests.app.uploaded import File, Lost, Rerun, widgets


@dataclass(frozen=True)
class Page:
    """A page with an uploader.

    Attributes:
        module: where its desk is.
        make: makes the desk of a new session.
        key: key of the uploader.
        see, take: what the page does when it is drawn, and when the user gives files.
        ids: of the files that the page has.
        several: whether it takes several files.
    """

    module: ModuleType
    make: Callable[[], Any]
    key: Callable[[Any], str]
    see: Callable[[Any], None]
    take: Callable[[Any], None]
    ids: Callable[[Any], list[str]]
    several: bool = True


PAGES = {
    "posterior": Page(
        given,
        given.Given,
        lambda mine: mine.key,
        given.Given.see,
        given.Given.take,
        lambda mine: [mine.kept.id] if mine.kept else [],
        several=False,
    ),
    "data": Page(
        add,
        add.Desk,
        lambda mine: mine.key,
        add.Desk.see,
        add.Desk.take,
        lambda mine: mine.ids if mine.intake else [],
    ),
    **{
        group: Page(
            groups,
            groups.Desk,
            lambda mine, group=group: mine.key(group),
            groups.Desk.see,
            lambda mine, group=group: mine.take(group),
            lambda mine, group=group: [each.id for each in mine.given[group]],
        )
        for group in ("good", "bad")
    },
}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    return PAGES[request.param]


@pytest.fixture
def state(page: Page, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(choices, "suggest", lambda _name: None)
    return widgets(monkeypatch, page.module)


def send(state: dict[str, Any], page: Page, mine: object, *files: File | Lost) -> None:
    """Set what the uploader shows."""
    state[page.key(mine)] = list(files) if page.several else files[0]


def test_files_in_the_uploader_are_taken_without_a_callback(
    page: Page, state: dict[str, Any]
) -> None:
    mine = page.make()
    send(state, page, mine, File("1"))
    page.see(mine)
    assert page.ids(mine) == ["1"]
    send(state, page, mine, File("2"))
    page.see(mine)
    assert page.ids(mine) == ["2"], "also in the place of others"


def test_a_lost_file_is_said_the_uploader_is_emptied_and_the_next_file_is_taken(
    page: Page, state: dict[str, Any]
) -> None:
    mine = page.make()
    send(state, page, mine, Lost("1"))
    before = page.key(mine)
    with pytest.raises(Rerun):
        page.see(mine)
    assert page.key(mine) != before
    assert (page.ids(mine), mine.lost) == ([], 1)
    page.see(mine)
    assert mine.lost == 1, "it is said until the next file"
    send(state, page, mine, File("2"))
    page.take(mine)
    page.see(mine)
    assert (page.ids(mine), mine.lost) == (["2"], 0)


def test_of_several_files_the_others_are_kept(page: Page, state: dict[str, Any]) -> None:
    if not page.several:
        return
    mine = page.make()
    send(state, page, mine, Lost("1"), File("2"), Lost("3"))
    with pytest.raises(Rerun):
        page.see(mine)
    assert (page.ids(mine), mine.lost) == (["2"], 2)
    page.see(mine)
    assert page.ids(mine) == ["2"]


def test_an_uploader_that_is_empty_after_a_visit_to_another_page_forgets_nothing(
    page: Page, state: dict[str, Any]
) -> None:
    mine = page.make()
    send(state, page, mine, File("1"))
    page.take(mine)
    state.clear()
    page.see(mine)
    assert page.ids(mine) == ["1"]


def test_a_kind_of_foreign_images_is_not_made_of_what_is_left_of_its_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state, mine = widgets(monkeypatch, own_kinds), own_kinds.Desk()
    state[mine.key] = [Lost("1"), File("2")]
    with pytest.raises(Rerun):
        mine.empty_if_lost(mine.key)
    assert (mine.lost, mine.kinds) == (1, [])
    state[mine.key] = [File("3"), File("4")]
    mine.add(["noise"])
    assert mine.lost == 0
    assert [(kind.name, len(kind.uploads)) for kind in mine.kinds] == [("bad images", 2)]


def test_the_files_of_a_kind_are_looked_at_once_streamlit_knows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state, mine = widgets(monkeypatch, own_kinds), own_kinds.Desk()
    files = [Lost("1"), File("2")]

    def uploader(*_: object, key: str, **__: object) -> list[File | Lost]:
        return state.setdefault(key, files)  # a session has no value of a widget before it is drawn

    fake = own_kinds.st
    monkeypatch.setattr(fake, "file_uploader", uploader, raising=False)
    monkeypatch.setattr(fake, "columns", lambda *_, **__: (MagicMock(), MagicMock()), raising=False)
    with pytest.raises(Rerun):
        own_kinds._give(mine, SimpleNamespace(own_images=10))  # pyright: ignore[reportArgumentType]
    assert (mine.lost, mine.round) == (1, 1)


def test_the_sentence_says_how_many_and_what_to_give_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(uploads.st, "warning", lambda text, **_: said.append(text))
    Uploads(lost=0).say_lost("image")
    Uploads(lost=1).say_lost("image")
    Uploads(lost=2).say_lost("file", "all of your files")
    why = "could not be kept, as the connection to the server was lost. Give"
    assert said == [f"One image {why} it again.", f"2 files {why} all of your files again."]
