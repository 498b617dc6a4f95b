"""Flow steps f_t, each an ``nn.Module`` called as ``(z, h) -> (z', log_abs_det)``.

Shapes: z and z' are (n, B, d) for n samples of each of B images; h is (B, F), the encoder's
features, from which every step computes its parameters (amortised); log_abs_det = log |det ∂z'/∂z|
is (n, B), in nats. Every step starts near the identity, so that an untrained flow is close to its
Gaussian base.
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class StepShape:
    """The sizes of a flow step and its place among the others.

    Attributes:
        latent_size: d.
        features: F, the length of h.
        hidden_size: width of the network inside the step, if the step has a network.
        index: t, from 0.
        steps: T.
    """

    latent_size: int
    features: int
    hidden_size: int = 128
    index: int = 0
    steps: int = 1


def _scale_weights(layer: nn.Linear, factor: float) -> None:
    with torch.no_grad():
        layer.weight.mul_(factor)
        if layer.bias is not None:
            layer.bias.mul_(factor)
