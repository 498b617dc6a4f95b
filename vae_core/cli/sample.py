"""``sample``: draw images from a model and write them as one picture."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_core.basics.errors import InvalidArgument
from vae_core.cli.shared import (
    ALL_DONE,
    MAX_SAMPLED_IMAGES,
    a_path,
    a_seed,
    add_weights,
    an_image_count,
    open_model,
    say,
)

if TYPE_CHECKING:
    from torch import Tensor

_TILE = 56  # smaller images are enlarged to about this many pixels

# ---- sample


def add_sample(commands: Any) -> None:
    parser = commands.add_parser("sample", help="draw images from the model")
    parser.add_argument(
        "run", type=a_path, metavar="DIR", help="folder or id of the run, or pretrained/NAME"
    )
    parser.add_argument(
        "--count",
        type=an_image_count,
        default=64,
        help=f"number of images, up to {MAX_SAMPLED_IMAGES:,} (default 64)",
    )
    parser.add_argument("--out", type=a_path, required=True, help="the picture to write")
    parser.add_argument(
        "--seed", type=a_seed, default=0, help="the same seed draws the same images"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    add_weights(parser)
    parser.set_defaults(command=sample)


def sample(given: argparse.Namespace) -> int:
    """Write one picture of ``--count`` images E[x|z], z drawn from the prior."""
    _, model = open_model(given)
    import torch

    check_picture(given.out)
    images = model.sample(given.count, torch.Generator(model.device).manual_seed(given.seed))
    write_tiles(images.cpu(), given.out)
    say(f"{given.count} images in {given.out}")
    return ALL_DONE


def write_tiles(images: "Tensor", path: Path) -> None:
    """Write images side by side into one picture, in a grid that is as square as possible.

    Args:
        images: float in [0, 1], shape (N, C, H, W), with C = 1 or 3.
        path: the picture; the ending (for example .png) decides the format.

    Raises:
        InvalidArgument: if no image format has this ending.
        OSError: if the file cannot be written.
    """
    import torch
    from PIL import Image

    check_picture(path)
    count, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    scale = max(1, _TILE // max(height, width))
    grid = torch.zeros(rows, columns, channels, height * scale + 1, width * scale + 1)
    large = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    grid.flatten(0, 1)[:count, :, 1:, 1:] = large
    whole = grid.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    pixels = (whole * 255).round().to(torch.uint8).numpy()
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)


def check_picture(path: Path) -> None:
    """Check that the ending of a file name belongs to an image format that can be written.

    Raises:
        InvalidArgument: otherwise.
    """
    from PIL import Image

    known = Image.registered_extensions()
    if known.get(path.suffix.lower()) not in Image.SAVE:
        raise InvalidArgument(
            f"{path.name!r} has no ending of an image format: use .png, .jpg, .webp, .bmp, .tiff "
            "or .gif."
        )
