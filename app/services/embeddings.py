"""Maps of posterior means by t-SNE or UMAP: long work that is done once for a checkpoint.

A finished map is also kept as a file in the folder of downloads, for the time after a restart.
"""

import hashlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.services.latent import SEED, View, cloud
from app.services.work import Task
from vae_core.analysis import tsne, umap
from vae_core.analysis.tsne import Embedding
from vae_core.basics.arrays import Floats
from vae_core.basics.files import replace_plain
from vae_core.basics.paths import cache_folder
from vae_core.basics.plain_files import names_in, read_plain

_FORMAT = 1
_FOLDER = "maps"
_MOST_FILES, _MOST_BYTES = 200, 2_000_000  # of a map of 5,000 images: 80 kB
_log = logging.getLogger("elbo_room")


@dataclass(frozen=True)
class Method:
    """A way to lay points out in two dimensions.

    Attributes:
        steps: makes the map of latents (N, d), in states.
        protocol: how it is made, for N images.
        code: a line that imports its steps, and lines that make the map of ``means`` by them.
        help: what it keeps and what it does not.
    """

    steps: Callable[[Floats], Iterator[Embedding]]
    protocol: Callable[[int], str]
    code: tuple[str, str]
    help: str


METHODS: Mapping[str, Method] = {
    "t-SNE": Method(
        tsne.tsne_steps,
        lambda count: (
            f"t-SNE of E[z|x]: perplexity {tsne.perplexity_for(count):g}, {tsne.ITERATIONS:,} "
            "iterations from the principal plane, exact gradients, nothing random"
        ),
        (
            "from vae_core.analysis.tsne import tsne_steps",
            "*_, last = tsne_steps(means)                    # the map in states, on its way\n"
            "points = last.points                            # (N, 2)",
        ),
        "t-SNE (van der Maaten & Hinton 2008) minimises KL(P ‖ Q) = Σ pᵢⱼ log(pᵢⱼ / qᵢⱼ): pᵢⱼ is "
        "large for near neighbours in z, and qᵢⱼ ∝ 1 / (1 + ‖yᵢ − yⱼ‖²) on the map.",
    ),
    "UMAP": Method(
        lambda latents: umap.umap_steps(latents, SEED),
        lambda _: f"UMAP of E[z|x]: {umap.NEIGHBOURS} neighbours, seed {SEED}, by torchdr",
        (
            "from vae_core.analysis.umap import umap_steps",
            f"*_, last = umap_steps(means, seed={SEED})\n"
            "points = last.points                            # (N, 2)",
        ),
        "UMAP (McInnes et al. 2018) keeps a graph of nearest neighbours. It cannot be stopped on "
        "its way.",
    ),
}


def offered(d: int) -> list[str]:
    """Methods for a latent space of d dimensions: none for d ≤ 2; UMAP only if it is installed."""
    if d <= 2:
        return []
    return [name for name in METHODS if name != "UMAP" or umap.available()]


def task(view: View, method: str) -> Task[Embedding]:
    """The map of the images that :func:`app.services.latent.cloud` shows, by a method.

    The task reads the map from its file, if there is one.
    """
    means = cloud(view).means
    data = view.data_info
    key = (method, _FORMAT, *view.identity(), data.name, data.digest, len(means))
    return Task(
        ("embedding", *key),
        f"{method} of {len(means):,} images",
        lambda: _steps(METHODS[method], means, _file(key)),
        lambda state: state.share,
    )


def _steps(method: Method, means: Floats, file: Path) -> Iterator[Embedding]:
    kept = _read(file, len(means))
    if kept is not None:
        yield Embedding(kept, 1.0)
        return
    state = None
    for state in method.steps(means):
        yield state
    if state is not None:
        _write(file, state.points)


def _file(key: tuple[object, ...]) -> Path:
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:32]
    return cache_folder() / _FOLDER / f"{name}.npy"


def _read(file: Path, count: int) -> Floats | None:
    """Read a map of so many points; None if it does not exist or is damaged."""
    try:
        points = np.load(io.BytesIO(read_plain(file, _MOST_BYTES)), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = points.shape == (count, 2) and points.dtype == np.float32 and np.isfinite(points).all()
    return points.astype(np.float64) if fits else None


def _write(file: Path, points: Floats) -> None:
    """Keep a map. If the disk refuses, it is computed again after a restart."""
    content = io.BytesIO()
    np.save(content, points.astype(np.float32), allow_pickle=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _remove_oldest(file.parent)
        replace_plain(file, content.getvalue())
    except OSError as error:
        _log.warning("The map could not be kept in %s: %s", file.parent, error)


def _remove_oldest(folder: Path) -> None:
    files = [folder / name for name in names_in(folder, 10 * _MOST_FILES) if name.endswith(".npy")]
    files.sort(key=lambda each: each.lstat().st_mtime_ns)
    for each in files[: max(0, len(files) - _MOST_FILES + 1)]:
        each.unlink(missing_ok=True)
