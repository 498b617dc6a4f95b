"""Floating-point precision of matrix products during training.

Weights, gradients and log-probabilities are float32 throughout; ``bfloat16`` rounds the factors of
matrix products, and no figure that is reported is computed with it.
"""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import torch
from torch.backends import mkldnn

from vae_core.model.vae import VAE
from vae_core.settings.choices import PrecisionName

Precision = Literal["float32", "bfloat16"]

_WORTH_CONVERTING = 400  # pixels: a step takes 1.2 times as long for 8×8, ⅔ to ⅞ for 28×28


def resolve_precision(name: PrecisionName, device: torch.device, pixels: int) -> Precision:
    """Resolve ``auto`` for images of so many pixels: bfloat16 where it is faster, else float32.

    bfloat16 is faster on a CUDA GPU, on processors with matrix units (Intel's AMX), and on those
    that only multiply bfloat16 numbers twice as fast (AVX-512 BF16) once the images are not tiny.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        is_faster = torch.cuda.is_bf16_supported()
    else:
        is_faster = device.type == "cpu" and (
            _has_matrix_units() or (pixels >= _WORTH_CONVERTING and _multiplies_bfloat16())
        )
    return "bfloat16" if is_faster else "float32"


def keeps_bfloat16(device: torch.device) -> bool:
    """Whether fully connected layers run faster if they pass bfloat16 on to each other.

    Matrix units round the factors of float32 products themselves, so that conversions cost more
    than they save.
    """
    if device.type == "cpu":
        return _multiplies_bfloat16() and not _has_matrix_units()
    return device.type == "cuda"


def _has_matrix_units() -> bool:
    return torch.cpu._is_amx_tile_supported()


def _multiplies_bfloat16() -> bool:
    return torch.cpu._is_avx512_bf16_supported()


@contextlib.contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Let float32 matrix products on the CPU and on CUDA round their factors inside this context.

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
def training_precision(model: VAE, precision: Precision) -> Iterator[None]:
    """Run matrix products and convolutions of a model in ``bfloat16`` inside this context, if
    chosen.

    Convolutions always gain by keeping bfloat16 between layers.
    """
    context = contextlib.nullcontext
    if precision == "bfloat16" and (model.config.network == "conv" or keeps_bfloat16(model.device)):
        context = partial(torch.autocast, model.device.type, torch.bfloat16)
    with model.networks_within(context), products_in(precision):
        yield


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Treat numbers below 10⁻³⁸ as zero inside this context, in this thread and in those it starts.

    Adam's averages fade through such numbers where gradients have become zero, and a processor
    takes many times longer over each.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
