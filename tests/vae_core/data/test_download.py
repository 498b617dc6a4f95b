"""The downloader against a real server on loopback that can be told to misbehave."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.mirror import CONTENT, FILE, Server, publish, running, source_of
from vae_core.data.catalogue import BUILT_IN
from vae_core.data.datasets import load_dataset
from vae_core.data.download import DownloadError, fetch
from vae_core.data.mnist import MNIST_FAMILY


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    yield from running()


@pytest.fixture
def second() -> Iterator[Server]:
    yield from running()


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def half_done(folder: Path, content: bytes = CONTENT) -> int:
    half = len(CONTENT) // 2
    (folder / "data.gz.part").write_bytes(content[:half])
    return half


def test_a_file_arrives_whole_under_its_name(server: Server, tmp_path: Path) -> None:
    path = fetch(FILE, [server.url], tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "data.gz"
    assert path.read_bytes() == CONTENT
    assert not list(path.parent.glob("*.part"))


def test_a_file_that_is_there_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    fetch(FILE, [server.url], tmp_path)
    fetch(FILE, [server.url], tmp_path)
    assert server.requests == [None]


def test_a_file_that_was_damaged_since_is_replaced(server: Server, tmp_path: Path) -> None:
    path = fetch(FILE, [server.url], tmp_path)
    for damaged in (CONTENT[:-1], b"x" + CONTENT[1:]):
        path.write_bytes(damaged)
        assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_progress_never_goes_back_and_ends_at_the_size(
    ranges: bool, server: Server, tmp_path: Path
) -> None:
    server.ranges = ranges
    server.cuts = [400_000, 100_000]
    seen: list[tuple[int, int]] = []
    fetch(FILE, [server.url], tmp_path, lambda done, total: seen.append((done, total)))
    done = [each for each, _ in seen]
    assert {total for _, total in seen} == {FILE.size}
    assert done == sorted(done)
    assert done[-1] == FILE.size
    assert len(set(done)) > 5


def test_a_cut_off_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [400_000, 100_000]
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=400000-", "bytes=500000-"]


def test_many_cuts_are_no_obstacle_while_bytes_arrive(server: Server, tmp_path: Path) -> None:
    server.cuts = [70_000] * 8
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 9


def test_a_download_of_an_earlier_day_goes_on(server: Server, tmp_path: Path) -> None:
    half = half_done(tmp_path)
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT
    assert server.requests == [f"bytes={half}-"]


def test_a_download_that_only_lacked_its_name_needs_no_server(tmp_path: Path, nobody: str) -> None:
    (tmp_path / "data.gz.part").write_bytes(CONTENT)
    assert fetch(FILE, [nobody], tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("lengths", [True, False])
def test_a_server_without_ranges_sends_it_all_again(
    lengths: bool, server: Server, tmp_path: Path
) -> None:
    server.ranges, server.lengths = False, lengths
    half_done(tmp_path)
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_server_that_refuses_ranges_is_asked_for_it_all(server: Server, tmp_path: Path) -> None:
    server.refuses_ranges = True
    half = half_done(tmp_path)
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT
    assert server.requests == [f"bytes={half}-", None]


def test_another_range_than_asked_for_is_not_appended(
    server: Server, second: Server, tmp_path: Path
) -> None:
    server.wrong_ranges = True
    half = half_done(tmp_path)
    assert fetch(FILE, [server.url, second.url], tmp_path).read_bytes() == CONTENT
    assert second.requests == [f"bytes={half}-"]


def test_a_foreign_beginning_is_thrown_away(server: Server, tmp_path: Path) -> None:
    half_done(tmp_path, bytes(len(CONTENT)))
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT
    assert server.requests[-1] is None


@pytest.mark.parametrize("size", [FILE.size, FILE.size + 5])
def test_a_foreign_file_of_full_length_is_thrown_away(
    size: int, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "data.gz.part").write_bytes(bytes(size))
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", [b"x" + CONTENT[1:], b"<html>no longer here</html>"])
def test_a_tampered_file_is_refused_and_the_next_mirror_asked(
    wrong: bytes, server: Server, second: Server, tmp_path: Path
) -> None:
    server.files[FILE.name] = wrong
    assert fetch(FILE, [server.url, second.url], tmp_path).read_bytes() == CONTENT


def test_of_a_tampered_file_nothing_is_left(server: Server, tmp_path: Path) -> None:
    server.files[FILE.name] = b"x" + CONTENT[1:]
    with pytest.raises(DownloadError, match="checksum is wrong"):
        fetch(FILE, [server.url], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data.gz.lock"]


def test_of_a_file_that_never_ends_no_more_than_its_size_is_kept(
    server: Server, tmp_path: Path
) -> None:
    server.files[FILE.name] = CONTENT + bytes(5_000_000)
    assert fetch(FILE, [server.url], tmp_path).read_bytes() == CONTENT


def test_dead_mirrors_are_passed_over(server: Server, nobody: str, tmp_path: Path) -> None:
    mirrors = [nobody, server.url + "moved/", server.url]
    assert fetch(FILE, mirrors, tmp_path).read_bytes() == CONTENT


def test_the_second_mirror_goes_on_where_the_first_broke_off(
    server: Server, second: Server, tmp_path: Path
) -> None:
    server.cuts = [300_000, 0, 0, 0]
    fetch(FILE, [server.url, second.url], tmp_path)
    assert second.requests == ["bytes=300000-"]


def test_offline_the_error_says_what_was_tried_and_what_to_do(
    nobody: str, server: Server, tmp_path: Path
) -> None:
    server.cuts = [300_000, 0, 0, 0]
    with pytest.raises(DownloadError) as caught:
        fetch(FILE, [nobody, server.url + "moved/", server.url], tmp_path)
    message = str(caught.value)
    assert "data.gz could not be downloaded" in message
    assert "(no connection: " in message
    assert "(answers 404 Not Found)" in message
    assert "(connection lost after 300,000 of 600,001 bytes)" in message
    assert "VAE_DATA_DIR" in message
    assert (tmp_path / "data.gz.part").stat().st_size == 300_000


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DownloadError, match=r"could not be written into .*file .*VAE_CACHE_DIR"):
        fetch(FILE, [server.url], tmp_path / "file")


def test_stopping_keeps_what_has_arrived(server: Server, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop_in_the_middle(done: int, total: int) -> None:
        if done > total / 2:
            raise StopError

    with pytest.raises(StopError):
        fetch(FILE, [server.url], tmp_path, stop_in_the_middle)
    kept = (tmp_path / "data.gz.part").stat().st_size
    assert FILE.size / 2 < kept < FILE.size
    fetch(FILE, [server.url], tmp_path)
    assert server.requests[-1] == f"bytes={kept}-"


FETCH = """
import sys
from pathlib import Path
from vae_core.data.download import RemoteFile, fetch
name, size, sha256, url, folder = sys.argv[1:]
print("ready", flush=True)
fetch(RemoteFile(name, int(size), sha256), [url], Path(folder))
"""


def test_processes_that_want_the_same_file_fetch_it_once(server: Server, tmp_path: Path) -> None:
    server.gate.clear()
    wanted = [FILE.name, str(FILE.size), FILE.sha256, server.url, str(tmp_path)]
    command = [sys.executable, "-c", FETCH, *wanted]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as one,
        subprocess.Popen(command, stdout=subprocess.PIPE) as other,
    ):
        for each in (one, other):
            assert each.stdout is not None
            assert each.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        server.gate.set()
    assert (one.returncode, other.returncode) == (0, 0)
    assert (tmp_path / "data.gz").read_bytes() == CONTENT
    assert server.requests == [None]


def test_whoever_waits_for_another_process_sees_its_progress(
    server: Server, tmp_path: Path
) -> None:
    half = half_done(tmp_path)
    seen: list[int] = []
    with FileLock(tmp_path / "data.gz.lock"):
        waiting = threading.Thread(
            target=fetch,
            args=(FILE, [server.url], tmp_path, lambda done, _total: seen.append(done)),
        )
        waiting.start()
        while not seen:
            time.sleep(0.01)
    waiting.join()
    assert seen[0] == half
    assert seen[-1] == FILE.size


def test_a_data_set_is_downloaded_into_the_cache_with_one_progress(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, "kmnist", monkeypatch)
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    monkeypatch.setenv("VAE_CACHE_DIR", str(tmp_path))
    total = sum(file.size for file in source_of("kmnist").files)
    for _ in range(2):
        seen: list[tuple[int, int]] = []
        data = load_dataset("kmnist", lambda done, of, seen=seen: seen.append((done, of)))
        assert data.images.shape == (70_000, 1, 28, 28)
        assert seen == sorted(seen)
        assert seen[-1] == (total, total)
    assert len(server.requests) == 4


@pytest.mark.parametrize("name", [each.info.name for each in MNIST_FAMILY])
def test_every_source_names_what_a_data_set_needs(name: str) -> None:
    source = source_of(name)
    assert not BUILT_IN[name].info.embedded
    assert [file.name for file in source.files] == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in source.files)
    assert len({file.sha256 for file in source.files}) == 4
    assert all(url.startswith("http") and url.endswith("/") for url in source.mirrors)
