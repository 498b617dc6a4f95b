"""Train page: choose data and model, start a run, and watch the terms of the ELBO."""

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app.parts import attempts, forms, text, widgets
from app.services import runs as runs_service
from app.services.history import history
from app.shell import errors, navigation
from app.shell.streamlit_internals import DeltaGenerator
from app.views.train import estimate, head, run_list, sweep_form, sweep_list
from app.views.train import panels as run_panels
from app.views.train.run_list import Entry
from vae_core.basics.errors import UserError
from vae_core.data.catalogue import bytes_to_download
from vae_core.settings.config import RunConfig
from vae_core.wording.long_epoch import long_epoch_sentence

LEAD = (
    "Choose images and a model, then press Start. Training continues in the background, even if "
    "you close this page or the app."
)
UPDATE_EVERY = 1.0  # seconds, while a run trains
LOOK_EVERY = 3.0  # seconds, while nothing trains


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
        help="Adds the run to the queue. It is trained in its own process.",
    )
    sweep_form.show(values)
    navigation.link("data", "Add images of yours", tab="Add images")
    if pressed and config is not None and not pressed_twice(config):
        known = estimated(config)
        if known is None or known.large is None:
            start(config)
        st.session_state["train-asked"] = config
    if config is not None and st.session_state.get("train-asked") == config:
        ask_before_start(config)
    if config is not None:
        with costs:
            show_costs(config)


def ask_before_start(config: RunConfig) -> None:
    """Ask whether a run is meant that would take very long or much memory."""
    known = estimated(config)
    if known is None or known.large is None:
        return
    st.warning(errors.plain(f"{known.large} Smaller settings are usually enough to learn from."))
    if st.button(
        "Start it anyway",
        key="start-anyway",
        icon=":material/play_arrow:",
        help="Adds the run to the queue, as large as it is.",
    ):
        del st.session_state["train-asked"]
        start(config)


def estimated(config: RunConfig) -> estimate.Estimate | None:
    """Estimate the cost of a run; None if its device does not exist."""
    from vae_core.basics.devices import DeviceError

    try:
        return estimate.estimate(config, runs_service.newest(estimate.EARLIER_RUNS))
    except DeviceError:
        return None


def start(config: RunConfig) -> None:
    """Queue a run and show it. If the disk cannot be written or the queue is full, say so."""
    try:
        run = runs_service.submit(config)
    except UserError as error:  # no space, a full queue, or weights that do not fit
        st.error(errors.plain(str(error)))
        return
    run_list.choose(run.id)
    st.rerun()


def pressed_twice(config: RunConfig) -> bool:
    """Whether this press is the second one of a double click."""
    last, now = st.session_state.get("train-started"), time.monotonic()
    st.session_state["train-started"] = (config, now)
    return last is not None and last[0] == config and now - last[1] < 1.0


def show_costs(config: RunConfig) -> None:
    from vae_core.basics.devices import DeviceError

    try:
        known = estimate.estimate(config, runs_service.newest(estimate.EARLIER_RUNS))
    except DeviceError as error:
        st.warning(errors.plain(str(error)))
        return
    st.caption(
        f"**{known.parameters:,}** parameters · about **{text.duration(known.seconds)}** "
        f"on {known.device.upper()}",
        help=f"The number of parameters is exact. The time is estimated from "
        f"{errors.plain(known.basis)}.",
    )
    if said := long_epoch_sentence(config, known.epoch):
        st.warning(said)
    if size := bytes_to_download(config.dataset):
        title = config.info.title
        st.caption(
            f":material/download: {title} is not on this computer yet. It will be downloaded "
            f"once, {size / 1e6:.0f} MB."
        )


def watch(runs: DeltaGenerator, panels: DeltaGenerator, unfinished: frozenset[str]) -> None:
    """Draw the list of runs and the panels of the chosen run; called repeatedly in training."""
    found = run_list.entries()
    if frozenset(e.id for e in found if e.unfinished) != unfinished:
        st.rerun()  # a run started or ended: the update interval of this fragment may change
    chosen = run_list.chosen_id(found)
    with runs:
        sweep_list.show()
        run_list.show_list(found, chosen, sweep_list.run_ids())
    attempts.show_note("train-note")
    with panels:
        if chosen is None:
            nothing_yet()
        else:
            with st.container(key=f"shown-{chosen}"):
                show(found, chosen)


def nothing_yet() -> None:
    st.header("Nothing trained yet", anchor=False)
    st.markdown(
        "Press **Start** to train on the digits, which come with the program. You will see the "
        "ELBO rise, reconstructions get closer to their images, and new images that the model "
        "draws."
    )
    run_panels.example()


def show(found: Sequence[Entry], chosen: str) -> None:
    entry = next((e for e in found if e.id == chosen), None)
    if entry is None:
        st.warning(
            f"The run {errors.plain(chosen)} does not exist here. Its folder was removed or "
            "renamed, or the link is from another computer. Choose another run in the list."
        )
        return
    if entry.run is None or entry.status is None:
        show_damaged(entry)
        return
    run, status = entry.run, entry.status
    before = sum(e.unfinished and e.status.queued < status.queued for e in found if e.status)
    recorded = history(run)
    head.head(entry, before)
    if recorded.last or entry.unfinished:
        run_panels.readings(run, status, recorded)
        curves, pictures = st.columns([1.25, 1], gap="medium")
        with curves:
            run_panels.terms(run, status, recorded)
        with pictures:
            run_panels.film(run)
    if not entry.unfinished:
        run_panels.outcome(run)
    run_panels.strip(run, status)
    run_panels.details(run, status, recorded)
    widgets.code(run_panels.code_of(run.config))


def show_damaged(entry: Entry) -> None:
    st.error(
        f"{errors.plain(entry.reason)} The other runs are not affected. If you have a copy of the "
        "folder, replace this folder with it. Otherwise remove the run from the list."
    )
    if head.remove_menu(entry.id):
        st.rerun()


def look_around(known: frozenset[str]) -> None:
    """Draw the page again when a run was added or started elsewhere, as in another window."""
    if frozenset(f"{e.id} {e.state}" for e in run_list.entries()) != known:
        st.rerun()


st.html(Path(__file__).with_name("style.css"))
widgets.header("Train", LEAD)
form, panels = st.columns([0.4, 1], gap="large")
with form:
    new_run()
    runs = st.container(key="runs")
known = run_list.entries()
busy = frozenset(e.id for e in known if e.unfinished)
st.fragment(watch, run_every=UPDATE_EVERY if busy else None)(
    runs, panels.container(key="run-panels"), busy
)
if not busy:
    seen = frozenset(f"{e.id} {e.state}" for e in known)
    st.fragment(look_around, run_every=LOOK_EVERY)(seen)
