"""Remove data sets of the user's own, and undo it; list those that are damaged."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.shell import errors
from vae_core.basics.errors import sentence_of
from vae_core.data.kept import damaged_datasets, remove_dataset, restore_dataset
from vae_core.settings.data_sets import DataError

_MOST = 20  # data sets whose removal can be undone
_FAILURE = "data-not-removed"


@st.cache_resource(show_spinner=False)
def _removed() -> dict[str, Path]:
    """Names of the data sets that were removed since the app was started, and their folders now."""
    return {}


def button(name: str) -> None:
    """Draw the button that removes a data set of the user's own."""
    st.button(
        "Remove",
        on_click=attempt,
        args=(_remove, name),
        key="data-remove",
        icon=":material/delete:",
        help="Takes the data set off all lists. You can undo it; nothing is deleted.",
    )


def notes() -> None:
    """Say what was removed, with a button to undo it, and which data sets are damaged."""
    if reason := st.session_state.pop(_FAILURE, ""):
        st.error(reason)
    for name in list(_removed()):
        with st.container(key=f"data-removed-{name}", horizontal=True, vertical_alignment="center"):
            st.markdown(f"The data set **{errors.plain(name)}** was removed.", width="content")
            st.button(
                "Undo",
                on_click=attempt,
                args=(_restore, name),
                key=f"data-undo-{name}",
                icon=":material/undo:",
                help="Puts the data set back. This is possible until the app is ended.",
            )
    for name, reason in damaged_datasets().items():
        with st.container(key=f"data-damaged-{name}", horizontal=True, vertical_alignment="center"):
            about = f"{errors.plain(name)} cannot be used ({errors.plain(reason)})."
            st.warning(f"The data set {about} The others are not affected.", width="stretch")
            st.button(
                "Remove",
                on_click=attempt,
                args=(_remove, name),
                key=f"data-remove-{name}",
                icon=":material/delete:",
                help="Takes the damaged folder off this list. Nothing is deleted.",
            )


def _remove(name: str) -> None:
    removed = _removed()
    removed.pop(name, None)
    removed[name] = remove_dataset(name)
    while len(removed) > _MOST:
        del removed[next(iter(removed))]


def _restore(name: str) -> None:
    folder = _removed().get(name)
    if folder is None:  # undone in another window
        return
    st.session_state["dataset"] = restore_dataset(folder)
    _removed().pop(name, None)


def attempt(action: Callable[[str], None], name: str) -> None:
    """Callback: do something that the disk may refuse; the page then says why."""
    try:
        action(name)
    except (DataError, OSError) as error:
        st.session_state[_FAILURE] = errors.plain(sentence_of(error) or "")
