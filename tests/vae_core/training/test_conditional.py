"""Training of a model that is conditional on the class."""

import pytest
import torch

from vae_core.analysis.evaluation import evaluate
from vae_core.data.datasets import load_dataset
from vae_core.settings.config import RunConfig
from vae_core.training.trainer import EpochDone, Training

SETTINGS = {"dataset": "digits", "conditioning": "class", "epochs": 2, "hidden_size": 16}


def test_training_raises_the_bound_of_p_of_x_given_y():
    training = Training(RunConfig.from_settings(SETTINGS), load_dataset("digits"))
    rows = [each.metrics for each in training.events() if isinstance(each, EpochDone)]
    assert rows[1]["validation"]["elbo"] > rows[0]["validation"]["elbo"]
    assert {rows[0][part]["given"] for part in ("train", "validation")} == {"class"}
    shares = torch.bincount(training.labels) / len(training.labels)
    torch.testing.assert_close(training.model.log_class_prior.exp(), shares)


def test_evaluate_sums_over_the_classes():
    training = Training(RunConfig.from_settings(SETTINGS), load_dataset("digits"))
    figures, _ = evaluate(training.model.eval(), training.data, "test", "dynamic", 30, limit=5)
    assert figures["log_px"] >= figures["elbo"]
    with pytest.raises(ValueError, match="p\\(x\\|y\\)"):
        evaluate(training.model, training.data, "test", "dynamic", 30, limit=5, se=0.1)
