"""Section 7 of the Theory page: normalising flows."""

import streamlit as st

from app.services import models
from app.services.models import Choice
from app.views.theory.sheet import Row, Sheet, heading, numbers
from app.views.theory.slip_words import nats
from app.views.theory.subject import Subject
from vae_core.settings.choices import FLOWS, POSTERIORS
from vae_core.wording.numbers import number

_FLOW = r"""
A Gaussian is one ellipse. A true posterior can be bent, or have two modes. A **normalising flow**
bends the Gaussian, by $T$ maps that can be inverted:

$$
z_0 = \mu + C\epsilon, \qquad z_t = f_t(z_{t-1}, x) \quad (t = 1, \dots, T), \qquad z = z_T.
$$

Each map stretches space a little. The Jacobian of the whole chain is the product of the Jacobians
of its steps, so the logarithms add up:

$$
\log \left| \det \frac{\partial z}{\partial z_0} \right|
= \sum_{t=1}^T \log \left| \det \frac{\partial z_t}{\partial z_{t-1}} \right|.
$$

With (6) the density of $z$ is

$$
\log q_\phi(z \mid x) = \log q_0(z_0)
- \sum_{t=1}^T \log \left| \det \frac{\partial z_t}{\partial z_{t-1}} \right|.
$$

The rest stays as it was: draw $\epsilon$, make $z$, take the mean of $\log w$. A flow step must
have two properties. It can be inverted, and its determinant is cheap. A more flexible $q$ can come
closer to the true posterior, so the gap can become smaller.
"""
_MOST_STEPS = 8
_FIRST_FLOW = "spline"


def draw(sheet: Sheet) -> None:
    """Draw the section."""
    heading("7", "Normalising flows", "flow")
    code = ["vae_core.model.posteriors:FlowPosterior.path", "vae_core.model.posteriors:Path.log_q"]
    with sheet.topic("flow", _live, code):
        st.markdown(_FLOW)


def _live(subject: Subject) -> None:
    _steps(subject)
    _families(subject)
    subject.link("posterior", "See the flow step by step", tab="Flow steps")
    subject.link("posterior", "Compare the families", tab="Posterior")


def _steps(subject: Subject) -> None:
    """Draw what each step of the model's own flow does to the first draw."""
    now = subject.walk
    steps = len(now.log_abs_dets)
    name = POSTERIORS[subject.config.posterior].title
    rows: list[Row] = [(r"$q(z \mid x)$ of this model", name), ("$T$", str(steps))]
    if steps:
        rows.append((r"$\log q_0(z_0)$", nats(float(now.log_q0[0]))))
        each = now.log_abs_dets[:_MOST_STEPS, 0]
        rows += [
            (rf"$\log\lvert\det\rvert$ of $f_{{{t}}}$", nats(v)) for t, v in enumerate(each, 1)
        ]
        if steps > _MOST_STEPS:
            rest = float(now.log_abs_dets[_MOST_STEPS:, 0].sum())
            rows.append((f"sum of the other {steps - _MOST_STEPS}", nats(rest)))
        rows.append((r"$\log q(z \mid x)$", nats(float(now.log_qz[0]))))
    numbers(rows)


def _families(subject: Subject) -> None:
    """Compare the ELBO of the model's own family with that of a flow for the same decoder."""
    from app.services import densities

    other = _companion(subject.choice)
    if other is None:
        return
    count = densities.ELBO_SAMPLES
    rows = [
        (
            f"ELBO, {POSTERIORS[choice.run.config.model.posterior].short}",
            number(*densities.weighed(choice, subject.x, count).elbo),
        )
        for choice in (subject.choice, other)
    ]
    numbers(rows, "With the same decoder")
    st.caption(f"Both encoders were trained for the same decoder. L = {count:,}.")


def _companion(choice: Choice) -> Choice | None:
    """A model with the same decoder and another family, a flow if the choice is none."""
    own = choice.run.config.model.posterior
    found = {
        each.run.config.model.posterior: each
        for each in models.companions(choice).values()
        if (each.run.config.model.posterior in FLOWS) != (own in FLOWS)
    }
    return found.get(_FIRST_FLOW) or next(iter(found.values()), None)
