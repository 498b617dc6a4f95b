"""A training step recorded once and replayed: on a GPU, a small model is bound by its launches."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Recorder = Callable[[Callable[[], None]], Callable[[], None]]
_EAGER_STEPS = 3  # before the recording: libraries choose their kernels, optimisers make room


class Replayed:
    """A step of training as ``step(chosen, rate, kl_weight)``, from a recording of it.

    The first steps, and those of a last batch that is smaller, are made as they are.

    Args:
        step: takes the indices of the images, the learning rate and the weight of the KL, and
            reads and writes nothing else that is not in the same place every time.
        record: makes a function that does again, in the same memory, what the given one does.
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
        """The step itself where it holds an operation that cannot be recorded."""
        try:
            return self.record(step)
        except RuntimeError as error:
            log.warning("Steps are made one by one, since they cannot be recorded: %s", error)
            return step


def cuda_graphs(generator: torch.Generator) -> Recorder:
    """Records CUDA graphs, whose noise goes on with ``generator`` at each replay."""

    def record(step: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            step()
        return graph.replay

    return record
