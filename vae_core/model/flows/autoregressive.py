"""The inverse autoregressive flow step (Kingma et al. 2016, arXiv 1606.04934)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.model.flows.base import StepShape, _scale_weights


class MaskedLinear(nn.Linear):
    """A linear layer with a mask that sets forbidden weights to zero."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.mask * self.weight, self.bias)


class AutoregressiveNet(nn.Module):
    """MADE (Germain et al. 2015): output i depends on z_j for j < i only, and on h.

    ``forward(z, h)`` returns ``outputs`` tensors of shape (n, B, d).
    """

    def __init__(self, latent_size: int, features: int, hidden_size: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        inputs = torch.arange(latent_size)
        hidden = torch.arange(hidden_size) % max(latent_size - 1, 1)
        self.first = MaskedLinear(hidden[:, None] >= inputs)
        self.context = nn.Linear(features, hidden_size, bias=False)
        self.second = MaskedLinear(hidden[:, None] >= hidden)
        self.last = MaskedLinear((inputs[:, None] > hidden).repeat(outputs, 1))
        self.last_context = nn.Linear(features, outputs * latent_size, bias=False)
        _scale_weights(self.last, 0.1)
        _scale_weights(self.last_context, 0.1)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        hidden = F.relu(self.first(z) + self.context(h))
        hidden = F.relu(self.second(hidden))
        return (self.last(hidden) + self.last_context(h)).chunk(self.outputs, dim=-1)


class InverseAutoregressiveStep(nn.Module):
    """z' = s ⊙ z + (1 − s) ⊙ m, s = sigmoid(·), (m, ·) = MADE(z, h).

    Kingma et al. 2016, eq. 13–14.
    All steps but the last reverse the order of the dimensions of the result, so that the next step
    conditions in the opposite order.
    """

    def __init__(self, shape: StepShape) -> None:
        super().__init__()
        self.net = AutoregressiveNet(
            shape.latent_size, shape.features, shape.hidden_size, outputs=2
        )
        self.reverse = shape.index < shape.steps - 1
        self.gate_bias = math.log(9.0)  # s starts at 0.9: near the identity, as in the paper

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        m, gate = self.net(z, h)
        gate = gate + self.gate_bias
        s = torch.sigmoid(gate)
        z = s * z + (1 - s) * m
        return (z.flip(-1) if self.reverse else z), F.logsigmoid(gate).sum(-1)
