"""The numbers of the Posterior lab are those of the core, whatever the family."""

import contextlib
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from app.figures.posterior_values import GapBar, Mark
from app.parts import preparation
from app.services import models
from app.services.models import Choice
from app.services.work import Bench, Known, Task
from app.views.posterior import (
    code,
    data,
    families,
    flow_tab,
    notes,
    pointer,
    richer_words,
    tasks,
    truth_tab,
)
from app.views.posterior.bounds_words import about_elbos, about_sandwich
from app.views.posterior.families import Member, companions
from app.views.posterior.gap_words import about_gap
from app.views.posterior.shapes import MASSES, RADII, shape_of, steps_of
from app.views.posterior.subject import Subject, subject_of_file
from vae_core.data.datasets import load_dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.annealing import simulate
from vae_core.inference.importance import log_density
from vae_core.inference.methods import State
from vae_core.inference.proposals import refined_log_density
from vae_core.inference.quadrature import quadrature
from vae_core.inference.weights import iwae_curve, weight_steps
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import save_model
from vae_core.runs.store import create_run, pretrained_runs
from vae_core.settings.config import RunConfig

torch.set_num_threads(1)  # the models here are small: more threads only wait for each other


@pytest.fixture(scope="module")
def x() -> Tensor:
    return evaluation_images(load_dataset("digits"), "test", "dynamic", seed=0)[0][:1]


def untrained(folder: Path, **settings: object) -> Choice:
    """A model with weights large enough for a posterior of its own, as a choice."""
    run = create_run(folder, RunConfig.from_settings({"hidden_size": 16} | settings), "done")
    torch.manual_seed(0)
    model = VAE(run.config.model).eval().requires_grad_(False)
    for weights in model.to_posterior.parameters():
        weights.mul_(2)
    save_model(model, folder / "model.safetensors")
    return Choice(folder.name, run, run.checkpoint_digest())


def subject(choice: Choice, x: Tensor, z: np.ndarray | None = None) -> Subject:
    return Subject(choice, x, "an image", "test", ("x = torch.zeros(1, 1, 8, 8)",), z)


@pytest.fixture
def pretrained() -> Choice:
    run = next(run for run in pretrained_runs() if run.id == "digits-full-d2")
    return Choice("pretrained/digits-full-d2", run, run.checkpoint_digest())


# ---- families


def test_companions_share_one_decoder_and_come_once_a_family(pretrained: Choice) -> None:
    found = companions(pretrained)
    families = [Member(each).family for each in found]
    assert len(set(families)) == len(families)
    assert pretrained.key in [each.key for each in found]
    own = models.model(pretrained).decoder.state_dict()
    for other in found:
        weights = models.model(other).decoder.state_dict()
        assert all(torch.equal(weights[name], value) for name, value in own.items())
    assert len({Member(each).colour for each in found}) == len(found)


def test_a_model_without_companions_is_its_own(tmp_path: Path) -> None:
    alone = untrained(tmp_path / "alone", posterior="planar")
    assert companions(alone) == [alone]


def test_of_two_models_of_a_family_the_chosen_one_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, third = (
        untrained(tmp_path / name, posterior=family)
        for name, family in (("one", "iaf"), ("other", "iaf"), ("third", "mean-field"))
    )
    same = {each.key: each for each in (one, other, third)}
    monkeypatch.setattr(models, "companions", lambda _: same)
    assert companions(other) == [third, other]
    assert companions(third) == [third, one]


def spoilt(choice: Choice) -> Choice:
    """The same run with weights of another model."""
    other = VAE(RunConfig.from_settings({"hidden_size": 7}).model)
    save_model(
        VAE(choice.run.config.model), choice.run.folder / "model.safetensors", other.state_dict()
    )
    return Choice(choice.key, choice.run, choice.run.checkpoint_digest())


