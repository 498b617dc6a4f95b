"""Build the encoder and the decoder that the settings of a model name."""

from vae_core.model.corrected_linear import CorrectedLinearDecoder, CorrectedLinearEncoder
from vae_core.model.likelihoods.base import Likelihood
from vae_core.model.networks import (
    ConvDecoder,
    ConvEncoder,
    Decoder,
    LinearDecoder,
    LinearEncoder,
    MLPDecoder,
    MLPEncoder,
)
from vae_core.settings.config import ModelConfig

Encoder = MLPEncoder | ConvEncoder | CorrectedLinearEncoder | LinearEncoder


def build_encoder(config: ModelConfig) -> Encoder:
    """Build the encoder that ``config.network`` names."""
    if config.network == "mlp":
        return MLPEncoder(config.pixels, [config.hidden_size] * config.hidden_layers)
    if config.network == "linear":
        return LinearEncoder(config.pixels)
    if config.network == "corrected-linear":
        return CorrectedLinearEncoder(config)
    return ConvEncoder(config.image_shape, config.channels)


def build_decoder(config: ModelConfig, likelihood: Likelihood) -> Decoder:
    """Build the decoder that ``config.network`` names, with the outputs that a likelihood needs."""
    parameters = likelihood.parameters_per_pixel
    outputs = parameters * config.pixels
    if config.network == "mlp":
        hidden = [config.hidden_size] * config.hidden_layers
        return MLPDecoder(config.latent_size, hidden, outputs)
    if config.network == "linear":
        return LinearDecoder(config.latent_size, outputs)
    if config.network == "corrected-linear":
        return CorrectedLinearDecoder(config, parameters, likelihood.location)
    colours, height, width = config.image_shape
    return ConvDecoder(config.latent_size, (parameters * colours, height, width), config.channels)
