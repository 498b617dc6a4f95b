"""Section 5 of the Theory page: the mean, approximated by L draws."""

import streamlit as st

from app.figures import theory_samples as figures
from app.parts import charts
from app.parts.readouts import readouts
from app.services.walk import walk_of
from app.services.walk_samples import MAX_SAMPLES
from app.views.theory import slip_words
from app.views.theory.sheet import Sheet, heading, numbers
from app.views.theory.subject import SEED, Subject
from vae_core.wording.numbers import number

_SAMPLES = r"""
The mean in (5) has no formula. A **Monte Carlo** estimate replaces it. For any function $f$ and any
distribution $p$

$$
\mathbb E_{p(\epsilon)}[f(\epsilon)] \approx \frac1L \sum_{l=1}^L f(\epsilon^{(l)}),
\qquad \epsilon^{(l)} \sim p(\epsilon).
$$

For the ELBO of an image that means three steps.

1. Draw $L$ times noise, $\epsilon^{(l)} \sim p(\epsilon)$.
2. Make $z^{(l)} = g_\phi(\epsilon^{(l)}, x)$ of each.
3. Take the mean of $\log w$:

$$
\tilde{\mathcal L}_{\theta,\phi}(x) = \frac1L \sum_{l=1}^L
\bigl[\log p_\theta(x \mid z^{(l)}) + \log p(z^{(l)}) - \log q_\phi(z^{(l)} \mid x)\bigr].
$$

The estimate is right on average, for every $L$, even for $L = 1$. Its **standard error** is
$s/\sqrt L$, where $s$ is how much $\log w$ varies from draw to draw. Four times the draws give half
the error. In training $L = 1$ is common, because the errors of many images cancel.
"""


def draw(sheet: Sheet) -> None:
    """Draw the section."""
    heading("5", "The mean, from L draws", "samples")
    code = ["vae_core.inference.elbo:elbo_terms", "vae_core.inference.elbo:monte_carlo"]
    with sheet.topic("samples", _live, code):
        st.markdown(_SAMPLES)
        sheet.later(_against_samples)
        sheet.slip(
            "log-elbo",
            r"$\log \tilde{\mathcal L}$ for the estimate of the ELBO.",
            r"$\tilde{\mathcal L}$ itself. The ELBO is already a mean of logarithms, in nats.",
            slip_words.log_of_elbo,
        )


def _against_samples(subject: Subject) -> None:
    """Draw the mean of the first L draws of log w of this image, and its error, against L."""
    log_w = walk_of(subject.images, subject.index, SEED, MAX_SAMPLES).log_w
    st.markdown(
        r"**This image.** The mean of $\log w$ over the first $L$ draws, for all $L$ up to "
        f"{MAX_SAMPLES:,}. *Samples L* at the top of the page moves the dot."
    )
    count, means, errors = figures.running(log_w)
    alt = (
        f"The mean of log w settles at {means[-1]:.2f} nats as the number of draws L grows; its "
        "standard error falls like one over the square root of L."
    )
    columns = {"L": count, "mean": means, "se": errors, "log_w": log_w}
    figure = figures.against_samples(log_w, subject.samples)
    charts.chart(figure, "theory-samples", alt, columns)


def _live(subject: Subject) -> None:
    now = subject.walk
    joint = next(each for each in readouts(now, subject.about) if each.name == "joint")
    rows = [("$L$", f"{subject.samples:,}"), (r"$\tilde{\mathcal L}$", joint.text)]
    if subject.samples > 1:
        rows.append(("$s$, of one draw", number(float(now.log_w.std(ddof=1)))))
    numbers(rows)
    subject.link("start", "Change L and watch the estimate")
