"""Controls of the Latent space page: the split, the chosen image and a second image."""

import streamlit as st

from app.parts import pickers
from app.services.latent import View, cloud
from app.services.models import Choice
from vae_core.runs.run import UNFINISHED, RunError
from vae_core.settings.data_sets import Split

_SECONDS = 2.0


def follow(choice: Choice) -> None:
    """Say that the run is still training and, if the user wants it, load newer weights."""
    try:
        under_way = choice.run.status().state in UNFINISHED
    except RunError:
        st.warning("The run of this model was removed. This page shows what is still in memory.")
        return
    if under_way:
        with st.container(key="latent-follow"):
            st.fragment(run_every=_SECONDS)(_watch)(choice)


def _watch(choice: Choice) -> None:
    try:
        status = choice.run.status()
    except RunError:
        st.rerun()
    keep_up = st.toggle(
        "Follow the training",
        key="follow",
        bind="query-params",
        persist_state="session",
        help="On: the page is updated whenever the run has better weights. Off: it stays as it is.",
    )
    newer = choice.run.checkpoint_digest() != choice.digest
    if status.state not in UNFINISHED or (newer and keep_up):
        st.rerun()
    epochs = choice.run.config.train.epochs
    note = f"In training, epoch {status.epoch} of {epochs}. "
    note += "Better weights than these exist." if newer else "These are its best weights."
    st.caption(note)


_LATEST = "latent-latest"  # session key of the chosen image, as the server knows it
SPLITS: tuple[Split, ...] = ("test", "validation", "train")


def pick_view(choice: Choice) -> View:
    """Draw the select box of the splits and return the view of the chosen one."""
    split = st.selectbox(
        "Images",
        SPLITS,
        key="split",
        bind="query-params",
        persist_state="session",
        help="Which images are shown. Test images were never used in training.",
    )
    return View(choice, split)


def pick_point(view: View) -> int:
    """Draw the number input of the chosen image. A click on the map sets it too."""
    first = view.data_info.showcase if view.split == "test" else 0
    pickers.forget_other_data(view.choice)
    if "point" not in st.session_state and "point" not in st.query_params and view.split == "test":
        st.session_state["point"] = st.session_state.get("image", first)  # from another page
    if not 0 <= (st.session_state.get("point") or 0) < view.count:
        st.session_state["point"] = first
    chosen = st.number_input(
        f"Chosen image, 0 to {view.count - 1:,}",
        min_value=0,
        max_value=view.count - 1,
        value=first,
        step=1,
        key="point",
        bind="query-params",
        persist_state="session",
        help="The image to look at closely. You can also click its point on the map.",
    )
    st.session_state[_LATEST] = first if chosen is None else chosen
    return st.session_state[_LATEST]


def choose(index: int) -> None:
    """Make this the chosen image. Call it before :func:`pick_point`, for example in a callback."""
    st.session_state["point"] = st.session_state[_LATEST] = index


def keep() -> None:
    """Keep the chosen image, even if the browser does not know it yet.

    Every message of the browser contains all widget values. A message sent before the last
    answer arrived would bring back the image chosen before.
    """
    if _LATEST in st.session_state:
        choose(st.session_state[_LATEST])


def pick_other(view: View, index: int) -> int:
    """Draw the number input of the second image. If empty, take the next one of another class."""
    if (st.session_state.get("to") or 0) >= view.count:
        st.session_state["to"] = None
    given = st.number_input(
        f"Second image, 0 to {view.count - 1:,}",
        min_value=0,
        max_value=view.count - 1,
        value=None,
        step=1,
        key="to",
        placeholder="one of another class",
        bind="query-params",
        persist_state="session",
        help="The image at the end of the path. If empty, an image of another class is used.",
    )
    return _of_another_class(view, index) if given is None else given


def _of_another_class(view: View, index: int) -> int:
    _, labels = view.images()
    around = cloud(view)
    others = around.index[around.labels != int(labels[index])]
    if not len(others):  # all images are of one class, or of none
        others = around.index[around.index != index]
    later = others[others > index]
    return int(later[0] if len(later) else others[0])
