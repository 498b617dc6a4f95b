"""Estimate how much disk a run will take."""

from vae_core.runs.snapshots import bytes_of_snapshots
from vae_core.settings.config import RunConfig
from vae_core.training.cost import parameters

_COPIES = 6
"""Copies of the weights: kept, last, and those of the checkpoint with two moments of Adam."""
_BYTES = 4  # of a weight
_ROW = 1300  # bytes of an epoch's metrics, without figures by dimension
_ROW_PER_DIMENSION = 40
_IMAGE = 18  # bytes that the calibration and the scores keep of an image, without its latent


def bytes_of_run(config: RunConfig) -> int:
    """Bytes of the folder of a finished run, about."""
    model, train, sizes = config.model, config.train, config.info.sizes
    weights = _COPIES * _BYTES * parameters(model)
    metrics = train.epochs * (_ROW + _ROW_PER_DIMENSION * model.latent_size)
    latents = min(sizes["train"], 50_000) * (2 * model.latent_size + _IMAGE)
    return weights + metrics + latents + bytes_of_snapshots(train.epochs, model.pixels)
