"""Training from the page: start, watch, refresh, pause, resume, duplicate, and killed processes."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import App, expect_no_exception, new_tab, running_app, settle, visit
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore

PATIENCE = 300.0  # seconds; reached only when something is broken
SMALL = {"new_hidden_size": "16", "new_batch_size": "64", "new_importance_every": "0"}
RUN_ID = re.compile(r"[?&]run=([\w.-]+)")


def store_of(app: App) -> RunStore:
    return RunStore(app.log.parent / "runs")


def form(app: App, page: Page, **settings: str | int) -> None:
    """Open the page with these settings in the form."""
    query = {f"new_{name}": str(value) for name, value in settings.items()}
    visit(page, f"{app.url}/train", SMALL | query)


def press_start(app: App, page: Page) -> Run:
    """Press Start and return the run that comes of it, which the page shows at once."""
    run = "new URLSearchParams(location.search).get('run')"
    before = page.evaluate(run)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function(f"before => {run} && {run} !== before", arg=before)
    chosen = page.evaluate(run)
    page.locator(f".st-key-shown-{chosen}").wait_for()
    return store_of(app).get(chosen)


def expect_state(page: Page, state: str) -> None:
    expect(page.locator(".st-key-run-head")).to_contain_text(state, timeout=1000 * PATIENCE)


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        time.sleep(0.05)


def epochs(run: Run) -> list[int]:
    return [row["epoch"] for row in run.metrics()]


def wait_for_epochs(run: Run, count: int) -> None:
    wait_for(lambda: len(epochs(run)) >= count, f"{count} epochs, there are {len(epochs(run))}")


def epoch_on_page(page: Page) -> int:
    """The epoch that the progress line of the chosen run names."""
    line = page.locator(".st-key-run-panels [data-testid=stProgress]").first
    expect(line).to_contain_text(re.compile(r"epoch \d", re.I), timeout=1000 * PATIENCE)
    match = re.search(r"epoch ([\d,]+)", line.inner_text(), re.I)
    return int(match[1].replace(",", "")) if match else 0


def points(page: Page) -> int:
    """How many points the curves of the ELBO's terms have on the screen."""
    return page.evaluate(
        "() => [...document.querySelectorAll('.st-key-chart-terms .js-line')]"
        ".reduce((n, path) => n + (path.getAttribute('d') || '').split(/[LMCS]/).length - 1, 0)"
    )


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@pytest.mark.tour
def test_a_run_is_started_watched_refreshed_and_finished(app_server: App, page: Page) -> None:
    form(app_server, page, epochs=250)
    expect(page.locator(".st-key-run-costs")).to_contain_text("parameters")
    run = press_start(app_server, page)
    expect_state(page, "running")
    expect(page.locator(".st-key-chart-terms .js-plotly-plot")).to_have_count(1)

    first = epoch_on_page(page)
    wait_for(lambda: points(page) > 4, "curves")
    wait_for(lambda: epoch_on_page(page) > first, "a later epoch on the page")

    seen = epoch_on_page(page)
    page.reload()
    settle(page)
    assert RUN_ID.search(page.url)
    assert epoch_on_page(page) >= seen
    wait_for(lambda: points(page) > 4, "curves")

    expect_state(page, "done")
    expect(page.get_by_text("On test images:")).to_be_visible()
    expect(page.locator(".st-key-run-panels")).to_contain_text("K = 200")
    assert epochs(run) == list(range(1, 251))
    settle(page)
    expect(page.locator(".st-key-chart-kl")).to_contain_text("of 2 active")
    for link in ("Send an image", "See its latent space", "Score images with it"):
        expect(page.get_by_role("link", name=link)).to_have_attribute(
            "href", re.compile(rf"model={run.id}")
        )


