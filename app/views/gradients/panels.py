"""What the Gradient lab shows of its measurements."""

import math
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.figures import gradients as figures
from app.figures.gradients import LOOKS, Curve
from app.parts import charts, widgets
from app.parts.widgets import IN_URL
from app.views.gradients import sentences
from app.views.gradients.controls import Asked
from app.views.gradients.table import Point, Table, at, grid, seed_of, signal
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import number

_ROOT = Path(__file__).resolve().parents[3]
_AXES = {"widest": "Fit the widest", "narrowest": "Fit the narrowest"}
_ABOUT = r"""
Training climbs along the gradient of the ELBO. The ELBO is an average over $z \sim q(z|x)$ that
cannot be computed, so its gradient $g$ is *estimated* from $L$ draws of $z$ per image. Here that is
done $R$ times over, for the same images and the same weights of the encoder, so that one sees how
far the estimates scatter.

- **Variance** is the mean squared distance of an estimate from the mean of all, summed over the
  weights of the encoder. An average over $L$ independent draws has $1/L$ of the variance of one.
- **Signal-to-noise** is the length of the true gradient over the root of that variance. Below 1, a
  single step points more by chance than by the data.
- All estimators have the same mean. The **score function**
  $\log w\,\nabla_\phi \log q_\phi(z|x)$ only asks how good each draw was; the **pathwise**
  gradient also asks in which direction $z$ should have been: $z$ moves with the posterior that it
  is drawn from. **Sticking the landing** leaves out a part with mean zero; **leave-one-out**
  compares each draw with the others; **DReG** is for the bound with $K$ draws inside the logarithm.
- **Variance × time** says what a second buys. Where it falls with $L$, more samples pay; where it
  is flat, as many more steps would do as much.
"""


def compared(table: Table, samples: int) -> None:
    """What the numbers say of the estimators at one L."""
    head = sentences.headline(table, samples)
    if head:
        st.markdown(f"**{head}**")
    elif not sentences.enough(table):
        st.markdown(f"With {sentences.ENOUGH} estimates a point there is something to say.")


def explained(table: Table, samples: int, dimension: int) -> None:
    """What they say of more samples, and of the mean that all estimators have."""
    rest = [sentences.of_samples(table), sentences.of_means(table, samples, dimension)]
    st.markdown(" ".join(filter(None, rest)))


def about() -> None:
    """The terms, for those who meet them for the first time."""
    with st.expander("What is measured here", icon=":material/school:", type="compact"):
        st.markdown(_ABOUT)


def choose_point(asked: Asked) -> tuple[int, int, bool]:
    """Which L and which coordinate are looked at closely, and how wide."""
    steps = grid(asked.largest)
    default = min(8, asked.largest)
    if st.session_state.get("gradient-l", default) not in steps:
        st.session_state["gradient-l"] = default
    d = asked.choice.run.config.model.latent_size
    if not 1 <= (st.session_state.get("gradient-z") or 1) <= d:
        st.session_state["gradient-z"] = 1
    with st.container(key="gradient-point"):
        samples = st.select_slider(
            "At L", steps, value=default, key="gradient-l",
            help="Which L the text compares the estimators at; grey in the other charts.", **IN_URL,
        )  # fmt: skip
        dimension = st.number_input(
            f"Latent dimension, 1 to {d}", 1, d, 1, key="gradient-z",
            help="The coordinate shown is the slope of the bound as the posterior mean of this "
            "dimension moves, for all images alike.", **IN_URL,
        )  # fmt: skip
        axis = st.segmented_control(
            "Axis", list(_AXES), default="widest", required=True, key="gradient-axis",
            format_func=lambda each: _AXES[each].removeprefix("Fit the "),
            help="Whether the axis fits the estimator that scatters most, or the quietest one.",
            **IN_URL,
        )  # fmt: skip
    return samples, int(dimension), axis == "widest"


def variance(asked: Asked, table: Table, samples: int) -> None:
    """Variance against L."""
    figure = figures.samples_figure(
        _curves(table, lambda p: (p.variance, p.variance_error)),
        grid(asked.largest),
        "Variance of the gradient",
        "Variance (nats²)",
        slope=(-1.0, "∝ 1/L"),
        chosen=samples,
        uirevision=_revision(asked),
    )
    alt = "Variance of each gradient estimator against the number of samples L, both logarithmic."
    charts.chart(figure, "gradient-variance", alt, _columns(table))
    _protocol(asked, "bars: ± 1 standard error")


