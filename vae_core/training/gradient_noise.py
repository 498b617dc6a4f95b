"""How noisy each gradient estimator is, measured on a model as it stands.

The images stay the same and only the noise ε is drawn again, so what varies is the error of the
estimator itself. More samples L reduce it; the choice of the estimator reduces it more.
"""

import copy
import dataclasses
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_core.model.batches import rows_at_once
from vae_core.model.vae import VAE
from vae_core.settings.choices import GradientName
from vae_core.settings.config import TrainConfig
from vae_core.training.objective import training_loss

_BIAS = "mean_and_log_scale.bias"  # of the Gaussian that every family has
_TERMS_AT_ONCE = 16  # of the L terms, whose noise is drawn at once


@dataclass(frozen=True)
class GradientNoise:
    """Repeated estimates of ∇_φ objective, φ being the weights of the encoder and of q(z|x).

    Attributes:
        gradient: the estimator.
        samples: L.
        inside: K, the samples inside the logarithm; 1 for the ELBO.
        repeats: R, how many estimates there are so far.
        mean: their mean, (P,).
        total_variance: the trace of the covariance of one estimate, in (nats per unit weight)²;
            zero while R = 1.
        total_variance_error: the standard error of :attr:`total_variance`; NaN while R < 3.
        of_means: the estimates themselves for d coordinates, (R, d): the derivatives with respect
            to a shift, common to all images, of the mean of the Gaussian (of a flow: of its base).
        seconds: the time one estimate takes, the median.
        seconds_error: its standard error, from the quartiles; NaN while R < 4.
    """

    gradient: GradientName
    samples: int
    inside: int
    repeats: int
    mean: Tensor
    total_variance: float
    total_variance_error: float
    of_means: Tensor
    seconds: float
    seconds_error: float

    @property
    def signal(self) -> float:
        """‖E g‖², corrected for what noise adds to the square of a mean; at least 0."""
        return max(0.0, float(self.mean.square().sum()) - self.total_variance / self.repeats)

    @property
    def signal_to_noise(self) -> float:
        """‖E g‖ / √(trace of the covariance); infinite where there is no noise."""
        if self.total_variance == 0:
            return float("inf")
        return (self.signal / self.total_variance) ** 0.5


