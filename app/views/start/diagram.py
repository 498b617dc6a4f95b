"""The parts of the diagram on the Start page, in the order in which an image passes them."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app.figures import start_diagram, start_dimensions, start_estimates
from app.figures.pictures import as_picture
from app.figures.style import ELBO, LOG_LIKELIHOOD, LOG_PRIOR, LOG_Q, Quantity
from app.parts import charts, pickers, play
from app.parts.glossary import see
from app.parts.readouts import reading
from app.parts.readouts import readouts as rows
from app.parts.text import shown_path
from app.services.images import Images
from app.services.walk_samples import MAX_SAMPLES, SAMPLES
from app.shell import carried
from app.shell.streamlit_internals import DeltaGenerator
from vae_core.settings.choices import LIKELIHOODS, PRIORS, Binarisation, LikelihoodName
from vae_core.settings.config import ModelConfig
from vae_core.wording.numbers import typeset

if TYPE_CHECKING:
    from app.services.walk_numbers import Reference, Walk

STRIP = 12
SEEDS = 2**31
_IMAGE_WIDTH = 176  # at most; the style sheet shrinks it to the column
_MOST_WRITTEN_OUT = 2  # up to this many dimensions, numbers are written; above, they are drawn
_STYLE = Path(__file__).with_name("style.css")


def apply_style() -> None:
    """Add the style sheet of the diagram."""
    st.html(_STYLE)


# ---- choosing the image and the noise


def image_strip(images: Images, index: int) -> None:
    """Show a strip of twelve images around the chosen one; a click chooses one."""
    first = index // STRIP * STRIP
    names = {
        i: _thumbnail(images.thumbnail(i), images.name(i))
        for i in range(first, min(first + STRIP, images.count))
    }
    st.session_state["strip"] = index
    st.segmented_control(
        "Test images" if images.split else "Images drawn by the model",
        list(names),
        format_func=names.__getitem__,
        key="strip",
        required=True,
        on_change=_take_from_strip,
        wrap=False,
        help="Click an image to choose it. The number beside it reaches all other images.",
    )


def _thumbnail(pixels: np.ndarray, name: str) -> str:
    scale = -(-72 // pixels.shape[1])
    picture = base64.b64encode(charts.png(pixels, scale)).decode()
    return f"![{name}](data:image/png;base64,{picture})"


def _take_from_strip() -> None:
    st.session_state["image"] = st.session_state["strip"]
    pickers.keep_model()


def choose_noise() -> int:
    """Draw a button for another ε and the number of the draw, and return that number."""
    with st.container(horizontal=True, wrap=False, gap="xsmall", key="walk-epsilon"):
        st.button(
            "Another ε",
            on_click=_another,
            type="primary",
            key="another",
            shortcut="e",
            help="Draws new noise. All that depends on it changes; the encoder's output stays. "
            "Enter an earlier number to see that draw again. The link contains the number.",
        )
        play.button("new draws of ε")
        return st.number_input(
            "Number of the draw",
            min_value=0,
            max_value=SEEDS - 1,
            value=0,
            key="epsilon",
            required=True,
            bind="query-params",
            persist_state="session",
            label_visibility="collapsed",
        )


def _another() -> None:
    st.session_state["epsilon"] = (st.session_state.get("epsilon", 0) + 1) % SEEDS


def choose_samples() -> int:
    """Draw the slider of L, in logarithmic steps, and return L."""
    samples = st.select_slider(
        "Samples L",
        SAMPLES,
        value=100,
        key="L",
        bind="query-params",
        persist_state="session",
        help="How many ε the ELBO is averaged over. A larger L makes its intervals narrower."
        + see("L", "elbo"),
    )
    carried.keep("L", samples)
    return samples


# ---- the diagram


def stage(name: str) -> DeltaGenerator:
    """A stage of the diagram: a container with this name."""
    return st.container(key=f"stage-{name}", gap=None)


def _body(name: str) -> DeltaGenerator:
    return st.container(key=f"body-{name}", gap=None)


def _heading(symbol: str, words: str, about: str) -> None:
    st.markdown(f"${symbol}$ &nbsp;{words}", help=about)


def _connection(place: str, inside: str, about: str = "") -> None:
    st.html(f'<div class="connection to-{place}" title="{about}">{inside}</div>')


def arrow(place: str) -> None:
    """Draw an arrow to the stage of that name."""
    _connection(place, "<i></i>")


def meeting() -> None:
    """Draw the plus sign between the Gaussian and the noise."""
    _connection("noise", "+")


def encoder() -> None:
    """Draw the arrow from x through the encoder to the Gaussian."""
    about = "The encoder: a neural network from an image to a Gaussian over z"
    _connection("said", '<i></i><b class="narrowing">encoder</b><i></i>', about)


def decoder() -> None:
    """Draw the arrow from z through the decoder to p."""
    about = "The decoder: a neural network from z to p(x|z), the distribution of each pixel"
    _connection("p", '<i></i><b class="widening">decoder</b><i></i>', about)


def image(images: Images, index: int) -> None:
    """Draw the first stage: the image as the model sees it."""
    how = "the model drew z from the prior, then each pixel from p(x|z)"
    if images.split:
        how = _BINARISED[images.choice.run.config.train.binarisation]
    _heading("x", "image", f"The image as the model sees it: {how}.")
    label = images.label(index)
    alt = label[0].upper() + label[1:].replace(":", ",") + ", as the model sees it"
    with _body("x"):
        charts.image(as_picture(images.x(index)[0]), label, _IMAGE_WIDTH, alt=alt)


_BINARISED: dict[Binarisation, str] = {
    "dynamic": "each pixel was drawn once as 0 or 1, with its grey level as the probability of a 1 "
    "(seed 0)",
    "threshold": "pixels brighter than half became 1, all others 0",
    "none": "with its grey levels as they are",
}


def encoded(about: "Reference") -> None:
    """Draw the encoder's output: μ and σ, or μ and C."""
    spread = r"\sigma" if about.diagonal else "C"
    _heading(
        rf"\mu, {spread}", "Gaussian",
        "The encoder maps x to a Gaussian over z. The Gaussian has a mean μ and a spread: either a "
        "σ for each dimension, or a lower triangular matrix C (Cholesky factor), with which "
        "dimensions can be correlated (the covariance is CCᵀ). A flow, if the model has "
        "one, starts from here.",
    )  # fmt: skip
    with _body("said"):
        if len(about.mean) > _MOST_WRITTEN_OUT:
            figure = start_dimensions.gaussian(
                about.mean, about.scale, about.diagonal, _shown(about)
            )
            charts.chart(figure, "gaussian", f"Bars of the mean and {spread} of each dimension")
            return
        st.latex(_matrix(r"\mu", about.mean[:, None]))
        rows = np.diag(about.scale)[:, None] if about.diagonal else about.scale
        st.latex(_matrix(spread, rows))


