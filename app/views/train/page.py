"""Train: choose the data and the model, start, and watch the terms of the ELBO as they go."""

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app.parts import forms, text, widgets
from app.services import runs as runs_
from app.shell import errors
from app.shell.streamlit_internals import DeltaGenerator
from app.views.train import estimate, head, run_list
from app.views.train import panels as panels_
from app.views.train.run_list import Entry
from vae_core.data.catalogue import bytes_to_download
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import find_dataset

LEAD = (
    "Choose images and a model, then press Start. Training goes on in the background, even when "
    "you close this page or the app."
)
TICK = 1.0  # seconds between two looks at what is training


@st.fragment
def new_run() -> None:
    values = forms.run_form(columns=2)
    costs = st.container(key="run-costs", gap=None)
    config = forms.checked(values)
    pressed = st.button(
        "Start",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=config is None,
        key="start",
        help="Puts the run into the queue; it is trained in a process of its own.",
    )
    if pressed and config is not None and not pressed_twice(config):
        run_list.choose(runs_.submit(config).id)
        st.rerun()
    if config is not None:
        with costs:
            show_costs(config)


def pressed_twice(config: RunConfig) -> bool:
    """Whether this is the second half of a double click."""
    last, now = st.session_state.get("train-started"), time.monotonic()
    st.session_state["train-started"] = (config, now)
    return last is not None and last[0] == config and now - last[1] < 1.0


def show_costs(config: RunConfig) -> None:
    from vae_core.basics.devices import DeviceError

    try:
        known = estimate.estimate(config, runs_.store().runs())
    except DeviceError as error:
        st.warning(errors.plain(str(error)))
        return
    st.caption(
        f"**{known.parameters:,}** parameters · about **{text.duration(known.seconds)}** "
        f"on {known.device.upper()}",
        help=f"Parameters are counted exactly; the time goes by {known.basis}.",
    )
    if size := bytes_to_download(config.dataset):
        title = find_dataset(config.dataset).title
        st.caption(
            f":material/download: {title} is not on this computer: it will be downloaded once, "
            f"{size / 1e6:.0f} MB."
        )


def watch(runs: DeltaGenerator, panels: DeltaGenerator, unfinished: frozenset[str]) -> None:
    """The list of runs and the panels of the chosen one; drawn anew while anything trains."""
    found = run_list.entries()
    if frozenset(e.id for e in found if e.unfinished) != unfinished:
        st.rerun()  # something began or ended: the clock of this fragment may have to change
    chosen = run_list.chosen_id(found)
    with runs:
        run_list.show_list(found, chosen)
    if (note := st.session_state.pop("train-note", None)) is not None:
        st.toast(errors.plain(note), duration="long")
    with panels:
        if chosen is None:
            nothing_yet()
        else:
            with st.container(key=f"shown-{chosen}"):
                show(found, chosen)


def nothing_yet() -> None:
    st.subheader("Nothing trained yet", anchor=False)
    st.markdown(
        "Press **Start** to train on the digits, which come with the program. You will see the "
        "ELBO rise, images being redrawn ever more closely, and images that the model makes up."
    )
    panels_.example()


def show(found: Sequence[Entry], chosen: str) -> None:
    entry = next((e for e in found if e.id == chosen), None)
    if entry is None:
        st.warning(
            f"The run {errors.plain(chosen)} is not here: its folder was removed or renamed, or "
            "the link is from another computer. Choose another run in the list."
        )
        return
    if entry.run is None or entry.status is None:
        show_damaged(entry)
        return
    run, status = entry.run, entry.status
    before = sum(e.unfinished and e.status.queued < status.queued for e in found if e.status)
    recorded = panels_.history(run)
    head.head(entry, before)
    if recorded.last or entry.unfinished:
        panels_.readings(run, status, recorded)
        curves, pictures = st.columns([1.25, 1], gap="medium")
        with curves:
            panels_.terms(run, status, recorded)
        with pictures:
            panels_.film(run)
    if not entry.unfinished:
        panels_.outcome(run)
    panels_.strip(run, status)
    panels_.details(run, status, recorded)
    widgets.code(panels_.code_of(run.config))


def show_damaged(entry: Entry) -> None:
    st.error(
        f"{errors.plain(entry.reason)}. The other runs are not affected. If you have a copy of the "
        "folder, put it in the place of this one; else take it off the list."
    )
    if head.remove_menu(entry.id):
        st.rerun()


st.html(Path(__file__).with_name("style.css"))
widgets.header("Train", LEAD)
form, panels = st.columns([0.4, 1], gap="large")
with form:
    new_run()
    runs = st.container(key="runs")
busy = frozenset(e.id for e in run_list.entries() if e.unfinished)
st.fragment(watch, run_every=TICK if busy else None)(runs, panels.container(key="run-panels"), busy)
