"""The ways to p(y|x) on the digits."""

import numpy as np
import pytest
import torch

from vae_core import load_dataset, load_model
from vae_core.analysis.classifiers import Classified, Source, classify_steps
from vae_core.model.vae import VAE
from vae_core.settings.config import RunConfig
from vae_core.settings.options import ClassifyOptions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> Classified:
    torch.manual_seed(0)
    settings = {"dataset": "digits", "hidden_size": 16}
    given = VAE(RunConfig.from_settings({**settings, "conditioning": "class"}).model).eval()
    head = VAE(RunConfig.from_settings({**settings, "class_head": "linear"}).model).eval()
    plain = load_model("pretrained/digits-mean-field-d16")
    options = ClassifyOptions(limit=30, importance_samples=30)
    sources = [Source(each, "dynamic") for each in (given, head, plain)]
    return list(classify_steps(sources, load_dataset("digits"), options))[-1]


def test_every_way_of_every_model_is_measured(found: Classified):
    names = ["generative", "head", "logistic", "neighbours", "logistic", "neighbours"]
    assert [each.name for each in found.ways] == names
    assert found.share == 1


def test_p_of_y_given_x_sums_to_one_by_every_way(found: Classified):
    for way in found.ways:
        np.testing.assert_allclose(way.raw.probabilities.sum(1), 1, atol=1e-6)
        np.testing.assert_allclose(way.softened.sum(1), 1)


def test_trained_latents_tell_the_digits(found: Classified):
    labels = found.labels.numpy()
    for way in found.ways[-2:]:
        assert (way.raw.probabilities.argmax(1) == labels).mean() > 0.6