def _matrix(name: str, values: np.ndarray) -> str:
    """A small matrix in LaTeX. Exact zeros, above the diagonal, are written as 0."""
    cells = (
        " & ".join(f"{v:.2f}".replace("-0.00", "0.00") if v else "0" for v in row) for row in values
    )
    return rf"{name} = \begin{{pmatrix}} " + r" \\ ".join(cells) + r" \end{pmatrix}"


def _shown(about: "Reference") -> Sequence[int]:
    """The dimensions that the diagram shows."""
    return start_dimensions.most_active(about.z_mean, about.z_sd, about.prior)


def noise_heading() -> None:
    """Draw the heading over :func:`noise`."""
    _heading(
        r"\epsilon \sim \mathcal N(0, I)", "noise",
        "This is the only random step. The noise does not depend on the image, so gradients can "
        "reach the encoder (the reparameterisation trick). The large dot is the ε that the diagram "
        "follows; the small dots are the rest of the L draws.",
    )  # fmt: skip


def noise(now: "Walk", about: "Reference") -> None:
    """Draw ε and the circles |ε| = 1, 2."""
    with _body("noise"):
        figure = start_diagram.noise(now.epsilon, about.probe, _shown(about))
        alt = "The noise ε, drawn from a standard normal distribution"
        charts.chart(figure, "noise", alt, _table("epsilon", now.epsilon))


