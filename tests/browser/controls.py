"""Any control of a page, and what a user may do with it. Used by :mod:`tests.browser.soak`."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import ElementHandle, Page

Use = Callable[[ElementHandle, random.Random], None]

PATIENCE = 1000.0  # milliseconds for a control to be there and free
FIND = """() => {
  const kinds = {
    click: 'button, [role=tab], [role=radio], [role=checkbox], summary, label:has(input), '
      + 'a[href^="/"]',
    slide: '[role=slider]',
    choose: '[data-baseweb=select]',
    type: 'input[type=text], textarea',
    step: 'input[type=number]',
    point: '.js-plotly-plot, iframe',
    file: 'input[type=file]',
  };
  const found = [];
  for (const [kind, selector] of Object.entries(kinds))
    for (const element of document.querySelectorAll(selector)) {
      const box = element.getBoundingClientRect();
      const shown = kind === 'file' || (box.width > 3 && box.height > 3);
      if (shown && !element.disabled && element.getAttribute('aria-disabled') !== 'true')
        found.push({ kind, element });
    }
  return found;
}"""
NAME = "e => (e.ariaLabel || e.innerText || e.tagName).slice(0, 40)"


@dataclass(frozen=True)
class Control:
    """A control that is on the page now; a redraw may take it away."""

    kind: str
    name: str
    element: ElementHandle

    def use(self, rng: random.Random) -> None:
        """Do something with the control.

        Raises:
            playwright.sync_api.Error: if it is gone, or something covers it.
        """
        USES[self.kind](self.element, rng)


def any_control(page: Page, rng: random.Random) -> Control | None:
    """Choose one of the controls that the page shows; None if it shows none."""
    found = page.evaluate_handle(FIND)
    count = page.evaluate("found => found.length", found)
    if not count:
        return None
    at = [found, rng.randrange(count)]
    kind = page.evaluate("([found, at]) => found[at].kind", at)
    element = page.evaluate_handle("([found, at]) => found[at].element", at).as_element()
    assert element is not None
    return Control(kind, page.evaluate(NAME, element), element)


def _click(control: ElementHandle, rng: random.Random) -> None:
    control.click(timeout=PATIENCE, click_count=rng.choice((1, 1, 1, 2)))


def _slide(control: ElementHandle, rng: random.Random) -> None:
    keys = ("ArrowRight", "ArrowLeft", "PageUp", "PageDown", "Home", "End")
    control.press(rng.choice(keys), timeout=PATIENCE)


def _choose(control: ElementHandle, rng: random.Random) -> None:
    control.click(timeout=PATIENCE)
    frame = control.owner_frame()
    assert frame is not None
    choices = frame.get_by_role("option")
    choices.first.wait_for(timeout=PATIENCE)
    choices.nth(rng.randrange(choices.count())).click(timeout=PATIENCE)


def _type(control: ElementHandle, rng: random.Random) -> None:
    texts = ("", "7", "1000000", "-1", "mnist", "<b>a</b>", "zwölf")
    control.fill(rng.choice(texts), timeout=PATIENCE)
    control.press("Enter", timeout=PATIENCE)


def _step(control: ElementHandle, rng: random.Random) -> None:
    control.press(rng.choice(("ArrowUp", "ArrowDown")), timeout=PATIENCE)
    control.press("Enter", timeout=PATIENCE)


def _point(control: ElementHandle, rng: random.Random) -> None:
    box = control.bounding_box()
    if box:
        x, y = rng.uniform(0, box["width"]), rng.uniform(0, box["height"])
        control.click(position={"x": x, "y": y}, timeout=PATIENCE)


def _give(control: ElementHandle, rng: random.Random) -> None:
    shape = rng.choice(((28, 28), (8, 8), (200, 300, 3)))
    pixels = np.random.default_rng(rng.randrange(10**6)).integers(0, 256, shape, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{rng.randrange(10**6)}.png"
        Image.fromarray(pixels).save(path)
        control.set_input_files(path, timeout=PATIENCE)


USES: dict[str, Use] = {
    "click": _click, "slide": _slide, "choose": _choose, "type": _type, "step": _step,
    "point": _point, "file": _give,
}  # fmt: skip
