"""The latents that a published model brings along: what is read, and what is refused."""

import io
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from vae_core.analysis.latent import dimensions, encode
from vae_core.basics.paths import pretrained_folder
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.runs.checkpoint import load_model
from vae_core.runs.kept_latents import latents_of, write_latents
from vae_core.runs.run import Run

MODEL = "digits-mean-field-d16"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / MODEL
    shutil.copytree(pretrained_folder() / MODEL, folder)
    return Run.open(folder)


def changed(run: Run, **arrays: Any) -> None:
    path = run.folder / "latents.npz"
    with np.load(path) as file:
        kept = dict(file)
    np.savez_compressed(path, **{**kept, **arrays})


def test_what_is_written_is_read(run: Run, digits: Dataset) -> None:
    model = load_model(run.folder)
    x, labels = evaluation_images(digits, "test", "dynamic", 0)
    write_latents(run, model, x, labels)
    kept, encoded = latents_of(run), encode(model, x)
    assert kept is not None
    assert np.abs(kept.mean - encoded.mean.numpy()).max() < 0.01
    assert (kept.labels == labels.numpy()).all()
    np.testing.assert_allclose(kept.dimensions.kl, dimensions(encoded).kl, rtol=1e-5)
    np.testing.assert_allclose(kept.dimensions.spread, dimensions(encoded).spread, rtol=1e-5)


def test_latents_of_other_weights_are_not_taken(run: Run) -> None:
    assert latents_of(run) is not None
    changed(run, model=np.array("0" * 16))
    assert latents_of(run) is None


@pytest.mark.parametrize(
    "arrays",
    [
        {"mean": np.zeros((300, 15), np.float16)},
        {"mean": np.full((300, 16), np.nan, np.float16)},
        {"mean": np.zeros((300, 16), "U3")},
        {"mean": np.array(3.0)},
        {"mean": np.array([{}], object)},
        {"kl": np.zeros(15, np.float32)},
        {"spread": np.full(16, np.inf, np.float32)},
        {"label": np.zeros(299, np.uint8)},
        {"label": np.zeros(300, np.float32)},
    ],
)
def test_a_damaged_file_counts_as_none(run: Run, arrays: dict[str, Any]) -> None:
    changed(run, **arrays)
    assert latents_of(run) is None


def test_a_file_that_is_no_archive_counts_as_none(run: Run, tmp_path: Path) -> None:
    path = run.folder / "latents.npz"
    path.write_bytes(b"PK\x03\x04 no archive")
    assert latents_of(run) is None
    path.unlink()
    path.symlink_to(tmp_path)
    assert latents_of(run) is None
    path.unlink()
    assert latents_of(run) is None


def test_a_header_that_states_gigabytes_counts_as_damage(run: Run) -> None:
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**11, 16)}
    with zipfile.ZipFile(run.folder / "latents.npz", "w") as file:
        content = io.BytesIO()
        npy.write_array_header_1_0(content, header)
        file.writestr("mean.npy", content.getvalue())
    assert latents_of(run) is None


def test_a_label_of_no_class_counts_as_none(run: Run) -> None:
    labels = np.zeros(300, np.uint8)
    labels[7] = 200
    changed(run, label=labels)
    kept = latents_of(run)
    assert kept is not None
    assert kept.labels[7] == -1
    assert kept.labels.max() == 0


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(run: Run) -> None:
    archive = zipfile.ZipFile(run.folder / "latents.npz", "w", zipfile.ZIP_DEFLATED)
    with archive as file, file.open("mean.npy", "w", force_zip64=True) as member:
        for _ in range(200):
            member.write(bytes(1_000_000))
    start = time.process_time()
    assert latents_of(run) is None
    assert time.process_time() - start < 1