def flow(now: "Walk", about: "Reference") -> None:
    """Draw how the flow steps transform the Gaussian."""
    steps = len(now.log_abs_dets)
    _heading(
        rf"f_1 \dots f_{{{steps}}}" if steps > 1 else "f_1", "flow",
        "The flow transforms the Gaussian step by step, z_t = f_t(z_{t−1}). The numbers are log "
        "|det ∂z_t/∂z_{t−1}| for this draw: how much the step stretches space there, in nats. An "
        "inverse autoregressive step also reverses the order of the dimensions.",
    )  # fmt: skip
    with _body("flow"):
        figure = start_diagram.flow(now.log_abs_dets[:, 0], about.probe_points, now.points[:, 0])
        charts.chart(figure, "flow", f"How {steps} flow steps transform the Gaussian")


def latent(now: "Walk", about: "Reference") -> None:
    """Draw z within q(z|x)."""
    steps = len(now.log_abs_dets)
    affine = r"\mu + \sigma \odot \epsilon" if about.diagonal else r"\mu + C\epsilon"
    chain = rf"f_{{{steps}}}(\cdots({affine}))"
    _heading(
        rf"z = z_{{{steps}}}" if steps else f"z = {affine}", "latent",
        "The latent z: the noise, moved to where the encoder places this image"
        + (f", z = ${chain}$" if steps else "")
        + ". Green is q(z|x), pink is the prior p(z). For d = 2 the circles of ε move along with "
        "it, and a small map shows how little of the prior q covers. Of many dimensions the most "
        "active ones are shown, by their KL to the prior; the small bars are the KL of all.",
    )  # fmt: skip
    with _body("latent"):
        figure = start_diagram.latent(
            now.points[-1],
            about.probe_points[-1],
            about.probe_log_q,
            about.z_mean,
            about.z_sd,
            about.prior,
            about.probe_log_p,
        )
        alt = "The latent z within q(z|x), over the prior p(z)"
        charts.chart(figure, "latent", alt, _table("z", now.points[-1]))


def _table(name: str, draws: np.ndarray) -> dict[str, np.ndarray]:
    """Draws (L, d) as one column per dimension, for the CSV file."""
    return {f"{name}_{i}": column for i, column in enumerate(draws.T, 1)}


def decoded(p: np.ndarray, likelihood: LikelihoodName) -> None:
    """Draw the decoder's output: the mean of each pixel, (C, H, W)."""
    pixels = LIKELIHOODS[likelihood]
    _heading(
        "p", "redrawn",
        f"The decoder sees only z and returns {pixels.answer}. "
        "The closer this is to x, the higher is log p(x|z).",
    )  # fmt: skip
    with _body("p"):
        alt = f"E[x|z]: {pixels.answer}"
        charts.image(as_picture(p), pixels.caption, _IMAGE_WIDTH, alt=alt)


# ---- the numbers


def terms(now: "Walk", config: ModelConfig) -> None:
    """Show Algorithm 2 of the note: the three terms for the first ε, and their sum."""
    log_q = r"-\sum_i \bigl(\tfrac12(\epsilon_i^2 + \log 2\pi) + \log\sigma_i\bigr)"
    if len(now.log_abs_dets):
        parts = f"{now.log_q0[0]:.2f} {-now.log_abs_dets[:, 0].sum():+.2f}"
        log_q = rf"\log q_0 - \sum_t \log|\det_t| = {parts}"
    _term(
        LOG_LIKELIHOOD, r"\log p(x|z)", now.log_px_z[0],
        LIKELIHOODS[config.likelihood].formula,
        "How probable x is under the decoder's output for each pixel: how well z explains x.",
    )  # fmt: skip
    _sign("+")
    _term(
        LOG_PRIOR, r"\log p(z)", now.log_pz[0], PRIORS[config.prior].formula,
        PRIORS[config.prior].about,
    )  # fmt: skip
    _sign("-")
    _term(
        LOG_Q, r"\log q(z|x)", now.log_qz[0], log_q,
        "The density of this z under the encoder's q(z|x) for this image. A more certain encoder "
        "gives a higher value, and it is subtracted.",
    )  # fmt: skip
    _sign("=")
    _term(
        ELBO, r"\log w", now.log_w[0], None,
        "The sum is an unbiased estimate of the ELBO from one ε. The average over L is below.",
    )  # fmt: skip


