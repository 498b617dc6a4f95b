"""The film of a run as an animation: one picture for each epoch, read when it is asked for."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from app.parts.animation import encode
from app.views.train import film
from vae_core.runs.snapshots import snapshot_file


def write(folder: Path, epoch: int, side: int = 8, channels: int = 1) -> None:
    file = snapshot_file(folder, epoch)
    file.parent.mkdir(exist_ok=True)
    counts = {"originals": 12, "reconstructions": 12, "samples": 36}
    level = 10 * epoch
    parts = {
        name: torch.full((count, channels, side, side), level, dtype=torch.uint8)
        for name, count in counts.items()
    }
    save_file(parts, file)


def test_every_epoch_is_a_frame_with_its_number(tmp_path: Path) -> None:
    for epoch in (1, 2, 5):
        write(tmp_path, epoch)
    made = film.animation(tmp_path)
    assert list(made.captions) == ["epoch 1", "epoch 2", "epoch 5"]
    assert [round(255 * float(picture.min())) for picture in made.pictures] == [10, 20, 38]
    assert made.pictures[0].shape == (5 * 9 - 1, 12 * 9 - 1), (
        "12 in a row: 2 rows, and 3 of samples"
    )
    with Image.open(io.BytesIO(encode(made, "GIF"))) as opened:
        assert getattr(opened, "n_frames", 1) == 3


def test_colours_stay_and_frames_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    for epoch in (1, 3):
        write(tmp_path, epoch, channels=3)
    write(tmp_path, 4, side=9, channels=3)
    snapshot_file(tmp_path, 5).write_bytes(b"damaged")
    made = film.animation(tmp_path)
    assert list(made.captions) == ["epoch 1", "epoch 3"]
    assert np.asarray(made.pictures[1]).shape[-1] == 3
