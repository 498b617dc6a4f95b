"""Adam with gradient clipping, as few large operations and without waiting for the device."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.adam import adam

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # of Kingma & Ba 2015
_FADED, _LOOKED_FOR_EVERY = 1e-30, 100  # steps; to fade from there to 10⁻³⁸ takes 175


class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980) over a fixed list of parameters.

    ``torch.optim.Adam`` sorts its parameters anew at every step, which for the small tensors of a
    flow takes longer than the step; this keeps them sorted and calls the same kernel.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = [each for each in parameters if each.requires_grad]
        self.means = [torch.zeros_like(each) for each in self.parameters]
        self.squares = [torch.zeros_like(each) for each in self.parameters]
        self.steps = [torch.zeros((), device=each.device) for each in self.parameters]
        self.fused = bool(self.parameters) and self.parameters[0].device.type != "mps"

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor, longest: float = 0.0) -> None:
        """Make one step along the gradients, then drop them. A missing gradient counts as zero.

        Args:
            longest: the largest norm over all parameters; longer gradients are shortened to it. 0
                switches this off.
        """
        gradients = [
            torch.zeros_like(each) if each.grad is None else each.grad for each in self.parameters
        ]
        excess = _clip_factor(gradients, longest) if longest else None
        if excess is not None and not self.fused:
            for each in gradients:
                each.div_(excess)
        adam(
            list[Tensor](self.parameters),
            gradients,
            self.means,
            self.squares,
            [],
            self.steps,
            fused=self.fused,
            grad_scale=excess if self.fused else None,
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=learning_rate,
            weight_decay=0.0,
            eps=_EPSILON,
            maximize=False,
        )
        for each in self.parameters:
            each.grad = None
        if self.parameters[0].device.type == "cpu" and int(self.steps[0]) % _LOOKED_FOR_EVERY == 0:
            self._drop_faded()

    def _drop_faded(self) -> None:
        """Set averages to zero that have become negligible.

        Where gradients are zero, averages fade through denormal numbers, which a processor handles
        30 times more slowly. Next to epsilon they are negligible long before."""
        for each in (*self.means, *self.squares):
            each.masked_fill_(each.abs() < _FADED, 0.0)

    def state_dict(self) -> dict[str, Any]:
        """The averages and the step count, as tensors only."""
        return {"means": self.means, "squares": self.squares, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state_dict` of the same parameters."""
        for name, own in self.state_dict().items():
            for mine, given in zip(own, state[name], strict=True):
                mine.copy_(given)


def _clip_factor(gradients: list[Tensor], longest: float) -> Tensor | None:
    """Factor to divide the gradients by so that their norm is at most ``longest``.

    None if no clipping is needed. That is known on the CPU only: on a GPU the check would wait
    for the device."""
    if gradients[0].device.type != "cpu":
        return (get_total_norm(gradients) / longest).clamp_min(1.0)
    # A processor takes half as long for a dot product as for a norm
    flat = (each.flatten() for each in gradients)
    norm = math.sqrt(sum(float(each.dot(each)) for each in flat))
    return None if norm <= longest else torch.tensor(norm / longest)
