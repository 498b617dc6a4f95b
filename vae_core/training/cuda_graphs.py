"""CUDA graphs: record a training step once and replay it.

On a GPU the speed of a small model is limited by kernel launches, which a replay avoids."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Recorder = Callable[[Callable[[], None]], Callable[[], None]]
_EAGER_STEPS = 3  # before the recording: libraries choose their kernels, optimisers make room


class Replayed:
    """A training step that is replayed from a recording, called as ``step(chosen, rate,
    kl_weight)``.

    The first steps, and those with a smaller last batch, are not replayed.

    Args:
        step: takes the indices of the images, the learning rate and the weight of the KL. Whatever
            else it reads and writes must stay at the same memory address.
        record: returns a function that repeats the given one in the same memory.
    """

    def __init__(self, step: Callable[[Tensor, Any, Any], None], record: Recorder) -> None:
        self.step, self.record = step, record
        self.made = 0
        self.replay: Callable[[], None] | None = None
        self.inputs: tuple[Tensor, Tensor, Tensor] | None = None

    def __call__(self, chosen: Tensor, rate: float, kl_weight: float) -> None:
        """Make one step, of B images for indices of shape (B,)."""
        if self.inputs is None or self.made < _EAGER_STEPS:
            self.step(chosen, rate, kl_weight)
            self.made += 1
            if self.inputs is None:
                empty = chosen.new_zeros((), dtype=torch.float32)
                self.inputs = (chosen.clone(), empty, empty.clone())
            return
        if chosen.shape != self.inputs[0].shape:
            self.step(chosen, rate, kl_weight)
            return
        own_chosen, own_rate, own_weight = self.inputs
        own_chosen.copy_(chosen)
        own_rate.fill_(rate)
        own_weight.fill_(kl_weight)
        if self.replay is None:
            self.replay = self._recorded(lambda: self.step(own_chosen, own_rate, own_weight))
        self.replay()

    def _recorded(self, step: Callable[[], None]) -> Callable[[], None]:
        """Record the step. Returns the step itself if it contains an operation that cannot be
        recorded."""
        try:
            return self.record(step)
        except RuntimeError as error:
            log.warning("Steps are made one by one, since they cannot be recorded: %s", error)
            return step


def cuda_graphs(generator: torch.Generator) -> Recorder:
    """Record CUDA graphs. Each replay draws new noise from ``generator``."""

    def record(step: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            step()
        return graph.replay

    return record
