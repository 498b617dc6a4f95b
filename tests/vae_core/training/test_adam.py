"""The optimiser against PyTorch's own, step for step."""

import copy

import pytest
import torch
from torch import Tensor, nn

from vae_core.training.adam import Adam

STEPS, RATE = 6, 0.01


def a_network(generator: torch.Generator) -> nn.Sequential:
    """Layers of several shapes, one of them in another memory format."""
    first = nn.Conv2d(2, 3, 3)
    first.weight.data = first.weight.data.contiguous(memory_format=torch.channels_last)
    network = nn.Sequential(first, nn.SiLU(), nn.Flatten(), nn.Linear(12, 4))
    with torch.no_grad():
        for each in network.parameters():
            each.copy_(torch.randn(each.shape, generator=generator) / 3)
    return network


def loss_of(network: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    x = 10.0 ** (step % 3) * torch.randn(5, 2, 4, 4, generator=generator)
    return network(x).square().mean()


@pytest.mark.parametrize("longest", [0.0, 0.5, 1e6])
def test_it_takes_the_steps_of_pytorchs_adam_with_clipping(longest: float, generator) -> None:
    network = a_network(generator)
    other = copy.deepcopy(network)
    mine = Adam(network.parameters())
    theirs = torch.optim.Adam(other.parameters(), lr=RATE)
    for step in range(STEPS):
        loss_of(network, step).backward()
        mine.step(RATE, longest)
        theirs.zero_grad()
        loss_of(other, step).backward()
        if longest:
            nn.utils.clip_grad_norm_(other.parameters(), longest)
        theirs.step()
    for a, b in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_it_goes_on_from_its_state_as_if_never_interrupted(generator) -> None:
    network = a_network(generator)
    adam = Adam(network.parameters())
    for step in range(3):
        loss_of(network, step).backward()
        adam.step(RATE)
    again = copy.deepcopy(network)
    resumed = Adam(again.parameters())
    resumed.load_state_dict(copy.deepcopy(adam.state_dict()))
    for each, optimiser in ((network, adam), (again, resumed)):
        loss_of(each, 3).backward()
        optimiser.step(RATE)
    for a, b in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_is_not_trained_stays_and_what_has_no_gradient_does_no_harm(generator) -> None:
    network = a_network(generator)
    last = network[3]
    assert isinstance(last, nn.Linear)
    used = last.weight
    last.bias.requires_grad_(False)
    before = {name: each.clone() for name, each in network.state_dict().items()}
    adam = Adam(network.parameters())
    used.grad = torch.ones_like(used)  # and none for the convolution
    adam.step(RATE, 1.0)
    after = network.state_dict()
    assert torch.equal(after["3.bias"], before["3.bias"])
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert not torch.equal(after["3.weight"], before["3.weight"])
    assert used.grad is None


def test_averages_of_gradients_that_ended_do_not_fade_through_denormal_numbers(generator) -> None:
    network = a_network(generator)
    adam = Adam(network.parameters())
    loss_of(network, 0).backward()
    smallest = torch.finfo(torch.float32).tiny
    for _ in range(1200):  # 0.9¹²⁰⁰ is 10⁻⁵⁵
        adam.step(RATE)
        assert not any(bool(((m != 0) & (m.abs() < smallest)).any()) for m in adam.means)
    assert not any(m.any() for m in adam.means)
    assert all(v.all() for v in adam.squares)
