"""The Gap tab: what the Posterior lab has measured of each model for one test image."""

import math
from collections.abc import Sequence

import streamlit as st

from app.parts import live, pickers, tables
from app.parts.glossary import see
from app.services import comparing, data, densities
from app.services.comparing import Entry
from app.services.images import Images
from app.services.models import Choice
from app.services.refits import refit_key
from app.services.work import Task
from app.shell import errors, navigation
from vae_core.runs.comparison import Comparison
from vae_core.wording.numbers import estimate, number


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
        names = (
            "Run", "log p(x)", "ELBO of q", "ELBO of q*", "Approximation gap (nats)",
            "Amortisation gap (nats)",
        )  # fmt: skip
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        tables.table(columns, hide_index=True, key="compare-gap")
    st.caption(
        "log p(x) − ELBO of q is the sum of two gaps. q* is the best q of a model's own family for "
        "this image alone: the approximation gap is what the family loses, log p(x) − ELBO of q*, "
        "and the amortisation gap is what the encoder loses against q*. log p(x) is exact for "
        "d ≤ 2; elsewhere, marked ≥, it is estimated from below. The gaps are measured on the page "
        "Posterior, tab Gap, and kept until the app ends." + see("gap", "q-star")
    )
    if without:
        name, choice = without[0]
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        st.markdown(f"Not measured for this image: {errors.plain(name)}{more}.")
        navigation.link(
            "posterior", f"Measure {errors.plain(name)}", model=choice.key, image=str(index),
            tab="Gap",
        )  # fmt: skip


def _regret(choice: Choice, index: int) -> tuple[str, ...] | None:
    """What the lab has measured for a test image, in words; None if it has not."""
    x = Images(choice, "test").x(index)
    key = refit_key(choice, x)
    state = live.bench().latest(Task(key, "", lambda: iter(()), lambda _: 1.0))
    if state is None:
        return None
    found = state.regret
    elbo, best, lost = (
        (float(value), float(se))
        for value, se in (
            (found.elbo, found.elbo_se),
            (found.best_elbo, found.best_elbo_se),
            (found.amortisation, found.amortisation_se),
        )
    )
    log_px, error, exact = densities.reference([choice], x)  # the lab has it already
    approximation = log_px - best[0], math.hypot(best[1], error)
    at_least = "" if exact else "≥ "
    return (
        at_least + estimate(log_px, error, ""),
        number(*elbo, ""),
        number(*best, ""),
        at_least + estimate(*approximation, ""),
        number(*lost, ""),
    )
