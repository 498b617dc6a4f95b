"""Encoders and decoders: fully connected, residual convolutional for any image size, and linear.

An encoder maps images (B, C, H, W) to features (B, F). A decoder maps latents (N, d) to the outputs
for all pixels (N, P·D), D = C·H·W, with P numbers for each pixel, parameter by parameter. The
likelihood interprets the outputs; for the Bernoulli they are logits. ``row_floats`` is the number
of activations that the decoder stores at the same time for one latent.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.model.derivatives import Pushing, Step, all_pushed, with_jacobian
from vae_core.settings.config import ModelConfig
from vae_core.settings.data_sets import ImageShape

_SMALLEST_SIDE = 7
_CLASS_UNITS = 256
_SILU = nn.SiLU()


def build_class_head(config: ModelConfig) -> nn.Sequential | None:
    """Build the net from latents (…, d) to logits of p(y|z), (…, classes); None without classes."""
    if config.class_head == "none":
        return None
    hidden = [_CLASS_UNITS] if config.class_head == "mlp" else []
    sizes = [config.latent_size, *hidden]
    return nn.Sequential(*_hidden_stack(sizes), nn.Linear(sizes[-1], config.classes))


def _hidden_stack(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [_xavier(nn.Linear(fan_in, fan_out)), nn.ReLU()]
    return nn.Sequential(*layers)


def _xavier(layer: nn.Linear) -> nn.Linear:
    """Initialise a layer better than PyTorch's default: 4 nats after 20 epochs of MNIST."""
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class MLPEncoder(nn.Module):
    """Fully connected encoder from D pixels to features, with ReLU layers of sizes ``hidden``."""

    def __init__(self, pixels: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.features = hidden[-1]
        self.body = _hidden_stack([pixels, *hidden])

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, F)
        return self.body(x.flatten(1))


class Decoder(nn.Module):
    """Map from latents (N, d) to the outputs for all pixels, (N, P·D).

    Attributes:
        row_floats: number of activations that are stored at the same time for one latent.
    """

    row_floats: int

    def steps(self) -> Iterator[Step]:
        """Yield the layers, and functions that change shapes, from latents to outputs."""
        raise NotImplementedError

    def forward(self, z: Tensor) -> Tensor:
        for step in self.steps():
            z = step(z)
        return z

    def with_jacobian(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Decode, and differentiate by each latent: (N, P·D) and (N, d, P·D)."""
        return with_jacobian(self.steps(), z)

    def set_output_bias(self, outputs: Tensor) -> None:
        """Start from the given outputs for every latent, (P·C, H, W)."""
        raise NotImplementedError


class MLPDecoder(Decoder):
    """Fully connected decoder from latents to the outputs for all pixels."""

    def __init__(self, latent_size: int, hidden: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.body = _hidden_stack([latent_size, *hidden])
        self.logits = _xavier(nn.Linear(hidden[-1], outputs))
        self.row_floats = sum(hidden) + outputs

    def steps(self) -> Iterator[Step]:
        yield from (self.body, self.logits)

    def set_output_bias(self, outputs: Tensor) -> None:
        """Start from the given outputs for every latent, (P·C, H, W)."""
        with torch.no_grad():
            self.logits.bias.copy_(outputs.flatten())


class LinearEncoder(nn.Module):
    """Encoder that returns the pixels as features, because the map from features to q is linear."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.features = pixels

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, D)
        return x.flatten(1)


class LinearDecoder(Decoder):
    """l = Wz + b; with the Gaussian likelihood, probabilistic PCA (Tipping & Bishop 1999)."""

    def __init__(self, latent_size: int, outputs: int) -> None:
        super().__init__()
        self.linear = _xavier(nn.Linear(latent_size, outputs))
        self.row_floats = outputs

    def steps(self) -> Iterator[Step]:
        yield self.linear

    def set_output_bias(self, outputs: Tensor) -> None:
        """Start from the given outputs for every latent, (P·C, H, W)."""
        with torch.no_grad():
            self.linear.bias.copy_(outputs.flatten())


class ResidualBlock(Pushing):
    """x + g · conv(silu(conv(silu(x)))); g starts at zero, so a new block is the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gain * self.second(F.silu(self.first(F.silu(x))))

    def push(self, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        change, along = all_pushed((_SILU, self.first, _SILU, self.second), x, tangents)
        return x + self.gain * change, tangents + self.gain * along


def _pyramid(height: int, width: int) -> list[tuple[int, int]]:
    """List image sizes from full resolution down, halved (rounded up) until one side is small."""
    sizes = [(height, width)]
    while min(sizes[-1]) > _SMALLEST_SIDE:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


class ConvEncoder(nn.Module):
    """Residual convolutional encoder for any image size; channels double at each halving."""

    def __init__(self, image_shape: ImageShape, channels: int, features: int = 256) -> None:
        super().__init__()
        colours, height, width = image_shape
        sizes = _pyramid(height, width)
        layers: list[nn.Module] = [nn.Conv2d(colours, channels, 3, padding=1)]
        for _ in sizes[1:]:
            layers += [nn.SiLU(), nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)]
            channels *= 2
            layers.append(ResidualBlock(channels))
        self.body = nn.Sequential(*layers)
        self.to_features = nn.Linear(channels * sizes[-1][0] * sizes[-1][1], features)
        self.features = features
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, F)
        h = F.silu(self.body(2 * x - 1)).flatten(1)
        return F.silu(self.to_features(h))


@dataclass(frozen=True)
class _Crop:
    """Keep the first rows and columns of a map."""

    rows: int
    columns: int

    def __call__(self, h: Tensor) -> Tensor:
        return h[..., : self.rows, : self.columns]


class ConvDecoder(Decoder):
    """Mirror of the encoder: latents become a small map, which doubles up to the image size."""

    def __init__(self, latent_size: int, output_shape: ImageShape, channels: int) -> None:
        super().__init__()
        planes, height, width = output_shape
        self.sizes = _pyramid(height, width)[::-1]
        channels *= 2 ** (len(self.sizes) - 1)
        self.from_latent = nn.Linear(latent_size, channels * self.sizes[0][0] * self.sizes[0][1])
        self.row_floats = 2 * planes * height * width
        stages = []
        for rows, columns in self.sizes[1:]:
            stages.append(
                nn.Sequential(
                    ResidualBlock(channels),
                    nn.SiLU(),
                    nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1),
                )
            )
            channels //= 2
            self.row_floats = max(
                self.row_floats, 2 * channels * rows * columns
            )  # input and output
        self.stages = nn.ModuleList(stages)
        self.logits = nn.Conv2d(channels, planes, 3, padding=1)
        self.pixel_bias = nn.Parameter(torch.zeros(output_shape))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def steps(self) -> Iterator[Step]:
        yield self.from_latent
        yield lambda h: h.unflatten(1, (-1, *self.sizes[0]))
        for stage, (rows, columns) in zip(self.stages, self.sizes[1:], strict=True):
            yield stage
            yield _Crop(rows, columns)  # an odd side was rounded up on the way down
        yield from (_SILU, self.logits)
        yield lambda h: h.flatten(1)

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z) + self.pixel_bias.flatten()

    def with_jacobian(self, z: Tensor) -> tuple[Tensor, Tensor]:
        outputs, columns = super().with_jacobian(z)
        return outputs + self.pixel_bias.flatten(), columns

    def set_output_bias(self, outputs: Tensor) -> None:
        """Start from the given outputs for every latent, (P·C, H, W)."""
        with torch.no_grad():
            self.pixel_bias.copy_(outputs)
