"""Charts and texts of the Gradient lab."""

import math
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.figures import gradients as figures
from app.figures.gradients import LOOKS, Curve
from app.parts import charts, widgets
from app.parts.widgets import IN_URL
from app.services.gradient_table import Point, Table, at, grid, seed_of, signal
from app.views.gradients import sentences
from app.views.gradients.controls import MeasurementRequest
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import number

_ROOT = Path(__file__).resolve().parents[3]
_AXES = {"widest": "Fit the widest", "narrowest": "Fit the narrowest"}
_ABOUT = r"""
Training follows the gradient of the ELBO upwards. The ELBO is an average over $z \sim q(z|x)$ that
cannot be computed exactly, so its gradient $g$ is *estimated* from $L$ draws of $z$ per image. This
page makes the estimate $R$ times, for the same images and the same weights of the encoder, to show
how much the estimates vary.

- **Variance** is the mean squared distance of an estimate from the mean of all estimates, summed
  over the weights of the encoder. An average over $L$ independent draws has $1/L$ of the variance
  of one draw.
- **Signal-to-noise** is the length of the true gradient divided by the root of that variance. Below
  1, the direction of a single step depends more on chance than on the data.
- All estimators have the same mean. The **score function**
  $\log w\,\nabla_\phi \log q_\phi(z|x)$ only uses how good each draw is. The **pathwise**
  gradient also uses in which direction a better $z$ lies, because $z$ moves with the posterior that
  it is drawn from. **Sticking the landing** leaves out a part with mean zero. **Leave-one-out**
  compares each draw with the others. **DReG** is for the bound with $K$ draws inside the logarithm.
- **Variance × time** shows how much noise remains for a given computing time. Where it falls with
  $L$, more samples are worth their time. Where it is flat, more training steps would help as
  much.
"""


def compared(table: Table, samples: int) -> None:
    """Say in a sentence how the estimators compare at one L."""
    head = sentences.headline(table, samples)
    if head:
        st.markdown(f"**{head}**")
    elif not sentences.enough(table):
        st.markdown(f"Waiting for {sentences.ENOUGH} estimates per point.")


def explained(table: Table, samples: int, dimension: int) -> None:
    """Say what more samples change, and whether the means of the estimators agree."""
    rest = [sentences.of_samples(table), sentences.of_means(table, samples, dimension)]
    st.markdown(" ".join(filter(None, rest)))


def about() -> None:
    """Explain the terms, for readers who are new to them."""
    with st.expander("What is measured here", icon=":material/school:", type="compact"):
        st.markdown(_ABOUT)


def choose_point(request: MeasurementRequest) -> tuple[int, int, bool]:
    """Choose the L and the coordinate to show: (L, dimension, whether the axis is wide)."""
    steps = grid(request.largest)
    default = min(8, request.largest)
    if st.session_state.get("gradient-l", default) not in steps:
        st.session_state["gradient-l"] = default
    d = request.choice.run.config.model.latent_size
    if not 1 <= (st.session_state.get("gradient-z") or 1) <= d:
        st.session_state["gradient-z"] = 1
    with st.container(key="gradient-point"):
        samples = st.select_slider(
            "At L", steps, value=default, key="gradient-l",
            help="The L at which the estimators are compared; grey in the other charts.", **IN_URL,
        )  # fmt: skip
        dimension = st.number_input(
            f"Latent dimension, 1 to {d}", 1, d, 1, key="gradient-z",
            help="Shows the derivative of the bound with respect to the posterior mean of this "
            "dimension, moved by the same amount for all images.", **IN_URL,
        )  # fmt: skip
        axis = st.segmented_control(
            "Axis", list(_AXES), default="widest", required=True, key="gradient-axis",
            format_func=lambda each: _AXES[each].removeprefix("Fit the "),
            help="Whether the axis fits the noisiest estimator or the least noisy one.",
            **IN_URL,
        )  # fmt: skip
    return samples, int(dimension), axis == "widest"


def variance(request: MeasurementRequest, table: Table, samples: int) -> None:
    """Draw the variance against L."""
    figure = figures.samples_figure(
        _curves(table, lambda p: (p.variance, p.variance_error)),
        grid(request.largest),
        "Variance of the gradient",
        "Variance (nats²)",
        slope=(-1.0, "∝ 1/L"),
        chosen=samples,
        uirevision=_revision(request),
    )
    alt = "Variance of each gradient estimator against the number of samples L, both logarithmic."
    charts.chart(figure, "gradient-variance", alt, _columns(table))
    st.caption(
        "Variance: the mean squared distance of an estimate from the mean of all estimates, summed "
        "over the weights of the encoder. ∝ 1/L: what an average of L draws promises."
    )
    _protocol(request, "bars: ± 1 standard error")


