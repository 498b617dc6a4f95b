"""Files from the internet: mirrors, resume, checksum, and one sentence when it does not work."""

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

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all); never goes backwards. Raising in it stops the download,
and what has arrived is kept for the next time."""
_CHUNK = 1 << 16
_TRIES = 3  # a mirror is asked again this often after a connection that broke off
_TIMEOUT = 20.0  # seconds without a byte


class DownloadError(UserError, RuntimeError):
    """A file that could not be had, with what was tried and what to do instead."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher released it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """The files of a data set and the addresses under which they lie, best first."""

    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]


def fetch(
    file: RemoteFile, mirrors: Sequence[str], folder: Path, progress: Progress | None = None
) -> Path:
    """The file in ``folder``, downloaded unless it is there already with the right checksum.

    A download that broke off is taken up where it stopped. Nothing appears under the final name
    before its SHA-256 is right; a file with a wrong one is deleted. Processes that want the same
    file at once take turns, and the later ones find it there.

    Args:
        file: what is wanted.
        mirrors: addresses, each ending in "/", to which the file's name is added; tried in turn.
        folder: where the file goes; made if it is missing.
        progress: called with (bytes done, bytes in all) as they arrive.

    Raises:
        DownloadError: if no mirror gave the right file, or it could not be written.
    """
    report = _monotone(progress, file.size)
    target, part = folder / file.name, folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _turn(folder / f"{file.name}.lock", part, report):
            if not _is_right(target, file):
                target.unlink(missing_ok=True)
                _from_mirrors(file, mirrors, part, report)
                part.replace(target)
    except OSError as error:
        raise DownloadError(
            f"{file.name} could not be written into {folder} ({_reason(error)}). "
            "Make room there, or set VAE_CACHE_DIR to a folder that can be written."
        ) from error
    report(file.size)
    return target


class _RefusedError(Exception):
    """This mirror does not have the file, or not the right one."""


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


def _from_mirrors(
    file: RemoteFile, mirrors: Sequence[str], part: Path, report: Callable[[int], None]
) -> None:
    """Fills ``part`` with the right bytes."""
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
        "and try again, what has arrived is kept; or put the file into a folder of your own and "
        "set VAE_DATA_DIR to that folder."
    )


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
        if before == 0:  # else the wrong bytes may be the old ones: once more, from the start
            raise _RefusedError("not the file that was published: its checksum is wrong")


def _transfer(url: str, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
    """One request: appends what is missing to ``part``, or starts it anew if it has to."""
    if _size(part) >= file.size:  # as long as the file, but not the file
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
    raise _BrokenOffError(f"connection broke off after {_size(part):,} of {file.size:,} bytes")


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
    """Where the bytes of this answer begin: a server may ignore the range it was asked for."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    given = response.headers.get("Content-Range", "")
    if not given.startswith(f"bytes {asked}-"):
        raise _RefusedError(
            f"answers with another part than it was asked for: {given or 'unnamed'}"
        )
    return asked


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOffError(f"connection broke off: {_reason(error)}") from error
        if not chunk:
            return
        yield chunk


@contextmanager
def _turn(lock: Path, part: Path, report: Callable[[int], None]) -> Iterator[None]:
    """Holds the lock; while another process has it, reports how far that one is."""
    turn = FileLock(lock)
    while True:
        try:
            turn.acquire(timeout=0.5)
            break
        except Timeout:
            report(_size(part))
    try:
        yield
    finally:
        turn.release()


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
