"""Constants of the protocols by which figures are measured."""

EVALUATION_SEED = 0
HELD_OUT_IMAGES = 1000
"""Test images that a finished run is scored on."""
HELD_OUT_SAMPLES = 200
"""K of their log p̂(x)."""
