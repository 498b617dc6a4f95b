"""Downloads of a comparison, and the command that makes the same one."""

import io
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import streamlit as st

from app.parts import widgets
from app.shell import errors
from vae_core.basics.strict_json import strict_json
from vae_core.basics.tables import csv_text
from vae_core.runs.comparison import Comparison
from vae_core.runs.comparison_export import columns_of, record_of
from vae_core.runs.tensorboard import NoTensorboard, write_events
from vae_core.wording.command import command


def show(found: Comparison) -> None:
    """Draw the buttons. The files are made when a button is pressed."""
    with st.container(key="compare-export"):
        st.download_button(
            "CSV",
            lambda: csv_text(columns_of(found)),
            file_name="comparison.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/table:",
            key="compare-csv",
            help="Saves a row for each run: settings that differ and figures with their protocol.",
        )
        st.download_button(
            "JSON",
            lambda: strict_json(record_of(found), indent=2) + "\n",
            file_name="comparison.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/data_object:",
            key="compare-json",
            help="Saves everything that `compare --json` prints.",
        )
        _events(found)
    keys = [each.key for each in found.runs]
    widgets.code(lambda: command("compare", keys), "Show the command", key="compare-code")


def _events(found: Comparison) -> None:
    """Draw the button for event files of TensorBoard, which need a package of their own."""
    label, icon = "TensorBoard", ":material/show_chart:"
    if find_spec("tensorboardX") is not None:
        st.download_button(
            label, lambda: _zipped_events(found), file_name="events.zip", mime="application/zip",
            on_click="ignore", icon=icon, key="compare-tensorboard",
            help="Saves the curves as event files, in a .zip with a folder for each run.",
        )  # fmt: skip
    elif st.button(label, icon=icon, key="compare-tensorboard", help="Saves the curves as events."):
        st.warning(errors.plain(NoTensorboard.SENTENCE))


def _zipped_events(found: Comparison) -> bytes:
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(content, "w") as archive:
        write_events(found.runs, found.names, Path(folder))
        for path in sorted(Path(folder).rglob("*")):
            archive.write(path, path.relative_to(folder))
    return content.getvalue()
