"""The visual language: colours that can be told apart, legends that cover nothing."""

import csv
import io
import itertools
import re
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from app.figures import gradients, score, style
from app.views.posterior.families import COLOURS
from vae_core.settings.choices import POSTERIORS

ROOT = Path(__file__).resolve().parents[3]

# Machado, Oliveira & Fernandes 2009: what a dichromat sees, in linear sRGB.
VISION = {
    "ordinary": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
# Linear sRGB to Oklab (Ottosson 2020).
TO_CONES = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
TO_LAB = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
          [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip


def linear(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    bright, dark = sorted(
        (linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True
    )
    return float((bright + 0.05) / (dark + 0.05))


def oklab(colour: str, vision: str) -> np.ndarray:
    seen = np.clip(np.asarray(VISION[vision]) @ linear(colour), 0, 1)
    return np.asarray(TO_LAB) @ np.cbrt(np.asarray(TO_CONES) @ seen)


# The colours, and their least distance from one another.
PALETTES = {
    "quantities": ([q.colour for q in style.QUANTITIES], 0.085),
    "classes": (list(style.CLASSES), 0.085),
    "gradient estimators": ([look.colour for look in gradients.LOOKS.values()], 0.085),
    "families": (list(COLOURS.values()), 0.07),
    "verdicts": (list(score.VERDICT_COLOURS.values()), 0.0),
    "references and choices": ([style.NEUTRAL, style.HIGHLIGHT], 0.085),
}
BEHIND_A_PICTURE = {style.INK[0]}  # the ground of pictures, the same in both themes
MARK, TEXT = 3.0, 4.5  # the least contrasts of WCAG 2 for marks and for text


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("ground", style.GROUNDS)
def test_colours_stand_out_on_the_light_and_the_dark_ground(palette: str, ground: str) -> None:
    colours, _ = PALETTES[palette]
    assert min(contrast(colour, ground) for colour in colours) >= MARK


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("vision", VISION)
def test_colours_are_told_apart_by_colour_blind_eyes_too(palette: str, vision: str) -> None:
    colours, least = PALETTES[palette]
    seen = [oklab(colour, vision) for colour in colours]
    nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))
    assert nearest >= least


def test_every_family_has_a_colour_and_the_true_posterior_another() -> None:
    assert set(COLOURS) == set(POSTERIORS)
    grey = oklab(style.NEUTRAL, "ordinary")
    away = [float(np.linalg.norm(oklab(c, "ordinary") - grey)) for c in COLOURS.values()]
    assert min(away) >= 0.085


def test_the_grounds_are_those_of_the_themes() -> None:
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))["theme"]
    assert [theme[mode]["backgroundColor"] for mode in ("light", "dark")] == list(style.GROUNDS)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_text_of_both_themes_is_easy_to_read(mode: str) -> None:
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))["theme"][mode]
    for ground in ("backgroundColor", "secondaryBackgroundColor"):
        assert contrast(theme["textColor"], theme[ground]) >= 7
        assert contrast(theme["linkColor"], theme[ground]) >= 4.5
    assert contrast(theme["primaryColor"], "#FFFFFF") >= TEXT  # the text on a button
    assert contrast(theme["primaryColor"], theme["backgroundColor"]) >= MARK


COLOUR_IN_A_STYLE_SHEET = re.compile(
    r"(--term|border-left|background|outline-color|outline):[^;]*?(#[0-9a-f]{6})", re.I
)


OF_A_FILE = ROOT / "app/shell/report/report.css"  # it is read on white, in both themes
SHEETS = sorted({*(ROOT / "app").rglob("*.css")} - {OF_A_FILE})


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.stem)
def test_marks_in_style_sheets_stand_out_on_both_grounds(sheet: Path) -> None:
    found = {c.upper() for _, c in COLOUR_IN_A_STYLE_SHEET.findall(sheet.read_text("utf-8"))}
    marks = found - {c.upper() for c in (*BEHIND_A_PICTURE, *style.GROUNDS)}
    assert not {c for c in marks if min(contrast(c, g) for g in style.GROUNDS) < MARK}


def test_the_text_of_a_report_file_is_easy_to_read() -> None:
    text = OF_A_FILE.read_text("utf-8")
    colours = set(re.findall(r"[{; ]color: (#[0-9a-f]{6})", text))
    assert len(colours) >= 3
    (ground,) = re.findall(r"pre \{ background: (#[0-9a-f]{6})", text)
    assert all(contrast(c, g) >= TEXT for c in colours for g in ("#FFFFFF", ground))


