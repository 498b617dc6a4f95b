"""Likelihood regret: the gain in the ELBO if q(z|x) is refitted to one image.

ELBO[q*] − ELBO[q] ≥ 0, where q* is the encoder's q refitted to the image (Xiao, Yan & Amit 2020,
arXiv 2003.02977). The regret is small if the encoder was trained on similar images, and large
otherwise. The decoder does not change. All values in nats.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from vae_core.inference.fitting import Params, Schedule, fit
from vae_core.inference.gap import Regret, regret
from vae_core.inference.refit import FEATURES
from vae_core.model.batches import rows_at_once
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE
from vae_core.scoring.figures.base import Figure

SCHEDULE = Schedule(
    rate=0.01, rates=1, samples=4, check_every=20, check_samples=16, patience=1, most_steps=20
)
"""A short schedule, so that thousands of images can be scored. It is the same for all images,
because regrets of different schedules cannot be compared. Three times as many steps separate
foreign images from MNIST images no better (AUROC by 0.01 at most)."""
MEASURING_SAMPLES = 64
_IMAGES_AT_ONCE = 64


def likelihood_regret(
    model: VAE, x: Tensor, seed: int = 0, *, features: Tensor | None = None
) -> Regret:
    """Measure the regret of each image, as ``amortisation`` ± ``amortisation_se``.

    The refit follows :data:`SCHEDULE`. It changes the features h of each image, which determine
    all parameters of q. The head that maps h to q is shared. (One copy of its weights per image,
    as in :func:`vae_core.inference.refit.refit`, takes 3 to 30 times as long and gains less in so
    few steps.) A 2×200 MLP with d = 50 takes 2 ms per image on a CPU core with a Gaussian q and
    9 ms with a Sylvester flow, a residual convolutional net 100 ms.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        features: the encoder's h of these images, (B, F), if already computed.

    Raises:
        InvalidArgument: if the images do not have the model's shape.
    """
    parts = list(_parts(model, x.to(model.device), seed, features))
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Regret(*(torch.cat(column) for column in columns))


FIGURE = Figure(
    "regret",
    "likelihood regret",
    "nats",
    lambda images: images.regret.amortisation,
    se=lambda images: images.regret.amortisation_se,
)


def _parts(model: VAE, x: Tensor, seed: int, features: Tensor | None) -> Iterator[Regret]:
    def family(params: Params) -> Posterior:
        return model.to_posterior(params[FEATURES])

    at_once = max(1, min(_IMAGES_AT_ONCE, rows_at_once(model) // SCHEDULE.samples))
    for start in range(0, max(1, len(x)), at_once):
        chosen = slice(start, start + at_once)
        block = x[chosen]
        with torch.no_grad():
            h = model.encode(block) if features is None else features[chosen]
            encoder = model.to_posterior(h)
        *_, best = fit(model, block, {FEATURES: h}, family, SCHEDULE, seed)
        yield regret(model, block, best.posterior, MEASURING_SAMPLES, seed, posterior=encoder)