def test_a_companion_that_cannot_be_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = untrained(tmp_path / "own", posterior="full")
    bad = spoilt(untrained(tmp_path / "bad", posterior="planar"))
    fine = untrained(tmp_path / "fine", posterior="iaf")
    same = {each.key: each for each in (own, bad, fine)}
    monkeypatch.setattr(models, "companions", lambda _: same)
    assert companions(own) == [own, fine]
    second = untrained(tmp_path / "second", posterior="planar")
    same |= {second.key: second}
    assert companions(own) == [own, second, fine]


# ---- shapes


@pytest.mark.parametrize("family", ["full", "planar", "iaf"])
def test_the_curves_hold_the_mass_they_promise(tmp_path: Path, x: Tensor, family: str) -> None:
    model = models.model(untrained(tmp_path / family, posterior=family))
    q = model.posterior(x)
    shape = shape_of(model, x, q, seed=0)
    path = q.path(q.noise(4000, torch.Generator().manual_seed(1)))
    inside = path.epsilon[:, 0].norm(dim=-1)
    for radius, mass, curve in zip(RADII, MASSES, shape.curves, strict=True):
        # A point is within the curve just if its noise is within the circle.
        assert float((inside < radius).double().mean()) == pytest.approx(mass, abs=0.025)
        angle = torch.linspace(0, 2 * math.pi, len(curve))
        circle = radius * torch.stack([angle.cos(), angle.sin()], -1)[:, None]
        np.testing.assert_allclose(curve, q.path(circle).z[:, 0], atol=1e-5)


def test_a_density_on_the_line_integrates_to_one(tmp_path: Path, x: Tensor) -> None:
    model = models.model(untrained(tmp_path / "line", posterior="planar", latent_size=1))
    shape = shape_of(model, x, model.posterior(x), seed=0)
    assert shape.line is not None
    z, density = shape.line
    assert (np.diff(z) > 0).all()
    assert np.trapezoid(density, z) == pytest.approx(1, abs=1e-3)


def test_the_steps_lead_from_the_base_to_z(tmp_path: Path, x: Tensor) -> None:
    model = models.model(untrained(tmp_path / "flow", posterior="planar", flow_steps=3))
    steps = steps_of(model, x, seed=0)
    shape = shape_of(model, x, model.posterior(x), seed=0)
    assert steps.points.shape[0] == 4
    assert steps.log_abs_dets.shape[0] == 3
    np.testing.assert_allclose(steps.points[-1], shape.draws)
    for last, curve in zip(steps.curves[-1], shape.curves, strict=True):
        np.testing.assert_allclose(last, curve)
    gaussian = untrained(tmp_path / "gaussian", posterior="full")
    assert not len(steps_of(models.model(gaussian), x, seed=0).log_abs_dets)


def test_many_dimensions_are_drawn_where_q_is_narrowest(tmp_path: Path, x: Tensor) -> None:
    own = subject(untrained(tmp_path / "many", latent_size=6, posterior="full"), x)
    member = Member(own.choice)
    q = own.model.posterior(x)
    assert isinstance(q, GaussianPosterior)
    scale = q.scale_tril[0].double().numpy()
    least = np.sqrt(np.linalg.eigvalsh(scale @ scale.T)[:2])
    plane = data.plane(own, member)
    spread = np.linalg.norm(plane.axes @ scale, axis=1)
    np.testing.assert_allclose(spread, least, rtol=0.05)
    first, second = truth_tab.plane_titles(plane, data.shape(own, member).draws)
    assert first.startswith("narrowest direction of q, sd ")
    assert float(first.rpartition(" ")[2]) == pytest.approx(least[0], rel=0.12)
    assert float(second.rpartition(" ")[2]) == pytest.approx(least[1], rel=0.12)


# ---- importance weights


def test_the_weights_are_those_of_log_density(pretrained: Choice, x: Tensor) -> None:
    model = models.model(pretrained)
    *_, weights = weight_steps(model, x, 3000, seed=0)
    density = log_density(model, x, 3000, seed=0)
    assert weights.log_px == pytest.approx((float(density.log_px), float(density.se)))
    assert weights.elbo[0] == pytest.approx(float(density.elbo))
    assert weights.ess == pytest.approx(float(density.ess))
    assert weights.pareto_k == pytest.approx(float(density.pareto_k))
    assert weights.normalised.sum() == pytest.approx(1)
    assert (np.diff(weights.normalised) <= 0).all()


