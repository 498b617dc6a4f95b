"""The KL tab: how much each latent dimension of each run carries."""

import streamlit as st

from app.figures.compare import kl_figure
from app.parts import charts, tables
from app.parts.glossary import see
from app.services.history import history
from vae_core.runs.comparison import Comparison


def show(found: Comparison) -> None:
    """Draw the tab."""
    names, bars, about = [], [], []
    for name, each in zip(found.names, found.runs, strict=True):
        last = history(each.run).last
        kl = last["validation"].get("kl_by_dimension") if last and last.get("validation") else None
        if last is None or not kl:
            continue
        names.append(name)
        bars.append(kl)
        about.append((last["epoch"], last["validation"].get("active_units"), len(kl), sum(kl)))
    if not names:
        st.caption("None of these runs has recorded the KL of its dimensions so far.")
        return
    charts.chart(
        kl_figure(names, bars),
        "compare-kl",
        f"KL of each latent dimension of {len(names)} runs, largest first.",
    )
    tables.table(
        {
            "Run": names,
            "Active": [f"{'–' if active is None else active} of {d}" for _, active, d, _ in about],
            "Sum of the KL (nats)": [f"{total:.2f}" for *_, total in about],
            "Epoch": [epoch for epoch, *_ in about],
        },
        hide_index=True,
        key="compare-kl-table",
    )
    st.caption(
        "KL(q(zᵢ|x) ‖ p(zᵢ)) of validation images, averaged, at the last epoch that each run has "
        "recorded; for flows, the KL of Gaussians with the same moments." + see("kl")
    )
