"""What a run will cost, known before it starts: its parameters, and about how long it takes.

The work is counted, not guessed: one step, one validation pass and the final scoring are traced on
PyTorch's ``meta`` device, which has shapes but no numbers, so that counting costs milliseconds
whatever the size of the model. Seconds follow from how fast this machine works (:class:`Speed`,
measured in a moment), and the pages correct them by how long earlier runs took.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from vae_core.config import DATASETS, ModelConfig, RunConfig
from vae_core.evaluation import EPOCH_IMAGES, IMPORTANCE_IMAGES, IMPORTANCE_SAMPLES
from vae_core.execution import HELD_OUT_IMAGES, HELD_OUT_SAMPLES
from vae_core.objectives import elbo_terms, negative_elbo
from vae_core.vae import VAE

_ADAM_CALLS, _ADAM_VALUES = 12, 6  # a step of Adam: kernels, and numbers moved for each parameter


@dataclass(frozen=True)
class Work:
    """Operations called, floating-point operations in products, and numbers written."""

    calls: float = 0.0
    flops: float = 0.0
    values: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.calls + other.calls, self.flops + other.flops, self.values + other.values
        )

    def __mul__(self, times: float) -> "Work":
        return Work(self.calls * times, self.flops * times, self.values * times)


@dataclass(frozen=True)
class Speed:
    """How fast a device works: seconds a call, a floating-point operation and a number written."""

    call: float
    flop: float
    value: float

    def seconds(self, work: Work) -> float:
        """About how long the work takes."""
        return work.calls * self.call + work.flops * self.flop + work.values * self.value


def parameters(config: ModelConfig) -> int:
    """How many numbers the model learns, exactly."""
    return sum(each.numel() for each in _on_paper(config).parameters())


def epoch_work(config: RunConfig) -> Work:
    """What one epoch takes: its steps, the validation pass, and its share of log p̂(x)."""
    settings, sizes = config.train, DATASETS[config.dataset].sizes
    steps = math.ceil(sizes["train"] / settings.batch_size)
    batch = min(settings.batch_size, sizes["train"])
    validation = min(sizes["validation"], EPOCH_IMAGES)
    work = _step_work(config, batch) * steps
    work += _evaluation_work(config, validation, settings.samples)
    if settings.importance_every:
        images = min(sizes["validation"], IMPORTANCE_IMAGES)
        estimate = _evaluation_work(config, images, IMPORTANCE_SAMPLES)
        work += estimate * (1 / settings.importance_every)
    return work


def final_work(config: RunConfig) -> Work:
    """What scoring the held-out images takes once training is done."""
    images = min(DATASETS[config.dataset].sizes["test"], HELD_OUT_IMAGES)
    return _evaluation_work(config, 10, HELD_OUT_SAMPLES) * (images / 10)


def measure_speed(device: torch.device) -> Speed:
    """Time a few small operations; takes a few hundredths of a second."""
    tiny = torch.zeros(64, device=device)
    square = torch.zeros(512, 512, device=device)
    large = torch.zeros(1 << 20, device=device)
    call = _seconds(device, lambda: tiny + tiny, 400)
    flop = _seconds(device, lambda: square @ square, 4) / (2 * 512**3)
    value = _seconds(device, lambda: torch.sigmoid(large), 4) / large.numel()
    return Speed(3 * call, flop, value)  # a call from a module, with its gradient, is dearer


def _on_paper(config: ModelConfig) -> VAE:
    with torch.device("meta"):
        return VAE(config)


def _step_work(config: RunConfig, batch: int) -> Work:
    model, x = _on_paper(config.model), torch.empty(batch, *config.model.image_shape, device="meta")
    settings = config.train

    def step() -> None:
        negative_elbo(elbo_terms(model, x, settings.samples), settings.elbo_form).backward()

    weights = sum(each.numel() for each in model.parameters())
    return _counted(step) + Work(_ADAM_CALLS, 0.0, _ADAM_VALUES * weights)


def _evaluation_work(config: RunConfig, images: int, samples: int) -> Work:
    model = _on_paper(config.model)
    x = torch.empty(images, *config.model.image_shape, device="meta")
    with torch.no_grad():
        return _counted(lambda: elbo_terms(model, x, samples))


def _counted(action: Callable[[], Any]) -> Work:
    with _Counter() as counter:
        action()
    return counter.work


class _Counter(TorchDispatchMode):
    """Counts what is called inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        flops = formula(*args, **(kwargs or {}), out_val=result) if formula else 0
        written = 0 if func.is_view else sum(
            leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)
        )
        self.work += Work(1, flops, written)
        return result


def _seconds(device: torch.device, action: Callable[[], Any], times: int) -> float:
    """The seconds one call takes, the best of three goes of ``times`` calls."""
    action()
    best = math.inf
    for _ in range(3):
        _finish(device)
        start = time.perf_counter()
        for _ in range(times):
            action()
        _finish(device)
        best = min(best, time.perf_counter() - start)
    return best / times


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
