"""Images in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from vae_core.data.decode import ImageError, read_bytes, short_name
from vae_core.data.listing import is_hidden
from vae_core.data.sources.base import MOST_FILES, Entry, Source
from vae_core.settings.data_sets import DataError


class FolderSource(Source):
    """All files below a folder. Links are listed, but not followed."""

    def entries(self) -> Iterator[Entry]:
        """Walk the folder in alphabetical order."""
        for count, path in enumerate(files_below(self.path)):
            if count == MOST_FILES:
                raise DataError(f"{self.path} has more than {MOST_FILES:,} files; split it.")
            name = path.relative_to(self.path).as_posix()
            yield Entry(name, _content(path, short_name(name)))


def files_below(folder: Path) -> Iterator[Path]:
    """Walk a folder in alphabetical order; links to folders come as if they were files."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not is_hidden(each))
        links = [each for each in folders if (Path(parent) / each).is_symlink()]
        yield from (Path(parent) / each for each in links)
        yield from (Path(parent) / each for each in sorted(files) if not is_hidden(each))


def _content(path: Path, name: str) -> bytes | ImageError:
    try:
        if path.is_symlink():
            raise ImageError(f"{name} is a symbolic link; put the file itself into the folder.")
        return read_bytes(path, name)
    except ImageError as error:
        return error
