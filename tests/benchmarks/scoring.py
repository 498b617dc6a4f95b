"""log p̂(x) as the program computes it, against a plain loop, K = 1000, 2×200 MLP, d = 50."""

import math

import torch

from tests.benchmarks.side_by_side import medians, report
from vae_core.config import ModelConfig
from vae_core.estimators import log_density
from vae_core.vae import VAE

IMAGES, SAMPLES = 20, 1000


@torch.no_grad()
def plain_loop(model: VAE, x: torch.Tensor) -> torch.Tensor:
    """One image and 100 samples at a time, encoding anew each time, as many scripts do."""
    scores = []
    for image in x:
        parts = [model.log_weights(image[None], 100)[:, 0] for _ in range(SAMPLES // 100)]
        scores.append(torch.cat(parts).logsumexp(0) - math.log(SAMPLES))
    return torch.stack(scores)


def main() -> None:
    model = VAE(ModelConfig(posterior="mean-field", latent_size=50)).eval()
    x = (torch.rand(IMAGES, 1, 28, 28) < 0.2).float()
    work = {
        "log_density, with diagnostics": lambda: log_density(model, x, SAMPLES),
        "plain loop over images": lambda: plain_loop(model, x),
    }
    report(f"{IMAGES} images × K = {SAMPLES}", medians(work), "log_density, with diagnostics")
