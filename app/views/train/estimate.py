"""Estimate the cost of a run for the form: number of parameters and training time.

:mod:`vae_core.training.cost` counts the work. The speed comes from the most similar earlier run on
this computer, or else from a short measurement. All results are cached.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from vae_core.runs.run import Run, Status
from vae_core.runs.sweep_costs import a_few, without_seed
from vae_core.settings.config import RunConfig
from vae_core.wording.large_run import large_run_sentence

if TYPE_CHECKING:
    from vae_core.training.cost import Speed
    from vae_core.training.precision import Precision
_STARTING = 2.0  # seconds for the process to start and load PyTorch
EARLIER_RUNS = 8
"""How many of the newest runs may give the speed."""
_ALIKE = math.log(4)  # largest log ratio of work per epoch at which an earlier run is similar


@dataclass(frozen=True)
class Estimate:
    """Estimated cost of a run before it starts.

    Attributes:
        parameters: number of parameters, exact.
        seconds: about, from start to finish, without a download or earlier runs in the queue.
        epoch: about, the seconds of one epoch.
        basis: what the time estimate is based on, in words.
        device: the device that the run would train on.
        large: a sentence if it would take very long or much memory; else None.
    """

    parameters: int
    seconds: float
    epoch: float
    basis: str
    device: str
    large: str | None


def estimate(config: RunConfig, earlier: Iterable[tuple[Run, Status]]) -> Estimate:
    """Estimate the cost of a run with this config, from a similar one of the ``earlier`` runs.

    Raises:
        vae_core.basics.devices.DeviceError: if the device of the config does not exist.
    """
    from vae_core.basics.devices import resolve_device

    device = str(resolve_device(config.train.device))
    parameters, epoch, final = _costs(config, device)
    basis = "a short measurement of this computer"
    if (other := _most_alike(config, device, earlier)) is not None:
        run, factor = other
        epoch, final = epoch * factor, final * factor
        basis = f"the time per epoch of “{run.name}” on this computer"
    seconds = _STARTING + config.train.epochs * epoch + final
    large = large_run_sentence(seconds, *_memory(config, device))
    return Estimate(parameters, seconds, epoch, basis, device, large)


@dataclass(frozen=True)
class SweepEstimate:
    """Estimated cost of the runs of a sweep together.

    Attributes:
        disk: bytes of their folders, about.
        basis: what the time estimate is based on, in words.
        large: a sentence if it would take very long; else None.
    """

    seconds: float
    disk: float
    basis: str
    large: str | None


def estimate_sweep(
    configs: Sequence[RunConfig], earlier: Sequence[tuple[Run, Status]]
) -> SweepEstimate:
    """Estimate the cost of runs that are trained one after the other.

    Raises:
        vae_core.basics.devices.DeviceError: as for :func:`estimate`.
    """
    some = [without_seed(config) for config in a_few(configs)]
    known = [estimate(config, earlier) for config in some]
    share = len(configs) / len(known)
    seconds = share * sum(each.seconds for each in known)
    disk = share * sum(map(_disk, some))
    needed, available = _memory(some[-1], known[-1].device)
    large = large_run_sentence(seconds, needed, available, "sweep")
    return SweepEstimate(seconds, disk, known[0].basis, large)


@lru_cache(maxsize=1024)
def _disk(config: RunConfig) -> int:
    from vae_core.runs.disk import bytes_of_run

    return bytes_of_run(config)


def _most_alike(
    config: RunConfig, device: str, earlier: Iterable[tuple[Run, Status]]
) -> tuple[Run, float] | None:
    """The run on that device with the most similar work, and its measured over its counted time."""
    wanted = _costs(config, device)[1]
    best, distance = None, _ALIKE
    for run, status in earlier:
        measured = _seconds_an_epoch(status, device)
        if measured is None or run.config.model.network != config.model.network:
            continue
        counted = _costs(run.config, device)[1]
        if abs(math.log(counted / wanted)) <= distance:
            best, distance = (run, measured / counted), abs(math.log(counted / wanted))
    return best


def _seconds_an_epoch(status: Status, device: str) -> float | None:
    """Seconds per epoch of a run; None if it has not finished an epoch on that device."""
    done = status.epoch - 1 + (status.step / status.steps if status.steps else 0)
    return status.seconds / done if done >= 1 and status.device == device else None


@lru_cache(maxsize=256)
def _costs(config: RunConfig, device: str) -> tuple[int, float, float]:
    """Number of parameters, seconds per epoch and seconds for the final figures, as counted."""
    import torch

    from vae_core.training import cost
    from vae_core.training.precision import resolve_precision

    pixels = config.model.pixels
    speed = _speed(device, resolve_precision(config.train.precision, torch.device(device), pixels))
    epoch, final = cost.epoch_work(config), cost.final_work(config)
    return cost.parameters(config.model), speed.seconds(epoch), speed.seconds(final)


@lru_cache(maxsize=256)
def _memory(config: RunConfig, device: str) -> tuple[int, int]:
    """Bytes of memory that a run needs, and those of its device."""
    import torch

    from vae_core.basics.memory import memory_of
    from vae_core.training import cost

    return cost.memory(config), memory_of(torch.device(device))


@st.cache_resource(show_spinner=False)
def _speed(device: str, precision: "Precision") -> "Speed":
    import torch

    from vae_core.training.cost import measure_speed

    return measure_speed(torch.device(device), precision)
