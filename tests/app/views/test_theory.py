"""The Theory page: its numbers are those of the labs, and its slips are what they say."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor
from torch.distributions import Normal

from app.services import data, models
from app.services.walk_numbers import reference, walk
from app.shell import navigation
from app.views.theory import page_titles, slip_words
from app.views.theory.numbers import widening_of, with_log_sigma
from app.views.theory.source import sources
from vae_core.data.datasets import load_dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.elbo import elbo_terms_at
from vae_core.model.vae import VAE
from vae_core.settings.choices import PosteriorName
from vae_core.settings.config import ModelConfig
from vae_core.wording.glossary import GLOSSARY

torch.set_num_threads(1)  # the models here are small: more threads only wait for each other

VIEWS = Path(__file__).resolve().parents[3] / "app" / "views"
CHOSEN = {"model": "pretrained/digits-full-d2", "image": "3", "L": "20"}
TIMEOUT = 120  # seconds; the first page imports torch
FAMILIES: tuple[PosteriorName, ...] = ("mean-field", "full", "iaf", "spline")
Links = list[tuple[str, dict[str, str]]]


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Links:
    """Links to other pages that are drawn; there are no other pages here."""
    found: Links = []

    def link(name: str, label: str | None = None, **query: str) -> None:
        assert label
        found.append((name, query))

    monkeypatch.setattr(navigation, "link", link)
    return found


def opened(page: str = "theory", **query: str) -> AppTest:
    app = AppTest.from_file(str(VIEWS / page / "page.py"), default_timeout=TIMEOUT)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> list[str]:
    return [each.value for each in app.markdown]


def make_model(family: PosteriorName, d: int = 3) -> VAE:
    """An untrained model in float64, whose weights give q(z|x) a shape of its own."""
    torch.manual_seed(d)
    config = ModelConfig(posterior=family, latent_size=d, image_shape=(1, 8, 8), hidden_size=32)
    model = VAE(config).eval().requires_grad_(False).double()
    for weights in model.to_posterior.parameters():
        weights.mul_(2)
    return model


@pytest.fixture(scope="module")
def x() -> Tensor:
    images, _ = evaluation_images(load_dataset("digits"), "test", "dynamic", seed=0)
    return images[7:8].double()


# ---- the page


@pytest.mark.slow
@pytest.mark.usefixtures("links")
def test_the_five_numbers_are_those_of_the_start_page() -> None:
    theory = texts(opened(**CHOSEN))
    start = next(t for t in texts(opened("start", **CHOSEN)) if t.startswith("| | |"))
    values = [row.split(" | ")[1].removesuffix(" |") for row in start.splitlines()[2:]]
    assert len(values) == 5
    assert [value for value in values if f"**{value}**" in theory] == values


@pytest.mark.slow
@pytest.mark.usefixtures("links")
def test_the_terms_are_those_of_the_start_page() -> None:
    start = opened("start", **CHOSEN)
    terms = next(t for t in texts(opened(**CHOSEN)) if r"| $\log w$ |" in t)
    shown = [row.split(" | ")[1].removesuffix(" |") for row in terms.splitlines()[2:]]
    assert shown == [metric.value for metric in start.metric]


@pytest.mark.slow
def test_every_lab_is_linked_with_the_model_and_the_image(links: Links) -> None:
    opened(**CHOSEN)
    assert {name for name, _ in links} == {"score", "posterior", "start", "gradients", "classify"}
    assert all(query["model"] == CHOSEN["model"] for _, query in links)
    numbers = {"start": "image", "posterior": "image", "gradients": "gradient-first"}
    assert all(query[numbers[name]] == "3" for name, query in links if name in numbers)
    tabs = {query["tab"] for name, query in links if name == "posterior"}
    assert tabs == {"Posterior", "Weights", "Gap", "Methods", "Flow steps"}


@pytest.mark.slow
def test_without_the_data_the_links_lead_to_the_same_drawn_image(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "missing", lambda _: True)
    opened(**CHOSEN | {"model": "pretrained/mnist-full-d2"})
    posterior = [query for name, query in links if name == "posterior"]
    assert {(q["source"], q["draw"]) for q in posterior} == {("Drawn by the model", "3")}


@pytest.mark.slow
def test_without_any_model_the_argument_can_still_be_read(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "choices", dict)
    app = opened()
    assert [info.value for info in app.info] == [
        "No model is at hand, so this page has no numbers. Train one to see them."
    ]
    assert sum("A common slip" in text for text in texts(app)) == 8
    assert not links


@pytest.mark.slow
@pytest.mark.usefixtures("links")
def test_a_link_to_a_symbol_explains_it_at_the_top(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "choices", dict)
    assert "Kullback–Leibler divergence" in texts(opened(symbol="kl"))[0]
    wrong = opened(symbol="*wrong*")
    assert any("no symbol called" in each.value for each in wrong.caption)


@pytest.mark.slow
@pytest.mark.usefixtures("links")
def test_every_symbol_is_defined_in_a_section_of_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "choices", dict)
    app = opened()
    anchors = {each.proto.anchor for each in (*app.header, *app.subheader)}
    assert {symbol.section for symbol in GLOSSARY.values()} <= anchors
    assert set(page_titles.SECTIONS) <= anchors


def named_in_the_code() -> Iterator[str]:
    for path in sorted((VIEWS / "theory").glob("*.py")):
        yield from re.findall(r'"(vae_core[\w.]+:[\w.]+)"', path.read_text("utf-8"))


@pytest.mark.parametrize("name", sorted({*named_in_the_code()}))
def test_the_lines_that_compute_a_number_exist(name: str) -> None:
    assert "def " in sources([name])


# ---- the slips


@pytest.mark.parametrize("family", FAMILIES)
def test_the_noise_minus_the_jacobian_is_log_q(family: PosteriorName, x: Tensor) -> None:
    model = make_model(family).float()
    now, about = walk(model, x.float(), seed=0, samples=5), reference(model, x.float())
    right = slip_words.log_noise(now) - slip_words.log_det(now, about)
    assert right == pytest.approx(now.log_qz[0], abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_derivative_by_the_width_is_that_of_the_elbo(family: PosteriorName, x: Tensor) -> None:
    model = make_model(family)
    found = widening_of(model, x)
    q = model.posterior(x)
    epsilon = q.noise(1000, torch.Generator().manual_seed(0))[:256]

    def elbo(s: float) -> float:
        terms = elbo_terms_at(model, x, q, epsilon * np.exp(s))
        noise = Normal(0, 1).log_prob(epsilon).sum(-1) - 3 * s
        inner = Normal(0, 1).log_prob(epsilon * np.exp(s)).sum(-1)
        return float((terms.log_px_z + terms.log_pz - (terms.log_qz - inner + noise)).mean())

    slope = (elbo(1e-5) - elbo(-1e-5)) / 2e-5
    assert found.elbo.mean == pytest.approx(slope, abs=1e-5)
    assert abs(found.score.mean) < 4 * found.score.se


@pytest.mark.parametrize("family", ["mean-field", "full"])
def test_the_entropy_of_a_gaussian_grows_by_d_with_the_width(family: Any, x: Tensor) -> None:
    found = widening_of(make_model(family), x)
    assert found.elbo.mean - found.without_entropy.mean == pytest.approx(3, abs=1e-9)


def test_with_log_sigma_on_the_diagonal_q_is_the_gaussian_with_that_spread(x: Tensor) -> None:
    model = make_model("mean-field")
    q: Any = model.posterior(x)
    epsilon = q.noise(1000, torch.Generator().manual_seed(0))[:50]
    z = q.mean + q.log_scale * epsilon
    log_q = Normal(q.mean, q.log_scale.abs()).log_prob(z).sum(-1)
    expected = (model.log_joint(x, z) - log_q).mean()
    assert with_log_sigma(model, x, 50).mean == pytest.approx(float(expected), abs=1e-9)
