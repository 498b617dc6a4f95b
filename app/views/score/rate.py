"""The false-alarm rate of the Score page: the slider, which begins at the model's usual rate."""

import streamlit as st

from app.parts.widgets import IN_URL
from app.services import results
from app.services.models import Choice
from app.shell.streamlit_internals import DeltaGenerator
from vae_core.settings.options import FALSE_ALARM_BOUNDS

RATES = ("0.1", "0.2", "0.5", "1", "2", "4", "5", "10", "20")
"""False-alarm rates to choose from, in percent. A link or an operating point can have others."""
KEY = "false_alarms"
_TAKEN, _USUAL = "score-rate-taken", "score-rate-usual"
_LONGEST = 6  # characters of a rate in a link


def slider(place: DeltaGenerator, choice: Choice) -> float:
    """Draw the slider and return the false-alarm rate, 0 to 1."""
    found = results.usual_rate(choice)
    usual = percent_of(found.false_alarms)
    _follow(usual)
    own = "" if found.point is None else f" {usual} % is the operating point of this model."
    rate = place.select_slider(
        "False alarms (%)",
        _options(usual),
        value=usual,
        key=KEY,
        help="How many of 100 images like the training data may be called unlike it. Fewer false "
        f"alarms also mean that fewer foreign images are noticed.{own}",
        **IN_URL,
    )
    return round(float(rate) / 100, 6)


def take(false_alarms: float) -> None:
    """Move the slider to a rate the next time that the page is drawn."""
    st.session_state[_TAKEN] = percent_of(false_alarms)


def percent_of(false_alarms: float) -> str:
    """A rate as the slider writes it, in percent."""
    return f"{100 * false_alarms:.4g}"


def can_be_chosen(text: str) -> bool:
    """Whether a text, such as one of a link, is a rate in percent that the slider can have."""
    try:
        rate = float(text) / 100
    except ValueError:
        return False
    low, high = FALSE_ALARM_BOUNDS
    return low - 1e-9 <= rate <= high + 1e-9 and len(text) <= _LONGEST


def _options(usual: str) -> list[str]:
    """The rates to choose from: the usual ones, the model's, and one of a link or chosen before."""
    more = (usual, st.query_params.get(KEY, ""), str(st.session_state.get(KEY, "")))
    return sorted({*RATES, *filter(can_be_chosen, more)}, key=float)


def _follow(usual: str) -> None:
    """Move the slider with the model's usual rate, unless another rate was chosen."""
    before = st.session_state.get(_USUAL)
    st.session_state[_USUAL] = usual
    taken = st.session_state.pop(_TAKEN, None)
    if taken is not None:
        st.session_state[KEY] = taken
    elif before not in (None, usual) and st.session_state.get(KEY) == before:
        st.session_state[KEY] = usual
