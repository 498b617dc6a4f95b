"""github.com/pyro-ppl/pyro, examples/vae/vae.py: 784-400-50, batch 256, SVI with Trace_ELBO."""

import pyro
import pyro.distributions as dist
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam
from torch import Tensor, nn

from tests.benchmarks.peers.loading import batches


class ExampleVAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([nn.Linear(784, 400), nn.Linear(400, 50), nn.Linear(400, 50)])
        self.decoder = nn.Sequential(
            nn.Linear(50, 400), nn.Softplus(), nn.Linear(400, 784), nn.Sigmoid()
        )

    def model(self, x: Tensor) -> None:
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", x.shape[0]):
            zero, one = x.new_zeros(x.shape[0], 50), x.new_ones(x.shape[0], 50)
            z = pyro.sample("latent", dist.Normal(zero, one).to_event(1))
            pixels = dist.Bernoulli(self.decoder(z), validate_args=False).to_event(1)
            pyro.sample("obs", pixels, obs=x.reshape(-1, 784))

    def guide(self, x: Tensor) -> None:
        pyro.module("encoder", self.encoder)
        hidden, mean, log_scale = self.encoder
        with pyro.plate("data", x.shape[0]):
            h = nn.functional.softplus(hidden(x.reshape(-1, 784)))
            pyro.sample("latent", dist.Normal(mean(h), log_scale(h).exp()).to_event(1))


class ExampleTraining:
    """The example's training loop; one call is one epoch."""

    def __init__(self, images: Tensor, batch_size: int = 256) -> None:
        pyro.clear_param_store()
        self.images, self.batch_size = images, batch_size
        vae = ExampleVAE()
        self.svi = SVI(vae.model, vae.guide, Adam({"lr": 1e-3}), loss=Trace_ELBO())

    def __call__(self) -> float:
        total = sum(self.svi.step(x) for x in batches(self.images, self.batch_size))
        return float(total) / len(self.images)
