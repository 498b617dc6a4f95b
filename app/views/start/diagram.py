"""The parts of the Start page's diagram, in the order in which an image walks through them."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app.figures import start_diagram, start_estimates
from app.figures.pictures import as_picture
from app.figures.style import ELBO, KL, LOG_LIKELIHOOD, LOG_PRIOR, LOG_PX, LOG_Q, Quantity
from app.parts import charts
from app.services.images import Images
from app.shell.streamlit_internals import DeltaGenerator
from vae_core.settings.choices import LIKELIHOODS, PRIORS, Binarisation, LikelihoodName
from vae_core.settings.config import ModelConfig
from vae_core.wording.numbers import number, typeset

if TYPE_CHECKING:
    from app.views.start.numbers import Reference, Walk

STRIP = 12
SAMPLES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MAX_SAMPLES = SAMPLES[-1]
SEEDS = 2**31
_IMAGE_WIDTH = 176  # at most; the look shrinks it to its column
_MOST_WRITTEN_OUT = 2  # dimensions whose numbers are written, not drawn
_LOOK = Path(__file__).with_name("style.css")


def look() -> None:
    """The look of the diagram."""
    st.html(_LOOK)


# ---- what is sent through


def image_strip(images: Images, index: int) -> None:
    """The dozen of images around the chosen one, to click."""
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
        help="Click an image to send it through; the number beside steps on to all the others.",
    )


def _thumbnail(pixels: np.ndarray, name: str) -> str:
    scale = -(-72 // pixels.shape[1])
    picture = base64.b64encode(charts.png(pixels, scale)).decode()
    return f"![{name}](data:image/png;base64,{picture})"


def _take_from_strip() -> None:
    st.session_state["image"] = st.session_state["strip"]


def choose_noise() -> int:
    """Which ε: a button to draw another, and the number of the draw, which lives in the URL."""
    with st.container(horizontal=True, wrap=False, gap="xsmall", key="walk-epsilon"):
        st.button(
            "Another ε",
            on_click=_another,
            type="primary",
            key="another",
            shortcut="e",
            help="Draws new noise: all that depends on it moves, the encoder's answer stays. The "
            "number beside brings a draw back; it is in the link, too.",
        )
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
    """L, in logarithmic steps."""
    return st.select_slider(
        "Samples L",
        SAMPLES,
        value=10,
        key="L",
        bind="query-params",
        persist_state="session",
        help="How many ε the ELBO is averaged over: the more, the narrower its intervals become.",
    )


# ---- the diagram


def stage(name: str) -> DeltaGenerator:
    """A place in the diagram."""
    return st.container(key=f"stage-{name}", gap=None)


def _body(name: str) -> DeltaGenerator:
    return st.container(key=f"body-{name}", gap=None)


def _heading(symbol: str, words: str, about: str) -> None:
    st.markdown(f"${symbol}$ &nbsp;{words}", help=about)


def _connection(place: str, inside: str, about: str = "") -> None:
    st.html(f'<div class="connection to-{place}" title="{about}">{inside}</div>')


def arrow(place: str) -> None:
    """An arrow to the stage of that name."""
    _connection(place, "<i></i>")


def meeting() -> None:
    """Where the Gaussian and the noise meet."""
    _connection("noise", "+")


def encoder() -> None:
    """The arrow from x to its Gaussian, through a network."""
    about = "The encoder: a neural network, from an image to a Gaussian over z"
    _connection("said", '<i></i><b class="narrowing">encoder</b><i></i>', about)


def decoder() -> None:
    """The arrow from z to p, through a network."""
    about = "The decoder: a neural network, from z to the probability of each pixel"
    _connection("p", '<i></i><b class="widening">decoder</b><i></i>', about)


def image(images: Images, index: int) -> None:
    """Where the walk starts: the image as the model sees it."""
    how = "the model drew z from the prior, then each pixel from p(x|z)"
    if images.split:
        how = _BINARISED[images.choice.run.config.train.binarisation]
    _heading("x", "image", f"The image as the model sees it: {how}.")
    label = images.label(index)
    alt = label[0].upper() + label[1:].replace(":", ",") + ", as the model sees it"
    with _body("x"):
        charts.image(as_picture(images.x(index)[0]), label, _IMAGE_WIDTH, alt=alt)


_BINARISED: dict[Binarisation, str] = {
    "dynamic": "each pixel was drawn as 0 or 1, with its grey level as the probability of a 1, "
    "once and for all (seed 0)",
    "threshold": "pixels brighter than half became 1, all others 0",
    "none": "with its grey levels as they are",
}


def encoded(about: "Reference") -> None:
    """The encoder's answer: μ and σ, or μ and L."""
    spread = r"\sigma" if about.diagonal else "L"
    _heading(
        rf"\mu, {spread}", "Gaussian",
        "The encoder looks at x and answers with a Gaussian over z: its mean μ, and its spread: a "
        "σ for each dimension, or a lower triangular matrix L, which lets dimensions lean on one "
        "another (the covariance is LLᵀ). Where there is a flow, it goes on from this Gaussian.",
    )  # fmt: skip
    with _body("said"):
        if len(about.mean) > _MOST_WRITTEN_OUT:
            figure = start_diagram.gaussian(about.mean, about.scale, about.diagonal)
            charts.chart(figure, "gaussian", f"Bars of the mean and {spread} of each dimension")
            return
        st.latex(_matrix(r"\mu", about.mean[:, None]))
        rows = np.diag(about.scale)[:, None] if about.diagonal else about.scale
        st.latex(_matrix(spread, rows))


