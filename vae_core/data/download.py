"""Download files: mirrors, resumed downloads, checksums, and one sentence for each failure."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from vae_core.basics.errors import UserError
from vae_core.basics.paths import data_folder_is_missing

Progress = Callable[[int, int], None]
"""Called with (bytes done, total bytes); never decreases. If it raises, the download stops, and the
bytes received so far are kept for the next time."""
_CHUNK = 1 << 16
_TRIES = 3  # attempts per mirror if the connection is lost without progress
_TIMEOUT = 20.0  # seconds without a byte


class DownloadError(UserError, RuntimeError):
    """A file could not be downloaded; the message says what was tried and what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher released it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """The files of a data set and the addresses of their mirrors, best first."""

    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]


def fetch(
    file: RemoteFile, mirrors: Sequence[str], folder: Path, progress: Progress | None = None
) -> Path:
    """Download a file into ``folder``, unless it is there already with the right checksum.

    An interrupted download is resumed. A file gets its final name only if its SHA-256 is right; a
    file with a wrong checksum is deleted. If several processes want the same file at the same
    time, one downloads it and the others wait for it.

    Args:
        file: the file to download.
        mirrors: addresses, each ending in "/", tried in turn; the file's name is appended.
        folder: the target folder; created if it is missing.
        progress: called with (bytes done, total bytes) while the file arrives.

    Raises:
        DownloadError: if no mirror gave the right file, or the file could not be written.
    """
    report = _monotone(progress, file.size)
    target, part = folder / file.name, folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f"{file.name}.lock", part, report):
            if not _is_right(target, file):
                target.unlink(missing_ok=True)
                _from_mirrors(file, mirrors, part, report)
                part.replace(target)
    except OSError as error:
        raise DownloadError(
            f"{file.name} could not be written into {folder} ({_reason(error)}). "
            "Free some space there, or set VAE_CACHE_DIR to a folder that can be written."
        ) from error
    report(file.size)
    return target


class _RefusedError(Exception):
    """A mirror does not have the file, or has another file."""


class _BrokenOffError(Exception):
    """The connection was lost before the end of the file."""


def _from_mirrors(
    file: RemoteFile, mirrors: Sequence[str], part: Path, report: Callable[[int], None]
) -> None:
    """Download the file into ``part`` from the first mirror that works."""
    if _is_right(part, file):
        return
    failures = []
    for mirror in mirrors:
        try:
            _from_mirror(mirror + file.name, file, part, report)
            return
        except _RefusedError as failure:
            failures.append(f"{urlsplit(mirror).netloc} ({failure})")
    raise DownloadError(
        f"{file.name} could not be downloaded. Tried {', '.join(failures)}. Check the connection "
        f"and try again; the part received so far is kept. {own_folder_advice()}"
    )


def own_folder_advice() -> str:
    """Say how to use files without a download, or that ``VAE_DATA_DIR`` names no folder."""
    if data_folder_is_missing():
        return "VAE_DATA_DIR is set, but to a folder that does not exist; correct the variable."
    return "Or put the file into a folder of your own and set VAE_DATA_DIR to that folder."


def _from_mirror(url: str, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
    tries = 0
    while True:
        before = _size(part)
        try:
            _transfer(url, file, part, report)
        except _BrokenOffError as failure:
            tries += _size(part) - before < _CHUNK
            if tries == _TRIES:
                raise _RefusedError(str(failure)) from failure
            continue
        if _is_right(part, file):
            return
        part.unlink()
        if before == 0:  # otherwise the old bytes may be wrong: try again from the start
            raise _RefusedError("not the published file: its checksum is wrong")


def _transfer(url: str, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
    """Send one request and append the missing bytes to ``part``, or start again if necessary."""
    if _size(part) >= file.size:  # complete but wrong
        part.unlink()
    with _opened(url, _size(part)) as response:
        start = _first_byte(response, _size(part))
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            for chunk in _chunks(response):
                out.write(chunk[: file.size - out.tell()])
                report(out.tell())
                if out.tell() == file.size:
                    return
    raise _BrokenOffError(f"connection lost after {_size(part):,} of {file.size:,} bytes")


@contextmanager
def _opened(url: str, start: int) -> Iterator[http.client.HTTPResponse]:
    request = urllib.request.Request(url, headers={"User-Agent": "elbo-room"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            with _opened(url, 0) as response:
                yield response
            return
        raise _RefusedError(f"answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _RefusedError(f"no connection: {_reason(error)}") from error
    with response:
        yield response


def _first_byte(response: http.client.HTTPResponse, asked: int) -> int:
    """Return the position of the first byte of a response; a server may ignore the range."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    given = response.headers.get("Content-Range", "")
    if not given.startswith(f"bytes {asked}-"):
        raise _RefusedError(
            f"answers with another part of the file than requested: {given or 'unnamed'}"
        )
    return asked


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOffError(f"connection lost: {_reason(error)}") from error
        if not chunk:
            return
        yield chunk


@contextmanager
def _locked(path: Path, part: Path, report: Callable[[int], None]) -> Iterator[None]:
    """Hold a lock. While another process holds it, report the progress of that process."""
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            report(_size(part))
    try:
        yield
    finally:
        lock.release()


def _monotone(progress: Progress | None, total: int) -> Callable[[int], None]:
    best = 0

    def report(done: int) -> None:
        nonlocal best
        best = max(best, min(done, total))
        if progress is not None:
            progress(best, total)

    return report


def _is_right(path: Path, file: RemoteFile) -> bool:
    if _size(path) != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause) or type(error).__name__
