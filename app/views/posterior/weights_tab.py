"""The Weights tab: how well draws of q(z|x) can replace draws of the true posterior."""

from collections.abc import Sequence

import streamlit as st

from app.figures import posterior_values as figures
from app.figures.posterior_values import Sample
from app.parts import charts, live, widgets
from app.parts.glossary import see
from app.services.work import Bench
from app.views.posterior import code, notes
from app.views.posterior.bounds_tab import pick_samples
from app.views.posterior.families import Member
from app.views.posterior.subject import Subject
from app.views.posterior.tasks import weights_task
from vae_core.inference.pareto import largest_trusted_k
from vae_core.inference.weights import Weights
from vae_core.wording.numbers import estimate, typeset

Weighed = Sequence[tuple[Member, Weights]]
_FEW = 3


def show(subject: Subject, members: Sequence[Member]) -> None:
    """Draw the tab."""
    left, right = st.columns([4, 7], gap="medium", vertical_alignment="bottom")
    with left:
        samples = pick_samples()
    right.caption(
        "Each draw z of q(z|x) gets the weight w = p(x, z) / q(z|x). If q were the true posterior, "
        "all weights would equal p(x). The mean of log w is the ELBO (dashed line). The log of the "
        "mean of w is log p̂(x) (solid line)."
    )
    tasks = [weights_task(subject, m, samples) for m in members]
    live.panel(tasks, lambda bench: _drawn(subject, members, bench, samples), "weights")
    notes.protocol(subject, K=samples)
    widgets.code(code.lines("weights", subject, samples))


def _drawn(subject: Subject, members: Sequence[Member], bench: Bench, samples: int) -> None:
    weighed = [
        (m, w)
        for m in members
        if (w := bench.latest(weights_task(subject, m, samples))) is not None
    ]
    if not weighed:
        return
    left, right = st.columns([7, 5], gap="medium")
    names = ", ".join(m.name for m, _ in weighed)
    with left:
        charts.chart(
            figures.weights_figure(
                [Sample(m.name, m.colour, w.log_w, w.elbo[0], w.log_px[0]) for m, w in weighed]
            ),
            "posterior-weights",
            f"Histograms of the log importance weights of {names}.",
            {f"log_w, {m.name}": w.log_w for m, w in weighed},
        )
    with right:
        charts.chart(
            figures.concentration_figure([(m.name, m.colour, w.normalised) for m, w in weighed]),
            "posterior-concentration",
            f"Share of the largest weights in the sum of all weights, for {names}.",
        )
    rows = [
        (
            m.name,
            estimate(*w.log_px, ""),
            f"{w.ess:,.0f} of {len(w.log_w):,}",
            typeset(w.pareto_k, ".2f"),
            f"{w.normalised[0]:.2%}",
            notes.verdict(len(w.log_w), w.ess, w.pareto_k),
        )
        for m, w in weighed
    ]
    left, right = st.columns([7, 6], gap="medium")
    head = ("", "log p̂(x) (nats)", "ESS", "k̂", "largest weight", "Trust it?")
    left.html(notes.table(head, rows, [m.colour for m, _ in weighed]))
    left.caption(
        "ESS (effective sample size): the number of draws of the true posterior that would be as "
        "good. k̂: the Pareto shape of the tail of the weights. If k̂ is above "
        f"min(1 − 1/log₁₀ K, 0.7), here {largest_trusted_k(samples):.2f}, or ESS is below 30, do "
        "not trust log p̂(x); its error is not known." + see("ess", "pareto-k")
    )
    for member, w in _to_describe(weighed):
        right.markdown(
            notes.about_weights(
                member.name, len(w.log_w), w.ess, w.pareto_k, float(w.normalised[0])
            )
        )


def _to_describe(weighed: Weighed) -> Weighed:
    """All families if they are few; otherwise the ones with the best and the worst tail."""
    ordered = sorted(weighed, key=lambda each: each[1].pareto_k)
    return weighed if len(weighed) <= _FEW else [ordered[0], ordered[-1]]