def test_the_iwae_curve_rises_from_the_elbo_to_log_px() -> None:
    # log w ~ N(−s²/2, s²) has E w = 1: log p(x) = 0, and the ELBO is −s²/2.
    s = 0.8
    log_w = np.random.default_rng(0).normal(-(s**2) / 2, s, 20_000)
    counts, bounds, errors = iwae_curve(log_w)
    assert counts[0] == 1
    assert counts[-1] == 20_000
    assert bounds[0] == pytest.approx(log_w.mean())
    assert abs(bounds[0] + s**2 / 2) < 4 * errors[0]
    assert (np.diff(bounds[:8]) > 0).all()
    assert abs(bounds[-1]) < 4 * errors[-1]
    assert bounds[-1] == pytest.approx(np.log(np.exp(log_w).mean()))
    two = np.log(np.exp(log_w).reshape(-1, 2).mean(1))
    assert (bounds[1], errors[1]) == pytest.approx(
        (two.mean(), two.std(ddof=1) / np.sqrt(len(two)))
    )


# ---- the truth


@pytest.mark.slow
def test_the_reference_is_exact_where_it_can_be(
    pretrained: Choice, tmp_path: Path, x: Tensor
) -> None:
    small = subject(pretrained, x)
    log_px, error, exact = data.reference(small, [Member(pretrained)])
    assert exact
    assert log_px == pytest.approx(float(quadrature(small.model, x).log_px), abs=2e-3)
    many = untrained(tmp_path / "many", latent_size=5)
    log_px, error, exact = data.reference(subject(many, x), [Member(many)])
    assert not exact
    assert data.reference_samples(subject(many, x)) == data.REFERENCE_SAMPLES
    assert data.reference_samples(small) is None
    estimates = (log_density, refined_log_density)
    found = [f(models.model(many), x, data.REFERENCE_SAMPLES, 0) for f in estimates]
    density = max(found, key=lambda each: float(each.ess))
    assert (log_px, error) == pytest.approx((float(density.log_px), float(density.se)))
    settings = {"network": "linear", "likelihood": "gaussian", "latent_size": 4}
    linear = untrained(tmp_path / "linear", **settings)
    log_px, error, exact = data.reference(subject(linear, x), [Member(linear)])
    assert (error, exact) == (0, True)
    estimate = log_density(models.model(linear), x, 20_000, seed=0)
    assert abs(log_px - float(estimate.log_px)) < max(0.5, 5 * float(estimate.se))


# ---- tasks


def done(task: Task) -> object:
    bench = Bench(Known(4))
    while bench.working([task]):
        bench.advance([task], 10)
    return bench.latest(task)


@pytest.mark.slow
def test_a_refit_is_never_worse_than_the_encoder(pretrained: Choice, x: Tensor) -> None:
    result = done(tasks.refit_task(subject(pretrained, x), Member(pretrained)))
    assert isinstance(result, tasks.Refit)
    assert result.share == 1
    regret = result.regret
    assert float(regret.amortisation) > -3 * float(regret.amortisation_se)
    assert float(regret.best_elbo) < data.exact(subject(pretrained, x))[0]  # type: ignore[index]


@pytest.mark.slow
def test_only_an_image_with_a_known_latent_is_bounded_from_above(tmp_path: Path, x: Tensor) -> None:
    choice = untrained(tmp_path / "few", latent_size=3)
    below = done(tasks.anneal_task(subject(choice, x), 20))
    assert isinstance(below, tasks.Annealed)
    assert below.lower is not None
    assert below.upper is None
    model = models.model(choice)
    image, z = simulate(model, 1, torch.Generator().manual_seed(0))
    both = done(tasks.anneal_task(subject(choice, image, z[0].double().numpy()), 20))
    assert isinstance(both, tasks.Annealed)
    assert both.upper is not None
    assert both.lower is not None
    assert abs(float(both.upper.log_px - both.lower.log_px)) < 10


