"""The images of a session, above all after the connection to the server was lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.views.score import desk
from app.views.score.desk import Desk
from tests.app.uploaded import File, Lost, Rerun, widgets


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return widgets(monkeypatch, desk)


@contextmanager
def emptied(mine: Desk) -> Iterator[None]:
    before = mine.key("files")
    with pytest.raises(Rerun):
        yield
    assert mine.key("files") != before


def ids(mine: Desk) -> list[str]:
    return [each.id for each in mine.uploads]


def test_files_in_the_uploader_are_taken_without_a_callback(state: dict[str, Any]) -> None:
    mine = Desk()
    state[mine.key("files")] = [File("1"), File("2")]
    mine.see_files()
    assert ids(mine) == ["1", "2"]
    taken = mine.now
    mine.see_files()
    assert mine.now is taken, "they are read once"


def test_of_files_that_were_lost_the_others_are_kept_and_the_uploader_is_emptied(
    state: dict[str, Any],
) -> None:
    mine = Desk()
    state[mine.key("files")] = [Lost("1"), File("2"), Lost("3")]
    with emptied(mine):
        mine.see_files()
    assert ids(mine) == ["2"]
    assert mine.lost == 2
    mine.see_files()
    state[mine.key("files")] = [File("4")]
    mine.take_files()
    assert ids(mine) == ["2", "4"]
    assert mine.lost == 0, "nothing is said of it after the next file"


def test_a_file_that_was_kept_is_not_there_twice(state: dict[str, Any]) -> None:
    mine = Desk()
    state[mine.key("files")] = [File("1")]
    mine.take_files()
    mine.keep_files()
    mine.see_files()
    assert ids(mine) == ["1"]


def test_an_uploader_that_is_empty_after_a_visit_to_another_page_forgets_nothing(
    state: dict[str, Any],
) -> None:
    mine = Desk()
    state[mine.key("files")] = [File("1")]
    mine.take_files()
    state[mine.key("files")] = []
    mine.see_files()
    assert ids(mine) == ["1"]


def test_a_photo_in_the_camera_is_taken_without_a_callback(state: dict[str, Any]) -> None:
    mine = Desk()
    state[mine.key("camera")] = File("1")
    mine.see_photo()
    assert ids(mine) == ["1"]
    state[mine.key("camera")] = None
    mine.see_photo()
    assert ids(mine) == ["1"], "an empty camera on a page that was left forgets no photo"
    mine.take_photo()
    assert ids(mine) == []


def test_a_photo_that_was_lost_empties_the_camera(state: dict[str, Any]) -> None:
    mine = Desk()
    state[mine.key("camera")] = Lost("1")
    mine.take_photo()
    assert ids(mine) == []
    with emptied(mine):
        mine.see_photo()
    assert mine.lost == 1


def test_one_new_file_is_shown_and_of_several_the_page_chooses(state: dict[str, Any]) -> None:
    mine = Desk()
    state[mine.key("files")] = [File("1")]
    mine.take_files()
    assert desk.st.query_params["shown"] == "a.png"
    state[mine.key("files")] = [File("1"), File("2"), File("3")]
    mine.take_files()
    assert "shown" not in desk.st.query_params
    state[mine.key("files")] = [File("4", "many.zip")]
    mine.take_files()
    assert "shown" not in desk.st.query_params
