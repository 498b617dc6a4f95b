"""Flow steps against second implementations: zuko's, and formulas written out with matrices."""

import pytest
import torch
from zuko.transforms import MonotonicRQSTransform

from tests.vae_core.model.test_posteriors import FEATURES, lively
from vae_core.model.flows.base import StepShape
from vae_core.model.flows.coupling import (
    AffineCouplingStep,
    SplineCouplingStep,
    rational_quadratic_spline,
)
from vae_core.model.flows.radial import RadialStep
from vae_core.model.flows.sylvester import (
    HouseholderSylvesterStep,
    OrthogonalSylvesterStep,
    SylvesterStep,
    TriangularSylvesterStep,
)
from vae_core.model.posteriors import GaussianPosterior, build_posterior
from vae_core.settings.choices import FLOWS
from vae_core.settings.config import ModelConfig

SYLVESTER = [OrthogonalSylvesterStep, HouseholderSylvesterStep, TriangularSylvesterStep]


def normal(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# ---- splines


def test_the_spline_is_that_of_zuko(generator):
    bins, bound = 6, 3.0
    widths, heights = (normal(40, bins, generator=generator) for _ in range(2))
    slopes = normal(40, bins - 1, generator=generator)
    x = 2.5 * normal(40, generator=generator)
    other = MonotonicRQSTransform(widths, heights, slopes, bound)
    # the two make their knots from unbounded numbers in different ways: zuko gets ours
    floor = 1e-3
    for name, raw in (("horizontal", widths), ("vertical", heights)):
        shares = floor + (1 - floor * bins) * raw.softmax(-1)
        knots = torch.cat([torch.zeros(40, 1), shares.cumsum(-1)], -1)
        setattr(other, name, bound * (2 * knots - 1))
    inner = torch.nn.functional.softplus(slopes + torch.tensor(1 - floor).expm1().log()) + floor
    ends = torch.ones(40, 1, dtype=torch.float64)
    other.derivatives = torch.cat([ends, inner, ends], -1)
    y, log_slope = rational_quadratic_spline(x, widths, heights, slopes, bound)
    expected, ladj = other.call_and_ladj(x)
    assert (x.abs() > bound).any()
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(log_slope, ladj, rtol=0, atol=1e-6)


def test_the_spline_is_increasing_and_continuous_at_its_ends(generator):
    widths, heights, slopes = (
        normal(1, n, generator=generator).expand(4001, -1) for n in (8, 8, 7)
    )
    x = torch.linspace(-6, 6, 4001, dtype=torch.float64)
    y, log_slope = rational_quadratic_spline(x, widths, heights, slopes, 5.0)
    assert (y.diff() > 0).all()
    assert y.diff().max() < 0.1
    assert torch.equal(y[x.abs() >= 5], x[x.abs() >= 5])
    between = (y.diff() / x.diff()).log()
    middle = (log_slope[1:] + log_slope[:-1]) / 2
    assert (between - middle).abs().median() < 1e-4


@pytest.mark.parametrize("scale", [1.0, 10.0, 1000.0])
def test_a_spline_in_float32_errs_as_the_rounding_of_its_input_does(scale, generator):
    """A steep spline magnifies the last bit of x: at scale 1,000 that alone is 0.03 nats. Some
    roundings on the way are as large; how many depends on the processor."""
    x = 10 * torch.rand(20_000, generator=generator, dtype=torch.float64).float() - 5
    widths, heights, slopes = (
        scale * normal(20_000, n, generator=generator).float() for n in (8, 8, 7)
    )
    _, rounded = rational_quadratic_spline(x, widths, heights, slopes, 5.0)
    widths, heights, slopes = widths.double(), heights.double(), slopes.double()
    _, exact = rational_quadratic_spline(x.double(), widths, heights, slopes, 5.0)
    nearby = x.double() * (1 + 2.0**-24)
    _, moved = rational_quadratic_spline(nearby, widths, heights, slopes, 5.0)
    assert (rounded - exact).abs().max() < 8 * (moved - exact).abs().max()
    assert (rounded - exact).abs().max() < 0.05


@pytest.mark.parametrize("x", [-5.0, 5.0, 0.0])
def test_a_spline_has_finite_gradients_at_its_knots(x):
    """With equal pieces there are knots at 0 and at both ends."""
    widths, heights, slopes = (torch.zeros(1, n, requires_grad=True) for n in (8, 8, 7))
    at = torch.tensor([x], requires_grad=True)
    y, log_slope = rational_quadratic_spline(at, widths, heights, slopes, 5.0)
    assert float(y.detach()) == pytest.approx(x, abs=1e-5)
    assert float(log_slope.detach()) == pytest.approx(0, abs=1e-5)
    for gradient in torch.autograd.grad((y + log_slope).sum(), [at, widths, heights, slopes]):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", [AffineCouplingStep, SplineCouplingStep])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_coupling_steps_take_turns_and_leave_one_half_alone(kind, d, generator):
    z, h = normal(3, 4, d, generator=generator), normal(4, FEATURES, generator=generator)
    moved = []
    for index in (0, 1):
        step = lively(kind(StepShape(d, FEATURES, 16, index, 2)), generator)
        after, _ = step(z, h)
        moved.append((after != z).any(0).any(0))
    if d == 1:
        assert moved[0].all()
        assert moved[1].all()
    else:
        assert torch.equal(moved[0], ~moved[1])


# ---- radial


def test_the_radial_step_is_its_formula(generator):
    d = 3
    step = lively(RadialStep(StepShape(d, FEATURES)), generator)
    h, z = normal(2, FEATURES, generator=generator), normal(5, 2, d, generator=generator)
    centre, alpha, rise = step.parameters_of(h).split([d, 1, 1], -1)
    softplus = torch.nn.functional.softplus
    beta = -softplus(alpha) + softplus(alpha + 0.1 * rise)
    r = (z - centre).norm(dim=-1, keepdim=True)
    expected = z + beta * (z - centre) / (softplus(alpha) + r)
    torch.testing.assert_close(step(z, h)[0], expected)
    assert (beta > -softplus(alpha)).all()  # invertible: Rezende & Mohamed 2015, A.2


def test_the_radial_step_has_a_gradient_at_its_own_centre(generator):
    step = RadialStep(StepShape(2, FEATURES))
    h = torch.randn(1, FEATURES, generator=generator)
    centre = step.parameters_of(h)[:, :2].detach()
    z = centre[None].clone().requires_grad_()
    after, log_abs_det = step(z, h)
    (gradient,) = torch.autograd.grad(after.sum() + log_abs_det.sum(), z)
    assert torch.isfinite(gradient).all()


# ---- Sylvester


def dense(step: SylvesterStep, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Q, R, R̃ and b as plain matrices for one image, h (F,)."""
    m = step.columns
    summary = step.summary(h)
    r_diagonal, r_tilde_diagonal = torch.tanh(step.diagonals(h)).chunk(2)
    r = torch.triu(step.above.weight @ summary, 1) + torch.diag(r_diagonal)
    r_tilde = torch.triu(step.above_tilde.weight @ summary, 1) + torch.diag(r_tilde_diagonal)
    basis = step.basis(h[None], summary[None])
    columns = basis.out(torch.eye(m, dtype=h.dtype)[:, None])[:, 0].T  # (d, M)
    return columns, r, r_tilde, step.bias(h)


@pytest.mark.parametrize("kind", SYLVESTER)
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("d", [2, 5, 20])
def test_a_sylvester_step_is_its_formula(kind, index, d, generator):
    step = lively(kind(StepShape(d, FEATURES, index=index, steps=2)), generator)
    h, z = normal(1, FEATURES, generator=generator), normal(d, generator=generator)
    q, r, r_tilde, b = dense(step, h[0])
    torch.testing.assert_close(q.T @ q, torch.eye(step.columns).double(), rtol=0, atol=1e-9)
    expected = z + q @ r @ torch.tanh(r_tilde @ q.T @ z + b)
    after, log_abs_det = step(z[None, None], h)
    torch.testing.assert_close(after[0, 0], expected)
    of_three, _ = step(z.expand(3, 1, d), h)  # several draws are summed in another order
    torch.testing.assert_close(of_three, expected.expand(3, 1, d))
    jacobian = torch.autograd.functional.jacobian(
        lambda v: v + q @ r @ torch.tanh(r_tilde @ q.T @ v + b), z
    )
    torch.testing.assert_close(log_abs_det[0, 0], torch.linalg.slogdet(jacobian)[1])


@pytest.mark.parametrize("kind", SYLVESTER)
def test_a_sylvester_step_cannot_fold_whatever_its_parameters(kind, generator):
    """|r_ii r̃_ii| < 1 keeps every factor of the determinant positive (their theorem 2)."""
    step = lively(kind(StepShape(4, FEATURES)), generator)
    h = 20 * normal(300, FEATURES, generator=generator)
    _, log_abs_det = step(normal(10, 300, 4, generator=generator), h)
    assert torch.isfinite(log_abs_det).all()


def test_householder_columns_are_a_product_of_reflections(generator):
    step = lively(HouseholderSylvesterStep(StepShape(3, FEATURES)), generator)
    h = normal(1, FEATURES, generator=generator)
    q = torch.eye(3).double()
    for v in step.vectors(h).view(-1, 3):
        q = q @ (torch.eye(3).double() - 2 * torch.outer(v, v) / (v @ v))
    torch.testing.assert_close(dense(step, h[0])[0], q)


def test_nearly_parallel_columns_become_orthonormal_too(generator):
    step = OrthogonalSylvesterStep(StepShape(4, FEATURES))
    with torch.no_grad():
        step.raw.weight.copy_(step.raw.weight[::4].repeat_interleave(4, 0))  # every row of Q alike
        step.raw.bias.copy_(1e-5 * torch.randn(16, generator=generator))
    h = torch.randn(1, FEATURES, generator=generator)
    q = dense(step, h[0])[0]
    torch.testing.assert_close(q.T @ q, torch.eye(4), rtol=0, atol=1e-5)


# ---- the base


@pytest.mark.parametrize("family", FLOWS)
def test_a_flow_may_start_from_the_full_covariance(family, generator):
    config = ModelConfig(posterior=family, flow_base="full", latent_size=3, flow_hidden_size=8)
    q = build_posterior(FEATURES, config)(torch.randn(2, FEATURES, generator=generator))
    assert isinstance(q.base, GaussianPosterior)
    assert q.base.lower is not None
    path = q.path(q.noise(2, generator))
    assert len(path.points) == config.flow_steps + 1
    assert len(path.log_abs_dets) == config.flow_steps
    torch.testing.assert_close(path.points[0], q.base.path(path.epsilon).z)