def test_another_image_or_model_is_another_task(tmp_path: Path, x: Tensor) -> None:
    one, other = (untrained(tmp_path / name) for name in ("one", "other"))
    keys = {
        tasks.weights_task(subject(choice, image), Member(choice), samples).key
        for choice in (one, other)
        for image in (x, 1 - x)
        for samples in (10, 20)
    }
    assert len(keys) == 8


# ---- words, files and code


def test_the_draws_of_hmc_come_with_what_tells_whether_to_trust_them() -> None:
    assert truth_tab._about_chains(None) == "HMC: warming up."
    found = {"step size": 0.2, "acceptance": 0.8, "R̂": 1.01}
    good = State(torch.zeros(10, 3), 1.0, diagnostics=found)
    assert truth_tab._about_chains(good) == "HMC: step size 0.200 · acceptance 80% · R̂ 1.010."
    bad = State(torch.zeros(10, 3), 1.0, diagnostics=found | {"R̂": 1.4})
    assert "Do not trust the grey draws" in truth_tab._about_chains(bad)


@pytest.mark.parametrize(("d", "word"), [(1, "Grey"), (2, "Dotted"), (5, "narrowest")])
def test_a_stage_of_a_flow_says_what_its_lines_are(
    d: int, word: str, tmp_path: Path, x: Tensor
) -> None:
    choice = untrained(tmp_path / "flow", posterior="planar", latent_size=d)
    assert word in flow_tab._reading(subject(choice, x), Member(choice), 1)


def test_the_weights_are_judged_by_their_tail_and_their_effective_number() -> None:
    assert "can be trusted" in notes.about_weights("A", 1000, 900, 0.2, 0.01)
    assert "tail is too heavy" in notes.about_weights("A", 1000, 300, 0.9, 0.1)
    assert "Whatever k̂ is" in notes.about_weights("A", 1000, 1.3, 0.2, 0.9)
    assert "too few" in notes.about_weights("A", 10, 3, math.nan, 0.5)
    judged = [notes.verdict(1000, 500, k) for k in (-math.inf, 0.6, 0.8)]
    assert judged == ["trust", "good enough", "do not trust"]
    assert notes.verdict(1000, 1.5, 0.2) == "do not trust"
    assert notes.verdict(100, 50, 0.6) == "do not trust"


def test_what_a_method_says_of_itself_is_one_line() -> None:
    found = {"step size": 0.1234, "acceptance": 0.814, "R̂": 1.0024, "converged": 0.0}
    assert notes.diagnostics(found) == "step size 0.123 · acceptance 81% · R̂ 1.002"
    assert notes.diagnostics({"R̂": math.nan}) == ""
    assert notes.mixed(found)
    assert notes.mixed({})
    assert not notes.mixed({"R̂": 1.2})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (6e-4, "below 0.001 nats"),
        (0.0, "below 0.001 nats"),
        (0.0012, "at most 0.002 nats"),
        (0.03, "at most 0.03 nats"),
        (0.0999, "at most 0.10 nats"),
        (2.3, "at most 3 nats"),
    ],
)
def test_an_error_bound_is_rounded_up_for_reading(error: float, text: str) -> None:
    assert notes.at_most(error) == text


def test_the_highest_elbo_is_named_only_where_it_is_clear() -> None:
    two = [("A", -10.0, 0.04), ("B", -10.5, 0.04)]
    assert about_elbos(two, None) == "**A** has the highest ELBO."
    assert about_elbos(two, -9.0).endswith("ELBO, 1.00 ± 0.04 nats below log p(x).")
    tied = [("A", -10.0, 0.04), ("B", -10.1, 0.04), ("C", -11.0, 0.04)]
    text = about_elbos(tied, None)
    assert "**A** and **B** have the highest ELBOs, with no clear difference" in text
    assert "C" not in text
    alone = about_elbos(two[:1], -9.0)
    assert alone == "The ELBO of **A** is 1.00 ± 0.04 nats below log p(x)."


