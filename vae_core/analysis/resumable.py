"""Resumable estimates of log p(x): finished images are saved, so a long estimate can continue."""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.basics.files import replace_plain
from vae_core.basics.tensor_files import read_tensors
from vae_core.inference.classes import marginal_density
from vae_core.inference.importance import LogDensity
from vae_core.inference.proposals import ESTIMATES, SETTINGS
from vae_core.model.vae import VAE
from vae_core.settings.choices import ProposalName

_AT_ONCE = 20
_LARGEST = 500_000_000  # bytes of the figures
_NAMES = [field.name for field in fields(LogDensity)]


def kept_log_density(
    model: VAE,
    x: Tensor,
    n: int,
    seed: int,
    kept: Path,
    on_progress: Callable[[float], None] | None = None,
    proposal: ProposalName = "encoder",
) -> LogDensity:
    """Estimate log p(x) as :func:`vae_core.inference.importance.log_density`, but resumable.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        kept: the file with the results of finished images. It is replaced if it belongs to another
            model, other images, another K or seed, or other proposals. Images may be added or
            removed at the end of ``x``.
        proposal: the proposal, a key of :data:`vae_core.inference.proposals.ESTIMATES`.

    Raises:
        InvalidArgument: as :func:`vae_core.inference.importance.log_density` does.
    """
    key = f"{_weights_of(model)} K={n} seed={seed}"
    if proposal != "encoder":
        key += f" {SETTINGS}"
    names = torch.tensor([zlib.crc32(_content(image)) for image in x])
    figures = _read(kept, key, names)
    while (done := figures.shape[1]) < len(x):
        block = x[done : done + _AT_ONCE]
        found = marginal_density(model, block, n, seed, estimate=ESTIMATES[proposal])
        new = torch.stack([getattr(found, name) for name in _NAMES])
        figures = torch.cat([figures, new], 1)
        tensors = {"figures": figures, "images": names[: figures.shape[1]].contiguous()}
        replace_plain(kept, save(tensors, {"key": key}))
        if on_progress is not None:
            on_progress(figures.shape[1] / len(x))
    return LogDensity(*figures[:, : len(x)])


def _read(kept: Path, key: str, names: Tensor) -> Tensor:
    """Read the figures of the finished images, (figures, images); empty if the file is another."""
    nothing = torch.empty(len(_NAMES), 0, dtype=torch.float64)
    try:
        tensors, metadata = read_tensors(kept, _LARGEST)
        figures, images, found = tensors["figures"], tensors["images"], metadata["key"]
    except (OSError, KeyError, ValueError):
        return nothing
    both = min(len(images), len(names))
    fits = found == key and len(figures) == len(_NAMES)
    return figures if fits and torch.equal(images[:both], names[:both]) else nothing


def _weights_of(model: VAE) -> str:
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(_content(tensor))
    return digest.hexdigest()[:16]


def _content(tensor: Tensor) -> bytes:
    return tensor.cpu().contiguous().numpy().tobytes()
