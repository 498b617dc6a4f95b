"""The first hour with a graphics card: right, taken up, recorded, fast, small; one table.

Needs ``vae_core`` and PyTorch alone. ``python -m tests.benchmarks gpu`` takes at most 8 minutes on
a card; ``python -m tests.benchmarks.gpu --device cpu --size tiny`` shows on any computer that it
runs. All figures go into ``gpu.json`` in the present folder too.
"""

import argparse
import copy
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.benchmarks.data import as_dataset, images
from vae_core.inference.elbo import terms_at
from vae_core.model.vae import VAE
from vae_core.scoring.report import report_images
from vae_core.settings.choices import LIKELIHOODS, POSTERIORS
from vae_core.settings.config import RunConfig
from vae_core.training.cuda_graphs import Replayed
from vae_core.training.objective import GRADIENTS, training_loss
from vae_core.training.trainer import EpochDone, Step, Training

_SEED = 0
_MOST_NATS = 1e-3
_MOST_OF_A_GRADIENT = 1e-3  # of the length of the gradient
_MOST_SECONDS = 480.0
_DRAWS = 4


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes:
        images: compared with the processor, for each model.
        hidden: units of a hidden layer.
        trained: images of a training epoch.
        reported: images of which reports are made.
    """

    images: int
    hidden: int
    trained: int
    reported: int


SIZES = {
    "whole": Size(100, 200, 50_000, 10_000),
    "tiny": Size(4, 8, 256, 3),
}


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        good: whether what was promised holds; None for a measurement.
    """

    what: str
    value: float
    unit: str
    good: bool | None = None


