"""Open a model that notices foreign images, and warn if another one overlooks them."""

from collections.abc import Iterable, Mapping
from functools import partial

import streamlit as st

from app.services import models, results
from app.services.models import Choice
from vae_core.runs.run import RunError

_PICTURES = ("scribbles", "shirts")  # kinds that are similar to a user's own pictures
_FEW = 0.9  # smallest share that counts as noticed


def note(choice: Choice) -> None:
    """Show a warning if the verdict of this model notices few foreign images.

    Offers the bundled model that notices most.
    """
    noticed = _noticed(choice)
    if not noticed or min(noticed.values()) >= _FEW:
        return
    told = " and ".join(f"{share:.0%} of {kind}" for kind, share in noticed.items())
    with st.container(key="score-better", border=True, gap="xsmall"):
        st.markdown(
            f":orange[:material/visibility_off:] **This model overlooks many foreign images.** "
            f"It calls {told} unlike its training data, so *typical* says little about your own "
            "picture."
        )
        kind = choice.run.config.info.instance
        alike = (c for c in models.choices().values() if c.run.config.info.instance == kind)
        better = _best(alike)
        if better is not None:
            least = min(_noticed(better).values())
            pressed = st.button(
                f"Use {better.label}: it notices {least:.0%} or more of both",
                on_click=partial(st.session_state.update, model=better.key),
                key="score-better-use",
                icon=":material/arrow_forward:",
                help="Scores the same images with a model that notices more foreign images.",
            )
            if pressed:
                st.rerun()  # the choice of the model is outside this fragment


def _noticed(choice: Choice) -> dict[str, float]:
    """Share of each kind of picture that is called unlike the data. Empty if not measured."""
    try:
        report = results.detection(choice)
    except RunError:  # the evaluation section shows this error
        return {}
    if report is None:
        return {}
    return {k: report.kinds[k].called_unlike for k in _PICTURES if k in report.kinds}


def first_of(found: Mapping[str, Choice]) -> Choice | None:
    """Return the model to open by default: the bundled one that notices most foreign images.

    It is one of the built-in data sets, whose examples everybody can have.
    """
    built_in = (each for each in found.values() if not each.run.config.info.is_own)
    return _best(built_in) or models.first_of(found)


def _best(found: Iterable[Choice]) -> Choice | None:
    known = {choice: _noticed(choice) for choice in found if choice.pretrained}
    good = [each for each, found in known.items() if found and min(found.values()) >= _FEW]
    return max(good, key=lambda each: min(known[each].values()), default=None)
