"""Replacing a file: in one step, with the mode and the place that the old one had."""

import os
import signal
import stat
from pathlib import Path

import pytest

from vae_core.basics.files import replace_file, replacing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_gets_the_mode_of_any_other(tmp_path):
    replace_file(tmp_path / "new", "new")
    (tmp_path / "other").write_text("other")
    assert mode(tmp_path / "new") == mode(tmp_path / "other")


@pytest.mark.parametrize("wanted", [0o600, 0o644, 0o664])
def test_an_old_file_keeps_its_mode(tmp_path, wanted):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(wanted)
    replace_file(path, b"new")
    assert (path.read_text(), mode(path)) == ("new", wanted)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link_to_the_new_content(tmp_path, there):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if there:
        (folder / "file").write_text("old")
    link, second = tmp_path / "link", tmp_path / "second"
    link.symlink_to("elsewhere/file")
    second.symlink_to(link)
    replace_file(second, "new")
    assert link.is_symlink()
    assert second.is_symlink()
    assert (folder / "file").read_text() == "new"
    assert sorted(path.name for path in folder.iterdir()) == ["file"]


def test_what_cannot_be_replaced_is_left_whole_and_nothing_is_left_over(tmp_path):
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        replace_file(tmp_path / "folder", "new")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(tmp_path / "a", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "folder"]


@pytest.mark.skipif(os.name == "nt", reason="limits the size of files")
def test_a_full_disk_is_an_error_of_the_system_also_where_a_writer_makes_another_of_it(
    tmp_path: Path,
) -> None:
    def write_as_pytorch_does() -> None:
        with replacing(tmp_path / "file") as file:
            try:
                file.raw.write(b"content")  # type: ignore[attr-defined]
            except OSError as error:
                raise RuntimeError("unexpected pos") from error

    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            write_as_pytorch_does()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert raised.value.filename == str(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
