"""The VAE itself: encoder, posterior family, decoder, likelihood. Nothing about training.

Axis order: (n, B, …) — samples, then images. All log-probabilities are in nats.
"""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vae_core.config import ConfigError, ModelConfig
from vae_core.files import replace_file
from vae_core.likelihoods import LIKELIHOODS
from vae_core.memory import keep_freed_memory
from vae_core.networks import build_class_head, build_decoder, build_encoder
from vae_core.posteriors import Posterior, build_posterior, standard_normal_log_prob
from vae_core.precision import Precision, keeps_bfloat16, products_in

_AT_ONCE = 500  # images of a sample, so that memory does not grow with their number

log = logging.getLogger(__name__)


class VAE(nn.Module):
    """p(z) = N(0, I), p(x|z) = ∏_i p(x_i; l_i(z)) with l the decoder, and an amortised q(z|x).

    With a class head it is a model of images and their classes, p(z) p(x|z) p(y|z), whose p(x) and
    p(y|x) follow from one q(z|x).

    Example::

        model = VAE(ModelConfig(posterior="full", latent_size=2, image_shape=(1, 8, 8)))
        q = model.posterior(x)                 # x (B, C, H, W) in [0, 1]
        z, log_q = q.rsample_and_log_prob(5)   # (5, B, d), (5, B)
        log_w = model.log_weights(x, 5)        # (5, B)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        keep_freed_memory()
        self.config = config
        self.encoder = build_encoder(config)
        self.to_posterior = build_posterior(self.encoder.features, config)
        self.decoder = build_decoder(config)
        self.likelihood = LIKELIHOODS[config.likelihood]()
        self.class_head = build_class_head(config)
        self._autocast = False  # the networks in bfloat16, meanwhile

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def posterior(self, x: Tensor) -> Posterior:
        """q(z|x) for images x of shape (B, C, H, W) with values in [0, 1]; encodes once.

        Raises:
            ValueError: if the images are not of the model's shape.
        """
        if tuple(x.shape[1:]) != self.config.image_shape:
            raise ValueError(
                f"Images must be of shape {self.config.image_shape}, not {tuple(x.shape[1:])}."
            )
        with self._network_precision():
            h = self.encoder(x)
        return self.to_posterior(h.to(x.dtype))

    def decode(self, z: Tensor) -> Tensor:
        """What the likelihood reads of all pixels, the logits of a Bernoulli, for latents (…, d):
        (…, D)."""
        with self._network_precision():
            outputs = self.decoder(z.reshape(-1, z.shape[-1]))
        return outputs.to(z.dtype).view(*z.shape[:-1], self.config.pixels)

    def _network_precision(self) -> contextlib.AbstractContextManager[object]:
        if not self._autocast:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @contextlib.contextmanager
    def products_in(self, precision: Precision) -> Iterator[None]:
        """Matrix products and convolutions of training in ``bfloat16``, or as they are.

        Convolutions always gain by keeping bfloat16 between layers.
        """
        self._autocast = precision == "bfloat16" and (
            self.config.network == "conv" or keeps_bfloat16(self.device)
        )
        try:
            with products_in(precision):
                yield
        finally:
            self._autocast = False

    def mean_image(self, z: Tensor) -> Tensor:
        """E[x|z], for binary pixels the probability of being on: (…, C, H, W), cut to [0, 1]."""
        mean = self.likelihood.mean(self.decode(z)).clamp(0, 1)
        return mean.unflatten(-1, self.config.image_shape)

    def sample_images(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A draw of x ~ p(x|z) for each latent (…, d): (…, C, H, W), as the model takes images."""
        x = self.likelihood.sample(self.decode(z), generator)
        return x.unflatten(-1, self.config.image_shape)

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) = log N(z; 0, I) for z of shape (n, B, d): (n, B)."""
        return standard_normal_log_prob(z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) for x (B, C, H, W) and z (n, B, d): (n, B)."""
        return self.likelihood(x.flatten(1), self.decode(z))

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x|z) + log p(z) for x (B, C, H, W) and z (n, B, d): (n, B)."""
        return self.log_likelihood(x, z) + self.log_prior(z)

    def log_class_probabilities(self, z: Tensor) -> Tensor:
        """log p(y|z) of every class for latents (…, d): (…, classes).

        Raises:
            ValueError: if the model has no class head.
        """
        if self.class_head is None:
            raise ValueError("This model has no class head: it was trained without classes.")
        return self.class_head(z).log_softmax(-1)

    def log_weights(self, x: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
        """log w = log p(x|z) + log p(z) − log q(z|x) at n draws z ~ q(z|x): (n, B).

        Its mean is the ELBO (note eq. 3); logmeanexp of it estimates log p(x).
        """
        z, log_q = self.posterior(x).rsample_and_log_prob(n, generator)
        return self.log_joint(x, z) - log_q

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """E[x|z] at ``count`` draws z ~ p(z): (count, C, H, W)."""
        z = torch.randn(count, self.config.latent_size, generator=generator, device=self.device)
        return torch.cat([self.mean_image(part) for part in z.split(_AT_ONCE)])


def save_model(model: VAE, path: Path, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write the config and the weights (the model's own, if none are given) into one safetensors
    file, in one step."""
    chosen = model.state_dict() if weights is None else weights
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in chosen.items()}
    replace_file(path, save(tensors, metadata={"model": json.dumps(model.config.to_dict())}))


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> VAE:
    """The model of a run folder (or of one ``.safetensors`` file), ready to evaluate.

    Raises:
        FileNotFoundError: if there is no ``model.safetensors``.
        ModelFileError: if the file is damaged or does not fit this version.
    """
    path = Path(folder)
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"No trained model at {path}: train first, or choose another run.")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["model"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _refused(path, "is damaged and cannot be read", error) from error
    try:
        model = VAE(ModelConfig.from_dict(about))
        model.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise _refused(path, "does not fit this version of the program", error) from error
    return model.to(device).eval().requires_grad_(False)


def _refused(path: Path, why: str, error: Exception) -> "ModelFileError":
    """A sentence for whoever wanted the model; what the library said goes to the log."""
    log.warning("The model file %s %s: %s", path, why, error)
    return ModelFileError(f"The model file {path} {why}: train it anew, or choose another model.")


class ModelFileError(ValueError):
    """A model file that is damaged or from another version."""
