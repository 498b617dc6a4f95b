"""The choice between the principal plane and an embedding on the Map tab, and its computation."""

import streamlit as st

from app.figures import latent_map as figures
from app.parts import charts, live
from app.services import embeddings, latent
from app.services.embeddings import METHODS
from app.services.latent import View
from app.services.work import Bench
from vae_core.analysis.tsne import Embedding
from vae_core.basics.arrays import Floats

PLANE = "PCA"
_PROJECTION = "projection"
READING = (
    "On this map only neighbours mean something. The distance and the size of groups, and the "
    "axes, mean nothing. A place between points cannot be decoded: only images that are on the map "
    "have a z. Prior and posterior have no shape here; q(z|x) is shown on the principal plane."
)


def pick(view: View) -> str:
    """Draw the choice of the map; return the method of an embedding, or "" for the plane."""
    offered = embeddings.offered(view.d)
    if not offered:
        return ""
    chosen = st.segmented_control(
        "Map",
        [PLANE, *offered],
        default=PLANE,
        required=True,
        key=_PROJECTION,
        bind="query-params",
        persist_state="session",
        help="PCA: the plane of the two principal axes of the posterior means E[z|x], a shadow of "
        f"the {view.d} dimensions without distortion. "
        + " ".join(METHODS[name].help for name in offered),
    )
    return "" if chosen == PLANE else str(chosen)


def points(view: View, method: str) -> Floats | None:
    """Positions of the images of the map, (N, 2); None before they are finished.

    Until then their progress is shown, with a button that stops it.
    """
    task = embeddings.task(view, method)
    bench = live.bench()
    if not bench.finished(task):
        live.panel([task], lambda found: _under_way(found, view, method), "latent-embedding")
    state = bench.latest(task)
    return state.points if bench.finished(task) and state is not None else None


def code(view: View) -> tuple[str, str] | None:
    """Code of the chosen embedding, for :func:`app.views.latent.code.lines`; None for the plane."""
    chosen = st.session_state.get(_PROJECTION)
    return METHODS[chosen].code if chosen in embeddings.offered(view.d) else None


def _under_way(bench: Bench, view: View, method: str) -> None:
    """Show the map as it is now. It cannot be clicked before it is finished."""
    task = embeddings.task(view, method)
    state: Embedding | None = bench.latest(task)
    if state is None or bench.finished(task):
        return
    around = latent.cloud(view)
    figure = figures.map_figure(
        state.points, around.index, around.labels, view.classes, view.d, (), None, embedding=method
    )
    alt = f"The {method} map of {len(around.index):,} images on its way, coloured by class."
    charts.chart(figure, "latent-embedding-now", alt)
    st.caption("The map on its way. Its points can be clicked once it is finished.")