_TERM_KEYS = {LOG_LIKELIHOOD: "likelihood", LOG_PRIOR: "prior", LOG_Q: "q", ELBO: "w"}


def _term(quantity: Quantity, symbol: str, value: float, formula: str | None, about: str) -> None:
    with st.container(key=f"term-{_TERM_KEYS[quantity]}", gap=None):
        st.metric(f"${symbol}$", f"{typeset(value, '.2f')} nats", help=about)
        st.caption(f"${formula}$" if formula else "the ELBO from this ε alone")


def _sign(symbol: str) -> None:
    st.markdown(f"${symbol}$", width="content")


def readouts(now: "Walk", about: "Reference") -> None:
    """Show both forms of the ELBO, log p̂(x), and the difference."""
    lines = ["| | |", "|:--|--:|"]
    lines += [f"| ${each.coloured}$ | {each.text} |" for each in rows(now, about)]
    st.markdown("\n".join(lines), help=reading(about))


def estimates(now: "Walk", about: "Reference") -> None:
    """Draw the estimates on one scale."""
    forms = [
        (f"ELBO ({n})", form.mean, form.se) for n, form in ((3, now.joint_form), (4, now.kl_form))
    ]
    log_px = (about.log_px.mean, about.log_px.se)
    figure = start_estimates.estimates(
        now.log_w, forms, log_px, about.log_w_range, about.importance_samples
    )
    draws = {"log_px_z": now.log_px_z, "log_pz": now.log_pz, "log_qz": now.log_qz}
    alt = "Estimates of the ELBO with their errors, against log p(x)"
    charts.chart(figure, "elbo", alt, {**draws, "log_w": now.log_w})


def split(now: "Walk", about: "Reference") -> None:
    """Draw log p̂(x) as one bar of E log p(x|z), the KL to the prior, and the gap.

    The ELBO is that of form (3), as for the gap among the numbers above, so both agree.
    """
    elbo, kl = now.joint_form.mean, (about.kl or now.kl).mean
    figure = start_estimates.split(elbo + kl, kl, about.log_px.mean)
    alt = "A bar that splits log p(x) into E log p(x|z), the KL to the prior and the gap"
    parts = {"expected_log_px_z": [elbo + kl], "kl": [kl], "log_px": [about.log_px.mean]}
    charts.chart(figure, "split", alt, parts)


def code_lines(images: Images, index: int, seed: int, samples: int) -> list[str]:
    """Lines of ``vae_core`` that compute the numbers on the page."""
    imports, making = images.code(index)
    return [
        "import torch",
        "from vae_core import load_model, log_density",
        *imports,
        "from vae_core.inference.elbo import elbo_terms_at, monte_carlo",
        "",
        f"model = load_model({shown_path(images.choice.run.folder)!r})",
        *making,
        "q = model.posterior(x)",
        f"epsilon = q.noise({MAX_SAMPLES}, torch.Generator().manual_seed({seed}))[:{samples}]",
        "terms = elbo_terms_at(model, x, q, epsilon)  # every term is (L, 1), in nats",
        "print(terms.log_px_z[0], terms.log_pz[0], terms.log_qz[0])",
        "print('ELBO (3)', *monte_carlo(terms.joint_form))",
        "print('ELBO (4)', *monte_carlo(terms.kl_form))",
        "print(log_density(model, x, 1000))",
    ]
