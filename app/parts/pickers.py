"""Choosing a model, and an image of its data: the same widgets on every page, in the URL."""

from collections.abc import Collection
from contextlib import nullcontext

import streamlit as st

from app.parts import widgets
from app.services import models
from app.services.images import Images
from app.services.models import Choice
from app.shell import errors
from vae_core.settings.data_sets import find_dataset
from vae_core.wording.numbers import typeset

_MOST_DIGITS = 20  # of a number in an address


def pick_model(key: str = "model") -> Choice:
    """A select box of all models. Ends the page with a pointer to Train if there are none."""
    choices = models.choices()
    first = models.first_of(choices)
    if first is None:
        widgets.empty_state(
            "No model yet", "Train one on the digits: it takes a few seconds.", "train", "Train"
        )
        st.stop()
    unknown = _take_from_url(key, choices)
    # Set in every case: by itself the box would neither take over what another page's held, nor
    # stop naming a run that is gone.
    current = st.session_state.get(key)
    st.session_state[key] = current if current in choices else first.key
    shown = models.labels(choices)
    chosen = st.selectbox(
        "Model",
        list(choices),
        format_func=shown.__getitem__,
        key=key,
        persist_state="session",
        on_change=lambda: st.session_state.pop(_unknown(key), None),
        help="A model that came with the program, or a run of yours; what is shown follows it.",
    )
    if unknown:
        st.caption(f":orange[There is no model called {errors.plain(unknown)}: this is another.]")
    if st.query_params.get(key) != chosen:
        st.query_params[key] = chosen
    st.session_state[_seen(key)] = chosen
    return choices[chosen]


def pick_image(images: Images, key: str = "image") -> int:
    """A number input: which of the images, those of a test split or a model's own."""
    count, showcase = images.count, find_dataset(images.choice.run.config.dataset).showcase
    if st.session_state.get(key, 0) >= count:
        st.session_state[key] = showcase
    if images.split is None:
        about = "Which image to look at of those that the model draws itself."
        return index_input(f"Draw, 0 to {count - 1:,}", count, showcase, key, about)
    return index_input(
        f"Test image, 0 to {count - 1:,}",
        count,
        showcase,
        key,
        "Which image the model never trained on to look at.",
    )


def index_input(label: str, count: int, first: int, key: str, help_text: str) -> int:
    """A number input for one of so many, 0 to ``count`` − 1, in the URL.

    An address that asks for none of them gets the nearest, and a sentence.
    """
    refused = _refuse_outside(key, count)
    with st.container() if refused else nullcontext():
        index = st.number_input(
            label,
            min_value=0,
            max_value=count - 1,
            value=first,
            key=key,
            bind="query-params",
            persist_state="session",
            help=help_text,
        )
        if refused:
            st.caption(f":orange[{refused}]")
    return index


def _refuse_outside(key: str, count: int) -> str:
    """Keep a number of the URL within 0 to ``count`` − 1; what to say if it was not."""
    linked = st.query_params.get(key, "")
    is_number = linked.removeprefix("-").isdecimal() and len(linked) < _MOST_DIGITS
    if not is_number or 0 <= int(linked) < count:
        return ""
    nearest = min(max(int(linked), 0), count - 1)
    st.session_state[key] = nearest
    st.query_params[key] = str(nearest)
    return f"{typeset(int(linked), 'd')} is outside 0 to {count - 1:,}: this is {nearest:,}."


def _take_from_url(key: str, choices: Collection[str]) -> str:
    """Follow a link; the model that it names if there is none of that name, until one is picked.

    ``bind="query-params"`` would put labels there, which change and repeat.
    """
    linked = st.query_params.get(key)
    if linked and linked != st.session_state.get(_seen(key)):
        if linked in choices:
            st.session_state[key] = linked
            st.session_state.pop(_unknown(key), None)
        else:
            st.session_state[_unknown(key)] = linked
    return st.session_state.get(_unknown(key), "")


def _seen(key: str) -> str:
    return f"{key}-in-url"


def _unknown(key: str) -> str:
    return f"{key}-unknown"
