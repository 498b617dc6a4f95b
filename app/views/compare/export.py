"""Downloads of a comparison, and the command that makes the same one."""

import streamlit as st

from app.parts import widgets
from vae_core.basics.strict_json import strict_json
from vae_core.basics.tables import csv_text
from vae_core.runs.comparison import Comparison
from vae_core.runs.comparison_export import columns_of, record_of
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
    keys = [each.key for each in found.runs]
    widgets.code(lambda: command("compare", keys), "Show the command", key="compare-code")
