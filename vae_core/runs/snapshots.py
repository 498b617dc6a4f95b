"""Snapshots: reconstructions and samples of a model at some epochs, the film strip of a run."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import check_folder, names_in
from vae_core.basics.tensor_files import TensorFileError, read_header, read_tensors
from vae_core.data.datasets import Dataset
from vae_core.model.vae import VAE
from vae_core.runs.run import SNAPSHOTS_FOLDER

_FRAMES = 40
_FIRST_EPOCHS = 5
_RECONSTRUCTIONS = 12
_SAMPLES = 36
_SEED = 0
_MOST_COUNTED = 10_000  # epochs
_PARTS = ("originals", "reconstructions", "samples")
_MOST_NAMES = 10_000
_LARGEST = 300_000_000  # bytes of the images of a snapshot


@dataclass(frozen=True)
class Snapshot:
    """Images at one epoch, each uint8 (N, C, H, W)."""

    epoch: int
    originals: Tensor
    reconstructions: Tensor
    samples: Tensor


def due(epoch: int, epochs: int) -> bool:
    """Whether to take a snapshot at this epoch: at the first few, the last, and about 40 others."""
    return epoch <= _FIRST_EPOCHS or epoch == epochs or epoch % math.ceil(epochs / _FRAMES) == 0


def bytes_of_snapshots(epochs: int, pixels: int) -> int:
    """Bytes of all snapshots of a run, apart from the heads of their files."""
    frames = sum(due(epoch, epochs) for epoch in range(1, min(epochs, _MOST_COUNTED) + 1))
    return frames * (2 * _RECONSTRUCTIONS + _SAMPLES) * pixels


def snapshot_file(folder: Path, epoch: int) -> Path:
    """Path of the snapshot of an epoch in a run folder."""
    return folder / SNAPSHOTS_FOLDER / f"epoch-{epoch:06d}.safetensors"


@torch.no_grad()
def write_snapshot(folder: Path, model: VAE, data: Dataset, epoch: int) -> None:
    """Save reconstructions of validation images at E[z|x], and samples from the prior.

    The images and the noise are the same at every epoch.
    """
    training = model.training
    model.eval()
    originals, labels = (part[:_RECONSTRUCTIONS] for part in data.split("validation"))
    own = model.given(labels) if model.config.is_conditional else model
    generator = torch.Generator(model.device).manual_seed(_SEED)
    mean, _ = own.posterior(originals.to(model.device).float() / 255).moments(64, generator)
    images = {
        "originals": originals,
        "reconstructions": _as_bytes(own.mean_image(mean)),
        "samples": _as_bytes(model.sample(_SAMPLES, generator)),
    }
    content = save({name: image.cpu().contiguous() for name, image in images.items()})
    check_folder(folder / SNAPSHOTS_FOLDER)
    (folder / SNAPSHOTS_FOLDER).mkdir(exist_ok=True)  # copying and zipping may drop empty folders
    replace_plain(snapshot_file(folder, epoch), content)
    model.train(training)


def read_snapshot(folder: Path, epoch: int) -> Snapshot:
    """Read the snapshot of an epoch.

    Raises:
        FileNotFoundError: if that epoch has no snapshot.
        NotAPlainFile: if the snapshot or its folder is a link, or no file.
        TensorFileError: if the snapshot is damaged.
    """
    check_folder(folder / SNAPSHOTS_FOLDER)
    path = snapshot_file(folder, epoch)
    header = read_header(path)
    shapes = [header.shapes.get(name, ()) for name in _PARTS]
    fit = all(len(shape) == 4 and shape[0] for shape in shapes) and shapes[0] == shapes[1]
    if not fit or set(header.types.values()) != {"U8"} or len(header.shapes) != len(_PARTS):
        raise TensorFileError("it does not hold the images of a snapshot")
    return Snapshot(epoch, **read_tensors(path, _LARGEST)[0])


def snapshot_epochs(folder: Path) -> list[int]:
    """List the epochs that have a snapshot, in order."""
    names = names_in(folder / SNAPSHOTS_FOLDER, _MOST_NAMES)
    found = (re.fullmatch(r"epoch-(\d{6})\.safetensors", name) for name in names)
    return sorted(epoch for match in found if match and (epoch := int(match[1])))


def _as_bytes(image: Tensor) -> Tensor:
    return (image * 255).round().to(torch.uint8)
