"""Sentences about data sets, built-in and the user's own."""

import re

from vae_core.settings.choices import AUGMENTED
from vae_core.settings.data_sets import DatasetInfo, Preparation

_OPTION = re.compile(r"\s+--[a-z][^.]*\.$")
_FITS = {"crop": "cropped in the middle", "pad": "padded", "stretch": "stretched"}


def without_option(sentence: str) -> str:
    """Leave out an ending such as "--size overrules this.", for which a page has no use."""
    return _OPTION.sub("", sentence)


def preparation_sentence(about: Preparation) -> str:
    """Say how image files become pixels of a data set."""
    if about.way == "ink":
        return "Each picture is cut to its ink and centred, with light ink on a dark ground."
    inverted = " Dark and light are swapped." if about.invert == "yes" else ""
    return f"The whole picture is resized; one of another shape is {_FITS[about.fit]}.{inverted}"


def image_sentence(info: DatasetInfo) -> str:
    """Say the size and the colours of the images."""
    channels, height, width = info.image_shape
    return f"{height}×{width} pixels, {'in colour' if channels == 3 else 'grey'}"


def training_sentence(info: DatasetInfo) -> str:
    """Say what a training does with the images by chance, unless another choice is made there."""
    words = AUGMENTED[info.suggested.get("augment", "none")]
    return f"{words}, suggested" if words else "with the images as they are"
