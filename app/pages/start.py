"""Start: one image walks through a VAE, with every number live (the note's Figure 1)."""

from typing import TYPE_CHECKING

import streamlit as st

from app import missing_data, pickers, services, shell, stages, widgets
from app.pictures import Images
from app.services import Choice
from vae_core.config import DATASETS

if TYPE_CHECKING:
    from app.walk import Reference, Walk

LEAD = (
    "A variational autoencoder (VAE) learns to describe an image x by a few numbers z, to draw it "
    "again from them, and so to say how probable it is. Below, an image the model never trained on "
    "walks through it, and every number is computed as you watch."
)
WITHOUT_DATA = (
    "Without it, images walk through that the model draws itself: every number is as real. With "
    "it, test images do, which the model never trained on."
)


@st.fragment
def walk_through() -> None:
    """The whole page: what is chosen, the diagram, the terms, the estimates."""
    with st.container(key="walk-choice", gap=None):
        choice = pickers.pick_model()
        images = Images.at_hand(choice)
        index = pickers.pick_image(images)
        stages.image_strip(images, index)
    if images.split is None:
        missing_data.panel(choice, WITHOUT_DATA)
    diagram, terms, elbo = (
        st.container(key=f"walk{part}", gap=None) for part in ("", "-terms", "-elbo")
    )
    with diagram:
        with stages.stage("x"):
            stages.image(images, index)
        stages.encoder()
        gaussian = stages.stage("said")
        stages.meeting()
        with stages.stage("noise"):
            stages.noise_heading()
            noise = st.container(gap=None)
            seed = stages.choose_noise()
    with elbo, st.container(key="walk-readouts", gap="xsmall"):
        samples = stages.choose_samples()
        readouts = st.container(gap=None)

    likelihood = choice.run.config.model.likelihood
    about, now = reference_of(images, index), walk_of(images, index, seed, samples)
    with gaussian:
        stages.encoded(about)
    with noise:
        stages.noise(now, about)
    with diagram:
        if len(now.log_abs_dets):
            stages.arrow("flow")
            with stages.stage("flow"):
                stages.flow(now, about)
        stages.arrow("latent")
        with stages.stage("latent"):
            stages.latent(now, about)
        stages.decoder()
        with stages.stage("p"):
            stages.decoded(now.p[0], likelihood)
    with terms:
        stages.terms(now, likelihood)
    with readouts:
        stages.readouts(now, about)
    with elbo:
        stages.estimates(now, about)
    show_protocol(images, about, seed, samples)
    show_ways_on(choice)
    widgets.code(stages.code_lines(images, index, seed, samples))


def show_protocol(images: Images, about: "Reference", seed: int, samples: int) -> None:
    """How the numbers were measured, and whether they can be trusted."""
    title = DATASETS[images.choice.run.config.dataset].title
    doubt = "" if about.trusted else ": do not trust log p̂(x)"
    widgets.protocol(
        title,
        images.origin,
        images.pixels,
        L=samples,
        K=about.importance_samples,
        seed=seed,
        note=f"ESS {about.ess:,.0f} · Pareto k̂ {about.pareto_k:.1f}{doubt}".replace("-", "−"),
    )


def show_ways_on(choice: Choice) -> None:
    """Where to go from here."""
    with st.container(key="walk-foot", horizontal=True):
        shell.link("train", "Train a model of your own")
        shell.link("latent", "See the whole latent space", model=choice.key)
        shell.link("score", "Score images of yours", model=choice.key)


@st.cache_resource(
    max_entries=64, show_spinner="Estimating log p(x)", hash_funcs={Images: Images.identity}
)
def reference_of(images: Images, index: int) -> "Reference":
    """What is known of an image under a model, whatever noise is drawn."""
    from app import walk

    return walk.reference(services.model(images.choice), images.x(index))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Images: Images.identity})
def walk_of(images: Images, index: int, seed: int, samples: int) -> "Walk":
    """The draws, and what becomes of each."""
    from app import walk

    return walk.walk(services.model(images.choice), images.x(index), seed, samples)


stages.look()
widgets.header("Start", LEAD)
walk_through()
