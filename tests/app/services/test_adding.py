"""Given files lie in a temporary folder until they are a data set or their visitor leaves."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.services import adding
from app.services.adding import Adding, File, Intake, hand_over, take_handed_over
from app.shell import sessions
from tests.vae_core.data.own_sources import class_folders, use_folder, write_zip
from vae_core.basics.progress import finish
from vae_core.data.kept import kept_datasets
from vae_core.settings.data_sets import DataError
from vae_core.settings.own_data import AddOptions


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sessions, "current", lambda: "me")
    return use_folder(monkeypatch, tmp_path / "kept")


class Sent:
    """Stands for a file that a browser sent."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self.content = name, content

    def getbuffer(self) -> memoryview:
        return memoryview(self.content)


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    archive = write_zip(tmp_path / "pets.zip", class_folders())
    made = Intake("pets.zip", [Sent("../a/pets.zip", archive.read_bytes())])
    yield made
    made.let_go()


def looked(intake: Intake) -> list[Path]:
    finish(adding.examination(intake, adding.Reading()).start())
    return [path for _, path in intake.given().files]


def wait_for(reached: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(1e-3)


def test_the_files_of_a_visitor_are_removed_when_the_session_ends(intake: Intake) -> None:
    (path,) = looked(intake)
    assert path.is_file()
    adding._forget({"somebody else"})
    assert path.is_file()
    adding._forget({"me"})
    assert not path.exists()
    with pytest.raises(DataError, match="give them again"):
        finish(adding.examination(intake, adding.Reading()).start())


def test_work_that_began_ends_well_although_the_visitor_left(intake: Intake) -> None:
    (path,) = looked(intake)
    job = Adding("pets", intake, AddOptions())
    job.advance(0)
    adding._forget({"me"})
    assert path.is_file()
    job.advance(60)
    assert job.made is not None
    assert job.error is None
    assert "pets" in kept_datasets()
    assert not path.exists()


def test_after_a_stop_nothing_is_left_and_the_files_can_be_added_again(
    intake: Intake, kept_in: Path
) -> None:
    looked(intake)
    job = Adding("pets", intake, AddOptions())
    job.advance(0)
    assert list(kept_in.iterdir())
    job.stop()
    wait_for(lambda: not list(kept_in.iterdir()))
    assert job.state == "stopped"
    again = Adding("pets", intake, AddOptions())
    again.advance(60)
    assert again.made is not None


def test_a_full_disk_is_said_in_a_sentence(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "pixels")

    looked(intake)
    monkeypatch.setattr("vae_core.data.own._Maker.write", full)
    job = Adding("pets", intake, AddOptions())
    job.advance(60)
    assert isinstance(job.error, DataError)
    assert "The disk is full" in str(job.error)


@pytest.mark.parametrize(
    ("name", "on_disk"),
    [
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("a\\b\\c.png", "c.png"),
        ("", "file"),
        ("x\0y.zip", "x-y.zip"),
        ("é" * 300 + ".npz", "é" * 56 + ".npz"),
        (".hidden.zip", "file.hidden.zip"),
        ("***.npz", "file.npz"),
    ],
)
def test_no_path_is_made_of_a_name_unchecked(name: str, on_disk: str) -> None:
    assert adding.name_on_disk(name) == on_disk


@pytest.mark.slow
def test_uploads_of_a_killed_server_are_removed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = (
        "import sys\nfrom app.services import adding\nadding._temporary()\n"
        "print('begun', flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    where = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=where
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        adding.sweep.cache_clear()
        adding.sweep()
        (folder,) = tmp_path.glob("elbo-room-*")  # it is in use
        process.kill()
    adding.sweep.cache_clear()
    adding.sweep()
    assert not folder.exists()


def test_files_of_another_page_are_taken_once_and_the_latest_count() -> None:
    assert take_handed_over() is None
    for name in ("first.zip", "second.zip"):
        hand_over(name, [File("a.png", memoryview(b"image"))])
    given = take_handed_over()
    assert given is not None
    assert (given.name, given.count, given.size) == ("second.zip", 1, 5)
    assert take_handed_over() is None
    given.let_go()


def test_who_began_an_adding_is_known(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Adding("pets", intake, AddOptions())
    assert job.is_mine
    monkeypatch.setattr(sessions, "current", lambda: "you")
    assert not job.is_mine
