"""Batched products of small matrices with vectors."""

import torch
from torch import Tensor


def times(matrix: Tensor, x: Tensor) -> Tensor:
    """Multiply the matrix of each image, (B, i, j), by n vectors each, (n, B, j): (n, B, i)."""
    if len(x) == 1:  # many small products of a matrix and a vector are slower than one sum
        return (matrix * x[0, :, None, :]).sum(-1)[None]
    return torch.einsum("bij,nbj->nbi", matrix, x)
