"""Sections 3 and 4 of the Theory page: the gradient of the ELBO, and the reparameterisation."""

from typing import TYPE_CHECKING

import streamlit as st

from app.figures import theory_gradients as figures
from app.parts import charts, live
from app.services.gradient_table import Protocol, at, ratio
from app.shell import errors
from app.views.theory import slip_words
from app.views.theory.sheet import Row, Sheet, heading, numbers
from app.views.theory.subject import GRADIENT_SAMPLES, REPEATS, Subject
from vae_core.settings.choices import GradientName
from vae_core.wording.numbers import number

if TYPE_CHECKING:
    from app.services.gradient_work import Measurement

_GRADIENT = r"""
Training climbs the ELBO along its **gradient** $\nabla$, the derivatives by all weights. The mean
in (3) is never known exactly. It is replaced by a few draws. So we want the gradient *inside* the
mean, where each draw has a gradient of its own.

For the weights $\theta$ of the decoder this is allowed, because $q_\phi$ does not depend on
$\theta$:

$$
\nabla_\theta \mathcal L
= \int q_\phi(z \mid x)\, \nabla_\theta \log p_\theta(x, z)\, dz
= \mathbb E_q\bigl[\nabla_\theta \log p_\theta(x, z)\bigr].
$$

For the weights $\phi$ of the encoder it is not. The mean is taken over $q_\phi$, and $q_\phi$ is
what changes. The gradient must act on $q_\phi$ itself:

$$
\nabla_\phi \mathcal L
= \int \bigl(\log p_\theta(x, z) - \log q_\phi(z \mid x)\bigr)\, \nabla_\phi q_\phi(z \mid x)\, dz
- \underbrace{\int q_\phi(z \mid x)\, \nabla_\phi \log q_\phi(z \mid x)\, dz}_{=\,0}.
$$

There is a way out. Write $\nabla q = q\, \nabla \log q$, and the integral is a mean again:

$$
\nabla_\phi \mathcal L
= \mathbb E_q\bigl[\log w\; \nabla_\phi \log q_\phi(z \mid x)\bigr].
$$

This is the **score function** estimator. It tries a few $z$ and makes the good ones more probable.
It never asks in which direction a better $z$ lies, so it needs many draws.
"""
_REPARAMETERISATION = r"""
Take the chance out of $q$. Draw noise $\epsilon$ from a distribution that has no weights, and let a
smooth map make $z$ of it:

$$
z = g_\phi(\epsilon, x), \qquad \epsilon \sim p(\epsilon).
$$

A mean does not care how its draws were made. For any function $f$

$$
\mathbb E_{q_\phi(z \mid x)}\bigl[f(z)\bigr]
= \mathbb E_{p(\epsilon)}\bigl[f(g_\phi(\epsilon, x))\bigr].
$$

On the right side the weights $\phi$ are only inside the mean. So the gradient may go inside too:

$$
\nabla_\phi \mathcal L = \mathbb E_{p(\epsilon)}\Bigl[\nabla_\phi
\bigl(\log p_\theta(x, z) - \log q_\phi(z \mid x)\bigr)\Bigr], \qquad z = g_\phi(\epsilon, x).
$$

This is the **pathwise** gradient. It follows the path from $\phi$ through $z$, so it knows in which
direction to move $z$. The ELBO of one image $x^i$ is now

$$
\mathcal L_{\theta,\phi}(x^i)
= \mathbb E_{p(\epsilon)}\bigl[\log p_\theta(x^i, z) - \log q_\phi(z \mid x^i)\bigr]. \tag{5}
$$

The ELBO of a data set is the sum over its images.
"""
_NAMES: dict[GradientName, str] = {"score-function": "score function", "pathwise": "pathwise"}
_VARIANCE = "variance, {}"
_CODE = [
    "vae_core.training.objective:score_function",
    "vae_core.training.objective:pathwise",
]


def draw(sheet: Sheet) -> None:
    """Draw both sections."""
    heading("3", "The gradient of the ELBO, and why it is hard", "gradient")
    with sheet.topic("gradient", _live_gradient, _CODE):
        st.markdown(_GRADIENT)
        sheet.slip(
            "entropy",
            r"$\nabla_\phi\, \mathbb E_q[\log q] = \mathbb E_q[\nabla_\phi \log q] = 0$, so the "
            "entropy of $q$ has no gradient.",
            r"$\mathbb E_q[\nabla_\phi \log q]$ is 0, but $\nabla_\phi\, \mathbb E_q[\log q] = "
            r"\int \log q\, \nabla_\phi q\, dz$ is not.",
            slip_words.without_entropy,
        )
    heading("4", "Reparameterisation: a change of variables", "reparameterisation")
    code = ["vae_core.model.posteriors:GaussianPosterior.path", *_CODE[1:]]
    with sheet.topic("reparameterisation", _live_reparameterisation, code):
        st.markdown(_REPARAMETERISATION)
        _two_estimators()