def signal_to_noise(asked: Asked, table: Table, samples: int) -> None:
    """Signal-to-noise against L."""
    square, error = signal(table)

    def of(point: Point) -> tuple[float, float]:
        if not point.variance > 0:
            return float("nan"), 0.0
        value = (square / point.variance) ** 0.5
        return value, 0.5 * value * point.variance_error / point.variance

    figure = figures.samples_figure(
        _curves(table, of),
        grid(asked.largest),
        "Signal-to-noise",
        "‖E g‖ / √variance",
        slope=(0.5, "∝ √L"),
        chosen=samples,
        level=(1.0, "signal = noise"),
        uirevision=_revision(asked),
    )
    alt = "Signal-to-noise ratio of each estimator against L: it rises as the square root of L."
    charts.chart(figure, "gradient-signal", alt, _columns(table))
    if not math.isfinite(square):
        return  # nothing is measured yet
    length = square**0.5
    known = number(length, 0.5 * error / length if length else None)
    _protocol(asked, f"‖E g‖ = {known}, from the least noisy point")


def coordinate(asked: Asked, table: Table, samples: int, dimension: int, wide: bool) -> None:
    """How one coordinate scatters."""
    draws = {p.gradient: p.coordinates[:, dimension - 1] for p in at(table, samples)}
    figure = figures.coordinate_figure(
        {str(name): each for name, each in draws.items()},
        dimension,
        samples,
        bound="ELBO" if asked.protocol.inside == 1 else "IWAE bound",
        wide=wide,
        uirevision=f"{_revision(asked)} {samples} {dimension} {wide}",
    )
    alt = (
        f"Histograms of the estimates of one coordinate of the gradient at L = {samples}, a row "
        "for each estimator, with their means."
    )
    csv = {LOOKS[name].label: each for name, each in draws.items()}
    charts.chart(figure, "gradient-coordinate", alt, csv)
    _protocol(asked, "diamonds: mean ± 2 standard errors · dashed: mean of all", samples)


def cost(asked: Asked, table: Table, samples: int) -> None:
    """The time of a gradient, and what variance a given time leaves."""
    figure = figures.cost_figure(
        _curves(table, lambda p: (1e3 * p.seconds, 1e3 * p.seconds_error)),
        _curves(
            table, lambda p: (1e3 * p.seconds * p.variance, 1e3 * p.seconds * p.variance_error)
        ),
        grid(asked.largest),
        chosen=samples,
        uirevision=_revision(asked),
    )
    alt = "Above, the time of one gradient against L; below, variance times time, lower is better."
    charts.chart(figure, "gradient-cost", alt, _columns(table))
    _protocol(
        asked,
        "median time for the encoder, there and back, ± 1 standard error · below, lower is better",
    )


def code(asked: Asked, samples: int, dimension: int) -> None:
    """The lines that measure what is shown at one L."""
    protocol = asked.protocol
    imports, making = asked.images.code(protocol.first, protocol.count)
    folder = asked.choice.run.folder.resolve()
    place = folder.relative_to(_ROOT) if folder.is_relative_to(_ROOT) else folder
    seeds = ", ".join(f'"{name}": {seed_of(name, samples)}' for name in asked.gradients)
    widgets.code(
        [
            *([] if asked.images.split else ["import torch", ""]),
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
    """Everything measured, a row a point."""
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


def _revision(asked: Asked) -> str:
    """Keeps a zoom while the same thing is measured."""
    return str((asked.protocol, asked.largest))


def _protocol(asked: Asked, note: str, samples: int | None = None) -> None:
    cells = asked.protocol
    last = cells.first + cells.count - 1
    protocol = Protocol(
        asked.choice.run.config.dataset if asked.images.split else "the model itself",
        f"{asked.images.split or 'draws'} {cells.first:,} to {last:,}",
        images=cells.count,
        samples=samples,
        importance_samples=cells.inside,
    )
    widgets.protocol(protocol, f"R = {cells.repeats:,}", note, pixels=asked.images.pixels)
