"""github.com/pytorch/examples, vae/main.py: 784-400-20, batch 128, Adam, DataLoader, CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.benchmarks.peers.loading import batches


class ExampleVAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.log_variance = (
            nn.Linear(784, 400),
            nn.Linear(400, 20),
            nn.Linear(400, 20),
        )
        self.back, self.pixels = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.hidden(x.view(-1, 784)))
        mean, log_variance = self.mean(h), self.log_variance(h)
        std = torch.exp(0.5 * log_variance)
        z = mean + torch.randn_like(std) * std
        return torch.sigmoid(self.pixels(F.relu(self.back(z)))), mean, log_variance


class ExampleTraining:
    """The example's training loop; one call is one epoch."""

    def __init__(self, images: Tensor, batch_size: int = 128) -> None:
        self.images, self.batch_size = images, batch_size
        self.model = ExampleVAE()
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def __call__(self) -> float:
        total = 0.0
        for x in batches(self.images, self.batch_size):
            self.optimiser.zero_grad()
            again, mean, log_variance = self.model(x)
            loss = F.binary_cross_entropy(again, x.view(-1, 784), reduction="sum")
            loss = loss - 0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
            loss.backward()
            total += loss.item()
            self.optimiser.step()
        return total / len(self.images)
