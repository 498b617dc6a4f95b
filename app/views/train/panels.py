"""The live panels of the Train page for one run."""

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import plotly.graph_objects as go
import streamlit as st

from app.figures import train as figures
from app.figures.pictures import tile
from app.parts import animation, charts, play, widgets
from app.parts.glossary import see
from app.services.history import History, history
from app.shell import errors, navigation
from app.views.train import film as film_frames
from app.views.train.settings_line import settings_line
from vae_core.runs.metrics import kept_epoch_of
from vae_core.runs.run import Run, RunError, Status
from vae_core.runs.store import pretrained_runs
from vae_core.settings.config import RunConfig
from vae_core.settings.protocol import Protocol
from vae_core.wording.kept_epoch import chosen_by, ended_worse, kept_epoch_sentence
from vae_core.wording.numbers import number
from vae_core.wording.training_parts import parts_sentence

_NEWEST = "newest"
_SHARE, _LONGEST = 0.1, 5.0  # share of the training time so far, and upper limit in seconds
_BY_DIMENSION = ("kl_by_dimension", "mean_variance_by_dimension")
_T = TypeVar("_T")


# ---- how often charts are redrawn while a run trains


def rest(status: Status) -> float:
    """Seconds for which a chart is not redrawn.

    Drawing all charts every second would take half a core of a small computer from the training. A
    run that has trained for ten seconds changes every second; a run that has trained for a minute
    changes more slowly.
    """
    return min(_LONGEST, _SHARE * status.seconds) if status.state == "running" else 0.0


