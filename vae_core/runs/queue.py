"""The list of runs that a store may start by itself, kept outside the run folders.

A run folder can come from somebody else, and its status may say "queued" or "running". Training it
writes files and takes hours, so it must not start because a folder was copied. A store starts only
the runs on its list: those that were created or queued here.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock

from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import check_plain, kind_of, names_in, read_json
from vae_core.basics.versions import Version, version_of
from vae_core.runs.status import UNFINISHED, Status

QUEUE_FILE = ".queue.json"
STATUS_FILE = "status.json"
_LOCK_FILE = ".queue.lock"
_MOST_RUNS = 100_000
_PATIENCE = 10.0  # seconds; the list is locked for an instant only


class Queue:
    """The list of a store.

    If a store has no list yet, because an older version of the program made it, the list begins
    with all unfinished runs in plain folders of the same user.

    Args:
        store: folder of the store.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self._known: tuple[Version, frozenset[str]] | None = None

    def exists(self) -> bool:
        """Whether the store has a list already."""
        return (self.store / QUEUE_FILE).is_file()

    def ids(self) -> frozenset[str]:
        """Ids of the runs that the store may start."""
        try:
            return self._read()
        except FileNotFoundError:
            with contextlib.suppress(OSError):  # a store that cannot be written
                self._change(lambda ids: ids)
                return self._read()
            return self._first_ids()

    def add(self, run_id: str, before: Callable[[], object] = lambda: None) -> None:
        """Put a run on the list.

        Args:
            before: called first, while nobody else can change the list.
        """

        def added(ids: frozenset[str]) -> frozenset[str]:
            before()
            return ids | {run_id}

        self._change(added)

    def remove(self, run_id: str) -> None:
        """Take a run off the list: it does not start until it is queued again."""
        self._change(lambda ids: ids - {run_id})

    def drop_finished(self) -> None:
        """Take the runs off the list that are done, stopped, failed or gone."""
        self._change(lambda ids: frozenset(filter(self._may_continue, ids)))

    def _may_continue(self, run_id: str) -> bool:
        try:
            status = Status.from_dict(read_json(self.store / run_id / STATUS_FILE))
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            return True
        return status.state in (*UNFINISHED, "paused")

    def _change(self, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
        with self._locked():
            try:
                before: frozenset[str] | None = self._read()
            except FileNotFoundError:
                before = None
            after = change(self._first_ids() if before is None else before)
            if after != before:
                text = json.dumps({"may_start": sorted(after)}) + "\n"
                replace_plain(self.store / QUEUE_FILE, text)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.store / _LOCK_FILE
        check_plain(path)
        with FileLock(path, timeout=_PATIENCE):
            yield

    def _read(self) -> frozenset[str]:
        """Read the list, unless it has not changed since it was read.

        Raises:
            FileNotFoundError: if the store has no list yet.
        """
        version = version_of(self.store / QUEUE_FILE)
        known = self._known
        if known is not None and known[0] == version:
            return known[1]
        found = self._read_again()
        self._known = (version, found) if version is not None and version.is_settled() else None
        return found

    def _read_again(self) -> frozenset[str]:
        """Read the list; empty if it is damaged, so that no run starts without being asked for.

        Raises:
            FileNotFoundError: if the store has no list yet.
        """
        try:
            found = read_json(self.store / QUEUE_FILE)
        except FileNotFoundError:
            raise
        except (OSError, ValueError):
            return frozenset()
        ids = found.get("may_start") if isinstance(found, dict) else None
        return frozenset(filter(_is_text, ids)) if isinstance(ids, list) else frozenset()

    def _first_ids(self) -> frozenset[str]:
        return frozenset(filter(self._is_own_unfinished, names_in(self.store, _MOST_RUNS)))

    def _is_own_unfinished(self, name: str) -> bool:
        folder = self.store / name
        try:
            if name.startswith(".") or kind_of(folder) != "a folder" or not _is_own(folder):
                return False
            return Status.from_dict(read_json(folder / STATUS_FILE)).state in UNFINISHED
        except (OSError, ValueError):
            return False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_own(folder: Path) -> bool:
    """Whether the folder belongs to the user of this process; always true on Windows."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
