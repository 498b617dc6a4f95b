"""Add somebody's run to the store, from a .zip file of its folder.

An archive may hold anything, so all of it is checked before the run appears: names, kinds, sizes
and compression of its entries, and then the config, the status and the weights. Only the files of a
run are unpacked. Nothing in the store is replaced, and the run does not start by itself.
"""

import os
import re
import secrets
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from vae_core.basics.errors import UserError
from vae_core.basics.plain_files import MAX_JSON_BYTES
from vae_core.basics.text import printable
from vae_core.data.archives import (
    ENCRYPTED,
    MAX_ARCHIVE_BYTES,
    MAX_ENTRIES,
    MAX_RATIO,
    MAX_UNPACKED_BYTES,
    METHODS,
    SMALL,
)
from vae_core.data.kept import DATASET_FILE, MAX_RECORD_BYTES
from vae_core.runs.metrics import MAX_BYTES as MAX_METRICS_BYTES
from vae_core.runs.run import (
    CALIBRATION_FILE,
    CHECKPOINT_FILE,
    CONFIG_FILE,
    DETECTION_FILE,
    EVALUATION_FILE,
    EXAMPLES_FILE,
    HELD_OUT_FILE,
    LAST_WEIGHTS_FILE,
    LATENTS_FILE,
    METRICS_FILE,
    OPERATING_POINT_FILE,
    SNAPSHOTS_FOLDER,
    START_WEIGHTS_FILE,
    STATUS_FILE,
    WEIGHTS_FILE,
    Run,
    RunError,
)
from vae_core.runs.store import RunStore
from vae_core.runs.sweeping import ADDING

_SIZES: Mapping[str, int] = {
    CONFIG_FILE: MAX_JSON_BYTES,
    DATASET_FILE: MAX_RECORD_BYTES,
    STATUS_FILE: MAX_JSON_BYTES,
    EVALUATION_FILE: MAX_JSON_BYTES,
    DETECTION_FILE: MAX_JSON_BYTES,
    OPERATING_POINT_FILE: MAX_JSON_BYTES,
    METRICS_FILE: MAX_METRICS_BYTES,
    WEIGHTS_FILE: MAX_UNPACKED_BYTES,
    CHECKPOINT_FILE: MAX_UNPACKED_BYTES,
    START_WEIGHTS_FILE: MAX_UNPACKED_BYTES,
    LAST_WEIGHTS_FILE: MAX_UNPACKED_BYTES,
    HELD_OUT_FILE: MAX_ARCHIVE_BYTES,
    CALIBRATION_FILE: MAX_ARCHIVE_BYTES,
    LATENTS_FILE: MAX_ARCHIVE_BYTES,
    EXAMPLES_FILE: MAX_ARCHIVE_BYTES,
}
"""The files that are unpacked, and the most bytes of each."""
_SNAPSHOT = re.compile(rf"{SNAPSHOTS_FOLDER}/epoch-\d{{6}}\.safetensors")
_SNAPSHOT_BYTES = 100_000_000
_REQUIRED = (CONFIG_FILE, STATUS_FILE)
_DIRECTORY_BYTES = 2_000_000  # of the list of entries, which is read into memory at once
_END, _END_SIZE = b"PK\5\6", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\6\7", 20  # of archives of more than 4 GB or 65,535 entries
_CHUNK = 1_000_000
_LONGEST_NAME = 80


class ArchiveError(UserError, ValueError):
    """An archive is not that of a run, or something in it is not allowed."""


def add_run(path: Path, store: RunStore) -> Run:
    """Unpack the .zip file of a run folder into a store.

    A run that is done stays done; every other run is stopped, and can be resumed.

    Returns:
        The new run. Its id is the name of its folder in the archive; if that is taken, a new one.

    Raises:
        ArchiveError: if the archive is not that of one run, or holds what no run folder has.
        RunError: if the config or the status is damaged.
        ModelFileError: if the weights are damaged or do not fit.
        OSError: if a file cannot be read or written.
    """
    shown = printable(path.name, _LONGEST_NAME)
    _check_size(path, shown)
    store.folder.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=store.folder, prefix=ADDING))
    try:
        try:
            with zipfile.ZipFile(path) as archive:
                top, entries = _entries(archive, shown)
                _unpack(archive, entries, staged, shown)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ArchiveError(f"{shown} is not a complete .zip archive; make it again.") from error
        _validate(staged, shown)
        folder = _free_folder(store, top or path.stem)
        staged.rename(folder)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return store.get(folder.name)