def test_the_film_follows_the_newest_epoch_unless_the_slider_is_moved(
    app_server: App, page: Page
) -> None:
    form(app_server, page, epochs=300)
    run = press_start(app_server, page)
    slider = page.get_by_role("slider", name="Film, by epoch")
    expect(slider).to_be_visible(timeout=1000 * PATIENCE)
    caption = page.get_by_text(re.compile(r"Epoch \d+: images"))

    def shown() -> int:
        return int(re.findall(r"\d+", caption.inner_text())[0])

    before = shown()
    wait_for(lambda: shown() > before, "a later frame")
    slider.focus()
    page.keyboard.press("Home")
    expect(caption).to_contain_text("Epoch 1:")
    count = len(epochs(run))
    wait_for_epochs(run, count + 20)
    page.wait_for_timeout(1500)
    expect(caption).to_contain_text("Epoch 1:")
    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()
    expect_state(page, "stopped")
    expect(caption).to_contain_text("Epoch 1:")
    slider.focus()
    page.keyboard.press("End")
    expect(caption).not_to_contain_text("Epoch 1:")


def test_pause_resume_and_finish(app_server: App, page: Page) -> None:
    form(app_server, page, epochs=200)
    run = press_start(app_server, page)
    wait_for_epochs(run, 5)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect_state(page, "paused")
    expect(page.locator(".st-key-run-panels")).to_contain_text(
        "Resume” continues from exactly here"
    )
    kept = epochs(run)
    assert len(kept) < 200
    page.wait_for_timeout(1000)
    assert epochs(run) == kept

    page.get_by_role("button", name="Resume", exact=True).click()
    expect_state(page, "running")
    expect_state(page, "done")
    assert epochs(run) == list(range(1, 201))


def test_a_duplicate_starts_from_the_settings_of_the_run(app_server: App, page: Page) -> None:
    form(app_server, page, epochs=3, latent_size=5, samples=2, title="The first")
    first = press_start(app_server, page)
    expect_state(page, "done")

    visit(page, f"{app_server.url}/train", {"run": first.id})
    latent_size = page.get_by_role("spinbutton", name="Latent size d")
    expect(latent_size).to_have_value("2")
    page.get_by_role("button", name="Duplicate").click()
    expect(latent_size).to_have_value("5")
    expect(page.get_by_role("textbox", name="Name")).to_have_value("The first")
    epochs_input = page.get_by_role("spinbutton", name="Epochs", exact=True)
    epochs_input.fill("4")
    epochs_input.press("Enter")
    settle(page)
    second = press_start(app_server, page)
    assert second.id != first.id
    wanted = first.config.settings() | {"epochs": 4}
    assert second.config.settings() == wanted


def test_what_was_typed_last_counts_even_without_enter(app_server: App, page: Page) -> None:
    form(app_server, page, epochs=3)
    page.get_by_role("spinbutton", name="Latent size d").fill("7")
    run = press_start(app_server, page)
    assert run.config.model.latent_size == 7


def test_two_people_pressing_start_at_once_get_two_runs(app_server: App, browser: Browser) -> None:
    with new_tab(browser) as one, new_tab(browser) as other:
        press_start_at_once(app_server, [one, other])


def press_start_at_once(app_server: App, pages: list[Page]) -> None:
    before = {run.id for run in store_of(app_server).runs()}
    for page in pages:
        form(app_server, page, epochs=3)
    for page in pages:
        page.get_by_role("button", name="Start", exact=True).click(no_wait_after=True)
    for page in pages:
        page.wait_for_url(RUN_ID)
    shown = {match[1] for page in pages if (match := RUN_ID.search(page.url))}
    assert len(shown) == 2
    assert {run.id for run in store_of(app_server).runs()} - before == shown
    for page in pages:
        expect_state(page, "done")


def test_a_double_click_starts_one_run(app_server: App, page: Page) -> None:
    form(app_server, page, epochs=3)
    before = len(store_of(app_server).runs())
    page.get_by_role("button", name="Start", exact=True).dblclick()
    page.wait_for_url(RUN_ID)
    page.wait_for_timeout(1000)
    assert len(store_of(app_server).runs()) == before + 1


