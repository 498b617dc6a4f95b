"""Seconds for log p̂(x) of 1,000 images, ours and others: 2×200 MLP, mean field, d = 50."""

import math
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.machine import gemm_limit
from tests.benchmarks.peers.pythae_vae import pythae_nll
from tests.benchmarks.peers.sylvester import calculate_likelihood
from tests.benchmarks.profile import print_profile
from tests.benchmarks.side_by_side import Work, compare
from vae_core.basics.paths import pretrained_folder
from vae_core.inference.annealing import simulate
from vae_core.inference.importance import ReachedDensity, log_density, log_density_to
from vae_core.inference.proposals import refine, refined_log_density
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model

IMAGES, SAMPLES, ERROR = 20, 5000, 0.1
MODEL = "mnist-mean-field-d50"


def main() -> None:
    model = load_model(Path(pretrained_folder()) / MODEL)
    x, _ = simulate(model, IMAGES, torch.Generator().manual_seed(0))
    name, refined = "ours, with diagnostics", "ours, from refined proposals"
    adaptive = f"the same, until the error is {ERROR} nats, or K"
    work: Work = {
        name: lambda: log_density(model, x, SAMPLES),
        refined: lambda: refined_log_density(model, x, SAMPLES),
        adaptive: lambda: to_the_error(model, x),
        "sylvester-flows": lambda: calculate_likelihood(model, x, SAMPLES),
        "pythae": pythae_nll(x, SAMPLES),
    }
    title = f"log p̂(x) of 1,000 images, K = {SAMPLES:,}"
    compare(title, work, name, gemm_limit(torch.float32), times=1000 / IMAGES)
    reached = to_the_error(model, x)
    print(
        f"  until the error is {ERROR} nats: median K {int(reached.samples.median()):,}, "
        f"reached for {reached.reached.float().mean():.0%} of the images"
    )
    print_profile("ours", work[name])
    print(f"  off float64 on the same samples by {error(model, x):.1e} nats at most")


def to_the_error(model: VAE, x: Tensor) -> ReachedDensity:
    return log_density_to(model, x, ERROR, SAMPLES, proposal=refine(model, x))


@torch.no_grad()
def error(model: VAE, x: Tensor) -> float:
    """Largest difference between log p̂(x) in float32 and in float64, K = 1,000."""
    exact = VAE(model.config).double()
    exact.load_state_dict(model.state_dict())
    epsilon = torch.randn(1000, len(x), model.config.latent_size)

    def log_px(of: VAE, dtype: torch.dtype) -> Tensor:
        path = of.posterior(x.to(dtype)).path(epsilon.to(dtype))
        log_w = of.log_joint(x.to(dtype), path.z) - path.log_q
        return log_w.double().logsumexp(0) - math.log(len(log_w))

    return float((log_px(model, torch.float32) - log_px(exact, torch.float64)).abs().max())
