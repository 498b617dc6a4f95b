"""A panel for a model whose data set is not on this computer: what is missing, and what to do."""

from collections.abc import Callable

import streamlit as st

from app.parts import live
from app.services import models
from app.services.data import missing
from app.services.downloads import Download
from app.services.models import Choice
from app.shell import errors, navigation
from vae_core.basics.paths import data_folder_is_missing
from vae_core.data.catalogue import bytes_to_download, file_names
from vae_core.settings.data_sets import find_dataset
from vae_core.wording.lists import listed


def panel(choice: Choice, needed_for: str) -> None:
    """Say what is missing, and offer a download, a way without internet, and another model.

    Args:
        needed_for: one or two sentences: what cannot be shown without the data, and what can.
    """
    if choice.run.config.info.is_own:
        _own(choice, needed_for)
        return
    name = choice.run.config.dataset
    for_dataset(name, needed_for, _offer_another)


def for_dataset(
    name: str, needed_for: str, offer_another: Callable[[], None] = lambda: None
) -> None:
    """Say that a built-in data set is missing, and offer a download and a way without internet.

    Args:
        needed_for: one or two sentences: what cannot be shown without the data.
        offer_another: draws a button beside the download.
    """
    with st.container(key="missing-data", border=True, gap="small"):
        st.markdown(f"**{find_dataset(name).title} is not on this computer.** {needed_for}")
        download = _download(name)
        under_way = download.begun and download.state != "done"
        # The progress comes below the buttons, so that they keep their place when it changes.
        with st.container(horizontal=True, vertical_alignment="center"):
            if not under_way:
                _offer(download)
            offer_another()
        if under_way:
            live.follow(download, lambda: _progress(download))
        st.caption(without_internet(name))


def _own(choice: Choice, needed_for: str) -> None:
    """Say that the images of the user's own that a model was trained on are gone."""
    name = errors.plain(choice.run.config.dataset)
    with st.container(key="missing-data", border=True, gap="small"):
        st.markdown(
            f"**The images of the data set {name} that this model was trained on are not on this "
            f"computer.** {needed_for}"
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            _offer_another()
            navigation.link("data", "Add the same images again", tab="Add images")


def without_internet(name: str) -> str:
    """Say how to use the files of a data set without a download."""
    if data_folder_is_missing():
        return (
            "VAE_DATA_DIR is set, but to a folder that does not exist. Start the app again with "
            f"the variable set to the folder with {listed(file_names(name))}."
        )
    return (
        f"Without internet: put {listed(file_names(name))} into a folder, and start the app again "
        "with VAE_DATA_DIR set to that folder."
    )


def note(choice: Choice, part_of: str) -> None:
    """Say in a sentence that a small part of a page needs the data, with a link to the download.

    Args:
        part_of: the beginning of the sentence; the name of the data set follows.
    """
    name = choice.run.config.dataset
    if choice.run.config.info.is_own:
        st.caption(f"{part_of} {errors.plain(name)}, whose images are not on this computer.")
        return
    title, size = find_dataset(name).title, bytes_to_download(name) / 1e6
    st.caption(f"{part_of} {title}, which is not on this computer ({size:.0f} MB).")
    navigation.link("start", f"Download {title} on the Start page", model=choice.key)


@st.cache_resource(show_spinner=False)
def _download(name: str) -> Download:
    """Return the download of a data set, which all sessions share."""
    return Download(name)


def _offer(download: Download) -> None:
    name = download.name
    st.button(
        f"Download {find_dataset(name).title}, {bytes_to_download(name) / 1e6:.0f} MB",
        on_click=download.go_on,
        key="missing-data-download",
        icon=":material/download:",
        type="primary",
        help="Downloads the data once, in the background. Then this page shows everything.",
    )


def _offer_another() -> None:
    """Offer another model. A button, because a link to the page that is open would do nothing."""
    other = models.first_of(models.choices())
    if other is None or missing(other):
        return
    st.button(
        "Use a model that needs no download",
        on_click=lambda: st.session_state.update(model=other.key),
        key="missing-data-other",
        help=f"Shows this page for {other.label}, whose images come with the program.",
    )


def _progress(download: Download) -> None:
    """Draw the progress of the download or its error, with a button to stop or to continue it."""
    if download.state == "done":
        st.rerun()  # to draw the page with the data
    title = find_dataset(download.name).title
    here = f"{download.done_bytes / 1e6:.1f} of {download.all_bytes / 1e6:.1f} MB"
    text = f"Downloading {title}: {here}"
    if download.error is not None:
        text = errors.sentence(download.error)
    elif download.state == "stopped":
        text = f"Stopped at {here}; what has arrived is kept"
    live.control(download, text, "missing-data")