class Kept:
    """Cache of charts for a page that is redrawn often."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[Hashable, Hashable, float, object]] = {}

    def get(
        self, name: str, subject: Hashable, version: Hashable, rest: float, make: Callable[[], _T]
    ) -> _T:
        """Return the cached value for this version of a subject, or call ``make``.

        ``make`` is called for a new subject, and for a new version if the last value is at least
        ``rest`` seconds old.
        """
        now = self._clock()
        if name in self._kept:
            of, seen, made, value = self._kept[name]
            if of == subject and (seen == version or now - made < rest):
                return value  # type: ignore[return-value]
        value = make()
        self._kept[name] = (subject, version, now, value)
        return value


def _kept(name: str, run: Run, status: Status, version: Hashable, make: Callable[[], _T]) -> _T:
    """Return the cached chart of a run; call ``make`` if the version changed and it is time."""
    if "train-kept" not in st.session_state:
        st.session_state["train-kept"] = Kept()
    return st.session_state["train-kept"].get(name, run.id, version, rest(status), make)


# ---- panels


def readings(run: Run, status: Status, recorded: History) -> None:
    """Show the terms of the ELBO as numbers, with the protocol of the measurement."""
    row = recorded.last
    with st.container(key="run-readings", horizontal=True, gap="medium"):
        if row is None:
            _running_readings(status)
        else:
            _row_readings(row, recorded)
    if row is None:
        train = run.config.train
        protocol = Protocol(run.config.dataset, "train", samples=train.samples, seed=train.seed)
        _protocol(run.config, protocol.to_dict(), f"so far in epoch {max(1, status.epoch)}")
    else:
        about = row["validation"]
        _protocol(run.config, about, f"epoch {row['epoch']:,}")
    kept_epoch(status, recorded)
    for said in (parts_sentence(run.config), settings_line(run.config)):
        if said:
            st.caption(errors.plain(said))
    if recorded.problem:
        st.caption(errors.plain(f"The metrics cannot be read: {recorded.problem}."))
    elif recorded.unreadable:
        st.caption(
            f"{recorded.unreadable} lines of the metrics file cannot be read and are left out."
        )


def kept_epoch(status: Status, recorded: History) -> None:
    """Say which epoch the model is from, and warn if the run ended worse than it began."""
    known = kept_epoch_of(recorded.last) if recorded.last else None
    if known is None:
        if status.best_epoch:  # of a run of an earlier version
            st.caption(f"The weights are those of epoch {status.best_epoch:,}, {chosen_by(None)}.")
    elif ended_worse(known):
        st.warning(kept_epoch_sentence(known))
    else:
        st.caption(kept_epoch_sentence(known))


def _running_readings(status: Status) -> None:
    for key, label, quantity in figures.TERMS:
        value = status.terms.get(key)
        shown = "–" if value is None else number(value, unit="")
        st.metric(f"{label} (nats)", shown, help=_MEANING[quantity.label], width="content")


def _row_readings(row: dict[str, Any], recorded: History) -> None:
    about = row["validation"]
    for key, label, quantity in figures.TERMS:
        shown = number(about.get(key, math.nan), about.get(f"{key}_se"), unit="")
        st.metric(f"{label} (nats)", shown, help=_MEANING[quantity.label], width="content")
    estimates = recorded.having("importance").last
    if estimates:
        found = estimates["importance"]
        shown = number(found.get("log_px", math.nan), found.get("log_px_se"), unit="")
        help_text = (
            f"Estimated by importance sampling after epoch {estimates['epoch']:,}: "
            f"K = {found.get('importance_samples', '?')}, the first {found.get('images', '?')} "
            "validation images."
        )
        st.metric("log p̂(x) (nats)", shown, help=help_text, width="content")
    active, size = about.get("active_units", "?"), len(about.get("kl_by_dimension", ()))
    text = "Dimensions whose posterior mean changes with the image (variance above 0.01)."
    st.metric("Active dimensions", f"{active} of {size}", help=text, width="content")
    if "class_accuracy" in about:
        text = "How often the class head p(y|z) is right for a validation image, with z ~ q(z|x)."
        st.metric("Classes right", f"{about['class_accuracy']:.1%}", help=text, width="content")


_MEANING = {
    "ELBO": "The evidence lower bound, E log p(x|z) − KL. Training maximises it." + see("elbo"),
    "log p(x|z)": "How probable the image is, given z drawn from q(z|x) of the image.",
    "KL": "How much information z holds about the image: KL(q(z|x) ‖ p(z))." + see("kl"),
}


def terms(run: Run, status: Status, recorded: History) -> None:
    """Draw ELBO, E log p(x|z) and KL by epoch."""
    names = ("elbo", "log_px_z", "kl")
    if not recorded.rows:  # a chart would have axes that nothing was measured on
        st.caption("The curves appear here after the first epoch.")
        return
    running = None
    if status.state == "running" and status.terms and status.steps:
        place = status.epoch - 1 + status.step / status.steps
        if place > len(recorded.rows):  # the current epoch, if it has no row yet
            running = (place, status.terms)

    def make() -> go.Figure:
        return figures.terms_figure(
            recorded.epochs,
            {name: recorded.column("train", name) for name in names},
            {name: recorded.column("validation", name) for name in (*names, "elbo_se")},
            running,
            last_epoch=run.config.train.epochs,
        )

    charts.chart(
        _kept("terms", run, status, (recorded.version, running and running[0]), make),
        "terms",
        "Curves by epoch of the ELBO, the expected log-likelihood and the KL, in nats per image, "
        "on training and validation images.",
        partial(_terms_table, recorded),
    )
    count = run.config.info.sizes["train"]
    st.caption(
        "Solid: validation images; the band is the standard error of the ELBO. Dotted: means over "
        f"the {count:,} training images, while the weights still change."
    )


def example() -> None:
    """Show the curves of a bundled model. The browser also loads the plotting code this way."""
    for run in pretrained_runs()[:1]:
        st.markdown(
            f"This is the training of **{errors.plain(run.name)}**, which comes with the program:"
        )
        terms(run, run.status(), history(run))


def _terms_table(recorded: History) -> str:
    columns: dict[str, Sequence[Any]] = {"epoch": recorded.epochs}
    for part in ("train", "validation"):
        for name in ("elbo", "log_px_z", "kl"):
            columns[f"{part}_{name}"] = recorded.column(part, name)
    columns["validation_elbo_se"] = recorded.column("validation", "elbo_se")
    return figures.style.csv_text(columns)


def film(run: Run) -> None:
    """Show reconstructions and samples at the epoch of the slider."""
    available = film_frames.epochs(run.folder)
    if not available:
        st.caption("Reconstructions and samples appear here after the first epoch.")
        return
    with st.container(horizontal=True, wrap=False, vertical_alignment="bottom"):
        play.button("the epochs")
        epoch = _film_epoch(run, available)
    frame = film_frames.frame(run.folder, epoch)
    if frame is None:
        st.caption(f"The pictures of epoch {epoch} cannot be read.")
        return
    charts.image(
        figures.pairs(frame.originals, frame.reconstructions),
        f"Epoch {epoch:,}: images, and under each its reconstruction",
        "stretch",
        alt=f"Validation images and their reconstructions after epoch {epoch}",
    )
    charts.image(
        tile(frame.samples, 12),
        "Samples: E[x|z] for z drawn from the prior",
        "stretch",
        alt=f"36 images that the model draws after epoch {epoch}",
    )


def _film_epoch(run: Run, available: Sequence[int]) -> int:
    """Epoch of the slider; the newest epoch if the slider is at its right end."""
    planned = sorted({*film_frames.planned(run.config.train.epochs), *available})
    wanted = st.select_slider(
        "Film, by epoch",
        [*planned, _NEWEST],
        value=_NEWEST,
        key=f"frame-{run.id}",
        help="Which epoch to show. At the right end, the page always shows the newest epoch.",
    )
    if wanted == _NEWEST:
        return available[-1]
    return max((epoch for epoch in available if epoch <= int(wanted)), default=available[0])


def strip(run: Run, status: Status) -> None:
    """Show the same images at all epochs, side by side."""
    version = tuple(film_frames.epochs(run.folder))
    figure = _kept("film", run, status, version, lambda: _strip_figure(run))
    if figure is not None:
        charts.chart(
            figure,
            "film",
            "Three validation images, their reconstructions and two samples, from the first epoch "
            "to the last.",
        )
        st.caption(
            "E[x|z] at the posterior mean of three validation images (x̂), and at two draws from "
            "the prior. The images and the noise are the same at every epoch."
        )
        animation.button(
            lambda: film_frames.animation(run.folder),
            f"film-{run.id}",
            "Saves the training as an animation, an epoch a frame: 12 images, their "
            "reconstructions, and 36 samples.",
            "film",
        )


def _strip_figure(run: Run) -> go.Figure | None:
    found = film_frames.strip(run.folder, run.config.train.epochs)
    return None if found is None else figures.strip_figure(*found)


def details(run: Run, status: Status, recorded: History) -> None:
    """Show KL by dimension, log p̂(x), and the terms of a flow."""
    if recorded.last is None:
        return
    left, right = st.columns(2)
    with left:
        _kl(run, status, recorded, recorded.last)
    estimated = recorded.having("importance")
    with right:
        if estimated.last is None:
            st.caption(_no_estimate(run.config))
        else:
            _importance(run, status, estimated, estimated.last["importance"])
    if any(recorded.column("validation", "log_det_sum")):
        _flow(run, status, recorded, recorded.last["validation"])


def _kl(run: Run, status: Status, recorded: History, row: dict[str, Any]) -> None:
    from vae_core.inference.dimensions import ACTIVE_VARIANCE

    about = row["validation"]
    kl, variances = (about.get(name, []) for name in _BY_DIMENSION)
    if not kl or len(kl) != len(variances):
        st.caption("The KL of each dimension was not recorded.")
        return
    active = [v > ACTIVE_VARIANCE for v in variances]
    charts.chart(
        _kept("kl", run, status, recorded.version, lambda: figures.kl_figure(kl, active)),
        "kl",
        f"Bars of the KL of each of {len(kl)} latent dimensions; {sum(active)} are active.",
        {"dimension": range(1, len(kl) + 1), "kl_nats": kl, "active": active},
    )
    _protocol(run.config, about, f"epoch {row['epoch']:,}")


def _flow(run: Run, status: Status, recorded: History, about: dict[str, Any]) -> None:
    def make() -> go.Figure:
        names = ("log_qz", "log_q0", "log_det_sum")
        columns = {name: recorded.column("validation", name) for name in names}
        return figures.flow_figure(recorded.epochs, columns, last_epoch=run.config.train.epochs)

    charts.chart(
        _kept("flow", run, status, recorded.version, make),
        "flow",
        "Curves by epoch of log q_0, the sum of the log-determinants and log q(z|x), in nats.",
    )
    _protocol(run.config, about)


def _no_estimate(config: RunConfig) -> str:
    every = config.train.importance_every
    if not every:
        return "log p̂(x) is not estimated while this run trains (see “More”)."
    return (
        f"log p̂(x) is estimated for the first time after epoch {min(every, config.train.epochs)}."
    )


def _importance(run: Run, status: Status, estimated: History, about: dict[str, Any]) -> None:
    def make() -> go.Figure:
        columns = [estimated.column("importance", n) for n in ("log_px", "log_px_se", "elbo")]
        last_epoch = run.config.train.epochs
        return figures.importance_figure(estimated.epochs, *columns, last_epoch=last_epoch)

    charts.chart(
        _kept("importance", run, status, estimated.version, make),
        "importance",
        "log p(x) estimated by importance sampling, with its standard error, and the ELBO of the "
        "same images, by epoch.",
    )
    _protocol(run.config, about)


def _protocol(config: RunConfig, record: Mapping[str, Any], note: str = "") -> None:
    if "dataset" in record and "split" in record:
        widgets.protocol(Protocol.from_dict(record), note, pixels=config.pixels)


def outcome(run: Run) -> None:
    """Show the final figures of a finished run, and links to pages that use its model."""
    try:
        final = run.evaluation()
    except RunError as error:
        final = None
        st.caption(errors.plain(str(error)))
    if final is not None:
        log_px = number(final["log_px"], final["log_px_se"])
        elbo = number(final["elbo"], final["elbo_se"])
        st.markdown(f"On test images: **log p̂(x) = {log_px}**, ELBO = {elbo}.")
        _protocol(run.config, final)
    if run.checkpoint_digest():
        with st.container(horizontal=True):
            navigation.link("start", "Send an image through it", model=run.id)
            navigation.link("latent", "See its latent space", model=run.id)
            navigation.link("score", "Score images with it", model=run.id)


def code_of(config: RunConfig) -> list[str]:
    """Python lines that train the same model without the app."""
    default = RunConfig().settings()
    chosen = {k: v for k, v in config.settings().items() if v != default[k] or k == "dataset"}
    others = {"start": config.start_from, "decoder_of": config.decoder_of}
    models = "".join(f", {name}=load_model({run!r})" for name, run in others.items() if run)
    return [
        f"from vae_core import RunConfig, load_dataset, {'load_model, ' if models else ''}train",
        "",
        f"config = RunConfig.from_settings({chosen!r})",
        f"for event in train(config, load_dataset(config.dataset){models}):",
        '    if hasattr(event, "metrics"):  # an epoch is done',
        '        print(event.epoch, event.metrics["validation"]["elbo"])',
    ]
