"""The density of the standard normal noise ε, which every proposal is built on."""

import math

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


def standard_normal_log_prob(value: Tensor) -> Tensor:
    """log N(value; 0, I), summed over the last axis: −½(vᵀv + d log 2π), in nats."""
    return -0.5 * (torch.linalg.vecdot(value, value) + value.shape[-1] * LOG_2PI)
