"""Image context: a batch of images and all quantities that scores need, each computed once."""

import copy
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

from vae_core.analysis.classification import class_posterior
from vae_core.analysis.neighbours import TrainingLatents, posterior_means
from vae_core.inference.gap import Regret
from vae_core.inference.importance import (
    LogDensity,
    RunningDensity,
    check_count,
    log_density,
    log_density_steps,
)
from vae_core.inference.mixture import Mixture
from vae_core.inference.proposals import refine
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE
from vae_core.scoring.figures.complexity import code_length
from vae_core.scoring.figures.regret import likelihood_regret

CLASS_SAMPLES = 500
"""K for p(y|x) of a class head."""
_ELBO_SAMPLES = 200  # of the encoder's q
_ENCODE_AT_ONCE = 256

T = TypeVar("T")


class ImageContext:
    """A batch of images under one model, with a cache of all quantities computed for them.

    Each quantity is computed when it is first used, and only once. The functions of
    :mod:`vae_core.inference` and :mod:`vae_core.analysis` compute it; the context gives them what
    it has already, for example the encoder's q(z|x).

    Attributes:
        model: the model.
        x: the images, (B, C, H, W) in [0, 1], on the model's device.
        importance_samples: K of log p̂(x).
        estimate_seed: seed for log p̂(x) and for the encoder's ELBO.
        seed: seed for all other random numbers.
        latents: training latents, to measure distances to; may be None.
    """

    def __init__(
        self,
        model: VAE,
        x: Tensor,
        importance_samples: int,
        seed: int = 0,
        latents: TrainingLatents | None = None,
    ) -> None:
        """Store the images; compute nothing yet.

        Raises:
            InvalidArgument: if K is out of range, or the images do not fit the model.
        """
        importance_samples = check_count(importance_samples)
        self.model, self.x, self.latents = model, model.as_images(x), latents
        self.importance_samples, self.estimate_seed, self.seed = importance_samples, seed, seed
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the cached value of a key; compute it first if it is missing."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def estimated_by(self, importance_samples: int, seed: int) -> "ImageContext":
        """Return the same images with another K and seed for log p̂(x) and the ELBO.

        The two contexts share one cache.

        Raises:
            ValueError: if K is out of range.
        """
        importance_samples = check_count(importance_samples)
        other = copy.copy(self)
        other.importance_samples, other.estimate_seed = importance_samples, seed
        return other

    # ---- the encoder

    @property
    def features(self) -> Tensor:
        """The encoder's features h, (B, F)."""
        return self.once("features", self._encode)

    @torch.no_grad()
    def _encode(self) -> Tensor:
        return torch.cat([self.model.encode(block) for block in self.x.split(_ENCODE_AT_ONCE)])

    @property
    def posterior(self) -> Posterior:
        """The encoder's q(z|x)."""
        return self.once("posterior", self._posterior)

    @torch.no_grad()
    def _posterior(self) -> Posterior:
        return self.model.to_posterior(self.features)

    @property
    def elbo_terms(self) -> LogDensity:
        """ELBO, E log p(x|z) and KL of the encoder's q(z|x), (B,) each, by 200 draws."""
        return self.once(("elbo terms", self.estimate_seed), self._elbo_terms)

    def _elbo_terms(self) -> LogDensity:
        seed = self.estimate_seed
        return log_density(self.model, self.x, _ELBO_SAMPLES, seed, proposal=self.posterior)

    # ---- log p(x)

    @property
    def proposal(self) -> Mixture:
        """The proposal of log p̂(x), refined for each image."""
        return self._refined(self.estimate_seed)

    def _refined(self, seed: int) -> Mixture:
        return self.once(
            ("proposal", seed),
            lambda: refine(self.model, self.x, seed, posterior=self.posterior),
        )

    def estimate(self, on_progress: Callable[[float], None] | None = None) -> LogDensity:
        """Estimate log p(x) with K draws from the refined proposal, with diagnostics.

        Args:
            on_progress: called with the share of the work that is done, 0 to 1.
        """
        n, seed = self.importance_samples, self.estimate_seed
        return self.once(
            self._estimate_key,
            lambda: log_density(self.model, self.x, n, seed, on_progress, self.proposal),
        )

    def estimate_steps(self, stops: Collection[int] = ()) -> Iterator[RunningDensity]:
        """Estimate log p(x) in small steps; :meth:`estimate` then returns the final result.

        Args:
            stops: as for :func:`vae_core.inference.importance.log_density_steps`.

        Yields:
            The estimate after each chunk of samples.
        """
        n, seed = self.importance_samples, self.estimate_seed
        running = RunningDensity(n)
        for running in log_density_steps(self.model, self.x, n, seed, stops, self.proposal):
            yield running
        self._known[self._estimate_key] = running.estimate()

    @property
    def _estimate_key(self) -> Hashable:
        return "estimate", self.importance_samples, self.estimate_seed

    @property
    def log_px(self) -> Tensor:
        """log p̂(x) in nats, (B,), float64."""
        return self.estimate().log_px

    # ---- other figures

    @property
    def code_bits(self) -> Tensor:
        """Bits of a lossless code of each image, (B,), float64."""
        return self.once("code bits", lambda: code_length(self.x))

    @property
    def regret(self) -> Regret:
        """Likelihood regret with its standard error."""
        return self.once(
            ("regret", self.seed),
            lambda: likelihood_regret(self.model, self.x, self.seed, features=self.features),
        )

    @property
    def latent_mean(self) -> Tensor:
        """E[z|x], (B, d), on the CPU."""
        return self.once(
            ("latent mean", self.seed),
            lambda: posterior_means(self.model, self.x, self.seed, posterior=self.posterior),
        )

    @property
    def whitened(self) -> Tensor:
        """E[z|x] in standard deviations of the aggregate posterior, (B, d), on the CPU.

        Raises:
            ValueError: if no training latents are known, which define the unit.
        """
        if self.latents is None:
            raise ValueError("Whitening needs the latents of training images, which are missing.")
        return self.once(("whitened", self.seed), self._whitened)

    def _whitened(self) -> Tensor:
        assert self.latents is not None
        return self.latents.whiten(self.latent_mean)

    @property
    def class_probabilities(self) -> tuple[Tensor, Tensor]:
        """p(y|x) by the model's class head, and standard errors, (B, classes) each.

        Raises:
            ValueError: if the model has no class head.
        """
        return self.once(("classes", self.seed), self._class_probabilities)

    def _class_probabilities(self) -> tuple[Tensor, Tensor]:
        proposal = self._refined(self.seed)
        return class_posterior(self.model, self.x, CLASS_SAMPLES, self.seed, proposal=proposal)
