"""Each quantity of an image is computed once: the tests count encoder passes and refinements."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tests.vae_core.scoring.test_score import run_to_the_end
from vae_core.analysis.neighbours import TrainingLatents, posterior_means
from vae_core.basics.progress import result_of
from vae_core.data.datasets import Dataset
from vae_core.inference import proposals
from vae_core.inference.proposals import refined_log_density
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration, calibration_steps
from vae_core.scoring.context import ImageContext
from vae_core.scoring.figures.base import Figure
from vae_core.scoring.figures.complexity import code_length
from vae_core.scoring.figures.regret import likelihood_regret
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.redraws import redraw_steps
from vae_core.scoring.report import report_images, report_steps
from vae_core.settings.config import ModelConfig

OTHER_K = 30  # not that of held-out images


@pytest.fixture(scope="module", params=["none", "linear"])
def model(request: pytest.FixtureRequest) -> VAE:
    """A model of the digits with random weights, without and with a class head."""
    torch.manual_seed(0)
    size = {"latent_size": 3, "hidden_size": 16, "image_shape": (1, 8, 8), "classes": 10}
    return VAE(ModelConfig(posterior="full", class_head=request.param, **size)).eval()


@pytest.fixture(scope="module")
def judging(model: VAE, digits: Dataset) -> Calibration:
    return result_of(calibration_steps(model, digits, "dynamic", images=20))


@dataclass
class Counted:
    """How many images went through the encoder, and for how many a proposal was refined."""

    encoded: int = 0
    refined: int = 0


@pytest.fixture
def counted(model: VAE, judging: Calibration, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """The counts, from when the calibration is made on."""
    assert judging
    counts, fit = Counted(), proposals.fitted_gaussian

    def count_encoded(_module: object, _given: tuple[Tensor], features: Tensor) -> None:
        counts.encoded += len(features)

    def count_refined(model: VAE, x: Tensor, *others: object) -> object:
        counts.refined += len(x)
        return fit(model, x, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(proposals, "fitted_gaussian", count_refined)
    hook = model.encoder.register_forward_hook(count_encoded)
    yield counts
    hook.remove()


def test_a_report_encodes_and_refines_an_image_once(model, judging, counted, test_digits):
    report_images(model, test_digits[:6], OTHER_K, judging)
    assert counted == Counted(encoded=6, refined=6)


def test_so_does_a_report_without_a_calibration(model, counted, test_digits):
    report_images(model, test_digits[:6], OTHER_K)
    assert counted == Counted(encoded=6, refined=6)


def test_an_image_alone_is_encoded_once(model, judging, counted, test_digits):
    run_to_the_end(report_steps(model, test_digits[:1], OTHER_K, judging))
    assert counted == Counted(encoded=1, refined=1)


def test_measuring_as_held_out_images_encodes_and_refines_once(
    model, judging, counted, test_digits
):
    judging.measure(model, test_digits[:6])
    assert counted == Counted(encoded=6, refined=6)


def test_calibrating_refines_each_held_out_image_once(model, counted, digits):
    result_of(calibration_steps(model, digits, "dynamic", images=10))
    assert counted.refined == 10
    training = len(digits.split("train")[0])
    assert counted.encoded == 2 * training + 10, "draws and means of training images"


def test_every_redraw_is_refined_once(model, judging, counted, digits):
    pixels = digits.split("test")[0][0]
    *_, last = redraw_steps(model, pixels, OTHER_K, judging, draws=3)
    assert len(last.reports) == 3
    assert counted == Counted(encoded=3, refined=3)


def test_another_seed_takes_another_refinement_and_no_other_encoding(
    model, judging, counted, test_digits
):
    report_images(model, test_digits[:6], OTHER_K, judging, seed=4)
    assert counted == Counted(encoded=6, refined=2 * 6)


def test_nothing_is_computed_before_it_is_asked_for(model, judging, counted, test_digits):
    images = judging.context(model, test_digits[:3])
    assert images.code_bits.shape == (3,)
    assert counted == Counted()
    assert images.posterior is images.estimated_by(7, 0).posterior
    assert counted == Counted(encoded=3)


def test_all_is_as_the_functions_give_it_by_themselves(finished_model, calibration, test_digits):
    model, x = finished_model, test_digits[:4]
    images = ImageContext(model, x, 40, 2, calibration.latents)
    assert torch.equal(images.log_px, refined_log_density(model, x, 40, 2).log_px)
    assert torch.equal(images.code_bits, code_length(x))
    assert torch.equal(images.latent_mean, posterior_means(model, x, 2))
    assert torch.equal(images.whitened, calibration.latents.whitened(model, x, 2))
    regret = likelihood_regret(model, x, 2)
    assert torch.equal(images.regret.amortisation, regret.amortisation)
    assert torch.equal(images.regret.amortisation_se, regret.amortisation_se)


def test_the_two_estimates_of_an_image_stay_apart(finished_model, test_digits):
    images = ImageContext(finished_model, test_digits[:2], 40)
    other = images.estimated_by(10, 0)
    assert not torch.equal(images.log_px, other.log_px)
    assert torch.equal(
        other.log_px, refined_log_density(finished_model, test_digits[:2], 10).log_px
    )
    assert images.estimated_by(40, 0).estimate() is images.estimate()


def test_latents_are_whitened_by_known_ones_alone(finished_model, test_digits):
    with pytest.raises(ValueError, match="which are missing"):
        _ = ImageContext(finished_model, test_digits[:2], 40).whitened


def test_a_new_figure_is_one_entry(finished_model, digits, test_digits, monkeypatch):
    """Calibration, report and verdict follow the table."""
    ink = Figure("ink", "ink", "pixels", lambda images: images.x.flatten(1).sum(1).double().cpu())
    monkeypatch.setitem(FIGURES, "ink", ink)
    calibration = result_of(calibration_steps(finished_model, digits, "dynamic", images=40))
    blotted = torch.ones_like(test_digits[:1])
    (report,) = report_images(finished_model, blotted, 20, calibration)
    assert report.values["ink"] == 64
    assert report.judgement is not None
    assert report.judgement.values["ink"] == 64
    assert report.judgement.percentiles["ink"] == 100
    assert isinstance(calibration.latents, TrainingLatents)
    assert calibration.held_out.figure("ink").shape == (40,)
