"""Short texts that several pages write alike."""

from pathlib import Path

PRIVACY = (
    "Your images stay in this app's memory, for this session: never written to disk, and gone when "
    "you reload or close the page."
)
"""What happens to files that visitors give; `app.shell.streamlit_internals` makes it true."""


def shown_path(folder: Path) -> str:
    """A folder as it is best typed: relative to here if it is below."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def duration(seconds: float) -> str:
    """A time for reading: ``"8 s"``, ``"3 min"``, ``"1 h 20 min"``, ``"3 days"``."""
    if round(seconds) < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
    return f"{round(minutes / 60 / 24):,} days"
