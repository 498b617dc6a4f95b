"""What a run will cost, known before it starts: its parameters, and about how long it takes.

The work is counted by following a few images through the model; it grows linearly with images and
samples. Seconds follow from how fast this machine works (:func:`measure_speed`). A model too large
to be built in passing is followed on PyTorch's ``meta`` device, which has shapes but no numbers.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from vae_core.config import DATASETS, ModelConfig, RunConfig
from vae_core.evaluation import EPOCH_IMAGES, IMPORTANCE_IMAGES, IMPORTANCE_SAMPLES
from vae_core.execution import HELD_OUT_IMAGES, HELD_OUT_SAMPLES
from vae_core.objectives import elbo_terms
from vae_core.vae import VAE

_BACKWARD = 2.0  # gradients take twice the work of the pass they follow
_ADAM_VALUES = 6  # numbers moved for each parameter
_LARGE = 20_000_000
_INITIALISERS = ("mul_", "copy_", "zero_")


@dataclass(frozen=True)
class Work:
    """How many operations were called, multiplications and additions made, numbers written."""

    calls: float = 0.0
    flops: float = 0.0
    values: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.calls + other.calls, self.flops + other.flops, self.values + other.values)

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
    return _weights(_untrained(config))


def epoch_work(config: RunConfig) -> Work:
    """What one epoch takes: its steps, the validation pass, and its share of log p̂(x)."""
    settings, sizes = config.train, DATASETS[config.dataset].sizes
    evaluate, weights = _Evaluation.of(config.model)
    step = evaluate(min(settings.batch_size, sizes["train"]), settings.samples) * (1 + _BACKWARD)
    step += Work(calls=2.0, values=_ADAM_VALUES * weights)
    work = step * math.ceil(sizes["train"] / settings.batch_size)
    work += evaluate(min(sizes["validation"], EPOCH_IMAGES), settings.samples)
    if settings.importance_every:
        estimate = evaluate(IMPORTANCE_IMAGES, IMPORTANCE_SAMPLES)
        work += estimate * (1 / settings.importance_every)
    return work


def final_work(config: RunConfig) -> Work:
    """What scoring the held-out images takes once training is done."""
    images = min(DATASETS[config.dataset].sizes["test"], HELD_OUT_IMAGES)
    return _Evaluation.of(config.model)[0](images, HELD_OUT_SAMPLES)


def measure_speed(device: torch.device) -> Speed:
    """Time a few small operations on a device; takes a few hundredths of a second."""
    tiny = torch.zeros(64, device=device, requires_grad=True)
    square = torch.zeros(512, 512, device=device)
    large = torch.zeros(1 << 20, device=device)
    call = _seconds(device, lambda: (tiny + 1).sum().backward(), 100) / 6  # 2 there, 4 back
    flop = _seconds(device, lambda: square @ square, 4) / (2 * 512**3)
    value = _seconds(device, lambda: torch.sigmoid(large), 4) / large.numel()
    return Speed(call, flop, value)


def _weights(model: VAE) -> int:
    return sum(each.numel() for each in model.parameters())


def _untrained(config: ModelConfig) -> VAE:
    """The model with numbers that mean nothing, or none at all."""
    sizes = (
        config.hidden_layers * config.hidden_size**2,
        config.latent_size**2 * config.hidden_size,
        config.flow_steps * config.flow_hidden_size**2,
        (64 * config.channels) ** 2,
    )
    with torch.device("cpu" if max(sizes) < _LARGE else "meta"), _Followed():
        return VAE(config)


@dataclass(frozen=True)
class _Evaluation:
    """The work of the ELBO's terms: fixed, and for each image, and for each sample of an image."""

    fixed: Work
    image: Work
    sample: Work

    def __call__(self, images: int, samples: int) -> Work:
        return self.fixed + self.image * images + self.sample * (images * samples)

    @classmethod
    def of(cls, config: ModelConfig) -> tuple["_Evaluation", int]:
        """That of a model, and the number of its parameters."""
        model = _untrained(config)
        two, two_twice, four = (_follow(model, *n) for n in ((2, 1), (2, 2), (4, 1)))
        sample = (two_twice + two * -1) * 0.5
        image = (four + two * -1) * 0.5 + sample * -1
        return cls(two + (image + sample) * -2, image, sample), _weights(model)


def _follow(model: VAE, images: int, samples: int) -> Work:
    x = torch.zeros(images, *model.config.image_shape, device=model.device)
    with torch.no_grad(), _Followed() as followed:
        elbo_terms(model, x, samples)
    return followed.work


class _Followed(TorchFunctionMode):
    """Counts what is called inside it, and leaves out what only sets numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        initialises = getattr(func, "__module__", "") == "torch.nn.init"
        if initialises or func.__name__ in _INITIALISERS:
            return args[0] if args else kwargs["tensor"]
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and func.__name__ != "__get__":  # reads an attribute
            self.work += Work(1, _flops(func, args, kwargs, result), result.numel())
        return result


def _flops(func: Any, args: tuple[Any, ...], kwargs: Any, result: Tensor) -> int:
    """Those of the products, which are nearly all of a network's."""
    if func not in (F.linear, F.conv2d, F.conv_transpose2d):
        return 0
    x, weight = (*args, *kwargs.values())[:2]
    if func is F.linear:
        return 2 * result.numel() * x.shape[-1]
    places = (x if func is F.conv_transpose2d else result)[:, 0].numel()
    return 2 * places * weight.numel()


def _seconds(device: torch.device, action: Callable[[], Any], times: int) -> float:
    """The seconds one call takes, in the best of three goes of ``times`` calls."""
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
