"""The Gap tab: the two parts of the gap between log p(x) and the ELBO, for every family."""

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.figures import posterior_values as figures
from app.figures.posterior_values import GapBar
from app.parts import charts, live, widgets
from app.parts.glossary import see
from app.services.work import Bench
from app.views.posterior import code, data, notes, richer_words
from app.views.posterior.families import Member
from app.views.posterior.gap_words import about_gap
from app.views.posterior.subject import Subject
from app.views.posterior.tasks import GAP_DRAWS, refit_task
from vae_core.wording.numbers import estimate, number


def show(subject: Subject, members: Sequence[Member]) -> None:
    """Draw the tab."""
    st.caption(
        "log p(x) − ELBO = KL(q(z|x) ‖ p(z|x)) has two parts. **Approximation**: the gap that "
        "remains with the best q of the family, q*, fitted to this image alone. **Amortisation**: "
        "the additional gap of the encoder, which must serve all images. "
        "(Cremer, Li & Duvenaud 2018.)" + see("gap", "elbo")
    )
    data.prepare(subject, members)
    tasks = [refit_task(subject, m) for m in members]
    live.panel(tasks, lambda bench: _drawn(subject, members, bench), "gap")
    notes.protocol(
        subject,
        K=data.reference_samples(subject),
        L=GAP_DRAWS,
        note="fitted with Adam, measured on new noise",
    )
    widgets.code(code.lines("gap", subject))


def _drawn(subject: Subject, members: Sequence[Member], bench: Bench) -> None:
    log_px, error, exact = data.reference(subject, members)
    tasks = {m.name: refit_task(subject, m) for m in members}
    states = [(m, s) for m in members if (s := bench.latest(tasks[m.name])) is not None]
    if not states:
        return
    bars, rows, fits = [], [], []
    for member, state in states:
        regret, name = state.regret, member.name
        best, best_se = float(regret.best_elbo), float(regret.best_elbo_se)
        approximation_se = float(np.hypot(best_se, 0.0 if math.isnan(error) else error))
        lost, lost_se = float(regret.amortisation), float(regret.amortisation_se)
        bar = GapBar(name, member.colour, log_px - best, approximation_se, lost, lost_se)
        bars.append(bar)
        rows.append(
            (
                name,
                number(float(regret.elbo), float(regret.elbo_se), ""),
                number(best, best_se, ""),
                estimate(bar.approximation, float(np.hypot(best_se, error)), ""),
                number(lost, lost_se, ""),
            )
        )
        done = bench.finished(tasks[name])
        how = "converged" if state.converged else "not converged" if done else "in progress"
        fits.append(f"{name} {how} after {state.steps} steps")
    left, right = st.columns([6, 5], gap="medium")
    with left:
        charts.chart(
            figures.gap_figure(bars, len(members)),
            "posterior-gap",
            "Stacked bars of the approximation and amortisation gap: "
            + "; ".join(
                f"{b.name} {b.approximation:.2f} and {b.amortisation:.2f} nats" for b in bars
            ),
            {
                "family": [b.name for b in bars],
                "approximation": [b.approximation for b in bars],
                "approximation_se": [b.approximation_se for b in bars],
                "amortisation": [b.amortisation for b in bars],
                "amortisation_se": [b.amortisation_se for b in bars],
            },
        )
    with right:
        head = ("nats", "ELBO[q]", "ELBO[q*]", "approximation", "amortisation")
        st.html(notes.table(head, rows, [b.colour for b in bars]))
        st.markdown(about_gap(bars, exact, error))
        if richer := richer_words.about_gaps(bars, richer_words.nested(members)):
            st.markdown(richer)
        st.caption(f"± is one standard error; lines in the chart are two. Fits: {'; '.join(fits)}.")