def signal_to_noise(request: MeasurementRequest, table: Table, samples: int) -> None:
    """Draw the signal-to-noise ratio against L."""
    square, error = signal(table)

    def ratio(point: Point) -> tuple[float, float]:
        if not point.variance > 0:
            return float("nan"), 0.0
        value = (square / point.variance) ** 0.5
        return value, 0.5 * value * point.variance_error / point.variance

    figure = figures.samples_figure(
        _curves(table, ratio),
        grid(request.largest),
        "Signal-to-noise",
        "‖E g‖ / √variance",
        slope=(0.5, "∝ √L"),
        chosen=samples,
        level=(1.0, "signal = noise"),
        uirevision=_revision(request),
    )
    alt = "Signal-to-noise ratio of each estimator against L. It grows like the square root of L."
    charts.chart(figure, "gradient-signal", alt, _columns(table))
    if not math.isfinite(square):
        return  # nothing is measured yet
    length = square**0.5
    known = number(length, 0.5 * error / length if length else None)
    st.caption(
        "Signal-to-noise: the length of the true gradient, ‖E g‖, over the root of the variance of "
        "an estimate g. Below 1, a single step depends more on chance than on the data."
    )
    _protocol(request, f"‖E g‖ = {known}, from the least noisy point")


def coordinate(
    request: MeasurementRequest, table: Table, samples: int, dimension: int, wide: bool
) -> None:
    """Draw histograms of the estimates of one coordinate."""
    draws = {p.gradient: p.coordinates[:, dimension - 1] for p in at(table, samples)}
    figure = figures.coordinate_figure(
        {str(name): each for name, each in draws.items()},
        dimension,
        samples,
        bound="ELBO" if request.protocol.inside == 1 else "IWAE bound",
        wide=wide,
        uirevision=f"{_revision(request)} {samples} {dimension} {wide}",
    )
    alt = (
        f"Histograms of the estimates of one coordinate of the gradient at L = {samples}, a row "
        "for each estimator, with their means."
    )
    csv = {LOOKS[name].label: each for name, each in draws.items()}
    charts.chart(figure, "gradient-coordinate", alt, csv)
    st.caption(
        "One number of the gradient, estimated R times: the derivative by the posterior mean of "
        "one latent dimension. All have the same mean; a narrower hill has less noise."
    )
    _protocol(request, "diamonds: mean ± 2 standard errors · dashed: mean of all", samples)


def cost(request: MeasurementRequest, table: Table, samples: int) -> None:
    """Draw the time of a gradient, and variance times time."""
    figure = figures.cost_figure(
        _curves(table, lambda p: (1e3 * p.seconds, 1e3 * p.seconds_error)),
        _curves(
            table, lambda p: (1e3 * p.seconds * p.variance, 1e3 * p.seconds * p.variance_error)
        ),
        grid(request.largest),
        chosen=samples,
        uirevision=_revision(request),
    )
    alt = "Above, the time of one gradient against L; below, variance times time, lower is better."
    charts.chart(figure, "gradient-cost", alt, _columns(table))
    _protocol(
        request,
        "median time, encoder forward and backward, ± 1 standard error",
    )


def code(request: MeasurementRequest, samples: int, dimension: int) -> None:
    """Show the Python lines that measure what is shown at one L."""
    protocol = request.protocol
    imports, making = request.images.code(protocol.first, protocol.count)
    folder = request.choice.run.folder.resolve()
    place = folder.relative_to(_ROOT) if folder.is_relative_to(_ROOT) else folder
    seeds = ", ".join(f'"{name}": {seed_of(name, samples)}' for name in request.gradients)
    widgets.code(
        [
            *([] if request.images.split else ["import torch", ""]),
            "from vae_core import load_model",
            *imports,
            "from vae_core.training.gradient_noise import measure_noise",
            "",
            f'model = load_model("{place.as_posix()}")',
            *making,
            f"for gradient, seed in {{{seeds}}}.items():",
            f"    *_, noise = measure_noise(model, x, gradient, samples={samples}, "
            f"repeats={protocol.repeats},",
            f"                              inside={protocol.inside}, seed=seed)",
            "    print(gradient, noise.total_variance, noise.total_variance_error, noise.seconds)",
            f"    print(noise.of_means[:, {dimension - 1}])  # one coordinate, by estimate",
        ]
    )


def _curves(table: Table, of: Callable[[Point], tuple[float, float]]) -> list[Curve]:
    return [
        Curve(gradient, [p.samples for p in row], *zip(*map(of, row), strict=True))
        for gradient, row in table.items()
    ]


def _columns(table: Table) -> dict[str, list[float | int | str]]:
    """All measurements, one row per point, for the CSV file."""
    points = [point for row in table.values() for point in row]
    return {
        "estimator": [p.gradient for p in points],
        "L": [p.samples for p in points],
        "estimates": [p.repeats for p in points],
        "variance_nats2": [p.variance for p in points],
        "variance_se": [p.variance_error for p in points],
        "signal_to_noise": [
            (signal(table)[0] / p.variance) ** 0.5 if p.variance else float("inf") for p in points
        ],
        "milliseconds": [1e3 * p.seconds for p in points],
        "milliseconds_se": [1e3 * p.seconds_error for p in points],
    }


def _revision(request: MeasurementRequest) -> str:
    """Key that keeps the zoom of a chart while the same thing is measured."""
    return str((request.protocol, request.largest))


def _protocol(request: MeasurementRequest, note: str, samples: int | None = None) -> None:
    cells = request.protocol
    last = cells.first + cells.count - 1
    protocol = Protocol(
        request.choice.run.config.dataset if request.images.split else "the model itself",
        f"{request.images.split or 'draws'} {cells.first:,} to {last:,}",
        images=cells.count,
        samples=samples,
        importance_samples=cells.inside,
    )
    widgets.protocol(protocol, f"R = {cells.repeats:,}", note, pixels=request.images.pixels)
