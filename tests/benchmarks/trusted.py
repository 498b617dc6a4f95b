"""Whether scores that are called trusted are right: log p̂(x) by refined proposals, K = 1,000.

For d ≤ 2 the reference is quadrature. For more dimensions it is importance sampling with many other
draws, from the proposals of four other fits together. Some models come with the program, others are
trained here. Each image is scored with several seeds, also of the fit. The table shows for each
kind of images

- trusted: share of the scores that are trusted;
- covered: of these, the share within 2 √(se² + se_ref²) + 0.005 nats of the reference, and whether
  a one-sided binomial test at 1 % allows that 95 % are meant;
- worst: the largest error among them, and how many are off by more than 0.5 nats (and more than
  the reference may be off);
- mean: the mean error of all scores.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.stats import binomtest
from torch import Tensor

from vae_core.basics.paths import pretrained_folder
from vae_core.data.datasets import Dataset, load_dataset
from vae_core.data.pixels import binarise, evaluation_images
from vae_core.inference.annealing import simulate
from vae_core.inference.importance import LogDensity, log_density
from vae_core.inference.mixture import GaussianMixture, Mixture
from vae_core.inference.proposals import refine
from vae_core.inference.quadrature import quadrature
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.scoring.foreign import foreign_images
from vae_core.settings.config import RunConfig
from vae_core.training.trainer import Training

SAMPLES, SEEDS, FITS = 1000, 3, 4
_FEW = 84  # images of a kind for d ≤ 2: 2,016 of six models and four kinds
_PRETRAINED: Mapping[str, str] = {
    "digits-full-d2": "digits",
    "digits-iaf-d2": "digits",
    "mnist-full-d2": "mnist",
    "digits-mean-field-d16": "digits",
    "mnist-mean-field-d50": "mnist",
}
_TRAINED: Mapping[str, Mapping[str, Any]] = {
    "mean field, d = 1": {"posterior": "mean-field", "latent_size": 1},
    "planar, d = 2": {"posterior": "planar", "latent_size": 2},
    "IWAE, d = 2": {"posterior": "full", "latent_size": 2, "iwae_samples": 5},
    "mean field, d = 8": {"posterior": "mean-field", "latent_size": 8},
}
_SETTINGS = {
    "dataset": "digits", "epochs": 100, "learning_rate": 3e-3, "kl_warmup_epochs": 10,
    "importance_every": 0, "precision": "float32",
}  # fmt: skip
_WANTED, _LEVEL, _FAR, _SLACK = 0.95, 0.01, 0.5, 0.005
_REFERENCE_SEED = 1000


@dataclass(frozen=True)
class Reference:
    """log p(x) of B images and its standard error or bound on the error, (B,) each, in nats."""

    log_px: Tensor
    error: Tensor


@dataclass(frozen=True)
class Trust:
    """How far trusted scores can be trusted.

    Attributes:
        scores: number of scores, trusted or not.
        trusted: number of trusted ones.
        covered: number of those within twice their error of the reference.
        far: number of trusted ones off by more than 0.5 nats and twice the reference's error.
        worst: the largest error of a trusted one, with its sign, in nats.
        mean: mean error of all scores, in nats.
        seconds: time for the fit and the draws of one score.
    """

    scores: int
    trusted: int
    covered: int
    far: int
    worst: float
    mean: float
    seconds: float

    @property
    def allows(self) -> bool:
        """Whether the coverage may be 95 %, by a one-sided binomial test at 1 %."""
        if not self.trusted:
            return True
        test = binomtest(self.covered, self.trusted, _WANTED, alternative="less")
        return bool(test.pvalue >= _LEVEL)


def models() -> Iterator[tuple[str, VAE, Dataset]]:
    """Yield the name of each model, the model, and its data: those with d ≤ 2 first."""
    found = [
        (name, load_model(pretrained_folder() / name), load_dataset(data))
        for name, data in _PRETRAINED.items()
    ]
    digits = load_dataset("digits")
    found += [(name, _trained(settings, digits), digits) for name, settings in _TRAINED.items()]
    yield from sorted(found, key=lambda each: each[1].config.latent_size)


def _trained(settings: Mapping[str, Any], data: Dataset) -> VAE:
    training = Training(RunConfig.from_settings({**_SETTINGS, **settings}), data)
    for _ in training.events():
        pass
    training.model.load_state_dict(training.best)
    return training.model.eval().requires_grad_(False)


def kinds(model: VAE, data: Dataset, images: int) -> Iterator[tuple[str, Tensor]]:
    """Yield test images, images that the model draws, and two kinds of foreign images."""
    yield "test", evaluation_images(data, "test", "dynamic", 0, images)[0]
    yield "simulated", simulate(model, images, torch.Generator().manual_seed(0))[0]
    for kind in ("rotated", "inverted"):
        pixels = foreign_images(kind, data.split("test")[0][:images], 0)[:images]
        yield kind, binarise(pixels, "dynamic", torch.Generator().manual_seed(0))


def reference(model: VAE, x: Tensor, samples: int) -> Reference:
    """Measure log p(x) without the proposals that are tested."""
    if model.config.latent_size <= 2:
        exact = quadrature(model, x)
        return Reference(exact.log_px, exact.error)
    fits = [refine(model, x, _REFERENCE_SEED + i) for i in range(FITS)]
    found = log_density(model, x, samples, _REFERENCE_SEED, proposal=together(fits))
    return Reference(found.log_px, (1 / found.ess).sqrt())


def together(fits: Sequence[Mixture]) -> GaussianMixture:
    """Join the components of several mixtures for the same images."""
    columns = {
        name: torch.cat([getattr(fit, name) for fit in fits])
        for name in ("mean", "scale_tril", "stretch")
    }
    share = torch.cat([fit.share for fit in fits]) / len(fits)
    return GaussianMixture(share=share, modes=fits[0].modes, **columns)


def trust(model: VAE, x: Tensor, known: Reference, seeds: int = SEEDS) -> Trust:
    """Score each image with several seeds and compare the scores with the reference."""
    began = time.process_time()
    found = [log_density(model, x, SAMPLES, s, proposal=refine(model, x, s)) for s in range(seeds)]
    seconds = (time.process_time() - began) / (seeds * len(x))
    away = torch.cat([each.log_px - known.log_px for each in found])
    se, trusted = (torch.cat([get(each) for each in found]) for get in (_se, _trusted))
    of_reference = known.error.repeat(seeds)
    allowed = 2 * (se.square() + of_reference.square()).sqrt() + _SLACK
    off = away[trusted]
    far = off.abs() > _FAR + 2 * of_reference[trusted]
    return Trust(
        scores=len(away),
        trusted=len(off),
        covered=int((off.abs() <= allowed[trusted]).sum()),
        far=int(far.sum()),
        worst=float(off[off.abs().argmax()]) if len(off) else 0.0,
        mean=float(away.mean()),
        seconds=seconds,
    )


def _se(found: LogDensity) -> Tensor:
    return found.se


def _trusted(found: LogDensity) -> Tensor:
    return found.trusted


def main(images: int = 200, reference_samples: int = 150_000) -> None:
    print(f"K = {SAMPLES:,}, {SEEDS} seeds, {images} images of a kind ({_FEW} for d ≤ 2); nats")
    print(f"{'model':24} {'images':10} trusted  covered   off > 0.5   worst    mean  s a score")
    for name, model, data in models():
        count = min(images, _FEW) if model.config.latent_size <= 2 else images
        for kind, x in kinds(model, data, count):
            it = trust(model, x, reference(model, x, reference_samples))
            allowed = "" if it.allows else " (!)"
            print(
                f"{name:24} {kind:10} {it.trusted / it.scores:7.0%}"
                f"  {it.covered / max(1, it.trusted):6.1%}{allowed:4} {it.far:7}  {it.worst:8.2f}"
                f"  {it.mean:7.4f}  {it.seconds:8.3f}",
                flush=True,
            )
