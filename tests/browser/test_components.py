"""The scripts of our components alone, called as Streamlit calls them."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

import app.parts.components as components

SCRIPTS = Path(components.__file__).parent
PICTURE = {"name": "a", "source": "", "text": "a"}
RECEIVE = """async ([script, states]) => {
  const module = await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})));
  const parentElement = document.createElement("div");
  document.body.append(parentElement);
  for (const data of states) module.default({data, parentElement, setStateValue: () => {}});
  return parentElement.querySelectorAll(".grid button").length;
}"""


def sheet(version: int, count: int) -> dict[str, object]:
    pictures = [{**PICTURE, "name": str(i)} for i in range(count)]
    group = {"title": "Typical", "colour": "grey", "pictures": pictures, "line_below": False}
    return {"version": version, "groups": [group], "line": "", "shown": ""}


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([sheet(1, 1), sheet(2, 7)], 7),
        ([sheet(2, 7), sheet(1, 1)], 7),
        ([sheet(1, 7), sheet(2, 1), sheet(1, 7), sheet(3, 2)], 2),
    ],
)
def test_a_sheet_shows_the_newest_state_in_whatever_order_they_come(
    page: Page, states: list[dict[str, object]], shown: int
) -> None:
    script = (SCRIPTS / "image_sheet.js").read_text("utf-8")
    assert page.evaluate(RECEIVE, [script, states]) == shown
