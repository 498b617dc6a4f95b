"""How many latents a model decodes at once: bounded memory, whatever K and B are."""

from vae_core.model.vae import VAE

FLOATS_AT_ONCE = 2_000_000  # 8 MB of activations, which stay near a processor
_TIMES_ON_A_GPU = 32  # which is busy with no less
_MOST_SAMPLES_AT_ONCE = 1000  # of one image
_DECODED_IN = 10  # parts at most: flows are slow for a few latents, decoders hold few at once


def rows_at_once(model: VAE) -> int:
    """How many latents a model can decode at once in about 8 MB, or 256 MB on a GPU."""
    floats = FLOATS_AT_ONCE * (1 if model.device.type == "cpu" else _TIMES_ON_A_GPU)
    return max(1, floats // model.decoder.row_floats)


def samples_at_once(model: VAE) -> int:
    """How many samples of an image are drawn at once, for the model alone to say: a score does not
    depend on what is scored with it."""
    return min(_MOST_SAMPLES_AT_ONCE, _DECODED_IN * rows_at_once(model))
