"""Short texts that several pages share."""

from pathlib import Path

from vae_core.wording.numbers import duration as duration

PRIVACY = (
    "Your images stay in this app's memory, for this session only. They are never written to disk, "
    "and are forgotten within half a minute after you reload or close the page."
)
"""What happens to uploaded files; `app.shell.sessions` and `streamlit_internals` make it true."""


def shown_path(folder: Path) -> str:
    """Path of a folder as a user would type it: relative if it is in the current folder."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
