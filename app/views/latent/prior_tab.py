"""The Prior tab: the aggregate posterior beside the prior, and the KL of each dimension."""

import streamlit as st

from app.figures import latent_sheets as sheets
from app.parts import charts, widgets
from app.services import latent as latent_service
from app.services.latent import View, prior_moments
from app.views.latent import code, data
from app.views.latent.decode_tab import dead_names
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import number

MAX_HISTOGRAMS = 9


def prior(view: View, _index: int) -> None:
    """Show how much each dimension carries, and whether the data cover the prior."""
    dims = latent_service.cloud(view).dimensions
    draws = data.aggregate(view)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        charts.chart(
            sheets.kl_figure(dims.kl, dims.dead, height=340),
            "latent-kl",
            f"Bars: KL of {view.d} latent dimensions, largest first; "
            f"{int(dims.dead.sum())} of them are dead.",
        )
        st.markdown(_summary(view))
        st.caption(
            "KL(q(zᵢ|x) ‖ p(zᵢ)), averaged over images; for flows, the KL of Gaussians with the "
            "same moments. A dimension is dead if the variance of E[zᵢ|x] over images is at most "
            "0.01 (Burda et al. 2016): the decoder has learnt to ignore it."
        )
    with right:
        shown = dims.order[:MAX_HISTOGRAMS].tolist()
        charts.chart(
            sheets.aggregate_figure(draws, shown, prior_moments(view.choice)),
            "latent-aggregate",
            f"Histograms of {len(draws):,} draws of z in {len(shown)} dimensions, with the density "
            "of the prior.",
            {f"z{i + 1}": draws[:, i] for i in range(view.d)},
        )
        st.caption(
            "Draws z ~ q(z|x), the same number for each image. Together they are the aggregate "
            "posterior; the numbers are mean ± standard deviation. Where it differs from the "
            "prior, samples from the prior decode to images unlike the data."
        )
    images = len(latent_service.cloud(view).index)
    protocol = Protocol(view.data_info.name, view.split, images=images, seed=latent_service.SEED)
    widgets.protocol(protocol, f"{len(draws):,} draws of z", pixels=view.pixels)
    widgets.code(code.lines("Prior", view))


def _summary(view: View) -> str:
    dims = latent_service.cloud(view).dimensions
    kl = data.kl_of_cloud(view)
    active = int((~dims.dead).sum())
    text = f"**{active} of {view.d} dimensions are active.**"
    if active and dims.dead.any():
        text += f" Dead: {dead_names(dims.dead)}."
    text += (
        f" KL(q(z|x) ‖ p(z)) is {number(kl.mean(), kl.std() / len(kl) ** 0.5)} on average; "
        f"the bars add up to {dims.kl.sum():.2f}."
    )
    if kl.mean() - dims.kl.sum() > 0.05 * kl.mean():
        text += " The rest comes from dependence between the dimensions of q(z|x)."
    return text