def _check_size(path: Path, shown: str) -> None:
    """Check the size of the archive and of its list of entries, before the list is read."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ArchiveError(f"{shown} is no file; give the .zip file of a run.")
    if about.st_size > MAX_ARCHIVE_BYTES:
        limit = f"{MAX_ARCHIVE_BYTES / 1e6:,.0f} MB"
        raise ArchiveError(f"{shown} has {about.st_size / 1e6:,.0f} MB; at most {limit} are read.")
    with path.open("rb") as file:
        file.seek(max(0, about.st_size - 65_535 - _END_SIZE - _LOCATOR_SIZE))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_SIZE:
        raise ArchiveError(f"{shown} is not a complete .zip archive; make it again.")
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    locator = tail[max(0, end - _LOCATOR_SIZE) : end].startswith(_LOCATOR)
    if size > _DIRECTORY_BYTES or locator:
        raise ArchiveError(f"{shown} has too many entries for a run; put one run folder in it.")


def _entries(archive: zipfile.ZipFile, shown: str) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """Find the folder of the run in an archive, and its files by their names in that folder.

    Raises:
        ArchiveError: if an entry is not allowed, or a required file is missing.
    """
    listed = archive.infolist()
    if len(listed) > MAX_ENTRIES:
        raise ArchiveError(f"{shown} has more than {MAX_ENTRIES:,} entries; put one run in it.")
    for entry in listed:
        _check_name(entry, shown)
    configs = [PurePosixPath(entry.filename) for entry in listed if not entry.is_dir()]
    configs = [each for each in configs if each.name == CONFIG_FILE and len(each.parts) <= 2]
    if len(configs) != 1:
        many = "the folders of several runs" if configs else f"no {CONFIG_FILE}"
        raise ArchiveError(f"{shown} has {many}; put one run folder in it.")
    top = configs[0].parent.as_posix()
    prefix = "" if top == "." else f"{top}/"
    files: dict[str, zipfile.ZipInfo] = {}
    for entry in listed:
        name = entry.filename.removeprefix(prefix)
        if not entry.filename.startswith(prefix) or not _most_bytes(name):
            continue  # such as notes, or what an operating system adds
        if name in files:
            raise ArchiveError(f"{shown} has two files called {name}; make it again.")
        _check_entry(entry, name, shown)
        files[name] = entry
    if missing := [name for name in _REQUIRED if name not in files]:
        raise ArchiveError(f"{shown} has no {missing[0]}, so it is not a run.")
    if sum(entry.file_size for entry in files.values()) > MAX_UNPACKED_BYTES:
        limit = f"{MAX_UNPACKED_BYTES / 1e9:.0f} GB"
        raise ArchiveError(f"{shown} unpacks to more than {limit}, which no run needs.")
    return top if prefix else "", files


def _check_name(entry: zipfile.ZipInfo, shown: str) -> None:
    """Refuse entries that lead out of the folder, links, and anything that is no file or folder."""
    name = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    parts = name.split("/")
    leads_out = name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]
    if leads_out or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "leads out of its folder" if leads_out else "is a link or no file"
        named = printable(name, _LONGEST_NAME)
        raise ArchiveError(f"{shown} is refused, because its entry {named} {what}.")


def _check_entry(entry: zipfile.ZipInfo, name: str, shown: str) -> None:
    if entry.flag_bits & ENCRYPTED:
        raise ArchiveError(f"{shown} is encrypted; make it without a password.")
    if entry.compress_type not in METHODS:
        raise ArchiveError(f"{shown} uses a rare compression; make it with plain deflate.")
    if entry.file_size > _most_bytes(name):
        size = f"{entry.file_size / 1e6:,.0f} MB"
        raise ArchiveError(f"{name} in {shown} unpacks to {size}, more than such a file has.")
    if entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size):
        raise ArchiveError(f"{name} in {shown} unpacks to suspiciously many bytes.")


def _most_bytes(name: str) -> int:
    """Most bytes of a file of a run; 0 if no file of a run has this name."""
    return _SNAPSHOT_BYTES if _SNAPSHOT.fullmatch(name) else _SIZES.get(name, 0)


def _unpack(
    archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], folder: Path, shown: str
) -> None:
    (folder / SNAPSHOTS_FOLDER).mkdir()
    for name, entry in entries.items():
        left = entry.file_size
        with archive.open(entry) as packed, (folder / name).open("xb") as file:
            while chunk := packed.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:  # the list of entries was wrong
                    raise ArchiveError(f"{name} in {shown} is larger than stated; make it again.")
                file.write(chunk)


def _validate(folder: Path, shown: str) -> None:
    """Check the run in a folder, and make it one that does not start by itself."""
    from vae_core.runs.checkpoint import load_model  # imports torch

    try:
        run = Run.open(folder)
    except RunError as error:  # whose sentence names the folder, which is about to vanish
        raise ArchiveError(str(error).replace(folder.name, shown)) from error
    has_model = (folder / WEIGHTS_FILE).exists()
    if has_model:
        try:
            load_model(folder)
        except UserError as error:
            reason = str(error).replace(str(folder / WEIGHTS_FILE), f"in {shown}")
            raise ArchiveError(reason) from error
    is_done = run.status().state == "done" and has_model
    changes = {"pid": None, "phase": "", "deaths": 0, "error": ""}
    run.update(state="done" if is_done else "stopped", **changes)


def _free_folder(store: RunStore, name: str) -> Path:
    """Choose the path of a new folder of the store."""
    wanted = re.sub(r"[^\w.\-]+", "-", name).strip(".-_")[:_LONGEST_NAME] or "run"
    folder = store.folder / wanted
    while os.path.lexists(folder):
        folder = store.folder / f"{wanted}-{secrets.token_hex(2)}"
    return folder