class _Moments:
    """Running mean and total variance of vectors (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self._steps: list[float] = []

    def add(self, found: Tensor) -> None:
        self.count += 1
        away = found - self.mean
        self.mean = self.mean + away / self.count
        self._steps.append(float(away @ (found - self.mean)))

    @property
    def total_variance(self) -> float:
        return math.fsum(self._steps) / max(1, self.count - 1)

    @property
    def total_variance_error(self) -> float:
        """Standard error of the total variance.

        Every step after the first has the total variance as its mean, and the steps are almost
        uncorrelated (Helmert 1876), so their spread gives the error of their mean."""
        steps = torch.tensor(self._steps[1:], dtype=torch.float64)
        return float(steps.std()) / len(steps) ** 0.5 if len(steps) > 1 else float("nan")


def measure_noise(
    model: VAE,
    x: Tensor,
    gradient: GradientName,
    samples: int,
    repeats: int,
    inside: int = 1,
    seed: int = 0,
) -> Iterator[GradientNoise]:
    """Estimate the gradient R = ``repeats`` times for the images x (B, C, H, W).

    The model does not change. Memory does not grow with L, K and B, but for the leave-one-out
    baseline, which compares all L samples of an image. Between the estimates it is one vector of
    the size of the weights (:func:`memory`).

    Yields:
        The noise of the estimates so far, after each one.

    Raises:
        ConfigError: if the estimator does not take that L and K.
    """
    settings = dataclasses.replace(
        TrainConfig(), gradient=gradient, samples=samples, iwae_samples=inside, elbo_form="joint"
    )
    model = _differentiable(model)
    inference = _inference(model)
    watched = next(w for name, w in model.to_posterior.named_parameters() if name.endswith(_BIAS))
    before = sum(w.numel() for w in itertools.takewhile(lambda w: w is not watched, inference))
    generator = torch.Generator(model.device).manual_seed(seed)
    moments = _Moments()
    of_means, seconds = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        found = _gradient(model, x, settings, inference, generator)
        seconds.append(time.perf_counter() - start)
        moments.add(found)
        of_means.append(found[before : before + model.config.latent_size].clone())  # frees the rest
        del found  # else it is kept until the next estimate
        yield GradientNoise(
            gradient,
            samples,
            inside,
            moments.count,
            moments.mean,
            moments.total_variance,
            moments.total_variance_error,
            torch.stack(of_means),
            *_median(seconds),
        )


def memory(model: VAE) -> int:
    """Bytes that :func:`measure_noise` keeps between two estimates."""
    return sum(weight.numel() * weight.element_size() for weight in _inference(model))


def _inference(model: VAE) -> list[Tensor]:
    """The weights φ of the encoder and of q(z|x)."""
    return [*model.encoder.parameters(), *model.to_posterior.parameters()]


def _gradient(
    model: VAE,
    x: Tensor,
    settings: TrainConfig,
    weights: Sequence[Tensor],
    generator: torch.Generator,
) -> Tensor:
    """One estimate of the gradient with respect to the weights, (P,), on the CPU.

    The objective is a mean over images and terms, so the gradient is the mean of those of blocks.
    """
    found = [torch.zeros_like(weight) for weight in weights]
    for images, noise, share in _blocks(model, x, settings, generator):
        loss, _ = training_loss(model, images, settings, 1.0, generator, noise=noise)
        for whole, slope in zip(found, torch.autograd.grad(-loss, weights), strict=True):
            whole.add_(slope, alpha=share)
    return torch.cat([whole.flatten() for whole in found]).cpu()


def _blocks(
    model: VAE, x: Tensor, settings: TrainConfig, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor | None, float]]:
    """Yield images with the noise of some of their terms, and their share of all terms.

    On the CPU the noise is the same as if it were drawn at once, because PyTorch draws 16 numbers
    at a time.
    """
    inside, rows = settings.iwae_samples, rows_at_once(model)
    if settings.samples * inside * len(x) <= rows:
        yield x, None, 1.0
        return
    together = settings.gradient == "score-function-baseline"
    for terms in [settings.samples] if together else _groups(settings.samples):
        with torch.no_grad():
            noise = model.posterior(x).noise(terms * inside, generator)
        at_once = max(1, rows // (terms * inside))
        for images, part in zip(x.split(at_once), noise.split(at_once, 1), strict=True):
            most = terms if together else max(1, rows // (inside * len(images)))
            for piece in part.split(most * inside):
                share = len(piece) * len(images) / (settings.samples * inside * len(x))
                yield images, piece, share


def _groups(terms: int) -> list[int]:
    """Split terms into groups of 16, the last with up to 31."""
    groups = max(1, terms // _TERMS_AT_ONCE)
    return [_TERMS_AT_ONCE] * (groups - 1) + [terms - _TERMS_AT_ONCE * (groups - 1)]


def _median(values: list[float]) -> tuple[float, float]:
    """Median and its standard error; the error is that of a Gaussian with the same quartiles."""
    ordered, count = sorted(values), len(values)
    if count < 4:
        return ordered[count // 2], float("nan")
    apart = ordered[3 * count // 4] - ordered[count // 4]
    return ordered[count // 2], (math.pi / 2) ** 0.5 * apart / 1.349 / count**0.5


def _differentiable(model: VAE) -> VAE:
    """A copy of the model whose weights take gradients and share the memory of the original."""
    shared: dict[int, Tensor] = {id(w): nn.Parameter(w.detach()) for w in model.parameters()}
    shared |= {id(buffer): buffer for buffer in model.buffers()}
    return copy.deepcopy(model, shared)
