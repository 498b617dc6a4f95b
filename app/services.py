"""What the pages ask for: models, data, runs. Everything slow is cached, and torch comes late.

Caches are keyed by (model, checkpoint digest), so that a newer checkpoint is never shown under an
older one's figures.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from vae_core.config import DATASETS, DatasetName, RunConfig, Split
from vae_core.idx_files import at_hand
from vae_core.runs import PRETRAINED, DamagedRun, Run, RunError, RunStore, pretrained_runs
from vae_core.worker import ensure_worker

if TYPE_CHECKING:
    from torch import Tensor

    from vae_core.calibration import Calibration
    from vae_core.datasets import Dataset
    from vae_core.detection import DetectionReport
    from vae_core.latent import Encoded
    from vae_core.scoring import HeldOut
    from vae_core.vae import VAE

_HELD_OUT = ("evaluation.json", "held_out.safetensors")
_Read = TypeVar("_Read")
_log = logging.getLogger("elbo_room")


@dataclass(frozen=True)
class Choice:
    """A model one can choose: a finished one that came with the program, or a run of one's own.

    Attributes:
        key: names it in the URL.
        digest: names its weights as they are now.
    """

    key: str
    run: Run
    digest: str

    @property
    def pretrained(self) -> bool:
        """Whether it came with the program."""
        return self.key.startswith(PRETRAINED)

    @property
    def label(self) -> str:
        """How lists show it."""
        state = "" if self.pretrained else f" ({self.run.status().state})"
        return f"{self.run.name}{state}"

    def weights(self) -> tuple[str, str]:
        """What names a model's weights in caches."""
        return self.key, self.digest


def choices() -> dict[str, Choice]:
    """Every model that can be opened, by key: pretrained ones first, then runs, newest first.

    Those that came with the program as another q(z|x) for a model's decoder are left to
    :func:`companions`.
    """
    return {
        key: choice
        for key, choice in _all_choices().items()
        if not (choice.pretrained and choice.run.config.decoder_of)
    }


def labels(found: Mapping[str, Choice]) -> dict[str, str]:
    """How a list shows its models, each in another way: a select box goes by what it shows.

    Runs of the same settings have the same name; the end of their folder's tells them apart.
    """
    names = {key: choice.label for key, choice in found.items()}
    for ending in (lambda key: key.rsplit("-", 1)[-1], lambda key: key):
        often = Counter(names.values())
        names = {
            key: name if often[name] == 1 else f"{found[key].label} · {ending(key)}"
            for key, name in names.items()
        }
    return names


def first_of(found: Mapping[str, Choice]) -> Choice | None:
    """What is opened where none is named: a model whose images come with the program, if any."""
    embedded = (each for each in found.values() if DATASETS[each.run.config.dataset].embedded)
    return next(embedded, next(iter(found.values()), None))


def companions(choice: Choice) -> dict[str, Choice]:
    """All models that share a choice's decoder, and with it the true p(z|x), itself included."""
    root = choice.run.config.decoder_of or choice.key
    return {
        key: other
        for key, other in _all_choices().items()
        if root in (key, other.run.config.decoder_of)
    }


def _all_choices() -> dict[str, Choice]:
    found = [(PRETRAINED + run.id, run) for run in pretrained_runs()]
    found += [(run.id, run) for run in store().runs()]
    return {
        key: Choice(key, run, digest) for key, run in found if (digest := run.checkpoint_digest())
    }


def model(choice: Choice) -> "VAE":
    """The choice's model, on the CPU or GPU that pages use, ready to evaluate."""
    return _model(choice, choice.key, choice.digest)


@st.cache_resource(max_entries=16, show_spinner=False)
def _model(_choice: Choice, key: str, digest: str) -> "VAE":
    from vae_core.devices import resolve_device
    from vae_core.vae import load_model

    return load_model(_choice.run.folder, resolve_device("auto"))


@st.cache_resource(max_entries=4, show_spinner="Loading the images")
def dataset(name: DatasetName) -> "Dataset":
    """A data set, loaded once for everyone. Nothing is downloaded here: a page would wait for it.

    Raises:
        DataError: if it is not on this computer; :mod:`app.missing_data` sees to that before.
    """
    from vae_core.datasets import DataError, load_dataset

    if not at_hand(name):
        raise DataError(f"{DATASETS[name].title} is not on this computer.")
    return load_dataset(name)


@st.cache_resource(max_entries=16, show_spinner=False)
def images(
    name: DatasetName, split: Split, binarisation: str, seed: int = 0, limit: int | None = None
) -> "tuple[Tensor, Tensor]":
    """A split as a model sees it: float32 (N, C, H, W) in [0, 1], drawn once, and labels (N,)."""
    from vae_core.datasets import evaluation_images

    return evaluation_images(dataset(name), split, binarisation, seed, limit)  # type: ignore[arg-type]


