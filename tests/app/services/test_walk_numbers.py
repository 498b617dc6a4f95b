"""The numbers of the Start page are those of the mathematics, for every family."""

import contextlib
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from app.services.images import Images
from app.services.models import Choice
from app.services.walk_numbers import Estimate, reference, walk
from app.services.walk_samples import MAX_SAMPLES
from app.views.start import diagram
from vae_core.basics.paths import pretrained_folder
from vae_core.data.datasets import load_dataset
from vae_core.data.pixels import evaluation_images
from vae_core.model.priors import StandardNormal
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model, save_model
from vae_core.runs.store import create_run
from vae_core.settings.choices import POSTERIORS, PosteriorName
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.settings.data_sets import Split

torch.set_num_threads(1)  # the models here are small: more threads only wait for each other

FAMILIES = POSTERIORS
SIZES = (1, 2, 5)


def make_model(family: PosteriorName, d: int) -> VAE:
    """An untrained model whose weights are large enough to make q(z|x) anything but standard."""
    torch.manual_seed(d)
    config = ModelConfig(posterior=family, latent_size=d, image_shape=(1, 8, 8), hidden_size=32)
    model = VAE(config).eval().requires_grad_(False)
    for weights in model.to_posterior.parameters():
        weights.mul_(3)
    return model