def _matrix(name: str, values: np.ndarray) -> str:
    """A small matrix in LaTeX; what is exactly 0 is above the diagonal."""
    cells = (
        " & ".join(f"{v:.2f}".replace("-0.00", "0.00") if v else "0" for v in row) for row in values
    )
    return rf"{name} = \begin{{pmatrix}} " + r" \\ ".join(cells) + r" \end{pmatrix}"


def noise_heading() -> None:
    """The heading over :func:`noise`."""
    _heading(
        r"\epsilon \sim \mathcal N(0, I)", "noise",
        "Chance enters here and only here: noise that knows nothing of the image. So gradients can "
        "flow past it to the encoder (the reparameterisation trick). The large dot is the ε whose "
        "way is shown; the small ones are the rest of the L draws.",
    )  # fmt: skip


def noise(now: "Walk", about: "Reference") -> None:
    """ε, and the circles |ε| = 1, 2 around it."""
    with _body("noise"):
        figure = start_diagram.noise(now.epsilon, about.probe)
        alt = "The noise ε, drawn from a standard normal distribution"
        charts.chart(figure, "noise", alt, _table("epsilon", now.epsilon))


def flow(now: "Walk", about: "Reference") -> None:
    """How the flow steps bend the Gaussian."""
    steps = len(now.log_abs_dets)
    _heading(
        rf"f_1 \dots f_{{{steps}}}" if steps > 1 else "f_1", "flow",
        "The flow bends the Gaussian step by step, z_t = f_t(z_{t−1}). The numbers are log |det "
        "∂z_t/∂z_{t−1}| along the way: by how much space is stretched there, in nats. An inverse "
        "autoregressive step also swaps the order of the dimensions.",
    )  # fmt: skip
    with _body("flow"):
        figure = start_diagram.flow(now.log_abs_dets[:, 0], about.probe_points, now.points[:, 0])
        charts.chart(figure, "flow", f"How {steps} flow steps bend the Gaussian")