@st.fragment
def _two_estimators() -> None:
    """Draw both estimators of the derivative of one Gaussian, with sliders."""
    st.markdown(
        r"**Try it.** Here $z \sim \mathcal N(\mu, \sigma^2)$ and $f(z) = -\frac12 (z - 2)^2$. "
        r"Both estimators measure how $\mathbb E f$ changes with $\mu$. Both are right on average."
    )
    first, second, third = st.columns(3, gap="medium")
    mean = first.slider(
        "Mean μ", -3.0, 3.0, 0.0, 0.1, key="theory-gradient-mean",
        help="The mean of the Gaussian. At μ = 2 the true derivative is 0.",
    )  # fmt: skip
    sd = second.slider(
        "Spread σ", 0.2, 2.0, 0.7, 0.1, key="theory-gradient-sd",
        help="The spread of the Gaussian. A small σ makes the score function noisier.",
    )  # fmt: skip
    samples = third.select_slider(
        "Samples L", (1, 2, 5, 10, 20, 50), 1, key="theory-gradient-samples",
        help="Over how many draws each estimate is averaged.",
    )  # fmt: skip
    found = figures.draw(mean, sd, samples)
    alt = (
        f"Two histograms of estimates: the score function with a standard deviation of "
        f"{found.score.std():.2f}, the pathwise gradient with {found.pathwise.std():.2f}."
    )
    columns = {"score_function": found.score, "pathwise": found.pathwise}
    charts.chart(figures.two_estimators(found), "theory-gradients", alt, columns)
    st.caption(
        f"True derivative: {number(found.truth, unit='')}. Standard deviation of one estimate: "
        f"score function {number(float(found.score.std()), unit='')}, pathwise "
        f"{number(float(found.pathwise.std()), unit='')}. The score function has "
        f"{found.ratio:,.1f} times the variance."
    )


def _live_gradient(subject: Subject) -> None:
    numbers([("gradient by", "the weights of the encoder"), ("$L$", str(GRADIENT_SAMPLES))])
    st.caption("Section 4 compares the noise of both estimators on this image.")
    subject.link("gradients", "Measure the score function")


def _live_reparameterisation(subject: Subject) -> None:
    from app.services import gradient_work

    protocol = Protocol(
        subject.choice.weights(), subject.images.origin, subject.index, 1, 1, REPEATS
    )
    mine = st.session_state.get("theory-measurement")
    if mine is None or mine.protocol != protocol:
        estimates = gradient_work.estimates(protocol, subject.choice, lambda: subject.x)
        mine = st.session_state["theory-measurement"] = gradient_work.Measurement(estimates)
    mine.want([("pathwise", GRADIENT_SAMPLES), ("score-function", GRADIENT_SAMPLES)])
    live.watch(mine, lambda: _measured(mine), "theory-gradients")
    subject.link("gradients", "Compare all estimators")
    subject.link("start", "See the noise become a latent")


def _measured(measurement: "Measurement") -> None:
    """Draw the variances that are measured so far, and their ratio."""
    if measurement.error is not None:
        live.control(measurement, errors.sentence(measurement.error), "theory-gradients")
    points = {point.gradient: point for point in at(measurement.table, GRADIENT_SAMPLES)}
    rows: list[Row] = [
        (_VARIANCE.format(name), number(point.variance, point.variance_error, "nats²"))
        for key, name in _NAMES.items()
        if (point := points.get(key)) is not None
    ]
    if len(points) == len(_NAMES):
        times = ratio(points["score-function"], points["pathwise"])
        rows.append(("ratio of the variances", str(times)))
    numbers(rows or [("variance", "being measured")])
    if measurement.working:
        made, whole = measurement.estimates
        st.caption(f"{made:,} of {whole:,} estimates so far.")
    st.caption(f"Variance of the encoder's gradient, L = {GRADIENT_SAMPLES}, R = {REPEATS}.")
