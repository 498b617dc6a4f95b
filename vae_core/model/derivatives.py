"""The derivatives of a decoder's outputs with respect to all latents, in forward mode.

They are pushed through the layers beside the values. PyTorch's own forward mode cannot be used by
two threads at once. Finite differences would magnify rounding, so that an image's fit would depend
on the images beside it.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Step = nn.Module | Callable[[Tensor], Tensor]
"""A layer, or a function that only moves values to other places, such as a change of shape."""


def with_jacobian(steps: Iterable[Step], z: Tensor) -> tuple[Tensor, Tensor]:
    """Apply steps to latents z (N, d), and differentiate.

    Returns:
        The values, (N, …), and their derivatives by each latent, (N, d, …).
    """
    count, size = z.shape
    identity = torch.eye(size, dtype=z.dtype, device=z.device).repeat(count, 1)
    values, tangents = all_pushed(steps, z, identity)
    return values, tangents.unflatten(0, (count, size))


def all_pushed(steps: Iterable[Step], x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """Apply steps one after the other, as :func:`pushed` does."""
    for step in steps:
        x, tangents = pushed(step, x, tangents)
    return x, tangents


def pushed(step: Step, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """Apply a step to values x (N, …), and its derivative to tangents (N·d, …)."""
    if isinstance(step, nn.Sequential):
        return all_pushed(step, x, tangents)
    if isinstance(step, Pushing):
        return step.push(x, tangents)
    kind = type(step)
    if kind in _LINEAR:
        return step(x), _LINEAR[kind](step, tangents)
    if kind in _SLOPES:
        slope = _SLOPES[kind](x)[:, None]
        return step(x), (tangents.unflatten(0, (len(x), -1)) * slope).flatten(0, 1)
    if isinstance(step, nn.Module):
        raise TypeError(f"No derivative is known for {kind.__name__}.")
    return step(x), step(tangents)


class Pushing(nn.Module):
    """A layer that brings its own derivative."""

    def push(self, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """See :func:`pushed`."""
        raise NotImplementedError


def _silu_slope(x: Tensor) -> Tensor:
    share = x.sigmoid()
    return share * (1 + x * (1 - share))


_LINEAR: Mapping[type, Callable[..., Tensor]] = {
    nn.Linear: lambda layer, t: F.linear(t, layer.weight),
    nn.Conv2d: lambda layer, t: F.conv2d(
        t, layer.weight, stride=layer.stride, padding=layer.padding
    ),
    nn.ConvTranspose2d: lambda layer, t: F.conv_transpose2d(
        t, layer.weight, stride=layer.stride, padding=layer.padding
    ),
}
_SLOPES: Mapping[type, Callable[[Tensor], Tensor]] = {
    nn.ReLU: lambda x: (x > 0).to(x.dtype),
    nn.SiLU: _silu_slope,
}