def main(arguments: list[str] | None = None) -> list[Row]:
    """Make all checks and print them.

    Args:
        arguments: of the command line; by default those of a card, whole.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", default="whole", choices=tuple(SIZES))
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    given = parser.parse_args(arguments or [])
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no NVIDIA card here. On a processor: --device cpu --size tiny")
    device, size, begun = torch.device(given.device), SIZES[given.size], time.perf_counter()
    print(f"{_name(device)} · torch {torch.__version__} · {given.size}")
    rows = []
    for part in (posteriors, estimators, taken_up, recorded, against_a_plain_loop, reports):
        for row in part(device, size):
            rows.append(row)
            mark = {True: "holds", False: "FAILS", None: ""}[row.good]
            print(f"  {row.what:62} {row.value:12.6g} {row.unit:14} {mark}", flush=True)
    seconds = time.perf_counter() - begun
    rows.append(Row("all of it", seconds, "s", seconds <= _MOST_SECONDS))
    given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    failed = sum(row.good is False for row in rows)
    print(f"{len(rows)} lines, {failed} fail; written to {given.json}")
    return rows


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds(device: torch.device, work: Callable[[], object]) -> float:
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


# ---- against the processor


def _config(size: Size, **settings: object) -> RunConfig:
    return RunConfig.from_settings(
        {"dataset": "mnist", "hidden_size": size.hidden, "latent_size": 8, **settings}
    )


def _pair(config: RunConfig, device: torch.device) -> tuple[VAE, VAE]:
    """The same model, untrained, on the processor and on the device."""
    torch.manual_seed(_SEED)
    model = VAE(config.model).eval()
    return model, copy.deepcopy(model).to(device)


def _inputs(config: RunConfig, count: int) -> Tensor:
    grey = images(count).float() / 255
    return (grey > 0.5).float() if LIKELIHOODS[config.model.likelihood].pixels == "binary" else grey


@torch.no_grad()
def posteriors(device: torch.device, size: Size) -> Iterator[Row]:
    """log w of the same draws on both, for every family with every likelihood."""
    for likelihood in LIKELIHOODS:
        worst = 0.0
        for posterior in POSTERIORS:
            config = _config(size, posterior=posterior, likelihood=likelihood)
            here, there = _pair(config, device)
            x = _inputs(config, size.images)
            noise = here.posterior(x).noise(_DRAWS, torch.Generator().manual_seed(_SEED))
            expected, found = (_log_weights(model, x, noise) for model in (here, there))
            worst = max(worst, float((found - expected).abs().max()))
        what = f"log w of ten families, {likelihood}: largest difference"
        yield Row(what, worst, "nats", worst <= _MOST_NATS)


def _log_weights(model: VAE, x: Tensor, noise: Tensor) -> Tensor:
    x = x.to(model.device)
    q = model.posterior(x)
    path = q.path(noise.to(x.device))
    return terms_at(model, x, q, path, path.z, path.log_q).joint_form.cpu()


def estimators(device: torch.device, size: Size) -> Iterator[Row]:
    """The gradient of the same draws on both, for every estimator."""
    for gradient in GRADIENTS:
        inside = 4 if gradient == "dreg" else 1
        config = _config(
            size, posterior="full", gradient=gradient, iwae_samples=inside, samples=_DRAWS
        )
        here, there = _pair(config, device)
        x = _inputs(config, size.images)
        generator = torch.Generator().manual_seed(_SEED)
        noise = here.posterior(x).noise(_DRAWS * inside, generator)
        expected, found = (_gradient(model, x, config, noise) for model in (here, there))
        share = float((found - expected).norm() / expected.norm())
        what = f"gradient, {gradient}: difference over its length"
        yield Row(what, share, "", share <= _MOST_OF_A_GRADIENT)


def _gradient(model: VAE, x: Tensor, config: RunConfig, noise: Tensor) -> Tensor:
    device = model.device
    training_loss(model, x.to(device), config.train, 1.0, noise=noise.to(device))[0].backward()
    return torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None])


# ---- training


def _training(size: Size, device: torch.device, epochs: int, **settings: object) -> Training:
    config = RunConfig.from_settings(
        {
            "dataset": "mnist", "device": device.type, "epochs": epochs, "importance_every": 0,
            "hidden_size": size.hidden, "latent_size": 8, "precision": "float32", **settings,
        }
    )  # fmt: skip
    return Training(config, as_dataset(images(size.trained)))


def _elbos(training: Training) -> Iterator[float]:
    """Train, and yield the ELBO of each epoch."""
    for event in training.events():
        if isinstance(event, EpochDone):
            yield event.metrics["train"]["elbo"]


def _last_elbo(training: Training) -> float:
    return list(_elbos(training))[-1]


def taken_up(device: torch.device, size: Size) -> Iterator[Row]:
    """A run begun on the processor goes on here, one begun here goes on there."""
    processor = torch.device("cpu")
    for name, first, second in (
        ("begun on the processor, taken up here", processor, device),
        ("begun here, taken up on the processor", device, processor),
    ):
        begun = _training(size, first, 2)
        before = next(
            e.metrics["train"]["elbo"] for e in begun.events() if isinstance(e, EpochDone)
        )
        state = _moved(begun.state_dict(), second)
        again = _training(size, second, 2)
        again.load_state_dict(state)
        after = _last_elbo(again)
        yield Row(f"a run {name}: ELBO gained in the next epoch", after - before, "nats",
                  math.isfinite(after) and after > before)  # fmt: skip


def _moved(state: dict, device: torch.device) -> dict:  # type: ignore[type-arg]
    """The state as it comes from a file: tensors on the device, generators on the processor."""
    moved = {
        name: value.to(device) if isinstance(value, Tensor) and name != "generator" else value
        for name, value in state.items()
    }
    for part in ("model", "best"):
        moved[part] = {name: value.to(device) for name, value in state[part].items()}
    return moved


def recorded(device: torch.device, size: Size) -> Iterator[Row]:
    """Steps replayed from a CUDA graph, and the same steps one by one."""
    if device.type != "cuda":
        return
    times, elbos = [], []
    for graphs in (True, False):
        training = _training(size, device, 3)
        if not graphs:
            training.make_step = training._step
        times.append(_seconds(device, lambda t=training: elbos.append(_last_elbo(t))))
        if graphs:
            made = isinstance(training.make_step, Replayed) and training.make_step.replay
            yield Row("a step was recorded", float(bool(made)), "", bool(made))
    difference = abs(elbos[0] - elbos[1])
    yield Row("ELBO after 3 epochs, recorded or not: difference", difference, "nats",
              difference <= _MOST_NATS)  # fmt: skip
    yield Row("time of steps one by one, over recorded ones", times[1] / times[0], "×")


class _Plain(nn.Module):
    """The same network as ours, written down in the plainest way."""

    def __init__(self, hidden: int, d: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 2 * d),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 784),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        mean, log_variance = self.encoder(x).chunk(2, -1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        loss = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        kl = -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())
        return (loss + kl) / len(x)


def against_a_plain_loop(device: torch.device, size: Size) -> Iterator[Row]:
    """An epoch of ours without its validation, and one of a plain PyTorch loop."""
    batch = min(128, size.trained)
    training = _training(size, device, 100, posterior="mean-field", batch_size=batch)
    events = training.events()

    def ours() -> None:
        for event in events:
            if isinstance(event, Step) and event.step == event.steps:
                training.progress.step = 0
                return

    model, pixels = _Plain(size.hidden, 8).to(device), images(size.trained).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def plain() -> None:
        for chosen in torch.randperm(len(pixels), device=device).split(batch):
            x = torch.bernoulli(pixels[chosen].flatten(1) / 255)
            optimiser.zero_grad()
            model(x).backward()
            optimiser.step()

    ours()
    plain()
    taken = {name: _seconds(device, work) for name, work in (("ours", ours), ("plain", plain))}
    yield Row("an epoch of 2×200, d = 8, ours", taken["ours"], "s")
    yield Row("the same by a plain PyTorch loop, over ours", taken["plain"] / taken["ours"], "×")


def reports(device: torch.device, size: Size) -> Iterator[Row]:
    """Reports of images, K = 100, and the memory that they take."""
    config = _config(size, latent_size=50)
    _, model = _pair(config, device)
    x = _inputs(config, size.reported)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    found: list[object] = []
    seconds = _seconds(device, lambda: found.extend(report_images(model, x, 100)))
    yield Row(f"reports of {size.reported:,} images, K = 100", seconds, "s")
    yield Row("reports made", float(len(found)), "", len(found) == size.reported)
    if device.type == "cuda":
        yield Row("most memory of the card", torch.cuda.max_memory_allocated(device) / 2**20, "MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
