"""The Gap tab: what the Posterior lab has measured of each model for one test image."""

from collections.abc import Sequence

import streamlit as st

from app.parts import live, pickers
from app.parts.glossary import see
from app.services import comparing, data
from app.services.comparing import Entry
from app.services.images import Images
from app.services.models import Choice
from app.services.refits import refit_key
from app.services.work import Task
from app.shell import errors, navigation
from vae_core.runs.comparison import Comparison
from vae_core.wording.numbers import number


def show(chosen: Sequence[Entry], found: Comparison) -> None:
    """Draw the tab."""
    models = [
        (name, choice)
        for name, entry in zip(found.names, chosen, strict=True)
        if (choice := comparing.choice_of(entry)) is not None and not data.missing(choice)
    ]
    if not models:
        st.caption("None of these runs has weights and its data set on this computer.")
        return
    count = min(choice.run.config.info.sizes["test"] for _, choice in models)
    if st.session_state.get("image", 0) >= count:
        st.session_state["image"] = 0
    with st.container(width=260):
        about = "The test image that the Posterior lab has measured; it is the same number there."
        index = pickers.index_input(f"Test image, 0 to {count - 1:,}", count, 0, "image", about)
    rows, without = [], []
    for name, choice in models:
        regret = _regret(choice, index)
        if regret is None:
            without.append((name, choice))
        else:
            rows.append((name, *regret))
    if rows:
        names = ("Run", "ELBO of q", "ELBO of q*", "Amortisation gap (nats)")
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        st.dataframe(columns, hide_index=True, key="compare-gap")
    st.caption(
        "q* is the best q of a model's own family for this image alone, so the amortisation gap is "
        "what the encoder loses against it. It is measured on the page Posterior, tab Gap, and "
        "kept until the app ends." + see("gap", "q-star")
    )
    if without:
        name, choice = without[0]
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        st.markdown(f"Not measured for this image: {errors.plain(name)}{more}.")
        navigation.link(
            "posterior", f"Measure {errors.plain(name)}", model=choice.key, image=str(index),
            tab="Gap",
        )  # fmt: skip


def _regret(choice: Choice, index: int) -> tuple[str, str, str] | None:
    """What the lab has measured for a test image, in words; None if it has not."""
    key = refit_key(choice, Images(choice, "test").x(index))
    state = live.bench().latest(Task(key, "", lambda: iter(()), lambda _: 1.0))
    if state is None:
        return None
    found = state.regret
    pairs = (
        (found.elbo, found.elbo_se),
        (found.best_elbo, found.best_elbo_se),
        (found.amortisation, found.amortisation_se),
    )
    one, two, three = (number(float(value), float(se), "") for value, se in pairs)
    return one, two, three
