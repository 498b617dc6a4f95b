"""The VAE: prior, likelihood, decoder, encoder and posterior, without the training.

Axis order: (n, B, …) — samples, then images. All log-probabilities are in nats.
"""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vae_core.basics.errors import InvalidArgument
from vae_core.basics.named import load
from vae_core.basics.warned import GreyImages, warn_caller
from vae_core.model.conditioning import (
    ConditionalDecoder,
    ConditionalEncoder,
    GivenClass,
)
from vae_core.model.corrected_linear import CorrectedLinearDecoder, CorrectedLinearEncoder
from vae_core.model.encoder_decoder import build_decoder, build_encoder
from vae_core.model.likelihoods.base import Likelihood
from vae_core.model.networks import build_class_head
from vae_core.model.posteriors import FullCovariance, MeanField, Posterior, build_posterior
from vae_core.model.principal import principal_components
from vae_core.model.priors import Prior, build_prior
from vae_core.settings.choices import LIKELIHOODS
from vae_core.settings.config import ModelConfig

ArrayLike = Tensor | NDArray[Any]
NetworkContext = Callable[[], contextlib.AbstractContextManager[object]]

_AT_ONCE = 500  # images decoded at once in a sample, so that memory is bounded
_GREY = (
    "Some pixels are grey, but the Bernoulli likelihood is for pixels that are 0 or 1. Such a log "
    "p(x) is a cross-entropy, which is not the log-likelihood of a binary image. "
    "`vae_core.data.pixels.binarise` makes 8-bit images binary."
)


