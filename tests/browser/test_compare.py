"""A small sweep from the form: its grid fills, it is paused and goes on, and a cell is opened."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import SLOW, App, expect_no_exception, plot, settle, visit
from vae_core.runs.run import UNFINISHED
from vae_core.runs.store import RunStore
from vae_core.runs.sweeps import SweepStore

SMALL = {"new_hidden_size": "16", "new_importance_every": "0", "new_epochs": "20"}


@pytest.mark.tour
def test_a_sweep_is_started_fills_its_grid_is_paused_and_goes_on(
    app_server: App, page: Page
) -> None:
    visit(page, f"{app_server.url}/train", SMALL)
    page.get_by_text("Sweep: several values").click()
    sizes = page.get_by_role("textbox", name="Latent size d")
    sizes.fill("2")
    sizes.press("Enter")
    seeds = page.get_by_role("spinbutton", name="Seeds")
    seeds.fill("1")
    seeds.press("Enter")
    expect(page.get_by_text(re.compile("3 runs: about .* of disk"))).to_be_visible()
    page.get_by_role("button", name="Start the sweep").click()
    page.wait_for_url(re.compile(r"/compare\?.*sweep="), timeout=SLOW)

    store = SweepStore(RunStore(app_server.log.parent / "runs"))
    (sweep,) = [store.get(each) for each in store.ids()]
    head = page.locator(".st-key-sweep-head")
    grid = plot(page, "compare-sweep-grid").last  # of two for a moment, while it is replaced
    expect(grid).to_contain_text("waiting")
    expect(grid).to_contain_text(re.compile(r"−\d\d\.\d\d"), timeout=SLOW)  # the first run
    head.get_by_role("button", name="Pause").click()
    expect(head.get_by_role("button", name="Go on")).to_be_visible(timeout=SLOW)
    assert not [m for m in store.progress(sweep).members if m.state in UNFINISHED]
    done = store.progress(sweep).counts.get("done", 0)

    page.reload()
    settle(page)
    head.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("3 runs: 3 done")).to_be_visible(timeout=SLOW)
    assert done < 3
    expect(grid).not_to_contain_text("waiting")
    expect(page.get_by_text(re.compile("highest log p̂"))).to_be_visible()
    settle(page)
    grid.locator(".scatterlayer .point").first.click(force=True)
    cell = page.locator(".st-key-sweep-cell")
    expect(cell).to_contain_text("Mean-field")
    cell.get_by_role("link", name=re.compile("seed 0")).click()
    expect(page.locator(".st-key-run-head")).to_contain_text("mean-field · d=2")
    expect_no_exception(page)
