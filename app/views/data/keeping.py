"""Rename a data set of the user's own, and save it as a file."""

import tempfile
from pathlib import Path

import streamlit as st

from app.views.data import removing
from vae_core.data.exchange import export_dataset
from vae_core.data.renaming import rename_dataset
from vae_core.settings.data_sets import DatasetInfo

_NEW = "data-new-name"
_MOST_BYTES = 300_000_000
"""Pixels of a data set that a page gives as a file; the command has no limit."""


def controls(info: DatasetInfo) -> None:
    """Draw the buttons that rename and save a data set of the user's own."""
    with st.popover(
        "Rename",
        key="data-rename",
        icon=":material/edit:",
        help="Gives the data set another name. Its runs still find it.",
    ):
        st.text_input("New name", value=info.name, max_chars=64, key=_NEW)
        st.button(
            "Rename", on_click=removing.attempt, args=(_rename, info.name), key="data-rename-go"
        )
    large = sum(info.sizes.values()) * _pixels(info) > _MOST_BYTES
    st.download_button(
        "Save",
        b"" if large else lambda: _archive(info.name),
        file_name=f"{info.name}.zip",
        mime="application/zip",
        on_click="ignore",
        disabled=large,
        key="data-save",
        icon=":material/download:",
        help=f"Too large for a page; the command is 'vae datasets export {info.name} FILE.zip'."
        if large
        else "Saves a .zip of all images, as PNG files with a table of their classes. Adding that "
        "file, here or on another computer, makes the same data set.",
    )


def _pixels(info: DatasetInfo) -> int:
    channels, height, width = info.image_shape
    return channels * height * width


def _rename(name: str) -> None:
    new = str(st.session_state.get(_NEW, "")).strip()
    st.session_state["dataset"] = rename_dataset(name, new).name


def _archive(name: str) -> bytes:
    """Write the data set into a temporary file, and read it."""
    with tempfile.TemporaryDirectory() as folder:
        return export_dataset(name, Path(folder) / "data.zip").read_bytes()