class VAE(nn.Module):
    """A prior p(z), p(x|z) = ∏_i p(x_i; l_i(z)) with the decoder l, and an amortised q(z|x).

    With a class head, the model is p(z) p(x|z) p(y|z) for images and their classes. Then p(x) and
    p(y|x) both follow from one q(z|x).

    A model that is conditional on the class is p(z) p(x|z, y), with q(z|x, y). :meth:`given` makes
    a model of one class, which all estimators take; ``log_class_prior`` is log p(y), (classes,).

    Example::

        model = VAE(ModelConfig(posterior="full", latent_size=2, image_shape=(1, 8, 8)))
        q = model.posterior(x)                 # x (B, C, H, W) in [0, 1]
        z, log_q = q.rsample_and_log_prob(5)   # (5, B, d), (5, B)
        log_w = model.log_weights(x, 5)        # (5, B)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config)
        self.to_posterior = build_posterior(self.encoder.features, config)
        likelihood: Likelihood = load(LIKELIHOODS[config.likelihood].builder).of(config)
        self.decoder = build_decoder(config, likelihood)
        self.likelihood = likelihood
        self.class_head = build_class_head(config)
        self.prior: Prior = build_prior(config)
        self.log_class_prior: Tensor
        if config.is_conditional:
            even = torch.full((config.classes,), -math.log(config.classes))
            self.register_buffer("log_class_prior", even)
        self._around_networks: NetworkContext = contextlib.nullcontext

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def given(self, y: Tensor | int) -> "VAE":
        """Choose the class of a conditional model; the weights are shared.

        Args:
            y: a class for all images. Or the classes (B,) of a batch of images; then the result
                takes only batches of B images, and latents (…, B, d).

        Raises:
            InvalidArgument: if the model is not conditional, or there is no such class.
        """
        encoder, decoder = self.encoder, self.decoder
        if not (
            isinstance(encoder, ConditionalEncoder) and isinstance(decoder, ConditionalDecoder)
        ):
            raise InvalidArgument("This model is not conditional on the class, so it takes none.")
        given, view = GivenClass(self.config.classes, y), copy.copy(self)
        view._modules = dict(self._modules)
        view.encoder, view.decoder = encoder.given(given), decoder.given(given)
        return view

    def set_class_prior(self, labels: Tensor) -> None:
        """Set p(y) of a conditional model to the shares of the classes among labels (N,)."""
        counts = torch.bincount(labels, minlength=self.config.classes)
        self.log_class_prior.copy_((counts / len(labels)).log())

    def posterior(self, x: Tensor) -> Posterior:
        """q(z|x) for images x of shape (B, C, H, W) with values in [0, 1]; encodes once.

        In training mode the values are not checked, because the check would wait for a GPU.

        Raises:
            InvalidArgument: as for :meth:`check_images`.
        """
        return self.to_posterior(self.encode(x))

    def encode(self, x: Tensor) -> Tensor:
        """Compute the encoder's features h of images x (B, C, H, W) in [0, 1]: (B, F).

        All parameters of q(z|x) follow from the features: q is ``model.to_posterior(h)``.

        Raises:
            InvalidArgument: as for :meth:`check_images`.
        """
        if self.training:
            self._check_shape(x)
        else:
            x = self.as_images(x)
        with self._around_networks():
            h = self.encoder(x)
        return h.to(x.dtype)

    def as_images(self, x: ArrayLike) -> Tensor:
        """Convert images to a tensor of the model's dtype on its device, and check them.

        Args:
            x: tensor or NumPy array of floats or bools, (B, C, H, W) in [0, 1].

        Raises:
            InvalidArgument: as for :meth:`check_images`, or if x is neither.
        """
        like = next(self.parameters())
        if isinstance(x, np.ndarray):
            x = torch.tensor(x)
        if not isinstance(x, Tensor):
            raise InvalidArgument(
                f"Images must be a PyTorch tensor or a NumPy array, not a {type(x).__name__}."
            )
        if x.is_floating_point() or x.dtype == torch.bool:
            x = x.to(like)
        self.check_images(x)
        return x

    def check_images(self, x: Tensor) -> None:
        """Check that images have the model's shape (B, C, H, W) and values that a pixel can have.

        Values are floats in [0, 1]. For the Gaussian likelihood they can be any number. For the
        Bernoulli likelihood, grey values are taken with the warning :class:`.GreyImages`.

        Raises:
            InvalidArgument: if not.
        """
        self._check_shape(x)
        if x.is_meta:  # without values, to count operations
            return
        low, high = self.likelihood.support
        good = (x >= low) & (x <= high) & x.isfinite()  # False for NaN
        if good.all():
            if self.likelihood.is_binary and not torch.equal(x, x.round()):
                warn_caller(_GREY, GreyImages)
            return
        image = int((~good.flatten(1).all(1)).nonzero()[0])
        value = x[image][~good[image]][0].item()
        wanted = "numbers" if math.isinf(high) else f"in [{low:g}, {high:g}]"
        raise InvalidArgument(
            f"The pixels of images must be {wanted}; image {image} has a pixel of {value:.9g}. "
            "Divide 8-bit images by 255, and undo other scalings."
        )

    def _check_shape(self, x: Tensor) -> None:
        if x.dim() != 4 or tuple(x.shape[1:]) != self.config.image_shape:
            raise InvalidArgument(
                f"Images must have shape {self.config.image_shape} each, in a batch of four "
                f"dimensions; these have shape {tuple(x.shape)}."
                if x.dim() != 4
                else f"Images must have shape {self.config.image_shape}, not {tuple(x.shape[1:])}."
            )
        if not x.is_floating_point():
            raise InvalidArgument(
                f"Images must be floats in [0, 1], not {x.dtype}; `vae_core.data.pixels.binarise` "
                "converts 8-bit images."
            )

    def decode(self, z: Tensor) -> Tensor:
        """Decode latents (…, d) to the parameters of every pixel, such as Bernoulli logits.

        Returns:
            (…, D), or (…, D, P) if a pixel has P > 1 parameters.
        """
        with self._around_networks():
            outputs = self.decoder(z.reshape(-1, z.shape[-1])).to(z.dtype)
        outputs = self._by_pixel(outputs)
        return outputs.view(*z.shape[:-1], *outputs.shape[1:])

    def decode_with_jacobian(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Decode latents (N, d), and differentiate by each latent, without building a graph.

        Returns:
            The outputs, (N, D) or (N, D, P), and the columns ∂l/∂z_i, (N, d, D) or (N, d, D, P).
        """
        with self._around_networks():
            outputs, columns = (each.to(z.dtype) for each in self.decoder.with_jacobian(z))
        by_pixel = self._by_pixel(columns.flatten(0, 1)).unflatten(0, z.shape)
        return self._by_pixel(outputs), by_pixel

    def _by_pixel(self, outputs: Tensor) -> Tensor:
        """Outputs (N, P·D), parameter by parameter, as (N, D), or (N, D, P) for P > 1."""
        parameters = self.likelihood.parameters_per_pixel
        if parameters == 1:
            return outputs
        return outputs.unflatten(1, (parameters, -1)).movedim(-2, -1)

    def start_from(self, mean: Tensor) -> None:
        """Set the decoder's output bias, so that a new model predicts ``mean`` (C, H, W)."""
        self._start_at(self.likelihood.initial_outputs(mean))

    def _start_at(self, outputs: Tensor) -> None:
        if self.likelihood.parameters_per_pixel > 1:
            outputs = outputs.movedim(-1, 0).flatten(0, 1)  # parameter by parameter
        self.decoder.set_output_bias(outputs)

    @property
    def has_linear_part(self) -> bool:
        """Whether the networks correct a linear map, which can start from principal components."""
        return isinstance(self.encoder, CorrectedLinearEncoder)

    def start_from_components(self, images: Tensor, seed: int = 0) -> None:
        """Start as probabilistic PCA of images (N, C, H, W) in [0, 1].

        Only for models with a linear part. With a flow, q(z|x) starts at random: the steps of a
        flow move what its base finds.
        """
        encoder, decoder = self.encoder, self.decoder
        assert isinstance(encoder, CorrectedLinearEncoder)
        assert isinstance(decoder, CorrectedLinearDecoder)
        found = principal_components(images, self.config.latent_size, seed)
        encoder.start_from(found)
        if isinstance(self.to_posterior, MeanField | FullCovariance):
            self.to_posterior.start_from(encoder.codes, found.log_scale)
        as_locations = partial(self.likelihood.location_change, found.mean, found.left)
        decoder.start_from(found, as_locations)
        self._start_at(self.likelihood.start_from(found.mean, found.left))

    @contextlib.contextmanager
    def networks_within(self, context: NetworkContext) -> Iterator[None]:
        """Run encoder and decoder inside ``context()``, for example in a lower precision."""
        self._around_networks = context
        try:
            yield
        finally:
            self._around_networks = contextlib.nullcontext

    def mean_image(self, z: Tensor) -> Tensor:
        """E[x|z], clipped to [0, 1], (…, C, H, W); for binary pixels, the probability of 1."""
        mean = self.likelihood.mean(self.decode(z)).clamp(0, 1)
        return mean.unflatten(-1, self.config.image_shape)

    def sample_images(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw x ~ p(x|z) for each latent (…, d): (…, C, H, W), valid as input of the model."""
        x = self.likelihood.sample(self.decode(z), generator)
        return x.unflatten(-1, self.config.image_shape)

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) for z of shape (n, B, d): (n, B)."""
        return self.prior.log_prob(z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) for x (B, C, H, W) and z (n, B, d): (n, B)."""
        return self.likelihood(x.flatten(1), self.decode(z))

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x|z) + log p(z) for x (B, C, H, W) and z (n, B, d): (n, B)."""
        return self.log_likelihood(x, z) + self.log_prior(z)

    def log_class_probabilities(self, z: Tensor) -> Tensor:
        """log p(y|z) of every class for latents (…, d): (…, classes).

        Raises:
            InvalidArgument: if the model has no class head.
        """
        if self.class_head is None:
            raise InvalidArgument("This model has no class head: it was trained without classes.")
        return self.class_head(z).log_softmax(-1)

    def log_weights(self, x: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
        """log w = log p(x|z) + log p(z) − log q(z|x) at n draws z ~ q(z|x): (n, B).

        The mean of log w is the ELBO (note eq. 3), and its logmeanexp estimates log p(x).
        """
        x = self.as_images(x)
        z, log_q = self.posterior(x).rsample_and_log_prob(n, generator)
        return self.log_joint(x, z) - log_q

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """E[x|z] at ``count`` draws z ~ p(z), y ~ p(y) if there is a y: (count, C, H, W)."""
        z = self.prior.sample((count,), generator)
        if self.config.is_conditional:
            shares = self.log_class_prior.exp()
            y = shares.multinomial(count, replacement=True, generator=generator)
            parts = zip(z.split(_AT_ONCE), y.split(_AT_ONCE), strict=True)
            return torch.cat([self.given(own).mean_image(part) for part, own in parts])
        return torch.cat([self.mean_image(part) for part in z.split(_AT_ONCE)])