def test_bounds_that_cross_by_more_than_chance_are_not_excused() -> None:
    lower, upper = (Mark("", "", value, 0.1, "lower") for value in (-10.0, -9.0))
    assert "are 1.0" in about_sandwich(lower, upper)
    chance = about_sandwich(lower, upper._replace(value=-10.2))
    assert "only within their errors" in chance
    far = about_sandwich(lower, upper._replace(value=-10.5))
    assert "cross by 0.5" in far
    assert "more than their errors explain" in far


def bar(name: str, approximation: float, amortisation: float, se: float = 0.03) -> GapBar:
    return GapBar(name, "#000000", approximation, se, amortisation, 0.01)


def test_the_gap_is_put_in_words() -> None:
    one, two = bar("A", 0.5, 0.1), bar("B", 0.2, 0.4)
    text = about_gap([one, two], exact=True)
    assert "**B** comes nearest: at most 0.20 ± 0.03 nats remain" in text
    assert "most for **B**: 0.40 ± 0.01 nats" in text
    assert "estimated" not in text
    assert "the best q that gradient steps have found" in text
    alone = about_gap([one], exact=False)
    assert "**A** still leaves 0.50 ± 0.03 nats" in alone
    assert "estimated" in alone
    assert about_gap([], exact=True) == ""


def test_no_family_wins_the_gap_by_chance() -> None:
    text = about_gap([bar("A", 0.25, 0.40), bar("B", 0.2, 0.41)], exact=True)
    assert "**B** and **A** come nearest, with no clear difference" in text
    assert "most for **B** and **A**: up to 0.41" in text
    # The error of log p(x) moves both alike.
    shared = about_gap([bar("A", 0.25, 0.4), bar("B", 0.2, 0.4)], exact=False, error=0.0299)
    assert "**B** comes nearest" in shared


def test_a_small_family_ahead_of_one_that_contains_it_is_explained() -> None:
    ahead = [bar("Mean-field", 0.2, 0.1), bar("Full covariance", 0.5, 0.1)]
    assert "local optimum" in about_gap(ahead, exact=True)
    behind = [bar("Mean-field", 0.5, 0.1), bar("Full covariance", 0.45, 0.1)]
    assert "local optimum" not in about_gap(behind, exact=True)


def test_a_file_is_prepared_as_the_training_images_are(pretrained: Choice) -> None:
    from PIL import Image, ImageDraw

    picture = Image.new("L", (60, 60), "white")
    ImageDraw.Draw(picture).ellipse((15, 8, 45, 52), outline="black", width=8)
    out = io.BytesIO()
    picture.save(out, "PNG")
    given = subject_of_file(pretrained, "ring.png", out.getvalue())
    assert given.x.shape == (1, 1, 8, 8)
    assert set(given.x.unique().tolist()) <= {0.0, 1.0}
    assert 0.1 < float(given.x.mean()) < 0.7, "light ink on a dark ground"
    assert given.prepared is not None
    assert preparation.missing_ink(given.prepared) == ""


def test_a_file_without_ink_is_said_to_have_none(pretrained: Choice) -> None:
    from PIL import Image

    out = io.BytesIO()
    Image.new("L", (60, 60), "white").save(out, "PNG")
    given = subject_of_file(pretrained, "*blank*.png", out.getvalue())
    assert given.prepared is not None
    text = preparation.missing_ink(given.prepared)
    assert text.startswith("\\*blank\\*.png shows nothing: It has one colour")
    assert "There is no ink to crop to" in text
    assert given.on(pretrained).prepared is given.prepared


@pytest.mark.parametrize("tab", ["truth", "flow", "weights"])
def test_the_code_runs_as_it_stands(tab: str, pretrained: Choice, x: Tensor) -> None:
    first = (
        'data = load_dataset("digits")',
        'x, _ = evaluation_images(data, "test", "dynamic", seed=0)',
        "x = x[0:1]",
    )
    own = Subject(pretrained, x, "test image 0", "test", first)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code.lines(tab, own, samples=200), tab, "exec"), {})
    assert out.getvalue()


