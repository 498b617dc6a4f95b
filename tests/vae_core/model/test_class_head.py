"""A model of images and their classes: its objective, its p(y|x) against quadrature, its life."""

import pytest
import torch

from vae_core.analysis import classification
from vae_core.analysis.classification import class_posterior
from vae_core.basics.progress import result_of
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.elbo import elbo_terms_at
from vae_core.inference.importance import log_density
from vae_core.inference.quadrature import posterior_grid
from vae_core.model.networks import MLPDecoder
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.runs.execution import execute
from vae_core.runs.records import calibrate_steps, calibration_of
from vae_core.runs.run import Run
from vae_core.runs.store import create_run
from vae_core.scoring.report import report_images
from vae_core.settings.choices import ClassHeadName
from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.fields import ConfigError
from vae_core.training.cost import parameters
from vae_core.training.objective import GRADIENTS, training_loss

SMALL = {"latent_size": 2, "hidden_size": 6, "image_shape": (1, 3, 3), "classes": 4}


def small_model(class_head: str = "linear") -> VAE:
    torch.manual_seed(1)
    model = VAE(ModelConfig(**SMALL, class_head=class_head)).double()  # type: ignore[arg-type]
    assert isinstance(model.decoder, MLPDecoder)
    if model.class_head is not None:
        torch.nn.init.normal_(next(model.class_head.parameters()), std=2)  # classes z tells apart
        torch.nn.init.normal_(model.decoder.logits.weight, std=2)  # and images
    return model


@pytest.fixture
def images(generator) -> torch.Tensor:
    return (torch.rand(3, 1, 3, 3, generator=generator) < 0.5).double()


