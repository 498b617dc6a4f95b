"""Count the files of run folders that a piece of the program opens."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vae_core.basics import plain_files


class Reads:
    """Names of the files of runs that are opened, each with its folder's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        original = plain_files._descriptor

        def noted(path: Path, flags: int) -> int:
            self.names.append(f"{path.parent.name}/{path.name}")
            return original(path, flags)

        monkeypatch.setattr(plain_files, "_descriptor", noted)

    def during(self, action: Callable[[], object]) -> list[str]:
        self.names.clear()
        action()
        return sorted(self.names)
