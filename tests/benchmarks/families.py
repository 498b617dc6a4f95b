"""Time of a training step by posterior family: d = 50, T = 4, batch 128, 28×28 pixels."""

import torch

from tests.benchmarks.data import epoch_of, images
from tests.benchmarks.machine import gemm_limit
from tests.benchmarks.side_by_side import compare
from vae_core.settings.choices import POSTERIORS

BATCH = 128
STEPS = {"mlp": 30, "conv": 4}


def main() -> None:
    limit = gemm_limit(torch.float32)
    for network, steps in STEPS.items():
        pixels = images(steps * BATCH)
        work = {
            family: epoch_of(
                pixels, posterior=family, latent_size=50, batch_size=BATCH, network=network
            )
            for family in POSTERIORS
        }
        title = f"a training step by posterior family, network {network}"
        compare(title, work, "mean-field", limit, times=1 / steps)
