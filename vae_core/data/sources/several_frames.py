"""A source whose animated and multi-page files are several images."""

from collections.abc import Iterator

from vae_core.data.frames import frames_of, frames_sentence, has_frames
from vae_core.data.sources.base import Entry, Source
from vae_core.settings.choices import Frames


class FramesSource(Source):
    """A source whose animated and multi-page files are several images, if all are taken."""

    def __init__(self, inner: Source, taken: Frames) -> None:
        super().__init__(inner.path)
        self.kind, self.arranged = inner.kind, inner.arranged
        self._inner = inner
        self._taken: Frames = taken

    def entries(self) -> Iterator[Entry]:
        """Read the source; count the files with several frames, for a note."""
        files = frames = 0
        for entry in self._inner.entries():
            if not isinstance(entry.content, bytes) or not has_frames(entry.content):
                yield entry
                continue
            files += 1
            if self._taken == "first":
                yield entry
                continue
            for index, content in frames_of(entry.content, entry.name):
                frames += isinstance(content, bytes)
                yield Entry(f"{entry.name}[{index}]", content, entry.label, entry.split, entry.name)
        counted = [frames_sentence(files, frames, self._taken)] if files else []
        self.notes = [*self._inner.notes, *counted]
