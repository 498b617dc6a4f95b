"""What a richer posterior costs in training: 2×200 MLP, d = 50, T = 4, batch 128, 28×28 pixels."""

from typing import get_args

from tests.benchmarks.data import epoch_of, images
from tests.benchmarks.side_by_side import medians, report
from vae_core.config import PosteriorName

STEPS, BATCH = 30, 128


def main() -> None:
    pixels = images(STEPS * BATCH)
    work = {
        family: epoch_of(pixels, posterior=family, latent_size=50, batch_size=BATCH)
        for family in get_args(PosteriorName)
    }
    report(f"{STEPS} training steps, by posterior family", medians(work), "mean-field")