LABELS = torch.tensor([0, 3, 1])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The digits with their classes, d = 8, trained for a few seconds and calibrated."""
    settings = {"latent_size": 8, "epochs": 40, "class_head": "mlp", "batch_size": 64}
    config = RunConfig.from_settings({**settings, "importance_every": 0, "learning_rate": 5e-3})
    run = create_run(tmp_path_factory.mktemp("classes") / "run", config)
    assert execute(run) == "done"
    return run


# ---- the objective


def test_the_loss_is_the_bound_on_the_image_and_its_class(images):
    model, settings = small_model(), TrainConfig(samples=5)
    loss, terms = training_loss(
        model, images, settings, 1.0, torch.Generator().manual_seed(0), LABELS
    )
    again = elbo_terms_at(model, images, model.posterior(images), terms.path.epsilon)
    classes = model.log_class_probabilities(again.z)
    log_py_z = torch.stack([classes[:, i, y] for i, y in enumerate(LABELS)], 1)
    expected = -(again.kl_form + log_py_z).mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert terms.log_px_z.mean().item() == pytest.approx(again.log_px_z.mean().item(), abs=1e-12)


@pytest.mark.slow
def test_every_estimator_follows_the_class_too(images):
    """Of many draws, the gradients for q, the decoder and the head are all the same."""
    model, found = small_model(), {}
    weights = dict(model.named_parameters())
    for gradient in GRADIENTS:
        settings = TrainConfig(gradient=gradient, samples=900, elbo_form="joint")
        parts = []
        for seed in range(30):
            draw = torch.Generator().manual_seed(seed)
            loss, _ = training_loss(model, images, settings, 1.0, draw, LABELS)
            slopes = torch.autograd.grad(loss, list(weights.values()))
            parts.append(torch.cat([slope.flatten() for slope in slopes]))
        table = torch.stack(parts)
        found[gradient] = table.mean(0), table.var(0) / len(table)
    mean, variance = found["pathwise"]
    for other, spread in (found[name] for name in GRADIENTS if name != "pathwise"):
        error = (variance + spread).sqrt()
        known = error > 1e-12
        assert ((other - mean)[known] / error[known]).abs().max() < 5.5


def test_without_labels_a_class_head_changes_nothing(images):
    bare, settings = small_model("none"), TrainConfig(samples=3)
    model = small_model()
    model.load_state_dict(bare.state_dict(), strict=False)
    losses = [
        training_loss(each, images, settings, 1.0, torch.Generator().manual_seed(2))[0].item()
        for each in (bare, model)
    ]
    assert losses[0] == losses[1]
    with pytest.raises(ValueError, match="no class head"):
        bare.log_class_probabilities(torch.zeros(1, 2))


# ---- p(y|x)


def test_class_probabilities_are_those_of_the_true_posterior(images):
    model = small_model()
    probabilities, se = class_posterior(model, images, 4000)
    for image, found, error in zip(images, probabilities, se, strict=True):
        grid = posterior_grid(model, image[None], 200)
        classes = model.log_class_probabilities(torch.cartesian_prod(*grid.axes)).exp()
        weight = grid.density.flatten()
        exact = (weight[:, None] * classes).sum(0) / weight.sum()
        assert exact.max() - exact.min() > 0.1
        assert ((found - exact).abs() < 5 * error + 1e-3).all()


@pytest.mark.slow
def test_the_standard_error_is_the_spread_over_seeds(images):
    model = small_model()
    tries = [class_posterior(model, images, 1000, seed) for seed in range(40)]
    found, claimed = (torch.stack(each) for each in zip(*tries, strict=True))
    for i in range(len(images)):
        trusted = ~claimed[:, i].isnan().any(1)
        assert trusted.sum() >= 30
        spread = found[trusted, i].std(0)
        ratio = spread / claimed[trusted, i].mean(0)  # below 1, because the draws are stratified
        assert ((ratio > 0.1) & (ratio < 1.3)).all()


def test_no_error_is_claimed_where_one_draw_carries_the_weight(images, monkeypatch):
    monkeypatch.setattr(classification, "refine", lambda model, x, _seed: model.posterior(x))
    model = small_model()
    assert class_posterior(model, images, 1)[1].isnan().all()
    with torch.no_grad():
        next(model.decoder.parameters()).mul_(40)  # p(z|x) is now far narrower than q(z|x)
    probabilities, se = class_posterior(model, images, 300)
    found = log_density(model, images, 300)
    assert not found.trusted.all()
    assert torch.equal(se.isnan().all(1), ~found.trusted)
    assert probabilities.sum(1).tolist() == pytest.approx([1, 1, 1])


def test_an_image_gets_the_same_probabilities_whatever_it_is_scored_with(images):
    model = small_model()
    together = class_posterior(model, images, 300)[0]
    alone = torch.cat([class_posterior(model, image[None], 300)[0] for image in images])
    torch.testing.assert_close(together, alone)
    assert together.sum(1).tolist() == pytest.approx([1, 1, 1])


# ---- training and scoring


@pytest.mark.thorough
def test_a_trained_model_tells_the_classes_of_new_images(run: Run, digits: Dataset):
    x, labels = evaluation_images(digits, "test", "dynamic", 0)
    probabilities, _ = class_posterior(load_model(run.folder), x[:200], 100)
    assert (probabilities.argmax(1) == labels[:200]).double().mean() > 0.75


@pytest.mark.slow
def test_every_epoch_says_how_often_the_class_is_right(run: Run):
    course = [row["validation"]["class_accuracy"] for row in run.metrics()]
    assert course[0] < course[-1]
    assert course[-1] > 0.7


@pytest.mark.slow
def test_its_calibration_knows_how_often_it_is_right_and_reports_say_so(run: Run, digits: Dataset):
    model, calibration = load_model(run.folder), calibration_of(run)
    assert calibration is not None
    x, labels = evaluation_images(digits, "validation", "dynamic", 0)
    right = (class_posterior(model, x, 500)[0].argmax(1) == labels).double().mean().item()
    assert calibration.protocol["class_head_accuracy"] == pytest.approx(right, abs=1e-9)
    (report,) = report_images(model, x[:1], 50, calibration)
    assert report.classes is not None
    assert report.classes.accuracy == calibration.protocol["class_head_accuracy"]
    expected = class_posterior(model, x[:1], 500, calibration.seed)
    assert list(report.classes.probabilities) == pytest.approx(expected[0][0].tolist())
    assert report.classes.se is not None
    assert list(report.classes.se) == pytest.approx(expected[1][0].tolist())


@pytest.mark.slow
def test_a_model_without_a_head_is_asked_by_logistic_regression(finished, finished_model, digits):
    calibration = result_of(calibrate_steps(finished, finished_model, digits, 40))
    assert "class_head_accuracy" not in calibration.protocol
    x = evaluation_images(digits, "test", "dynamic", 0)[0][:1]
    (report,) = report_images(finished_model, x, 50, calibration)
    assert report.classes is not None
    assert report.classes.se is None


# ---- settings


@pytest.mark.slow
def test_the_number_of_classes_is_that_of_the_data_and_survives_the_file(run: Run):
    assert run.config.model.classes == 10
    assert load_model(run.folder).config == run.config.model
    assert run.config.name.endswith("p(y|z)")
    with pytest.raises(ConfigError, match="2 to 10,000 classes"):
        ModelConfig(classes=1)
    with pytest.raises(ConfigError, match="not ten"):
        ModelConfig.from_dict({"classes": "ten"})


@pytest.mark.parametrize(
    ("class_head", "more"), [("linear", 10 * 3 + 10), ("mlp", 256 * 3 + 256 + 10 * 256 + 10)]
)
def test_what_a_head_adds(class_head: ClassHeadName, more: int):
    bare, headed = ModelConfig(latent_size=3), ModelConfig(latent_size=3, class_head=class_head)
    assert parameters(headed) - parameters(bare) == more
    classes = VAE(headed).log_class_probabilities(torch.randn(4, 2, 3))
    assert classes.shape == (4, 2, 10)
    torch.testing.assert_close(classes.exp().sum(-1), torch.ones(4, 2))