def test_no_text_of_a_chart_has_the_colour_of_a_mark() -> None:
    """No colour has a contrast of 4.5 on both grounds."""
    sources = [path.read_text("utf-8") for path in (ROOT / "app/figures").glob("*.py")]
    assert not [
        s for text in sources for s in re.findall(r'"?font"?[=:] ?{[^}]*"color"[^}]*}', text)
    ]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_captions_are_easy_to_read(mode: str) -> None:
    sheet = (ROOT / "app/shell/look.css").read_text("utf-8")
    found = re.search(r'stCaptionContainer"\] \{[^}]*opacity: ([0-9.]+)', sheet)
    assert found
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))["theme"][mode]
    for ground in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        assert contrast(mixed(theme["textColor"], ground, float(found[1])), ground) >= TEXT


def mixed(colour: str, ground: str, share: float) -> str:
    """The colour of a text that lets some of its ground through."""
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(ground[1:]), strict=True)
    return "#" + bytes(round(share * a + (1 - share) * b) for a, b in pairs).hex()


def test_a_quantity_keeps_its_colour_and_training_differs_by_the_line_only() -> None:
    assert len({q.colour for q in style.QUANTITIES}) == len(style.QUANTITIES)
    train, validation = style.line(style.ELBO, "train"), style.line(style.ELBO, "validation")
    assert train["color"] == validation["color"] == style.ELBO.colour
    assert train["dash"] != validation["dash"]


def test_a_layout_leaves_grounds_and_text_to_the_theme() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[2]), layout=style.layout("T", "epoch", "ELBO (nats)"))
    drawn = figure.to_plotly_json()["layout"]
    assert not {"paper_bgcolor", "plot_bgcolor", "font"} & drawn.keys()
    assert "color" not in drawn["title"]
    assert drawn["xaxis"]["title"]["text"] == "epoch"
    assert not drawn["template"].get("layout"), "a template of its own would fight the theme"


@pytest.mark.parametrize("height", [200, 320, 700])
def test_the_legend_has_a_row_of_its_own_under_the_title(height: int) -> None:
    legend = style.layout("T", height=height)["legend"]
    assert legend["yref"] == "container"
    assert height * (1 - legend["y"]) == pytest.approx(30)
    assert style.layout("T", height=height)["margin"]["t"] > 30


def test_the_data_of_a_figure_come_back_as_csv() -> None:
    figure = go.Figure(
        [
            go.Scatter(x=[1, 2], y=[3.5, 4.5], name="ELBO, train"),
            go.Heatmap(z=[[1, 2], [3, 4]], x0=-1, dx=0.5, y=[7, 8]),
        ]
    )
    rows = list(csv.DictReader(io.StringIO(style.figure_csv(figure))))
    assert rows[0] == {"trace": "ELBO, train", "x": "1", "y": "3.5", "z": ""}
    assert [(r["x"], r["y"], r["z"]) for r in rows[2:]] == [
        ("-1.0", "7", "1"), ("-0.5", "7", "2"), ("-1.0", "8", "3"), ("-0.5", "8", "4"),
    ]  # fmt: skip


def test_a_table_becomes_csv_even_with_columns_of_different_length() -> None:
    text = style.csv_text({"epoch": np.array([1, 2]), "a, b": [0.5]})
    assert list(csv.reader(io.StringIO(text))) == [["epoch", "a, b"], ["1", "0.5"], ["2", ""]]


def test_no_cell_of_a_table_is_a_formula() -> None:
    table = style.csv_text({"=name": ["=1+1", "-2.5", -2.5, "@x", "a\x1bb"]})
    assert table.splitlines() == ["'=name", "'=1+1", "-2.5", "-2.5", "'@x", "a�b"]
    figure = go.Figure(go.Scatter(x=["=1", "2"], y=[3, -4], name="+cmd"))
    assert style.figure_csv(figure).splitlines()[1:] == ["'+cmd,'=1,3,", "'+cmd,2,-4,"]


def test_a_number_that_is_not_known_is_an_empty_cell() -> None:
    assert style.csv_text({"se": [0.5, float("nan")], "name": ["a", "b"]}) == "se,name\n0.5,a\n,b\n"
