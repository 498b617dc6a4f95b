"""List the folders of a store, and read again only those whose files changed.

A store may hold a thousand runs, and a page lists it every second. Of a folder whose config and
status have not changed, only their versions are looked up.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from vae_core.basics.versions import Version, version_of
from vae_core.runs.run import CONFIG_FILE, STATUS_FILE, Run, RunError, Status


@dataclass(frozen=True)
class _Versions:
    """What tells one state of a run folder from another."""

    inode: int
    mode: int
    config: Version
    status: Version

    def are_settled(self) -> bool:
        return self.config.is_settled() and self.status.is_settled()


@dataclass(frozen=True)
class Listed:
    """A folder of a store: a run with its status, or the reason why it cannot be read.

    Attributes:
        reason: a sentence; empty if the run can be read.
    """

    folder: Path
    run: Run | None
    status: Status | None
    reason: str = ""


class Listing:
    """What was read of the folders of a store. Threads may share it.

    Args:
        folder: folder of the store.
        opened: opens a folder of the store, or raises a RunError.
    """

    def __init__(self, folder: Path, opened: Callable[[Path], Run]) -> None:
        self._folder = folder
        self._opened = opened
        self._known: dict[str, tuple[_Versions, Listed]] = {}

    def read(self, name: str) -> Listed:
        """Return the run in a folder. A damaged one is read again each time."""
        versions = self._versions(name)
        known = self._known.get(name)
        if known is not None and known[0] == versions:
            return known[1]
        found = self._read(self._folder / name)
        if versions is not None and found.run is not None and versions.are_settled():
            self._known[name] = versions, found
        else:
            self._known.pop(name, None)
        return found

    def forget_others(self, names: Collection[str]) -> None:
        """Forget the folders that no longer exist."""
        for name in self._known.keys() - names:
            self._known.pop(name, None)

    def _versions(self, name: str) -> _Versions | None:
        path = f"{self._folder}/{name}"
        folder = version_of(path)
        config, status = version_of(f"{path}/{CONFIG_FILE}"), version_of(f"{path}/{STATUS_FILE}")
        if folder is None or config is None or status is None:
            return None
        return _Versions(folder.inode, folder.mode, config, status)

    def _read(self, folder: Path) -> Listed:
        try:
            run = self._opened(folder)
            return Listed(folder, run, run.status())
        except RunError as error:
            return Listed(folder, None, None, str(error))
