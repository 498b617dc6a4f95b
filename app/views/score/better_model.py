"""A model that overlooks foreign pictures, by its own evaluation, and one that does not."""

from functools import partial

import streamlit as st

from app.services import models, results
from app.services.models import Choice
from vae_core.runs.run import RunError

_PICTURES = ("scribbles", "shirts")  # kinds that a visitor's own may be of
_FEW = 0.9  # to be said to be noticed


def note(choice: Choice) -> None:
    """Where the verdict of the choice's model notices few foreign pictures, say so by it, and offer
    the model that came with the program and notices most."""
    noticed = _noticed(choice)
    if not noticed or min(noticed.values()) >= _FEW:
        return
    told = " and ".join(f"{share:.0%} of {kind}" for kind, share in noticed.items())
    with st.container(key="score-better", border=True, gap="xsmall"):
        st.markdown(
            f":orange[:material/visibility_off:] **This model overlooks much.** It calls {told} "
            "unlike its training data, so *typical* says little about a picture of yours."
        )
        better = _best()
        if better is not None:
            least = min(_noticed(better).values())
            pressed = st.button(
                f"Use {better.label}: {least:.0%} or more of both",
                on_click=partial(st.session_state.update, model=better.key),
                key="score-better-use",
                icon=":material/arrow_forward:",
                help="Scores the same images by a model whose verdict notices more.",
            )
            if pressed:
                st.rerun()  # with the choice of a model, which is outside of what is redrawn here


def _noticed(choice: Choice) -> dict[str, float]:
    """The share of each kind of picture that is called unlike the data, as far as it is known."""
    try:
        report = results.detection(choice)
    except RunError:  # which its own section says
        return {}
    if report is None:
        return {}
    return {k: report.kinds[k].called_unlike for k in _PICTURES if k in report.kinds}


def _best() -> Choice | None:
    known = {choice: _noticed(choice) for choice in models.choices().values() if choice.pretrained}
    good = [each for each, found in known.items() if found and min(found.values()) >= _FEW]
    return max(good, key=lambda each: min(known[each].values()), default=None)
