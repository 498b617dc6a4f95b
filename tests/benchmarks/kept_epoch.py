"""Which epoch's weights a run keeps, for objectives of all kinds, and what the choice costs.

Each run trains on the digits. The criterion of each of its epochs is measured again with
other noise, ``_REPEATS`` times; the mean over the repeats is the reference. The table shows

- noise: how much the difference of two epochs next to each other changes with the noise (median
  standard deviation over epochs), beside the standard error of the criterion over images;
- loss: the reference of the best epoch, less that of the kept one;
- log p̂(x) of the test images with the kept weights, and with those of the last epoch.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vae_core.data.datasets import Dataset, load_dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.importance import log_density
from vae_core.settings.config import RunConfig
from vae_core.settings.protocol import EVALUATION_SEED
from vae_core.training.criterion import criterion
from vae_core.training.trainer import EpochDone, Training
from vae_core.training.validation import criterion_values

_EPOCHS, _LOG_PX_SAMPLES = 120, 500
_REPEATS = 8
_COMMON = {
    "dataset": "digits", "posterior": "mean-field", "latent_size": 8, "epochs": _EPOCHS,
    "learning_rate": 3e-3, "kl_warmup_epochs": 10, "importance_every": 0, "precision": "float32",
}  # fmt: skip
OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "ELBO": {},
    "IWAE, K = 5": {"iwae_samples": 5},
    "IWAE, K = 5, DReG": {"iwae_samples": 5, "gradient": "dreg"},
    "IWAE, K = 50": {"iwae_samples": 50},
    "IWAE, K = 50, DReG": {"iwae_samples": 50, "gradient": "dreg"},
    "β = 0": {"beta": 0.0},
    "β = 0.1": {"beta": 0.1},
    "β = 4": {"beta": 4.0},
    "β = 10": {"beta": 10.0},
    "free bits 10": {"free_bits": 10.0},
    "class head": {"class_head": "mlp"},
}


@dataclass(frozen=True)
class Choice:
    """What one run kept, all figures in nats.

    Attributes:
        kept: the kept epoch.
        best: the epoch with the best reference.
        se: standard error of the criterion over images.
        noise: standard deviation of the difference of neighbouring epochs over the noise.
        loss: reference of the best epoch, less that of the kept one.
        kept_log_px: log p̂(x) of test images, of the kept weights.
        last_log_px: the same of the last epoch's weights.
    """

    kept: int
    best: int
    se: float
    noise: float
    loss: float
    kept_log_px: float
    last_log_px: float


def choice_of(
    settings: Mapping[str, Any],
    data: Dataset,
    repeats: int = _REPEATS,
    log_px_samples: int = _LOG_PX_SAMPLES,
) -> Choice:
    """Train with these settings and find out what the choice of the kept epoch cost."""
    config = RunConfig.from_settings({**_COMMON, **settings})
    training = Training(config, data)
    x, labels = evaluation_images(data, "validation", config.train.binarisation, EVALUATION_SEED)
    candidates = [0]  # the untrained model
    values, se = [_measured_again(training, x, labels, repeats)], 0.0
    for event in training.events():
        if isinstance(event, EpochDone) and event.metrics["kl_weight"] == config.train.beta:
            candidates.append(event.epoch)
            se = event.metrics["criterion"]["value_se"]
            values.append(_measured_again(training, x, labels, repeats))
    assert training.last is not None
    found = torch.tensor(values, dtype=torch.float64)  # (epochs, repeats)
    reference, kept = found.mean(1), training.progress.best_epoch
    return Choice(
        kept,
        candidates[int(reference.argmax())],
        se,
        float(found.diff(dim=0).std(1).median()),
        float(reference.max() - reference[candidates.index(kept)]),
        _log_px(training, training.best, data, log_px_samples),
        _log_px(training, training.last, data, log_px_samples),
    )


def _measured_again(training: Training, x: Tensor, labels: Tensor, repeats: int) -> list[float]:
    settings = training.config.train
    return [
        criterion(criterion_values(training.model, x, labels, settings, seed), settings)[0]
        for seed in range(1, repeats + 1)
    ]


def _log_px(training: Training, weights: dict[str, Tensor], data: Dataset, samples: int) -> float:
    model = copy.deepcopy(training.model)
    model.load_state_dict(weights)
    x, _ = evaluation_images(data, "test", training.config.train.binarisation, EVALUATION_SEED)
    density = log_density(model.eval(), x, samples, EVALUATION_SEED)
    return float(density.log_px.double().mean())


def main() -> None:
    data = load_dataset("digits")
    print(f"{_EPOCHS} epochs of the digits; loss, noise and log p̂(x) in nats")
    print(f"{'objective':20}  kept  best     se   noise    loss  log p̂(x): kept    last")
    for name, settings in OBJECTIVES.items():
        it = choice_of(settings, data)
        print(
            f"{name:20}  {it.kept:4}  {it.best:4}  {it.se:.3f}   {it.noise:.3f}   {it.loss:.3f}"
            f"          {it.kept_log_px:8.2f}  {it.last_log_px:7.2f}",
            flush=True,
        )
