"""More epochs for a run, a new run from its weights, and resuming a copied run that is large."""

import dataclasses
from functools import partial

import streamlit as st

from app.parts import forms
from app.services import runs
from app.shell import errors
from app.views.train import estimate
from app.views.train.run_list import attempt
from vae_core.runs.run import Run, Status
from vae_core.settings.config import RunConfig, explain
from vae_core.wording.training_parts import beyond_sentence

_RESUME = "Continues from the last checkpoint. No finished epoch is lost or repeated."


def more_epochs(run: Run) -> bool:
    """Draw a menu that adds epochs to a run; return True when the user confirms."""
    now, bounds = run.config.train.epochs, explain("epochs").bounds
    assert bounds is not None
    if now >= bounds[1]:
        return False
    with st.popover("More epochs", key="run-longer", icon=":material/more_time:"):
        epochs = st.number_input(
            "All epochs", min_value=now + 1, max_value=int(bounds[1]), key=f"longer-{run.id}",
            value=min(2 * now, int(bounds[1])), required=True,
            help=f"The number of epochs that the run will have. Now it has {now:,}.",
        )  # fmt: skip
        st.markdown(
            f"{beyond_sentence(run.config.train)} The curves go on where they are. The figures on "
            "test images are measured again at the end."
        )
        large = _large(run.config, epochs - now)
        return st.button(
            "Add them anyway" if large else "Add the epochs",
            key="run-longer-start",
            icon=":material/play_arrow:",
            on_click=attempt,
            args=(partial(runs.add_epochs, run, int(epochs)),),
            help="Puts the run into the queue again. It continues from its last step.",
        )


def start_from_it(run: Run) -> None:
    """Draw a button that fills the form with a new run from the weights of a run."""
    st.button(
        "Start from it",
        key="run-start-from",
        icon=":material/fork_right:",
        help="Fills the form with a new run of the same settings that begins with the weights of "
        "this one instead of random weights.",
        on_click=_fill_form,
        args=(run,),
    )


def _fill_form(run: Run) -> None:
    changes = {"title": "", "decoder_of": "", "schedule_epochs": 0, "kl_warmup_epochs": 0}
    forms.prefill(run.config, start_from=run.id, **changes)
    st.session_state["train-note"] = (
        "The form now holds a new run that starts from the weights of this run, without KL "
        "warm-up. Choose the number of epochs and the learning rate, then press Start."
    )


def resume(run: Run, status: Status, copied: bool) -> bool:
    """Draw the button that resumes a run; ask back if a copied one would take very long.

    Returns:
        Whether it was pressed.
    """
    left = run.config.train.epochs - max(0, status.epoch - 1)
    if copied and _is_large(run.config, left):
        with st.popover("Resume", key="run-resume-large", icon=":material/play_arrow:"):
            _large(run.config, left)
            return _resume_button(run, "Resume it anyway")
    return _resume_button(run, "Resume")


def _resume_button(run: Run, label: str) -> bool:
    return st.button(
        label,
        key="run-resume",
        icon=":material/play_arrow:",
        help=_RESUME,
        on_click=attempt,
        args=(partial(runs.resume, run),),
    )


def _is_large(config: RunConfig, epochs: int) -> str | None:
    """A sentence if that many epochs of a run would take very long or much memory; else None."""
    from vae_core.basics.devices import DeviceError

    train = dataclasses.replace(config.train, epochs=max(1, epochs))
    try:
        wanted = dataclasses.replace(config, train=train)
        return estimate.estimate(wanted, runs.newest(estimate.EARLIER_RUNS)).large
    except DeviceError:
        return None


def _large(config: RunConfig, epochs: int) -> str | None:
    """Warn if that many epochs would take very long or much memory, and return the sentence."""
    if said := _is_large(config, epochs):
        st.warning(errors.plain(said))
    return said
