"""Build the encoder and the decoder that the settings of a model name."""

from vae_core.model.conditioning import ConditionalDecoder, ConditionalEncoder
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

Encoder = MLPEncoder | ConvEncoder | CorrectedLinearEncoder | LinearEncoder | ConditionalEncoder


def build_encoder(config: ModelConfig) -> Encoder:
    """Build the encoder that ``config.network`` names; if conditional, with the class as input."""
    more = config.classes if config.is_conditional else 0
    encoder = _build_encoder(config, more)
    return ConditionalEncoder(encoder) if more else encoder


def _build_encoder(config: ModelConfig, more: int) -> Encoder:
    """Build an encoder with ``more`` inputs beside the pixels, or more channels."""
    if config.network == "mlp":
        return MLPEncoder(config.pixels + more, [config.hidden_size] * config.hidden_layers)
    if config.network == "linear":
        return LinearEncoder(config.pixels + more)
    if config.network == "corrected-linear":
        return CorrectedLinearEncoder(config)
    colours, height, width = config.image_shape
    return ConvEncoder((colours + more, height, width), config.channels)


def build_decoder(config: ModelConfig, likelihood: Likelihood) -> Decoder:
    """Build the decoder that ``config.network`` names, with the outputs that a likelihood needs."""
    more = config.classes if config.is_conditional else 0
    decoder = _build_decoder(config, likelihood, config.latent_size + more)
    return ConditionalDecoder(decoder) if more else decoder


def _build_decoder(config: ModelConfig, likelihood: Likelihood, inputs: int) -> Decoder:
    parameters = likelihood.parameters_per_pixel
    outputs = parameters * config.pixels
    if config.network == "mlp":
        hidden = [config.hidden_size] * config.hidden_layers
        return MLPDecoder(inputs, hidden, outputs)
    if config.network == "linear":
        return LinearDecoder(inputs, outputs)
    if config.network == "corrected-linear":
        return CorrectedLinearDecoder(config, parameters, likelihood.location)
    colours, height, width = config.image_shape
    return ConvDecoder(inputs, (parameters * colours, height, width), config.channels)
