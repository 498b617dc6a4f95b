"""What a run will cost on this computer: time, memory and disk, before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from vae_core.runs.sweep_costs import a_few, without_seed
from vae_core.settings.choices import PrecisionName
from vae_core.settings.config import RunConfig

if TYPE_CHECKING:
    from vae_core.training.cost import Speed


@dataclass(frozen=True)
class Costs:
    """Estimated cost of a run.

    Attributes:
        seconds: from the first epoch to the final figures.
        epoch: seconds of an epoch.
        memory: bytes of memory that it needs, and those of its device.
        disk: bytes of its folder.
    """

    seconds: float
    epoch: float
    memory: tuple[int, int]
    disk: int


@cache
def costs_of(config: RunConfig) -> Costs | None:
    """Estimate the cost of a run; None if its device does not exist, which the run itself says."""
    from vae_core.basics.devices import DeviceError, resolve_device
    from vae_core.basics.memory import memory_of
    from vae_core.runs.disk import bytes_of_run
    from vae_core.training.cost import epoch_work, final_work, memory

    try:
        device = resolve_device(config.train.device)
    except DeviceError:
        return None
    speed = _speed(str(device), config.train.precision, config.model.pixels)
    epoch = speed.seconds(epoch_work(config))
    seconds = config.train.epochs * epoch + speed.seconds(final_work(config))
    return Costs(seconds, epoch, (memory(config), memory_of(device)), bytes_of_run(config))


@cache
def _speed(device: str, precision: PrecisionName, pixels: int) -> "Speed":
    import torch

    from vae_core.training.cost import measure_speed
    from vae_core.training.precision import resolve_precision

    found = torch.device(device)
    return measure_speed(found, resolve_precision(precision, found, pixels))


def costs_of_all(configs: Sequence[RunConfig]) -> tuple[float, float] | None:
    """Estimate the seconds and the bytes on disk of many runs; None without their device."""
    some = [costs_of(without_seed(config)) for config in a_few(configs)]
    known = [each for each in some if each is not None]
    if len(known) < len(some) or not known:
        return None
    share = len(configs) / len(known)
    return share * sum(c.seconds for c in known), share * sum(c.disk for c in known)
