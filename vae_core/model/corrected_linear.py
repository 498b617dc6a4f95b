"""Linear maps that convolutions correct; they start as probabilistic PCA of the training images.

A network that starts from random weights spends thousands of steps on what the principal components
know at once. Here the encoder offers their codes beside its features, and the decoder adds its
correction to their reconstruction.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.model.networks import ConvDecoder, ConvEncoder, Decoder
from vae_core.model.principal import PrincipalComponents
from vae_core.settings.config import ModelConfig

_SLOWER = 0.1  # how fast Adam moves these weights, beside others: they start near their best


class SlowLinear(nn.Module):
    """A linear map with the weights ``_SLOWER · stored``, which Adam moves slowly."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stored = nn.Parameter(torch.randn(outputs, inputs) / (inputs**0.5 * _SLOWER))
        self.bias = nn.Parameter(torch.zeros(outputs))

    @property
    def weight(self) -> Tensor:
        """The weights, (outputs, inputs)."""
        return _SLOWER * self.stored

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def set(self, weight: Tensor, bias: Tensor) -> None:
        """Set the weights (outputs, inputs) and the bias (outputs)."""
        with torch.no_grad():
            self.stored.copy_(weight / _SLOWER)
            self.bias.copy_(bias)


class CorrectedLinearEncoder(nn.Module):
    """Features of a convolutional encoder, and d codes that are linear in the pixels."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.linear = SlowLinear(config.pixels, config.latent_size)
        self.correction = ConvEncoder(config.image_shape, config.channels)
        self.features = self.correction.features + config.latent_size

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, F)
        return torch.cat([self.correction(x), self.linear(x.flatten(1))], 1)

    @property
    def codes(self) -> slice:
        """Where the linear codes are among the features."""
        return slice(self.correction.features, self.features)

    def start_from(self, components: PrincipalComponents) -> None:
        """Make the codes the posterior means of probabilistic PCA."""
        to_codes = components.to_codes()
        self.linear.set(to_codes, -to_codes @ components.mean.flatten())


class CorrectedLinearDecoder(Decoder):
    """A linear map to the location of each pixel, plus a convolutional decoder's outputs.

    Args:
        parameters: P, the outputs for each pixel.
        location: which of them say where the pixel's distribution lies.
    """

    def __init__(self, config: ModelConfig, parameters: int, location: slice) -> None:
        super().__init__()
        colours, height, width = config.image_shape
        planes = (parameters * colours, height, width)
        self.linear = SlowLinear(config.latent_size, config.pixels)
        self.correction = ConvDecoder(config.latent_size, planes, config.channels)
        self.row_floats = self.correction.row_floats + parameters * config.pixels
        self.parameters_per_pixel, self.location = parameters, location

    def forward(self, z: Tensor) -> Tensor:
        return self.correction(z) + self._as_outputs(self.linear(z))

    def with_jacobian(self, z: Tensor) -> tuple[Tensor, Tensor]:
        outputs, columns = self.correction.with_jacobian(z)
        moves = self._as_outputs(self.linear.weight.mT)
        return outputs + self._as_outputs(self.linear(z)), columns + moves

    def set_output_bias(self, outputs: Tensor) -> None:
        """Start from the given outputs for every latent, (P·C, H, W)."""
        self.correction.set_output_bias(outputs)

    def start_from(
        self, components: PrincipalComponents, location_change: Callable[[Tensor], Tensor]
    ) -> None:
        """Make the decoder that of probabilistic PCA: the correction starts at nothing.

        Args:
            location_change: what directions of the expected pixels, (d, C, H, W), are as changes of
                the pixels' locations.
        """
        directions = location_change(components.from_codes()).flatten(1).mT
        self.linear.set(directions, torch.zeros_like(directions[:, 0]))
        with torch.no_grad():
            for parameter in self.correction.logits.parameters():
                parameter.zero_()

    def _as_outputs(self, moves: Tensor) -> Tensor:
        """Changes of the locations, (…, D), as changes of all outputs, (…, P·D)."""
        first, last, _ = self.location.indices(self.parameters_per_pixel)
        repeated = moves[..., None, :].expand(*moves.shape[:-1], last - first, -1)
        padding = (0, 0, first, self.parameters_per_pixel - last)
        return F.pad(repeated, padding).flatten(-2)