def latent(now: "Walk", about: "Reference") -> None:
    """z, and q(z|x) around it."""
    steps = len(now.log_abs_dets)
    affine = r"\mu + \sigma \odot \epsilon" if about.diagonal else r"\mu + L\epsilon"
    chain = rf"f_{{{steps}}}(\cdots({affine}))"
    _heading(
        rf"z = z_{{{steps}}}" if steps else f"z = {affine}", "latent",
        "The latent z: the noise, carried to where the encoder says this image belongs"
        + (f", z = ${chain}$" if steps else "")
        + ". Green is q(z|x), rosy the prior p(z). For d = 2 the circles of ε are carried along, "
        "and a small map shows how little of the prior q takes up.",
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
    """Draws (L, d) by dimension, for saving."""
    return {f"{name}_{i}": column for i, column in enumerate(draws.T, 1)}


def decoded(p: np.ndarray, likelihood: LikelihoodName) -> None:
    """The decoder's answer: the mean of each pixel, (C, H, W)."""
    pixels = LIKELIHOODS[likelihood]
    _heading(
        "p", "drawn again",
        f"The decoder looks at z alone and answers with {pixels.answer}. "
        "The closer to x, the higher log p(x|z).",
    )  # fmt: skip
    with _body("p"):
        alt = f"E[x|z]: {pixels.answer}"
        charts.image(as_picture(p), pixels.caption, _IMAGE_WIDTH, alt=alt)


# ---- the numbers


def terms(now: "Walk", config: ModelConfig) -> None:
    """Algorithm 2 of the note: the three terms at the ε that is followed, and their sum."""
    log_q = r"-\sum_i \bigl(\tfrac12(\epsilon_i^2 + \log 2\pi) + \log\sigma_i\bigr)"
    if len(now.log_abs_dets):
        parts = f"{now.log_q0[0]:.2f} {-now.log_abs_dets[:, 0].sum():+.2f}"
        log_q = rf"\log q_0 - \sum_t \log|\det_t| = {parts}"
    _term(
        LOG_LIKELIHOOD, r"\log p(x|z)", now.log_px_z[0],
        LIKELIHOODS[config.likelihood].formula,
        "How probable x is by what the decoder says of each pixel: how well z explains x.",
    )  # fmt: skip
    _sign("+")
    _term(
        LOG_PRIOR, r"\log p(z)", now.log_pz[0], PRIORS[config.prior].formula,
        PRIORS[config.prior].about,
    )  # fmt: skip
    _sign("-")
    _term(
        LOG_Q, r"\log q(z|x)", now.log_qz[0], log_q,
        "How probable the encoder holds this z to be for this image. The surer it is, the higher, "
        "and the more it costs.",
    )  # fmt: skip
    _sign("=")
    _term(
        ELBO, r"\log w", now.log_w[0], None,
        "The sum is an unbiased estimate of the ELBO from one ε. Below it is averaged over L.",
    )  # fmt: skip


_TERM_KEYS = {LOG_LIKELIHOOD: "likelihood", LOG_PRIOR: "prior", LOG_Q: "q", ELBO: "w"}


def _term(quantity: Quantity, symbol: str, value: float, formula: str | None, about: str) -> None:
    with st.container(key=f"term-{_TERM_KEYS[quantity]}", gap=None):
        st.metric(f"${symbol}$", f"{typeset(value, '.2f')} nats", help=about)
        st.caption(f"${formula}$" if formula else "the ELBO, by this ε alone")


def _sign(symbol: str) -> None:
    st.markdown(f"${symbol}$", width="content")


def readouts(now: "Walk", about: "Reference") -> None:
    """Both forms of the ELBO, log p̂(x), and what lies between."""
    exact = about.kl is not None
    rows = (
        (ELBO, r"\text{ELBO (3)} = \overline{\log w}", now.joint_form),
        (ELBO, r"\text{ELBO (4)} = \overline{\log p(x \mid z)} - \mathrm{KL}", now.kl_form),
        (KL, r"\mathrm{KL}(q(z \mid x) \,\|\, p(z))", about.kl or now.kl),
        (LOG_PX, r"\log \hat p(x)", about.log_px),
        (None, r"\log \hat p(x) - \text{ELBO (3)}", about.gap(now.joint_form)),
    )
    lines = ["| | |", "|:--|--:|"]
    for quantity, symbol, value in rows:
        label = rf"\textcolor{{{quantity.colour}}}{{{symbol}}}" if quantity else symbol
        lines.append(f"| ${label}$ | {number(value.mean, value.se)} |")
    st.markdown("\n".join(lines), help=_READING + (_KL_EXACT if exact else _KL_SAMPLED))


_READING = (
    "A line over a term is its mean over the L draws; ± is one standard error. Both forms estimate "
    "the same ELBO, which is never above log p(x); a lucky handful of ε can be. log p̂(x) is an "
    "importance sampling estimate. The last line estimates KL(q(z|x) ‖ p(z|x)): how far q is from "
    "the true posterior. "
)
_KL_EXACT = "The KL to the prior is exact here: both are Gaussian."
_KL_SAMPLED = (
    "A flow has no closed-form KL: it is estimated from the same draws, so (4) equals (3)."
)


def estimates(now: "Walk", about: "Reference") -> None:
    """The estimates on one scale."""
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


def code_lines(images: Images, index: int, seed: int, samples: int) -> list[str]:
    """The lines of ``vae_core`` that compute the numbers on the screen."""
    imports, making = images.code(index)
    return [
        "import torch",
        "from vae_core import load_model, log_density",
        *imports,
        "from vae_core.inference.elbo import elbo_terms_at, monte_carlo",
        "",
        f"model = load_model({str(images.choice.run.folder)!r})",
        *making,
        "q = model.posterior(x)",
        f"epsilon = q.noise({MAX_SAMPLES}, torch.Generator().manual_seed({seed}))[:{samples}]",
        "terms = elbo_terms_at(model, x, q, epsilon)  # every term is (L, 1), in nats",
        "print(terms.log_px_z[0], terms.log_pz[0], terms.log_qz[0])",
        "print('ELBO (3)', *monte_carlo(terms.joint_form))",
        "print('ELBO (4)', *monte_carlo(terms.kl_form))",
        "print(log_density(model, x, 1000))",
    ]
