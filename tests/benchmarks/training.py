"""Seconds for an epoch of 60,000 images, ours and others, with the same networks and batch."""

import torch

from tests.benchmarks.data import epoch_of, images
from tests.benchmarks.machine import gemm_limit
from tests.benchmarks.peers.pyro_example import ExampleTraining as PyroExample
from tests.benchmarks.peers.pythae_vae import PythaeTraining
from tests.benchmarks.peers.pytorch_example import ExampleTraining as PyTorchExample
from tests.benchmarks.profile import print_profile
from tests.benchmarks.side_by_side import compare

EPOCH, COUNT = 60_000, 12_000  # a fifth of an epoch is timed
MEAN_FIELD = {"posterior": "mean-field", "hidden_layers": 1, "gradient_clip": 200.0}


def main() -> None:
    pixels, limit = images(COUNT), gemm_limit(torch.float32)
    example = {**MEAN_FIELD, "hidden_size": 400, "latent_size": 20}
    pythae = {**MEAN_FIELD, "hidden_size": 512, "latent_size": 10, "batch_size": 64}
    pyro = {**MEAN_FIELD, "hidden_size": 400, "latent_size": 50, "batch_size": 256}
    contests = {
        "784-400-20, batch 128, as in PyTorch's examples/vae": {
            "ours": epoch_of(pixels, **example, batch_size=128),
            "ours, float32": epoch_of(pixels, **example, batch_size=128, precision="float32"),
            "ours, batch 512": epoch_of(pixels, **example, batch_size=512),
            "PyTorch's examples/vae": PyTorchExample(pixels),
            "PyTorch's examples/vae, batch 512": PyTorchExample(pixels, batch_size=512),
        },
        "784-512-10, batch 64, as in pythae": {
            "ours": epoch_of(pixels, **pythae),
            "pythae": PythaeTraining(pixels),
        },
        "784-400-50, batch 256, as in Pyro's examples/vae": {
            "ours": epoch_of(pixels, **pyro),
            "Pyro's examples/vae": PyroExample(pixels),
        },
    }
    for title, work in contests.items():
        compare(f"an epoch of {EPOCH:,} images: {title}", work, "ours", limit, EPOCH / COUNT)
        print_profile("ours", work["ours"])