@pytest.fixture(scope="module")
def x() -> Tensor:
    return evaluation_images(load_dataset("digits"), "test", "dynamic", seed=0)[0][7:8]


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_terms_are_those_of_the_model_and_add_up(
    family: PosteriorName, d: int, x: Tensor
) -> None:
    model = make_model(family, d)
    now = walk(model, x, seed=3, samples=20)
    z = torch.tensor(now.points[-1], dtype=torch.float32)[:, None]
    np.testing.assert_allclose(now.log_px_z, model.log_likelihood(x, z)[:, 0], rtol=1e-4)
    np.testing.assert_allclose(
        now.log_pz, -0.5 * (now.points[-1] ** 2 + np.log(2 * np.pi)).sum(-1), rtol=1e-5
    )
    np.testing.assert_allclose(now.log_qz, now.log_q0 - now.log_abs_dets.sum(0), atol=1e-4)
    np.testing.assert_allclose(now.p, model.mean_image(z[0, 0]), atol=1e-5)
    np.testing.assert_allclose(now.log_w, now.log_px_z + now.log_pz - now.log_qz)
    assert now.joint_form.mean == pytest.approx(now.log_w.mean(), abs=1e-4)
    assert now.joint_form.se == pytest.approx(now.log_w.std(ddof=1) / 20**0.5, rel=1e-3)
    assert now.kl_form.mean == pytest.approx(now.log_px_z.mean() - now.kl.mean, abs=1e-4)


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_gaussian_read_off_the_path_explains_the_base(
    family: PosteriorName, d: int, x: Tensor
) -> None:
    model = make_model(family, d)
    about, now = reference(model, x), walk(model, x, seed=0, samples=50)
    np.testing.assert_allclose(
        about.mean + now.epsilon @ about.scale.T, now.points[0], rtol=1e-4, atol=1e-4
    )
    base = MultivariateNormal(torch.tensor(about.mean), scale_tril=torch.tensor(about.scale))
    np.testing.assert_allclose(base.log_prob(torch.tensor(now.points[0])), now.log_q0, atol=1e-3)
    assert about.diagonal == (family != "full" or d == 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_larger_l_keeps_the_draws_of_a_smaller_one_and_a_seed_brings_them_back(
    family: PosteriorName, x: Tensor
) -> None:
    model = make_model(family, 2)
    few, many, other = (walk(model, x, s, n) for s, n in ((5, 2), (5, MAX_SAMPLES), (6, 2)))
    np.testing.assert_array_equal(few.epsilon, many.epsilon[:2])
    np.testing.assert_allclose(few.log_w, many.log_w[:2], rtol=1e-5)
    assert np.abs(few.epsilon - other.epsilon).min() > 0
    assert few.joint_form.se > many.joint_form.se


def test_one_draw_says_nothing_of_its_own_error(x: Tensor) -> None:
    now = walk(make_model("full", 2), x, seed=0, samples=1)
    assert np.isnan(now.joint_form.se)
    assert now.joint_form.mean == pytest.approx(now.log_w[0])


@pytest.mark.parametrize("samples", [0, MAX_SAMPLES + 1])
def test_an_l_out_of_range_is_refused(samples: int, x: Tensor) -> None:
    with pytest.raises(ValueError, match="L must be"):
        walk(make_model("full", 2), x, 0, samples)


def test_only_gaussians_have_a_closed_form_kl_and_both_forms_agree(x: Tensor) -> None:
    for family in FAMILIES:
        model = make_model(family, 2)
        about, now = reference(model, x), walk(model, x, 1, MAX_SAMPLES)
        assert (about.kl is not None) == (family in ("mean-field", "full"))
        if about.kl is None:
            assert now.kl_form.mean == pytest.approx(now.joint_form.mean, abs=1e-4)
        else:
            assert now.kl.mean == pytest.approx(about.kl.mean)
            error = np.hypot(now.joint_form.se, now.kl_form.se)
            assert abs(now.joint_form.mean - now.kl_form.mean) < 5 * error


@pytest.mark.parametrize("family", FAMILIES)
def test_the_elbo_is_below_log_px(family: PosteriorName, x: Tensor) -> None:
    about, now = reference(make_model(family, 2), x), walk(make_model(family, 2), x, 2, MAX_SAMPLES)
    gap = about.gap(now.joint_form)
    assert np.isnan(about.log_px.se) == (not about.trusted)
    assert gap.mean > (-0.2 if np.isnan(gap.se) else -3 * gap.se)
    expected = (about.log_px.se**2 + now.joint_form.se**2) ** 0.5
    assert gap.se == pytest.approx(expected, nan_ok=True)
    low, high = about.log_w_range
    assert low < about.log_px.mean < high
    assert np.mean((now.log_w >= low) & (now.log_w <= high)) > 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_the_density_drawn_over_a_line_is_that_of_q(family: PosteriorName, x: Tensor) -> None:
    about = reference(make_model(family, 1), x)
    z = about.probe_points[-1][:, 0]
    order = np.argsort(z)
    mass = np.trapezoid(np.exp(about.probe_log_q[order]), z[order])
    assert mass == pytest.approx(1, abs=0.002)  # all but what lies beyond |ε| = 3.5
    assert about.probe_points.shape == (len(about.probe_points), len(about.probe), 1)


def test_moments_are_those_of_the_draws(x: Tensor) -> None:
    for family in FAMILIES:
        model = make_model(family, 5)
        about, z = reference(model, x), walk(model, x, 4, MAX_SAMPLES).points[-1]
        error = 5 * about.z_sd * (2 / MAX_SAMPLES) ** 0.5
        assert np.all(np.abs(z.mean(0) - about.z_mean) < error)
        assert np.all(np.abs(z.std(0) - about.z_sd) < error)


@pytest.mark.parametrize(("se", "trusted"), [(0.2, True), (float("nan"), False)])
def test_an_estimate_is_trusted_if_its_error_is_known(se: float, trusted: bool, x: Tensor) -> None:
    about = replace(reference(make_model("full", 2), x), log_px=Estimate(-10.0, se))
    assert about.trusted == trusted


def test_the_gap_adds_errors_in_quadrature(x: Tensor) -> None:
    about = replace(reference(make_model("full", 2), x), log_px=Estimate(-10.0, 0.3))
    gap = about.gap(Estimate(-12.0, 0.4))
    assert (gap.mean, gap.se) == pytest.approx((2.0, 0.5))


@pytest.mark.parametrize("split", ["test", None])
def test_the_code_that_is_shown_prints_the_numbers_that_are_shown(
    tmp_path: Path, split: Split | None
) -> None:
    run = create_run(tmp_path / "a run", RunConfig.from_settings({"posterior": "full"}))
    model = VAE(run.config.model)
    save_model(model, run.folder / "model.safetensors")
    choice = Choice("a run", run, run.checkpoint_digest())
    x = Images(choice, split).x(7)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec("\n".join(diagram.code_lines(Images(choice, split), index=7, seed=3, samples=20)), {})
    printed = [float(n) for n in re.findall(r"-?\d+\.\d+", out.getvalue())]
    now, about = walk(model, x, 3, 20), reference(model, x)
    shown = [now.log_px_z[0], now.log_pz[0], now.log_qz[0]]
    for form in (now.joint_form, now.kl_form):
        shown += [form.mean, form.se]
    np.testing.assert_allclose(printed[:7], shown, rtol=1e-3)
    assert printed[7] == pytest.approx(about.log_px.mean, rel=1e-3)


class Shifted(StandardNormal):
    """p(z) = N(2, 1.5² I)."""

    def log_prob(self, z: Tensor) -> Tensor:
        return super().log_prob((z - 2) / 1.5) - self.latent_size * np.log(1.5)

    def moments(self) -> tuple[Tensor, Tensor]:
        return torch.full_like(self.origin, 2.0), torch.full_like(self.origin, 1.5)


@pytest.mark.parametrize("d", SIZES)
def test_the_prior_beside_q_is_that_of_the_model(d: int, x: Tensor) -> None:
    model = make_model("mean-field", d)
    model.prior = Shifted(d)
    about = reference(model, x)
    np.testing.assert_array_equal(about.prior, [np.full(d, 2.0), np.full(d, 1.5)])
    away = (about.probe_points[-1] - 2) / 1.5
    log_p = -0.5 * (away**2 + np.log(2 * np.pi)).sum(-1) - d * np.log(1.5)
    np.testing.assert_allclose(about.probe_log_p, log_p, rtol=1e-5)


def test_without_a_known_error_the_range_is_that_of_the_draws() -> None:
    """A white page, of which one draw carries the weight."""
    about = reference(load_model(pretrained_folder() / "mnist-full-d50"), torch.ones(1, 1, 28, 28))
    assert not about.trusted
    assert np.isnan(about.log_px.se)
    assert np.all(np.isfinite(about.log_w_range))