def test_a_killed_training_process_is_taken_up_with_every_epoch_once(
    app_server: App, page: Page
) -> None:
    form(app_server, page, epochs=400)
    run = press_start(app_server, page)
    wait_for((run.folder / "resume.pt").is_file, "a checkpoint")
    wait_for_epochs(run, len(epochs(run)) + 2)
    kill(run.status().pid)
    expect_state(page, "done")
    assert epochs(run) == list(range(1, 401))


def test_a_run_outlives_the_app_and_is_found_again(
    browser: Browser, tmp_path: Path, page: Page
) -> None:
    assert browser.is_connected()
    nowhere = {"VAE_DATA_DIR": ""}
    with running_app(tmp_path, settings=nowhere) as first:
        form(first, page, epochs=500)
        run = press_start(first, page)
        wait_for_epochs(run, 3)
        address = page.url.removeprefix(first.url)
        page.goto("about:blank")
        first.kill()
        there = len(epochs(run))
        wait_for_epochs(run, there + 5)
        with running_app(tmp_path, settings=nowhere) as second:
            visit(page, second.url + address)
            assert epoch_on_page(page) > there
            expect_state(page, "done")
            assert epochs(run) == list(range(1, 501))

            visit(page, f"{second.url}/train", {"new_dataset": "MNIST 28×28"})
            expect(page.locator(".st-key-run-costs")).to_contain_text(
                re.compile(r"will be downloaded once, 1\d MB")
            )
            page.goto("about:blank")  # before the server is gone, which the page would log


@pytest.mark.parametrize("run_id", ["20200101-000000-gone", "../../etc", "*", "%00"])
def test_a_run_that_is_not_there_is_said_to_be_so(app_server: App, page: Page, run_id: str) -> None:
    visit(page, f"{app_server.url}/train", {"run": run_id})
    expect(page.get_by_role("alert")).to_contain_text("does not exist here")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()


def test_a_run_folder_deleted_while_it_is_watched(app_server: App, page: Page) -> None:
    form(app_server, page, epochs=20_000)
    run = press_start(app_server, page)
    wait_for_epochs(run, 2)
    pid = run.status().pid
    run.folder.rename(run.folder.parent.parent / "taken-away")
    expect(page.get_by_role("alert")).to_contain_text(
        "does not exist here", timeout=1000 * PATIENCE
    )
    expect_no_exception(page)
    wait_for(lambda: not is_alive(pid), "its process gone")
    assert not run.folder.exists()


def is_alive(pid: int | None) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_damaged_and_failed_runs_are_listed_and_can_be_removed(app_server: App, page: Page) -> None:
    store = store_of(app_server)
    form(app_server, page, epochs=3, title="Soon damaged")
    damaged = press_start(app_server, page)
    expect_state(page, "done")
    (damaged.folder / "config.json").write_text("{nonsense")
    visit(page, f"{app_server.url}/train", {"run": damaged.id})
    expect(page.get_by_role("alert")).to_contain_text("damaged")
    expect(page.locator(f".st-key-pick-{damaged.id}")).to_contain_text("damaged")

    page.locator(".st-key-run-more [data-testid=stPopoverButton]").first.click()
    page.get_by_role("button", name="Remove from the list").click()
    expect(page.get_by_text("Removed from the list.")).to_be_visible()
    expect(page.locator(f".st-key-pick-{damaged.id}")).to_have_count(0)
    (kept,) = (store.folder / ".removed").iterdir()
    assert (kept / "model.safetensors").is_file()

    form(app_server, page, epochs=3, title="Fails")
    failed = press_start(app_server, page)
    expect_state(page, "done")
    status = json.loads((failed.folder / "status.json").read_text())
    status |= {"state": "failed", "error": "The disk is *full*."}
    (failed.folder / "status.json").write_text(json.dumps(status))
    visit(page, f"{app_server.url}/train", {"run": failed.id})
    expect(page.get_by_role("alert")).to_contain_text("The disk is *full*.")
    page.get_by_role("button", name="Resume", exact=True).click()
    expect_state(page, "done")
