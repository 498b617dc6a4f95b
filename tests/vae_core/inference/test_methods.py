"""Every method of the table on a model in which all of them can be compared with the truth."""

import pytest
import torch

from tests.vae_core.handmade import linear_model, ridge_model
from tests.vae_core.linear import linear_gaussian, simulated
from vae_core.inference.methods import METHODS, State, available, infer
from vae_core.model.linear_gaussian import LinearGaussian

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

TRUTH = linear_gaussian(d=2, pixels=4)
X, _ = simulated(TRUTH, 1)
FITTED = [name for name in METHODS if name != "amortised"]


@pytest.fixture(scope="module")
def runs() -> dict[str, list[State]]:
    model = linear_model(TRUTH, "full")
    return {name: list(infer(name, model, X, draws=2000)) for name in METHODS}


@pytest.mark.parametrize("name", FITTED)
def test_the_draws_follow_the_true_posterior(name, runs):
    exact, z = TRUTH.posterior(X), runs[name][-1].draws
    assert z.shape == (2000, 2)
    covariance = (exact.scale_tril @ exact.scale_tril.mT)[0]
    sd = covariance.diagonal().sqrt()
    assert ((z.mean(0) - exact.mean[0]) / sd).abs().max() < 0.2
    if name != "svi-mean-field":
        assert ((z.T.cov() - covariance) / (sd[:, None] * sd)).abs().max() < 0.25


@pytest.mark.parametrize("name", METHODS)
def test_the_value_is_what_the_table_says(name, runs):
    log_px, state = TRUTH.log_px(X).item(), runs[name][-1]
    kind = METHODS[name].kind
    if kind == "draws":
        assert state.value is None
        assert state.error is None
        return
    assert state.value is not None
    assert state.error is not None
    if kind == "exact":
        assert abs(state.value - log_px) <= max(state.error, 1e-9)
    elif kind == "bound":
        assert state.value <= log_px + 3 * state.error + 1e-9
    else:
        assert abs(state.value - log_px) < 0.1


def test_the_bounds_are_ordered_as_their_families_are(runs):
    values = {name: states[-1].value for name, states in runs.items()}
    assert values["amortised"] < values["svi-mean-field"] - 0.1
    assert values["svi-mean-field"] < values["svi-full"] - 0.1
    assert values["refitted"] == pytest.approx(values["svi-full"], abs=0.02)


@pytest.mark.parametrize("name", METHODS)
def test_progress_and_time_go_up_and_end(name, runs):
    shares = [state.share for state in runs[name]]
    seconds = [state.seconds for state in runs[name]]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_chains_report_how_they_did(runs):
    diagnostics = runs["hmc"][-1].diagnostics
    assert 0.5 < diagnostics["acceptance"] < 0.99
    assert 0.98 < diagnostics["R̂"] < 1.05


def test_what_a_model_is_not_for_is_refused_with_a_reason():
    curved = ridge_model("full")
    assert [m.name for m in available(curved)] == [n for n in METHODS if n != "closed-form"]
    with pytest.raises(ValueError, match="linear decoder"):
        infer("closed-form", curved, torch.zeros(1, 1, 1, 1).double())
    deep = linear_model(LinearGaussian(torch.eye(4, 3).double(), torch.zeros(4), 1.0), "full")
    with pytest.raises(ValueError, match="d = 3"):
        infer("quadrature", deep, X)


def test_a_wrong_request_is_refused():
    model = linear_model(TRUTH, "full")
    with pytest.raises(ValueError, match="must be one of amortised"):
        infer("guess", model, X)
    with pytest.raises(ValueError, match="one image"):
        infer("hmc", model, X.expand(2, -1, -1, -1))
