"""Plain files alone are opened, and never more of them than was asked for."""

import os
from pathlib import Path

import pytest

from vae_core.basics.errors import UserError
from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import (
    NotAPlainFile,
    check_folder,
    kind_of,
    names_in,
    open_to_append,
    read_json,
    read_plain,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes pipes and links")

MAKE = {
    "a symbolic link": lambda path: path.symlink_to(path.with_name("target")),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_text("precious")
    return path


@pytest.mark.parametrize("kind", MAKE)
def test_what_is_no_plain_file_is_neither_read_nor_written(kind, target):
    path = target.with_name("x")
    MAKE[kind](path)
    assert kind_of(path) == kind
    with pytest.raises(NotAPlainFile, match=f"x is {kind}, not a plain file"):
        read_plain(path, 100)
    with pytest.raises(NotAPlainFile, match=kind):
        open_to_append(path)
    assert target.read_text() == "precious"
    assert issubclass(NotAPlainFile, UserError)


def test_a_file_is_read_up_to_its_limit(target):
    assert read_plain(target, 8) == b"precious"
    with pytest.raises(NotAPlainFile, match="target has more than 0 kB"):
        read_plain(target, 7)


def test_what_is_appended_while_a_file_is_read_is_read_too(target, monkeypatch):
    """As long as all of it is within the limit. The size is taken before the file grows."""
    before = target.stat()
    target.write_text("precious and more")
    monkeypatch.setattr(os, "fstat", lambda _: before)
    assert read_plain(target, 17) == b"precious and more"
    with pytest.raises(NotAPlainFile, match="more than"):
        read_plain(target, 16)


def test_a_sparse_giant_is_refused_without_being_read(tmp_path):
    with (tmp_path / "giant").open("wb") as file:
        file.truncate(8_000_000_000)
    with pytest.raises(NotAPlainFile, match="giant has more than 2 MB"):
        read_json(tmp_path / "giant")


def test_lines_are_appended_and_a_missing_file_is_made(tmp_path):
    for line in (b"a\n", b"b\n"):
        with open_to_append(tmp_path / "log") as file:
            file.write(line)
    assert (tmp_path / "log").read_bytes() == b"a\nb\n"


def test_appending_leaves_the_other_file_of_a_hard_link_as_it_is(target):
    other = target.with_name("log")
    other.hardlink_to(target)
    with open_to_append(other) as file:
        file.write(b"more")
    assert other.read_text() == "preciousmore"
    assert target.read_text() == "precious"


def test_a_new_file_takes_the_place_of_a_link(target):
    link = target.with_name("link")
    link.symlink_to(target)
    replace_plain(link, "new")
    assert not link.is_symlink()
    assert link.read_text() == "new"
    assert target.read_text() == "precious"


def test_a_link_is_no_folder(target):
    link = target.with_name("link")
    link.symlink_to(target.parent)
    with pytest.raises(NotAPlainFile, match="link is a symbolic link, not a plain folder"):
        check_folder(link)
    assert list(names_in(link, 10)) == []
    assert len(list(names_in(target.parent, 1))) == 1


def test_json_that_cannot_be_read_is_a_short_sentence(tmp_path):
    path = tmp_path / "x.json"
    for content, said in (("[" * 100_000, "it is nested too deeply"), ("{", "it is not JSON")):
        path.write_text(content)
        with pytest.raises(ValueError, match=said):
            read_json(path)
