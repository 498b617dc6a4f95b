"""Find the training images whose latents are nearest to the latent of an image.

Distances are Mahalanobis distances under the aggregate posterior (1/N) Σ_i q(z|x_i), the
distribution of the latents in the decoder's training. A distance of 1 is one standard deviation,
in every direction. In an ideal model the aggregate posterior is the prior, and the distances are
Euclidean.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vae_core.analysis.latent import aggregate_draws
from vae_core.inference.fitting import antithetic_noise
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE

_ENCODE_AT_ONCE = 100
_DRAWS = 64
_AGGREGATE_DRAWS = 4  # per image
_JITTER = 1e-6  # added to the variances, because a dimension may be constant


@dataclass(frozen=True)
class Neighbours:
    """The training images nearest to an image, nearest first.

    Attributes:
        indices: positions in the training split.
        labels: classes of these images.
        distances: in standard deviations of the aggregate posterior.
    """

    indices: Sequence[int]
    labels: Sequence[int]
    distances: Sequence[float]


@dataclass(frozen=True)
class TrainingLatents:
    """Latents of training images.

    Attributes:
        points: whitened posterior means of the first N training images, (N, d), float32, rounded
            to float16 to save half the space in files.
        labels: classes of these images, (N,), int64.
        centre: mean of the aggregate posterior, (d,), float32.
        scale_tril: L of the covariance LLᵀ of the aggregate posterior, (d, d), float32.
    """

    points: Tensor
    labels: Tensor
    centre: Tensor
    scale_tril: Tensor

    @classmethod
    def of(cls, model: VAE, x: Tensor, labels: Tensor, seed: int = 0) -> "TrainingLatents":
        """Compute the latents of training images x (N, C, H, W) in [0, 1] with labels (N,)."""
        draws = torch.from_numpy(aggregate_draws(model, x, seed, _AGGREGATE_DRAWS))
        covariance = torch.cov(draws.T).reshape(draws.shape[1], -1)
        jitter = _JITTER * torch.eye(len(covariance), dtype=covariance.dtype)
        scale_tril = torch.linalg.cholesky(covariance + jitter).float()
        frame = cls(torch.empty(0), labels.cpu(), draws.mean(0).float(), scale_tril)
        points = frame.whitened(model, x, seed).half().float()
        return cls(points, frame.labels, frame.centre, scale_tril)

    def whitened(self, model: VAE, x: Tensor, seed: int = 0) -> Tensor:
        """L⁻¹ (E[z|x] − centre) for images x (B, C, H, W) in [0, 1]: (B, d), on the CPU."""
        return self.whiten(posterior_means(model, x, seed))

    def whiten(self, means: Tensor) -> Tensor:
        """L⁻¹ (E[z|x] − centre) for posterior means (B, d), on the CPU: (B, d)."""
        away = means - self.centre
        return torch.linalg.solve_triangular(self.scale_tril, away.T, upper=False).T.contiguous()

    def unwhiten(self, whitened: Tensor) -> Tensor:
        """Undo :meth:`whiten`, up to rounding: (B, d)."""
        return whitened @ self.scale_tril.T + self.centre

    def without(self, places: Tensor) -> "TrainingLatents":
        """Return the same latents without those at some places, (P,); all if none would be left."""
        if len(places) >= len(self.points):
            return self
        kept = torch.ones(len(self.points), dtype=torch.bool)
        kept[places] = False
        return replace(self, points=self.points[kept], labels=self.labels[kept])

    def nearest(self, whitened: Tensor, count: int = 5) -> list[Neighbours]:
        """Find the ``count`` training images nearest to each whitened latent (B, d)."""
        found = torch.cdist(whitened, self.points).topk(min(count, len(self.points)), largest=False)
        return [
            Neighbours(indices.tolist(), self.labels[indices].tolist(), distances.tolist())
            for indices, distances in zip(found.indices, found.values, strict=True)
        ]

    def distance(self, whitened: Tensor) -> Tensor:
        """Distance of each whitened latent (B, d) to the nearest training image, (B,), float64."""
        return torch.cdist(whitened, self.points).amin(1).double()


@torch.no_grad()
def posterior_means(
    model: VAE, x: Tensor, seed: int = 0, *, posterior: Posterior | None = None
) -> Tensor:
    """E[z|x] for images x (B, C, H, W) in [0, 1]: (B, d), on the CPU.

    Estimated with antithetic noise, the same for every image. The result is exact for Gaussians.
    For flows it does not depend on the other images of the batch.

    Args:
        posterior: the encoder's q(z|x) of these images, if already computed.
    """
    parts = []
    for start in range(0, max(1, len(x)), _ENCODE_AT_ONCE):
        chosen = slice(start, start + _ENCODE_AT_ONCE)
        images = model.as_images(x[chosen])
        q = model.posterior(images) if posterior is None else posterior.rows(chosen)
        generator = torch.Generator(model.device).manual_seed(seed)
        noise = antithetic_noise(_DRAWS, model, images, generator)
        parts.append(q.path(noise).z.mean(0).cpu())
    return torch.cat(parts)
