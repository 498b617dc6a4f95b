"""The operating point of a model on the Score page: shown, saved, forgotten."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from app.services import results
from app.services.models import Choice
from app.shell import errors
from app.views.score import rate
from vae_core.wording.groups import point_sentence

if TYPE_CHECKING:
    from vae_core.scoring.groups import Groups
    from vae_core.scoring.operating_point import Chosen

LONGEST_NAME = 80
_PROBLEM, _CHANGED = "score-point-problem", "score-point-changed"


def present(choice: Choice) -> None:
    """Show the operating point that is kept for a model, with a button that forgets it."""
    problem = st.session_state.pop(_PROBLEM, None)
    if problem:
        st.error(problem)
    found = results.usual_rate(choice)
    if found.point is None and not found.note:
        return
    text, button = st.columns([8, 2], vertical_alignment="center")
    if found.point is not None:
        text.info(errors.plain(point_sentence(found.point)), icon=":material/target:")
    button.button(
        "Forget it",
        on_click=_do,
        args=(lambda: _forget(choice),),
        key="score-point-forget",
        icon=":material/delete:",
        width="stretch",
        help="The usual false-alarm rate of 4 % is used again where no other is chosen.",
    )


def save(groups: "Groups", chosen: "Chosen", choice: Choice) -> None:
    """Draw the button that keeps a rate as the operating point, and the name of who does it."""
    if st.session_state.pop(_CHANGED, False):
        st.rerun()  # of the whole page: the slider and every verdict follow
    name, button = st.columns([5, 5], vertical_alignment="bottom")
    by = name.text_input(
        "Your name (optional)",
        max_chars=LONGEST_NAME,
        key="score-point-by",
        help="Saved with the rate, so that others know who chose it. Nothing is saved without it.",
    )
    button.button(
        f"Use {rate.percent_of(chosen.false_alarms)} % from now on",
        on_click=_do,
        args=(lambda: _keep(groups, chosen, choice, by),),
        key="score-point-save",
        icon=":material/target:",
        type="primary",
        help="Saves this false-alarm rate as the operating point of the model: on this page, for "
        "everybody who uses the app, and for the command line.",
    )


def _do(change: Callable[[], None]) -> None:
    """Callback: change the operating point; keep the sentence of an error for the page."""
    st.session_state[_CHANGED] = True
    try:
        change()
    except Exception as error:
        st.session_state[_PROBLEM] = errors.sentence(error)


def _keep(groups: "Groups", chosen: "Chosen", choice: Choice, by: str) -> None:
    from vae_core.runs.operating_points import keep_operating_point

    keep_operating_point(
        choice.run, lambda made, mark: groups.operating_point(chosen, made, by.strip(), mark)
    )
    rate.take(chosen.false_alarms)


def _forget(choice: Choice) -> None:
    from vae_core.runs.operating_points import forget_operating_point

    forget_operating_point(choice.run)
