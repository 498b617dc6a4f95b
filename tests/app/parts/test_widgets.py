"""The shared pieces of the pages, and what a page says when it breaks."""

import io
import logging
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.figures import style
from app.parts import charts
from app.shell import errors
from vae_core.settings.fields import ConfigError

TIMEOUT = 120


def test_an_image_is_enlarged_to_crisp_squares_of_two_inks() -> None:
    array = np.array([[0.0, 1.0], [0.5, 0.0]])
    with Image.open(io.BytesIO(charts.png(array, scale=3))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape == (6, 6, 3)
    blocks = pixels.reshape(2, 3, 2, 3, 3).transpose(0, 2, 1, 3, 4).reshape(2, 2, 9, 3)
    assert (blocks == blocks[:, :, :1]).all(), "a pixel is one flat square"
    dark, light = (tuple(bytes.fromhex(ink[1:])) for ink in style.INK)
    assert tuple(blocks[0, 0, 0]) == dark
    assert tuple(blocks[0, 1, 0]) == light


def test_an_image_out_of_range_or_not_a_number_is_still_drawn() -> None:
    with Image.open(io.BytesIO(charts.png(np.array([[np.nan, -3.0, 7.0]])))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(pixels[0, 0], pixels[0, 1])
    assert pixels[0, 2].mean() > 200


def test_a_colour_image_keeps_its_colours() -> None:
    with Image.open(io.BytesIO(charts.png(np.array([[[1.0, 0.0, 0.5]]])))) as picture:
        assert picture.getpixel((0, 0)) == (255, 0, 128)


def pieces() -> None:
    import numpy as np
    import plotly.graph_objects as go
    import streamlit as st

    from app.figures import style
    from app.parts import charts, widgets
    from vae_core.wording.numbers import number

    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4]), layout=style.layout("T", "x", "y"))
    charts.chart(figure, "curve", "A line that rises.")
    charts.image(np.eye(8), "An identity")
    from vae_core.settings.protocol import Protocol

    test = Protocol("mnist", "test", images=1000, importance_samples=5000, seed=0)
    widgets.protocol(test, pixels="dynamic binarisation")
    widgets.protocol(Protocol("the model itself", "draws", samples=8), pixels="grey values")
    widgets.code(["from vae_core import load_model", "model = load_model('run')"])
    st.write(number(-87.31, 0.12))


def drawn() -> AppTest:
    app = AppTest.from_function(pieces, default_timeout=TIMEOUT).run()
    assert not app.exception
    return app


def test_a_chart_says_in_words_what_it_shows() -> None:
    (chart,) = drawn().get("plotly_chart")
    proto: Any = chart.proto
    assert proto.alt == "A line that rises."
    assert proto.theme == "streamlit"
    assert '"displaylogo": false' in proto.config


def test_a_protocol_names_all_that_decides_a_figure() -> None:
    first, second = (c.value for c in drawn().caption)
    assert first == (
        "first 1,000 of 10,000 images of MNIST 28×28, test · dynamic binarisation · K = 5,000 · "
        "seed 0"
    )
    assert second == "the model itself, draws · grey values · L = 8"


def test_the_code_is_there_to_be_copied() -> None:
    app = drawn()
    assert app.expander[0].label == "Show the code"
    assert not app.code
    app.session_state["code"] = True
    app.run()
    assert app.code[0].value.startswith("from vae_core import load_model\n")


def broken() -> None:
    import streamlit as st

    from app.shell import errors

    with errors.guard():
        st.write("before")
        raise RuntimeError("a secret detail")
    st.write("after")


def test_an_unexpected_error_is_one_calm_sentence_with_a_reference_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, logger="elbo_room"):
        app = AppTest.from_function(broken, default_timeout=TIMEOUT).run()
    assert not app.exception
    assert [m.value for m in app.markdown] == ["before"]
    (message,) = [e.value for e in app.error]
    assert "secret" not in message
    (record,) = caplog.records
    reference = record.getMessage().split()[1].rstrip(":")
    assert f"**{reference}**" in message
    assert record.exc_info is not None
    assert "a secret detail" in str(record.exc_info[1])


def user_error() -> None:
    from app.shell import errors
    from vae_core.settings.config import RunConfig

    with errors.guard():
        RunConfig.from_settings({"latent_size": 0})


def test_an_error_meant_for_the_user_is_shown_as_its_own_sentence() -> None:
    app = AppTest.from_function(user_error, default_timeout=TIMEOUT).run()
    assert [e.value for e in app.error] == ["Latent size d must be from 1 to 512; it was 0."]


def test_only_errors_of_one_kind_are_meant_for_the_user() -> None:
    assert errors.is_for_the_user(ConfigError("a sentence"))
    assert not errors.is_for_the_user(ValueError("'NoneType' has no attribute"))
    assert not errors.is_for_the_user(StateOfTheCore("a detail"))


class StateOfTheCore(RuntimeError):
    """An exception that a module of the core might use for itself."""

    __module__ = "vae_core.runs.execution"


def test_memory_that_ran_out_is_said_in_a_sentence() -> None:
    said = errors.sentence(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried."))
    assert said.startswith("The computer ran out of memory.")


def test_a_file_name_is_never_taken_for_markdown() -> None:
    assert errors.plain("*my* $face$_[1].png") == r"\*my\* \$face\$\_\[1\].png"


def titled() -> None:
    from app.parts import widgets

    widgets.header("Title", "A lead.")


@pytest.mark.parametrize(("presenting", "leads"), [(False, ["A lead."]), (True, [])])
def test_before_an_audience_the_lead_is_left_to_the_speaker(
    presenting: bool, leads: list[str]
) -> None:
    app = AppTest.from_function(titled, default_timeout=TIMEOUT)
    app.session_state["present"] = presenting
    app.run()
    assert not app.exception
    assert [caption.value for caption in app.caption] == leads


@pytest.mark.parametrize("presenting", [False, True])
def test_before_an_audience_the_style_sheet_knows_how_high_a_chart_is(presenting: bool) -> None:
    app = AppTest.from_function(pieces, default_timeout=TIMEOUT)
    app.session_state["present"] = presenting
    app.run()
    assert not app.exception
    styles = [each.proto.body for each in app.get("html")]  # type: ignore[attr-defined]
    assert ("<style>.st-key-chart-curve { --height: 320px }</style>" in styles) == presenting


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*me*.png", r"\*me\*.png"),
        ("![x](http://a)", "\\!\\[x\\](http\\:\u2060//a)"),
        ("see www.evil.example", "see www\u2060.evil.example"),
        ("a@b.example", "a\\@\u2060b.example"),
        ("- item", "\u2060- item"),
        ("1. item", "\u20601. item"),
        ("&lt;", r"\&lt;"),
        ("a\n\n# b", r"a \# b"),
        ("\x1b[31m", r"�\[31m"),
    ],
)
def test_a_text_from_elsewhere_is_shown_as_it_is(text: str, shown: str) -> None:
    assert errors.plain(text) == shown
