"""Numbers of latents to decode at once, so that memory is bounded for all K and B."""

from vae_core.model.vae import VAE

FLOATS_AT_ONCE = 2_000_000  # 8 MB of activations, which fit into a processor's cache
_TIMES_ON_A_GPU = 32  # a GPU needs this many times more to be busy
_MOST_SAMPLES_AT_ONCE = 1000  # per image
_DECODED_IN = 10  # decode in at most this many parts: flows are slow for few latents


def rows_at_once(model: VAE) -> int:
    """Number of latents that a model can decode at once in about 8 MB, or 256 MB on a GPU."""
    floats = FLOATS_AT_ONCE * (1 if model.device.type == "cpu" else _TIMES_ON_A_GPU)
    return max(1, floats // model.decoder.row_floats)


def samples_at_once(model: VAE) -> int:
    """Number of samples drawn per image in one step.

    It depends on the model only, so an image gets the same score whatever else is in the batch.
    """
    return min(_MOST_SAMPLES_AT_ONCE, _DECODED_IN * rows_at_once(model))
