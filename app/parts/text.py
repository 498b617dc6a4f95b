"""Short texts that several pages share."""

from pathlib import Path

PRIVACY = (
    "Your images stay in this app's memory, for this session only. They are never written to disk, "
    "and are gone when you reload or close the page."
)
"""What happens to uploaded files; `app.shell.streamlit_internals` makes it true."""


def shown_path(folder: Path) -> str:
    """Path of a folder as a user would type it: relative if it is in the current folder."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def duration(seconds: float) -> str:
    """Write a duration in words: ``"8 s"``, ``"3 min"``, ``"1 h 20 min"``, ``"3 days"``."""
    if round(seconds) < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
    return f"{round(minutes / 60 / 24):,} days"
