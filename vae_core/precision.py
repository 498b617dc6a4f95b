"""In what precision a processor or a GPU computes while it trains.

Weights, gradients and log-probabilities are float32 throughout; ``bfloat16`` rounds the factors of
matrix products, and no figure that is reported is computed with it.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch.backends import mkldnn

from vae_core.choices import PrecisionName

Precision = Literal["float32", "bfloat16"]


def resolve_precision(name: PrecisionName, device: torch.device) -> Precision:
    """``auto`` is bfloat16 on a CUDA GPU and on processors with matrix units (Intel's AMX)."""
    if name != "auto":
        return name
    if device.type == "cpu":
        return "bfloat16" if torch.cpu._is_amx_tile_supported() else "float32"
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


@contextlib.contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Float32 matrix products on the CPU and on CUDA may round their factors meanwhile.

    oneDNN takes bfloat16 where the processor has units for it, and float32 elsewhere; CUDA takes
    TF32, which its autocast networks do not need but the layers around them do.
    """
    if precision == "float32":
        yield
        return
    cpu: Any = mkldnn.matmul  # type: ignore[attr-defined]
    cuda = torch.backends.cuda.matmul
    before = cpu.fp32_precision, cuda.fp32_precision
    cpu.fp32_precision, cuda.fp32_precision = "bf16", "tf32"
    try:
        yield
    finally:
        cpu.fp32_precision, cuda.fp32_precision = before


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Numbers below 10⁻³⁸ count as zero meanwhile, in this thread and in those that it starts.

    Adam's averages fade through such numbers where gradients have become zero, and a processor
    takes many times longer over each.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
