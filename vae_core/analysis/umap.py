"""UMAP: a map of latents in two dimensions, by the optional package TorchDR (``torchdr``)."""

import importlib
import importlib.util
import warnings
from collections.abc import Iterator

import numpy as np

from vae_core.analysis.tsne import Embedding
from vae_core.basics.arrays import Floats
from vae_core.basics.errors import InvalidArgument

NEIGHBOURS = 15
_PACKAGE = "torchdr"
_ITERATIONS = 500
_FEWEST = 4  # points


def available() -> bool:
    """Whether the package is installed; it is not imported for this."""
    return importlib.util.find_spec(_PACKAGE) is not None


def umap_steps(latents: Floats, seed: int = 0) -> Iterator[Embedding]:
    """Map latents (N, d) to two dimensions by UMAP (McInnes et al. 2018), with 15 neighbours.

    The package reports no progress: there is one state before its work and one after it.

    Raises:
        InvalidArgument: if there are fewer than four latents, or if the package cannot be imported.
    """
    count = len(latents)
    if count < _FEWEST:
        raise InvalidArgument(f"UMAP needs at least {_FEWEST} images, not {count}.")
    yield Embedding(np.zeros((count, 2)), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it would be faster with FAISS
        umap = _umap_class()(
            n_neighbors=min(NEIGHBOURS, count - 1),
            random_state=seed,
            max_iter=_ITERATIONS,
            backend=None,
            device="cpu",
            distributed=False,
        )
        points = umap.fit_transform(np.asarray(latents, dtype=np.float32))
    yield Embedding(np.asarray(points, dtype=np.float64), 1.0)


def _umap_class():
    try:
        return importlib.import_module(_PACKAGE).UMAP
    except ImportError as error:
        raise InvalidArgument(
            f"The package {_PACKAGE} cannot be imported ({error}). Install it and what it needs "
            "again, or choose t-SNE."
        ) from error
