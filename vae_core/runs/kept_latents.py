"""The latents of test images that a published model brings along (``latents.npz``).

With them the map of the latent space is drawn at once, without an encoder's pass over the images.
"""

import io
import math
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from vae_core.analysis.latent import Dimensions, dimensions, encode
from vae_core.analysis.neighbours import posterior_means
from vae_core.basics.arrays import Floats
from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import NotAPlainFile, read_plain
from vae_core.basics.tensor_files import TensorFileError
from vae_core.model.vae import VAE
from vae_core.runs.records import model_digest
from vae_core.runs.run import LATENTS_FILE, Run

_MOST_BYTES = 64_000_000
_DRAWS = 32  # of a flow, from each posterior, for the figures of the dimensions
_ARRAYS = ("mean", "label", "kl", "spread", "model")
_DAMAGED = (
    OSError, ValueError, LookupError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
    TensorFileError, NotAPlainFile,
)  # fmt: skip


@dataclass(frozen=True)
class KeptLatents:
    """Latents of the first N test images.

    Attributes:
        mean: E[z|x], (N, d), rounded to hundredths.
        labels: classes of the images, (N,); −1 without one.
        dimensions: KL and spread of each latent dimension over these images.
    """

    mean: Floats
    labels: NDArray[np.intp]
    dimensions: Dimensions


def write_latents(run: Run, model: VAE, x: Tensor, labels: Tensor) -> None:
    """Keep the latents of test images x (N, C, H, W) with labels (N,) in the run's folder."""
    found, out = dimensions(encode(model, x, draws=_DRAWS)), io.BytesIO()
    np.savez_compressed(
        out,
        mean=posterior_means(model, x).double().numpy().round(2).astype(np.float16),
        label=labels.numpy().astype(np.int16),
        kl=found.kl.astype(np.float32),
        spread=found.spread.astype(np.float32),
        model=np.array(model_digest(run.folder)),
    )
    replace_plain(run.folder / LATENTS_FILE, out.getvalue())


def latents_of(run: Run) -> KeptLatents | None:
    """Read the kept latents; None if there are none, or if they are not of the run's weights.

    A file that is damaged counts as none: everything in it can be computed again.
    """
    try:
        content = io.BytesIO(read_plain(run.folder / LATENTS_FILE, _MOST_BYTES))
        with zipfile.ZipFile(content) as file:
            if sum(each.file_size for each in file.infolist()) > _MOST_BYTES:
                return None
            arrays = {name: _array(file.read(f"{name}.npy")) for name in _ARRAYS}
        if str(arrays["model"]) != model_digest(run.folder):
            return None
    except _DAMAGED:
        return None
    d, means = run.config.model.latent_size, arrays["mean"]
    numbers = [arrays[name] for name in ("mean", "kl", "spread")]
    shapes = [(len(means), d) if means.ndim else (), (d,), (d,)]
    if (
        [each.shape for each in numbers] != shapes
        or any(each.dtype.kind != "f" or not np.isfinite(each).all() for each in numbers)
        or arrays["label"].shape != means.shape[:1]
        or arrays["label"].dtype.kind not in "iu"
    ):
        return None
    labels = arrays["label"].astype(np.intp)
    labels[labels >= len(run.config.info.classes)] = -1
    figures = Dimensions(arrays["kl"].astype(np.float64), arrays["spread"].astype(np.float64))
    return KeptLatents(means.astype(np.float64), labels, figures)


def _array(content: bytes) -> NDArray[Any]:
    """Read a ``.npy`` file. NumPy's own function makes room for whatever size its header states."""
    file = io.BytesIO(content)
    npy.read_magic(file)
    shape, is_fortran, dtype = npy.read_array_header_1_0(file)
    values = file.read()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(values):
        raise ValueError("its header does not fit its content")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if is_fortran else "C")
