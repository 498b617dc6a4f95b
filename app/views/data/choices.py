"""The choices of a new data set: its name, and how its images are prepared."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from app.parts import forms
from app.services.adding import Reading
from app.shell import errors
from vae_core.data.examination import plan_of
from vae_core.data.own import check_free, suggested_name
from vae_core.settings.data_sets import DataError
from vae_core.settings.fields import ConfigError, settings_of
from vae_core.settings.own_data import AddOptions
from vae_core.wording.own_data import without_option

if TYPE_CHECKING:
    from vae_core.data.examination import Examined

KEY = "add"
_NAME = "data-name"


def suggest(source: str) -> None:
    """Suggest a name for a data set of these files, and begin with the choices of the files."""
    st.session_state[_NAME] = suggested_name(source)
    for each in settings_of(AddOptions):
        st.session_state.pop(f"{KEY}_{each.name}", None)


def reading() -> Reading:
    """The choices that decide how files are read; the default for what is not chosen."""
    known = {each.name: each.choices or () for each in settings_of(AddOptions)}
    chosen: dict[str, Any] = {
        name: st.session_state.get(f"{KEY}_{name}") for name in Reading._fields
    }
    return Reading(**{name: value for name, value in chosen.items() if value in known[name]})


def form(found: "Examined") -> tuple[str, AddOptions | None]:
    """Draw the choices, with what the files suggest; return them, or None if they cannot be used.

    Returns:
        The name of the data set, and the options.
    """
    name = st.text_input(
        "Name",
        key=_NAME,
        max_chars=64,
        persist_state="session",
        help="The name of the data set in lists, links and commands.",
    )
    refused = _refusal(name)
    every = [each for each in settings_of(AddOptions) if each.name != "range" or _is_array(found)]
    chosen = {each.name: st.session_state.get(f"{KEY}_{each.name}") for each in every}
    notes = _notes(found, {k: v for k, v in chosen.items() if v is not None})
    values = forms.grid([each for each in every if not each.advanced], KEY, notes, 2)
    with st.expander("More", icon=":material/tune:", key=f"{KEY}-more"):
        values |= forms.grid([each for each in every if each.advanced], KEY, notes, 2)
    try:
        options = AddOptions(**values)
    except ConfigError as error:
        refused, options = errors.plain(str(error)), None
    if refused:
        st.error(refused)
    return name, None if refused else options


def _is_array(found: "Examined") -> bool:
    return found.source.kind == "array"


def _refusal(name: str) -> str:
    try:
        check_free(name)
    except DataError as error:
        return errors.plain(str(error))
    return ""


def _notes(found: "Examined", chosen: dict[str, Any]) -> dict[str, str]:
    """Say below each choice that is left to the files what they suggest, and why."""
    try:
        why = plan_of(found, AddOptions(**chosen)).why
    except ConfigError:
        return {}
    return {name: errors.plain(without_option(reason)) for name, reason in why.items()}


def code(name: str, source: str, options: AddOptions | None) -> list[str]:
    """Write the Python code that makes the same data set."""
    changed = {
        each.name: value
        for each in settings_of(AddOptions)
        if (value := getattr(options, each.name, each.default)) != each.default
    }
    given = ", ".join(f"{key}={value!r}" for key, value in changed.items())
    return [
        "from vae_core import AddOptions, add_dataset",
        "",
        f"add_dataset({name!r}, {source!r}, AddOptions({given}))",
    ]