@st.cache_resource(max_entries=512, show_spinner=False, hash_funcs={Choice: Choice.weights})
def drawn(choice: Choice, number: int) -> "tuple[Tensor, Tensor]":
    """An image that a model draws itself, the same for the same number, and its latent.

    Returns:
        x (1, C, H, W) and the z ~ p(z) that it was drawn from, (d,), both on the CPU.
    """
    import torch

    from vae_core.annealing import simulate

    decoder = model(choice)
    x, z = simulate(decoder, 1, torch.Generator(decoder.device).manual_seed(number))
    return x.cpu(), z[0].cpu()


def encoded(choice: Choice, split: Split, limit: int | None = None) -> "Encoded":
    """Posterior moments of a split of the data that the choice was trained on."""
    return _encoded(choice, choice.key, choice.digest, split, limit)


@st.cache_resource(max_entries=8, show_spinner="Encoding the images")
def _encoded(_choice: Choice, key: str, digest: str, split: Split, limit: int | None) -> "Encoded":
    from vae_core.latent import encode

    config = _choice.run.config
    x, _ = images(config.dataset, split, config.train.binarisation, 0, limit)
    return encode(model(_choice), x)


def held_out(choice: Choice) -> "HeldOut | None":
    """Scores of held-out images under the choice's model, once its run is finished; None where
    there are none to be read."""
    found = _held_out_or_why(choice)
    return None if isinstance(found, RunError) else found


def calibration(choice: Choice) -> "Calibration | None":
    """What images are judged by under the choice's model; None where there is none to be read."""
    found = _calibration_or_why(choice)
    return None if isinstance(found, RunError) else found


def damage(choice: Choice) -> RunError | None:
    """Why what scores are held against cannot be read, if it is there and damaged."""
    found = _calibration_or_why(choice) or _held_out_or_why(choice)
    return found if isinstance(found, RunError) else None


def _held_out_or_why(choice: Choice) -> "HeldOut | RunError | None":
    return _held_out(choice, *choice.weights(), *_written(choice, *_HELD_OUT))


@st.cache_resource(max_entries=16, show_spinner=False)
def _held_out(_choice: Choice, key: str, digest: str, *written: int) -> "HeldOut | RunError | None":
    from vae_core.scoring import HeldOut

    return _readable(lambda: HeldOut.of(_choice.run))


def _calibration_or_why(choice: Choice) -> "Calibration | RunError | None":
    from vae_core.calibration import FILE

    return _calibration(choice, *choice.weights(), *_written(choice, FILE))


@st.cache_resource(max_entries=16, show_spinner=False)
def _calibration(
    _choice: Choice, key: str, digest: str, *written: int
) -> "Calibration | RunError | None":
    from vae_core.calibration import Calibration

    return _readable(lambda: Calibration.of(_choice.run))


def judged_by(choice: Choice) -> tuple[int, ...]:
    """Changes whenever what scores are held against is written anew."""
    from vae_core.calibration import FILE

    return _written(choice, FILE, *_HELD_OUT)


def _written(choice: Choice, *names: str) -> tuple[int, ...]:
    """When each of these files beside a run was written last, in ns; 0 for one that is not."""
    times = []
    for name in names:
        try:
            times.append((choice.run.folder / name).stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)


def _readable(read: Callable[[], _Read | None]) -> _Read | RunError | None:
    """What lies beside a run, or why it cannot be read, with a word in the log."""
    try:
        return read()
    except RunError as error:
        _log.warning("%s", error)
        return error


def detection(choice: Choice) -> "DetectionReport | None":
    """How well the scores of the choice's model tell foreign images apart, if that was kept.

    Raises:
        RunError: if what was kept is damaged.
    """
    from vae_core.detection import FILE

    return _detection(choice, *choice.weights(), *_written(choice, FILE))


@st.cache_resource(max_entries=32, show_spinner=False)
def _detection(_choice: Choice, key: str, digest: str, *written: int) -> "DetectionReport | None":
    from vae_core.detection import DetectionReport

    return DetectionReport.of(_choice.run)


# ---- runs


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """The run store."""
    return RunStore()


def entries() -> list[Run | DamagedRun]:
    """Everything in the store, newest first; sees to it that queued work is being done."""
    ensure_worker(store())
    return list(store().entries())


def submit(values: Mapping[str, Any] | RunConfig) -> Run:
    """Queue a new run, from a config or a flat mapping of settings, and see that a worker takes it.

    Raises:
        vae_core.config.ConfigError: for settings that cannot be used.
    """
    config = values if isinstance(values, RunConfig) else RunConfig.from_settings(values)
    run = store().create(config)
    ensure_worker(store())
    return run


def resume(run: Run) -> None:
    """Queue a paused, stopped or failed run again."""
    run.enqueue()
    ensure_worker(store())


def find(run_id: str) -> Run | None:
    """The run of that id; None if it is gone or damaged."""
    try:
        return store().get(run_id)
    except RunError:
        return None
