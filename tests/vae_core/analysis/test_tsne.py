"""t-SNE: its affinities, its gradient, and that it keeps neighbours as scikit-learn's does."""

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.manifold import TSNE, trustworthiness
from torch import Tensor

from vae_core.analysis import tsne, umap
from vae_core.basics.errors import InvalidArgument


def clusters(count: int = 120, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of four well separated Gaussians, (N, d), and which Gaussian each is from."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    return rng.normal(size=(count, d)) + 8 * rng.normal(size=(4, d))[labels], labels


def dense(neighbours: Tensor, p: Tensor) -> Tensor:
    """The joint p_ij of all pairs, (N, N)."""
    whole = torch.zeros(len(p), len(p), dtype=p.dtype).scatter_(1, neighbours, p)
    return (whole + whole.T) / 2


def divergence(y: Tensor, joint: Tensor) -> Tensor:
    """KL(P ‖ Q) by its definition."""
    kernel = (1 / (1 + (y[:, None] - y).square().sum(-1))) * (1 - torch.eye(len(y)))
    q = kernel / kernel.sum()
    here = joint > 0
    return (joint[here] * (joint[here] / q[here]).log()).sum()


@pytest.mark.parametrize("perplexity", [2.0, 10.0, 30.0])
def test_the_neighbours_of_a_point_have_the_perplexity_that_is_asked_for(perplexity: float) -> None:
    latents, _ = clusters()
    latents[7] = latents[11]  # a pair without distance
    _, p = tsne.affinities(latents, perplexity)
    rows = p * len(p)
    torch.testing.assert_close(rows.sum(1), torch.ones(len(p), dtype=torch.float64))
    entropy = -torch.special.xlogy(rows, rows).sum(1)
    torch.testing.assert_close(entropy.exp(), torch.full_like(entropy, perplexity))


@pytest.mark.parametrize("block", [16, 128])
def test_the_gradient_is_that_of_the_divergence(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tsne, "_BLOCK", block)
    neighbours, p = tsne.affinities(clusters(60)[0], 5)
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(60, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    (expected,) = torch.autograd.grad(divergence(y, dense(neighbours, p)), y)
    torch.testing.assert_close(tsne.kl_gradient(y.detach(), neighbours, p), expected)


@pytest.mark.slow
def test_the_map_is_as_good_as_that_of_scikit_learn() -> None:
    latents, labels = clusters(300, 16)
    points = tsne.embedding(latents)
    theirs = TSNE(method="exact", init="pca", random_state=0, n_jobs=1).fit(latents)
    joint = dense(*tsne.affinities(latents, 30))
    ours, other = (
        divergence(torch.tensor(y), joint) for y in (points, theirs.embedding_.astype(float))
    )
    assert ours < 1.05 * other, "no worse a minimum than theirs"
    assert trustworthiness(latents, points) > trustworthiness(latents, theirs.embedding_) - 0.01
    nearest = np.linalg.norm(points[:, None] - points, axis=-1) + 1e9 * np.eye(300)
    assert (labels[nearest.argmin(1)] == labels).all()


def test_the_same_latents_give_the_same_map_and_the_share_grows_to_one() -> None:
    latents, _ = clusters(40)
    states = list(tsne.tsne_steps(latents, iterations=37))
    again = list(tsne.tsne_steps(latents, iterations=37))
    np.testing.assert_array_equal(states[-1].points, again[-1].points)
    shares = [state.share for state in states]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert states[-1].points.shape == (40, 2)


def test_images_that_are_all_alike_have_a_map_too() -> None:
    *_, last = tsne.tsne_steps(np.ones((9, 3)), iterations=20)
    assert np.isfinite(last.points).all()


@pytest.mark.parametrize(("count", "perplexity"), [(3, None), (40, 20.0), (40, 0.5)])
def test_a_perplexity_that_cannot_be_is_refused(count: int, perplexity: float | None) -> None:
    with pytest.raises(InvalidArgument):
        next(tsne.tsne_steps(np.zeros((count, 3)), perplexity))


# ---- UMAP


def test_umap_is_offered_only_where_its_package_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert umap.available() == (importlib.util.find_spec("torchdr") is not None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not umap.available()


def test_umap_takes_its_map_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def made(**settings: Any) -> Any:
        given.update(settings)
        return SimpleNamespace(fit_transform=lambda latents: latents[:, :2])

    monkeypatch.setitem(sys.modules, "torchdr", SimpleNamespace(UMAP=made))
    latents, _ = clusters(10)
    first, last = umap.umap_steps(latents, seed=3)
    assert (first.share, last.share) == (0, 1)
    np.testing.assert_allclose(last.points, latents[:, :2], rtol=1e-6)
    assert (given["n_neighbors"], given["random_state"]) == (9, 3)


def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchdr", None)  # its import fails
    with pytest.raises(InvalidArgument, match="torchdr"):
        list(umap.umap_steps(clusters(10)[0]))
    with pytest.raises(InvalidArgument, match="4 images"):
        next(umap.umap_steps(np.zeros((3, 2))))
