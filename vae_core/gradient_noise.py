"""How noisy each gradient estimator is, measured on a model as it stands.

The images stay the same; only the noise ε is drawn anew. What varies then is the estimator's own
error, which L samples lower and the choice of estimator lowers more.
"""

import copy
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.config import GradientName, TrainConfig
from vae_core.gradients import training_loss
from vae_core.vae import VAE

_BIAS = "mean_and_log_scale.bias"  # of the Gaussian that every family has


@dataclass(frozen=True)
class GradientNoise:
    """Repeated estimates of ∇_φ objective, φ being the weights of the encoder and of q(z|x).

    Attributes:
        gradient: the estimator.
        samples: L.
        inside: K, the samples inside the logarithm; 1 for the ELBO.
        repeats: R, how many estimates there are so far.
        mean: their mean, (P,), float64.
        variance: of one estimate, by coordinate, (P,), float64; zero while R = 1.
        of_means: the estimates themselves for d coordinates, (R, d): the derivative by a shift of
            the mean of the Gaussian (of a flow: of its base) that is the same for all images.
        seconds: the time one estimate takes, the median.
    """

    gradient: GradientName
    samples: int
    inside: int
    repeats: int
    mean: Tensor
    variance: Tensor
    of_means: Tensor
    seconds: float

    @property
    def total_variance(self) -> float:
        """The trace of the covariance of one estimate, in (nats per unit weight)²."""
        return float(self.variance.sum())

    @property
    def signal(self) -> float:
        """‖E g‖², without the share that noise adds to the square of a mean; at least 0."""
        return max(0.0, float(self.mean.square().sum()) - self.total_variance / self.repeats)

    @property
    def signal_to_noise(self) -> float:
        """‖E g‖ / √(trace of the covariance); infinite where there is no noise."""
        if self.total_variance == 0:
            return float("inf")
        return (self.signal / self.total_variance) ** 0.5


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

    The model is left as it is.

    Yields:
        After every estimate, the noise of those so far.

    Raises:
        ConfigError: if the estimator does not take that L and K.
    """
    settings = dataclasses.replace(
        TrainConfig(), gradient=gradient, samples=samples, iwae_samples=inside, elbo_form="joint"
    )
    model = copy.deepcopy(model).requires_grad_(True)
    inference = [*model.encoder.parameters(), *model.to_posterior.parameters()]
    watched = next(w for name, w in model.to_posterior.named_parameters() if name.endswith(_BIAS))
    generator = torch.Generator(model.device).manual_seed(seed)
    mean = spread = torch.zeros(())
    of_means, seconds = [], []
    for count in range(1, repeats + 1):
        start = time.perf_counter()
        loss, _ = training_loss(model, x, settings, 1.0, generator)
        slopes = torch.autograd.grad(-loss, inference)
        found = torch.cat([slope.flatten() for slope in slopes]).double().cpu()
        seconds.append(time.perf_counter() - start)
        away = found - mean
        mean = mean + away / count  # Welford 1962
        spread = spread + away * (found - mean)
        index = next(i for i, weight in enumerate(inference) if weight is watched)
        of_means.append(slopes[index][: model.config.latent_size].double().cpu())
        yield GradientNoise(
            gradient,
            samples,
            inside,
            count,
            mean,
            spread / max(1, count - 1),
            torch.stack(of_means),
            sorted(seconds)[len(seconds) // 2],
        )