@pytest.mark.parametrize("tab", ["truth", "bounds", "gap", "flow", "weights", "methods"])
def test_all_code_is_python(tab: str, tmp_path: Path, x: Tensor) -> None:
    choice = untrained(tmp_path / "model", latent_size=4)
    for z in (None, np.zeros(4)):
        compile(code.lines(tab, subject(choice, x, z)), tab, "exec")


def test_a_gaussian_is_drawn_as_its_ellipse(x: Tensor, tmp_path: Path) -> None:
    model = models.model(untrained(tmp_path / "full", posterior="full"))
    q = model.posterior(x)
    assert isinstance(q, GaussianPosterior)
    curve = shape_of(model, x, q, seed=0).curves[1]
    inverse = np.linalg.inv(q.scale_tril[0].double().numpy())
    away = np.linalg.norm((curve - q.mean[0].double().numpy()) @ inverse.T, axis=1)
    np.testing.assert_allclose(away, RADII[1], rtol=1e-4)


# ---- a richer family that loses

PAIRS = [("Planar", "Mean-field")]


def test_a_richer_family_that_loses_is_explained_by_its_encoder() -> None:
    said = richer_words.about_elbos([("Mean-field", -20.0, 0.03), ("Planar", -20.5, 0.04)], PAIRS)
    assert "**Planar** contains **Mean-field**, but its ELBO is 0.50 ± 0.05 nats lower" in said
    assert "amortisation" in said
    near = [("Mean-field", -20.0, 0.3), ("Planar", -20.5, 0.4)]  # by chance
    assert richer_words.about_elbos(near, PAIRS) == ""
    assert richer_words.about_elbos([("Planar", -20.5, 0.04)], PAIRS) == ""


def test_the_parts_of_the_gap_say_why_a_richer_family_loses() -> None:
    simple = GapBar("Mean-field", "", 1.0, 0.01, 0.2, 0.01)
    rich = GapBar("Planar", "", 0.7, 0.01, 1.0, 0.01)
    said = richer_words.about_gaps([simple, rich], PAIRS)
    assert "loses 0.50 ± 0.02 nats against it" in said
    assert "0.30 ± 0.01 nats nearer to the true posterior" in said
    assert "but its encoder loses 0.80 ± 0.01 nats more" in said
    assert richer_words.about_gaps([simple, rich._replace(amortisation=0.1)], PAIRS) == ""


def test_a_flow_contains_the_gaussian_that_it_starts_from(tmp_path: Path) -> None:
    small, full, flow, tilted = (
        Member(untrained(tmp_path / name, **settings))
        for name, settings in {
            "small": {"posterior": "mean-field"},
            "full": {"posterior": "full"},
            "flow": {"posterior": "planar"},
            "tilted": {"posterior": "planar", "flow_base": "full"},
        }.items()
    )
    assert [each.contains(small) for each in (small, full, flow, tilted)] == [
        False, True, True, True,
    ]  # fmt: skip
    assert [each.contains(full) for each in (small, full, flow, tilted)] == [
        False, False, False, True,
    ]  # fmt: skip


def test_another_family_is_trained_for_the_decoder_that_all_share(
    pretrained: Choice, tmp_path: Path
) -> None:
    assert families._another(pretrained) == {
        "posterior": "planar", "decoder_of": pretrained.key, "start_from": "", "title": "",
    }  # fmt: skip
    small = untrained(tmp_path / "small", posterior="mean-field", decoder_of=pretrained.key)
    kept = families._another(small)
    assert (kept["posterior"], kept["decoder_of"]) == ("full", pretrained.key)
    RunConfig.from_settings(small.run.config.settings() | kept)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_pointer_has_an_image_for_every_place_of_the_picture(
    d: int, tmp_path: Path, x: Tensor
) -> None:
    own = subject(untrained(tmp_path / "own", latent_size=d, posterior="full"), x)
    member = Member(own.choice)
    low, high = pointer._window(own, [member])
    assert (low < high).all()
    grid = pointer._grid(own, *low, *high)
    assert (grid.height, grid.width) == (8, 8)
    assert (grid.rows == 1) == (d == 1)
