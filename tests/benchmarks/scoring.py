"""log p̂(x), 2×200 MLP, mean field, d = 50, against others: seconds for 1,000 images."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from tests.benchmarks.data import images
from tests.benchmarks.machine import gemm_limit
from tests.benchmarks.peers.pythae_vae import pythae_nll
from tests.benchmarks.peers.sylvester import calculate_likelihood
from tests.benchmarks.side_by_side import medians, report
from vae_core.config import ModelConfig
from vae_core.estimators import log_density
from vae_core.vae import VAE

IMAGES, SAMPLES = 10, 5000
PRODUCTS = 2 * (50 * 200 + 200 * 200 + 200 * 784)  # floating-point operations of one decoding


def main() -> None:
    model = VAE(ModelConfig(posterior="mean-field", latent_size=50)).eval()
    x = (images(IMAGES) > 200).float()
    work: dict[str, Callable[[], object]] = {
        "ours, with diagnostics": lambda: log_density(model, x, SAMPLES),
        "sylvester-flows": lambda: calculate_likelihood(model, x, SAMPLES),
        "pythae": pythae_nll(x, SAMPLES),
    }
    seconds = {name: value * 1000 / IMAGES for name, value in medians(work).items()}
    report(f"1,000 images × K = {SAMPLES:,}", seconds, "ours, with diagnostics")
    reached = PRODUCTS * SAMPLES * 1000 / seconds["ours, with diagnostics"] / 1e9
    limit = gemm_limit(torch.float32)
    print(f"  ours: {reached:,.0f} GFLOP/s, {reached / limit:.0%} of the largest matrix products")
    print(f"  off float64 on the same samples by {error(model, x):.1e} nats at most")


@torch.no_grad()
def error(model: VAE, x: Tensor) -> float:
    """The largest difference of log p̂(x) in float32 from float64, K = 1,000."""
    exact = VAE(model.config).double()
    exact.load_state_dict(model.state_dict())
    epsilon = torch.randn(1000, len(x), model.config.latent_size)

    def log_px(of: VAE, dtype: torch.dtype) -> Tensor:
        path = of.posterior(x.to(dtype)).path(epsilon.to(dtype))
        log_w = of.log_joint(x.to(dtype), path.z) - path.log_q
        return log_w.double().logsumexp(0) - math.log(len(log_w))

    return float((log_px(model, torch.float32) - log_px(exact, torch.float64)).abs().max())
