"""Estimates of the cost of a run before it starts: its parameters and its duration.

The work is counted by following shapes through the model, which needs neither its memory nor its
time. Seconds follow from the speed of this machine (:func:`measure_speed`).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from vae_core.inference.elbo import elbo_terms
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.settings.protocol import EPOCH_IMAGES, HELD_OUT_IMAGES, HELD_OUT_SAMPLES
from vae_core.training.precision import Precision
from vae_core.training.validation import (
    IMPORTANCE_IMAGES,
    IMPORTANCE_SAMPLES,
    MOMENT_SAMPLES,
)

_BACKWARD = 2.0  # gradients take twice the work of the pass they follow
_COPIES, _BYTES = 6, 4  # copies of each weight in training, and bytes of a number
_ADAM_VALUES = 6  # numbers moved for each parameter
# The calibration after training: images at once, and about how often it takes the gradient of the
# ELBO for each of them, to refine a proposal and to refit q(z|x)
_CALIBRATION_IMAGES, _CALIBRATED_AT_ONCE, _CALIBRATION_STEPS, _CALIBRATION_SAMPLES = 500, 20, 40, 4


@dataclass(frozen=True)
class Work:
    """Amount of work: operations called, multiplications and additions, numbers written."""

    calls: float = 0.0
    flops: float = 0.0
    values: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.calls + other.calls, self.flops + other.flops, self.values + other.values)

    def __mul__(self, times: float) -> "Work":
        return Work(self.calls * times, self.flops * times, self.values * times)


@dataclass(frozen=True)
class Speed:
    """Speed of a device: seconds per call, per floating-point operation, per number written."""

    call: float
    flop: float
    value: float

    def seconds(self, work: Work) -> float:
        """Estimated duration of the work in seconds."""
        return work.calls * self.call + work.flops * self.flop + work.values * self.value


def parameters(config: ModelConfig) -> int:
    """Number of parameters that the model learns."""
    return _weights(_on_meta_device(config))


def epoch_work(config: RunConfig) -> Work:
    """Work of one epoch: its steps, the validation pass, and its share of the log p̂(x)
    estimates."""
    settings, sizes = config.train, config.info.sizes
    model = _on_meta_device(config.model)
    step = _work_of_terms(model, min(settings.batch_size, sizes["train"]), _draws(config))
    step = step * (1 + _BACKWARD) + Work(calls=2.0, values=_ADAM_VALUES * _weights(model))
    work = step * math.ceil(sizes["train"] / settings.batch_size)
    images = min(sizes["validation"], EPOCH_IMAGES)
    work += _work_of_terms(model, images, settings.samples)
    work += _work_of_moments(model, images)
    if settings.iwae_samples > 1:  # the criterion, which chooses the kept epoch
        work += _work_of_terms(model, images, _draws(config))
    if settings.importance_every:
        estimate = _work_of_terms(model, IMPORTANCE_IMAGES, IMPORTANCE_SAMPLES)
        work += estimate * (1 / settings.importance_every)
    return work


def final_work(config: RunConfig) -> Work:
    """Work of scoring the held-out images after training, and about that of the calibration."""
    sizes, model = config.info.sizes, _on_meta_device(config.model)
    measured = [min(sizes[part], _CALIBRATION_IMAGES) for part in ("train", "validation")]
    blocks = sum(math.ceil(images / _CALIBRATED_AT_ONCE) for images in measured)
    step = _work_of_terms(model, _CALIBRATED_AT_ONCE, _CALIBRATION_SAMPLES) * (1 + _BACKWARD)
    scored = _work_of_terms(model, min(sizes["test"], HELD_OUT_IMAGES), HELD_OUT_SAMPLES)
    return scored + step * (blocks * _CALIBRATION_STEPS)


def memory(config: RunConfig) -> int:
    """Bytes of memory that training takes, about: weights, gradients, two moments of Adam, the kept
    weights and a copy that is being saved; what a step keeps for its gradients; the images."""
    settings, sizes = config.train, config.info.sizes
    model = _on_meta_device(config.model)
    step = _work_of_terms(model, min(settings.batch_size, sizes["train"]), _draws(config))
    numbers = _COPIES * _weights(model) + step.values
    return math.ceil(_BYTES * numbers) + sum(sizes.values()) * config.model.pixels


def measure_speed(device: torch.device, precision: Precision = "float32") -> Speed:
    """Time a few small operations on a device. This takes a few hundredths of a second.

    Matrix products are timed in the precision that training would use there."""
    tiny = torch.zeros(64, device=device, requires_grad=True)
    square = torch.zeros(512, 512, device=device)
    large = torch.zeros(1 << 20, device=device)
    call = _seconds(device, lambda: (tiny + 1).sum().backward(), 100) / 6  # 2 there, 4 back
    # By its type: products_in would round what other threads of a page multiply meanwhile
    factor = torch.bfloat16 if precision == "bfloat16" else torch.float32
    product = lambda: (square.to(factor) @ square.to(factor)).float()  # noqa: E731
    flop = _seconds(device, product, 4) / (2 * 512**3)
    value = _seconds(device, lambda: torch.sigmoid(large), 4) / large.numel()
    return Speed(call, flop, value)


def _weights(model: VAE) -> int:
    return sum(each.numel() for each in model.parameters())


def _on_meta_device(config: ModelConfig) -> VAE:
    """The model on PyTorch's ``meta`` device, where tensors have shapes but no numbers."""
    with torch.device("meta"):
        model = VAE(config)
    return model.given(0) if config.is_conditional else model


def _draws(config: RunConfig) -> int:
    """Number of latents drawn for each image of a step."""
    return config.train.samples * config.train.iwae_samples


def _work_of_moments(model: VAE, images: int) -> Work:
    """Work of estimating the moments of q(z|x) twice, for the figures by latent dimension."""
    x = torch.zeros(images, *model.config.image_shape, device="meta")
    with torch.no_grad(), _CountedWork() as followed:
        q = model.posterior(x)
        for _ in range(2):
            q.moments(MOMENT_SAMPLES)
    return Work(followed.calls, followed.flops, followed.values)


def _work_of_terms(model: VAE, images: int, samples: int) -> Work:
    """Work of evaluating the ELBO's terms at some samples for each of some images."""
    x = torch.zeros(images, *model.config.image_shape, device="meta")
    with torch.no_grad(), _CountedWork() as followed:
        elbo_terms(model, x, samples)
    return Work(followed.calls, followed.flops, followed.values)


class _CountedWork(TorchDispatchMode):
    """Counts the operations called inside it, their FLOPs, and the numbers that they write.

    PyTorch's own FlopCounterMode puts hooks into the modules of all threads, so that another thread
    which takes gradients at the same time fails.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.values = self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        if count := flop_registry.get(func.overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        if isinstance(result, Tensor) and not func.is_view:
            self.values += result.numel()
        return result


def _seconds(device: torch.device, action: Callable[[], Any], times: int) -> float:
    """Seconds per call, in the best of three rounds of ``times`` calls."""
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
