"""Adding a run from a .zip file: whole and checked, or refused with nothing left behind."""

import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vae_core.basics.errors import UserError
from vae_core.cli.main import main
from vae_core.runs.checkpoint import load_model
from vae_core.runs.importing import ArchiveError, add_run
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore
from vae_core.runs.worker import ensure_worker


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    return RunStore()


@pytest.fixture
def files(finished: Run) -> dict[str, bytes]:
    """The files of a finished run by name."""
    return {each.name: each.read_bytes() for each in finished.folder.iterdir() if each.is_file()}


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes files into a .zip archive, below a top folder."""

    def write(files: dict[str, bytes], top: str = "mailed/") -> Path:
        path = tmp_path / "mailed.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in files.items():
                made.writestr(top + name, content)
        return path

    return write


def left(store: RunStore) -> Iterator[str]:
    return (each.name for each in store.folder.glob("*") if not each.name.startswith(".queue"))


@pytest.mark.parametrize("top", ["mailed/", ""])
def test_a_finished_run_is_added_and_its_model_can_be_used(top, store, files, archive, capsys):
    path = archive(files, top)
    assert main(["runs", "--add", str(path)]) == 0
    assert capsys.readouterr().out.startswith("mailed  done ")
    assert load_model("mailed").config.latent_size == 16
    assert main(["runs"]) == 0
    assert not (store.folder / "mailed" / "card.md").exists()


def test_the_weights_of_the_last_epoch_come_along(store, files, archive):
    files["last.safetensors"] = files["model.safetensors"]
    add_run(archive(files), store)
    assert load_model("mailed", weights="last").config.latent_size == 16


def test_a_run_is_never_replaced_and_a_second_one_gets_another_id(store, files, archive):
    first = add_run(archive(files), store)
    before = {each.name: each.read_bytes() for each in first.folder.iterdir() if each.is_file()}
    second = add_run(archive(files), store)
    assert second.id.startswith("mailed-")
    assert before == {e.name: e.read_bytes() for e in first.folder.iterdir() if e.is_file()}


@pytest.mark.parametrize("state", ["queued", "running", "paused", "failed"])
def test_an_unfinished_run_is_stopped_and_does_not_start(state, store, files, archive):
    status = json.loads(files["status.json"]) | {"state": state}
    run = add_run(archive(files | {"status.json": json.dumps(status).encode()}), store)
    assert run.status().state == "stopped"
    assert not store.queue.ids()
    assert not ensure_worker(store)


def test_the_json_names_the_new_run(store, files, archive, capsys):
    assert main(["runs", "--add", str(archive(files)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["id"], found["state"]) == ("mailed", "done")
    assert found["folder"] == str(store.folder / "mailed")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"../evil.json": b"{}"}, "leads out of its folder"),
        ({"a/../../evil": b"{}"}, "leads out of its folder"),
        ({"a\\..\\evil": b"{}"}, "leads out of its folder"),
        ({"config.json": b"[" * 100_000}, "mailed.zip is damaged: config.json"),
        ({"config.json": b"[" * 3_000_000}, "more than such a file has"),
        ({"status.json": b'{"state": "weird"}'}, "mailed.zip is damaged: status.json"),
        ({"model.safetensors": b"\xff" * 100}, "mailed.zip is damaged and cannot be read"),
        ({"model.safetensors": bytes(50_000_000)}, "suspiciously many bytes"),
        ({"status.json": None}, "has no status.json"),
        ({"config.json": None}, "has no config.json"),
        ({"other/config.json": b"{}", "config.json": None}, "has no config.json"),
    ],
)
def test_what_is_no_run_is_refused_and_nothing_is_left(change, said, store, files, archive, capsys):
    wanted = {name: data for name, data in (files | change).items() if data is not None}
    assert main(["runs", "--add", str(archive(wanted))]) == 1
    assert said in capsys.readouterr().err
    assert not list(left(store))
    assert not (store.folder.parent / "evil.json").exists()


def test_a_symbolic_link_in_an_archive_is_refused(store, files, archive):
    path = archive(files)
    with zipfile.ZipFile(path, "a") as made:
        link = zipfile.ZipInfo("mailed/worker.log")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="is a link or no file"):
        add_run(path, store)
    assert not list(left(store))


def test_two_runs_in_one_archive_are_refused(store, files, archive):
    path = archive(files)
    with zipfile.ZipFile(path, "a") as made:
        made.writestr("other/config.json", "{}")
    with pytest.raises(ArchiveError, match="the folders of several runs"):
        add_run(path, store)


def test_unknown_files_and_logs_are_left_out(store, files, archive):
    added = {"notes.txt": b"hello", "worker.log": b"x", ".lock": b"", "control": b"stop"}
    run = add_run(archive(files | added), store)
    assert not {each.name for each in run.folder.iterdir()} & added.keys()


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100])
def test_a_file_that_is_no_archive_is_refused(content, store, tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="is not a complete"):
        add_run(path, store)


def test_an_archive_with_a_long_list_of_entries_is_refused_before_it_is_read(store, tmp_path):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as made:
        for number in range(25_000):
            made.writestr(f"run/{number:060}", b"")
    with pytest.raises(UserError, match="too many entries"):
        add_run(path, store)


@pytest.mark.usefixtures("store")
def test_a_folder_or_a_missing_file_is_one_sentence(tmp_path, capsys):
    assert main(["runs", "--add", str(tmp_path)]) == 1
    assert "give the .zip file of a run" in capsys.readouterr().err
    assert main(["runs", "--add", str(tmp_path / "none.zip")]) == 1
    assert "No such file" in capsys.readouterr().err
