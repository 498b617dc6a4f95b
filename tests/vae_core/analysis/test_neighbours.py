"""The nearest training latents, and classes from latents."""

import pytest
import torch

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.analysis.classification import LatentClassifier
from vae_core.analysis.neighbours import TrainingLatents, posterior_means

TRUTH = linear_gaussian(d=3, pixels=8)


@pytest.fixture(scope="module")
def linear():
    """The linear-Gaussian model with its exact posterior, images and their true latents."""
    x, z = simulated(TRUTH, 4000)
    return linear_vae(TRUTH, "full"), x, z


def test_means_are_exact_for_gaussians(linear):
    model, x, _ = linear
    torch.testing.assert_close(posterior_means(model, x), TRUTH.posterior(x).mean)


def test_means_of_flows_do_not_depend_on_the_company(trained, test_digits):
    model = trained("planar")
    together = posterior_means(model, test_digits[:150])
    torch.testing.assert_close(together[120:130], posterior_means(model, test_digits[120:130]))


def test_the_aggregate_posterior_of_an_ideal_model_is_the_prior_and_distances_are_euclidean(linear):
    model, x, _ = linear
    latents = TrainingLatents.of(model, x, torch.zeros(len(x)))
    torch.testing.assert_close(latents.scale_tril, torch.eye(3), rtol=0, atol=0.05)
    torch.testing.assert_close(latents.centre, torch.zeros(3), rtol=0, atol=0.05)


def test_distances_do_not_depend_on_the_units_of_the_latents():
    """A latent in other units, turned and moved, is at the same distance from all others."""
    turn = torch.tensor([[3.0, 1.0], [0.0, 0.2]], dtype=torch.float64)
    z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spread = torch.linalg.cholesky(turn @ turn.T)
    plain = TrainingLatents(z, torch.zeros(50), torch.zeros(2), torch.eye(2).double())
    white = torch.linalg.solve_triangular(spread, turn @ z.T, upper=False).T
    other = TrainingLatents(white, torch.zeros(50), torch.zeros(2), spread)
    a, b = (each.nearest(each.points[:9], 4) for each in (plain, other))
    assert [n.indices for n in a] == [n.indices for n in b]
    for left, right in zip(a, b, strict=True):
        assert left.distances == pytest.approx(right.distances, abs=1e-6)


def test_a_training_image_is_its_own_nearest_neighbour(linear):
    model, x, _ = linear
    labels = torch.arange(len(x))
    latents = TrainingLatents.of(model, x, labels)
    whitened = latents.whitened(model, x[:5])
    for index, found in enumerate(latents.nearest(whitened, 3)):
        assert found.indices[0] == found.labels[0] == index
        assert found.distances[0] == pytest.approx(0, abs=1e-3)
        assert list(found.distances) == sorted(found.distances)
    expected = torch.linalg.vector_norm(whitened[0] - latents.points, dim=1).topk(3, largest=False)
    (first, *_) = latents.nearest(whitened, 3)
    assert list(first.indices) == expected.indices.tolist()
    assert latents.distance(whitened + 10).min() > 1


def test_classes_that_lie_apart_are_told_apart():
    labels = torch.arange(300) % 3
    noise = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    points = 6 * torch.nn.functional.one_hot(labels, 3)[:, :2] + noise
    classifier = LatentClassifier.fitted(points[:200], labels[:200], points[200:], labels[200:])
    assert classifier.accuracy > 0.95
    found = classifier(points[200:])
    right = [one.best == label for one, label in zip(found, labels[200:].tolist(), strict=True)]
    assert sum(right) / len(right) == pytest.approx(classifier.accuracy)
    assert all(sum(one.probabilities) == pytest.approx(1, abs=1e-5) for one in found)


def test_probabilities_are_those_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    generator = torch.Generator().manual_seed(1)
    points = torch.randn(90, 3, generator=generator)
    labels = torch.randint(0, 4, (90,), generator=generator)
    ours = LatentClassifier.fitted(points, labels, points, labels)(points[:5])
    theirs = LogisticRegression(max_iter=2000).fit(points.numpy(), labels.numpy())
    expected = theirs.predict_proba(points[:5].numpy())
    for one, row in zip(ours, expected, strict=True):
        assert list(one.probabilities) == pytest.approx(row.tolist(), abs=1e-4)


def test_the_aggregate_posterior_of_any_images_is_whitened(linear):
    """Of images from one corner of the latent space, which are neither centred nor of unit spread:
    the spread of the means and that of each q add up to 1 in every direction."""
    model, x, z = linear
    corner = x[(z[:, 0] > 0.5) & (z[:, 1] < 1)]
    latents = TrainingLatents.of(model, corner, torch.zeros(len(corner)))
    assert torch.linalg.vector_norm(latents.centre) > 0.5
    inverse = torch.linalg.inv(latents.scale_tril.double())
    each = inverse @ torch.linalg.inv(TRUTH.precision) @ inverse.T
    points = latents.points.double()
    torch.testing.assert_close(torch.cov(points.T) + each, torch.eye(3).double(), rtol=0, atol=0.08)
    torch.testing.assert_close(points.mean(0), torch.zeros(3).double(), rtol=0, atol=0.08)
