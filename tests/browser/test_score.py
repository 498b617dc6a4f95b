"""The score page, as someone uses it: images in, scores out, whatever the images are."""

import csv
import io
import json
import re
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.driving import (
    PHONE,
    SLOW,
    App,
    expect_no_exception,
    expect_no_sideways_scroll,
    settle,
    visit,
)
from vae_core.runs.execution import execute
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig


@pytest.fixture(scope="module")
def models(app_server: App) -> App:
    """The app with a finished model, and one that was stopped before its final figures."""
    runs = app_server.log.parent / "runs"
    settings = {"epochs": 15, "learning_rate": 5e-3, "batch_size": 64, "title": "finished"}
    run = create_run(runs / "finished", RunConfig.from_settings(settings))
    assert execute(run) == "done"
    stopped = runs / "stopped"
    shutil.copytree(
        run.folder, stopped, ignore=shutil.ignore_patterns("evaluation*", "held*", "calibration*")
    )
    for name, changes in (("status", {"state": "stopped"}), ("config", {"title": "stopped"})):
        file = stopped / f"{name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return app_server


def score_page(page: Page, app: App, **query: str) -> None:
    visit(page, f"{app.url}/score", {"model": "finished"} | query)
    expect(page.get_by_text("log p̂(x) =")).to_be_visible(timeout=SLOW)


def drawing(name: str, side: int = 120, ink: str = "black", ground: str = "white") -> FilePayload:
    """A picture of a ring."""
    image = Image.new("RGB", (side, side), ground)
    box = [side * 0.3, side * 0.15, side * 0.7, side * 0.85]
    ImageDraw.Draw(image).ellipse(box, outline=ink, width=max(1, side // 10))
    return payload(name, image)


def payload(name: str, image: Image.Image) -> FilePayload:
    out = io.BytesIO()
    image.save(out, "JPEG" if name.endswith("jpg") else "PNG")
    return {"name": name, "mimeType": "image/*", "buffer": out.getvalue()}


def broken(name: str) -> FilePayload:
    whole = drawing(name)
    return {**whole, "buffer": whole["buffer"][: len(whole["buffer"]) // 2]}


def many_rings() -> FilePayload:
    """A .zip of 200 pictures."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(200):
            archive.writestr(f"{i:03}.png", drawing("", 40 + i)["buffer"])
    return {"name": "many.zip", "mimeType": "application/zip", "buffer": out.getvalue()}


def noise(count: int) -> FilePayload:
    """A .zip of pictures that are unlike everything."""
    out, random = io.BytesIO(), np.random.default_rng(0)
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(count):
            grey = Image.fromarray(random.integers(0, 256, (32, 32), dtype=np.uint8))
            archive.writestr(f"{i:03}.png", payload("", grey)["buffer"])
    return {"name": "many.zip", "mimeType": "application/zip", "buffer": out.getvalue()}


def upload(page: Page, *files: FilePayload) -> None:
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(list(files))


def report(page: Page) -> Locator:
    """The line of the chosen image's report."""
    return page.get_by_text("log p̂(x) =")


def expect_report(page: Page, text: str) -> None:
    """Wait until the report says so."""
    expect(report(page)).to_contain_text(text, timeout=SLOW)


def scores(page: Page) -> list[dict[str, str]]:
    """All scores, from the CSV that the page offers when nothing is being scored."""
    with page.expect_download() as download:
        page.get_by_role("button", name="All scores as CSV").click(timeout=2 * SLOW)
    return list(csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines()))


def other_draws(page: Page) -> Locator:
    """What unfolds the scores of other draws."""
    return page.locator(".st-key-score-draws summary")


def open_numbers(page: Page) -> None:
    """Unfold what says how sure log p̂(x) is."""
    page.locator(".st-key-score-sure summary").click()


def stop_button(page: Page) -> Locator:
    """What stops the work or, once it is stopped, takes it up again; it goes when all is done."""
    return page.locator(".st-key-score-control").get_by_role("button").first


def click_row(page: Page, row: int) -> None:
    """Click into the table's row, from 0."""
    table = page.get_by_test_id("stDataFrame")
    table.click(position={"x": 130, "y": 36 + 40 * row + 20})


def test_without_files_the_most_unusual_example_is_there_at_once(models: App, page: Page) -> None:
    score_page(page, models)
    expect(stop_button(page)).to_have_count(0, timeout=SLOW)
    rows = scores(page)
    assert len(rows) == 7
    assert [float(row["p_value"]) for row in rows] == sorted(float(r["p_value"]) for r in rows)
    expect_report(page, f"{rows[0]['file']}: log p̂(x) = −")
    expect(page.locator(".st-key-score-said")).to_have_text(
        re.compile(r"^Does not look like the training data: .*real images looks? stranger\.$")
    )
    counts = Counter(row["verdict"].split(" ")[0] for row in rows)
    told = " · ".join(f"{counts[each]} {each}" for each in ("typical", "unusual", "unlike"))
    expect(page.get_by_text(told, exact=True)).to_be_visible()
    # A chart that another replaced stays in the page, hidden, until the script is done
    title = page.get_by_text("How unusual, among 200 real images", exact=True)
    expect(title.filter(visible=True)).to_be_visible()
    for caption in ("Given", "Binarised", "Reconstruction", "Bright pixels surprise"):
        expect(page.get_by_text(caption, exact=True)).to_be_visible()


def test_details_are_folded_and_show_the_same_log_px(models: App, page: Page) -> None:
    score_page(page, models, shown="Test image 0")
    number = re.search(r"−[\d.,]+ ± [\d.]+", report(page).inner_text())
    assert number is not None
    expect(page.get_by_text("Do not judge an image by log p̂(x) alone")).to_have_count(0)
    open_numbers(page)
    expect(page.get_by_text("Do not judge an image by log p̂(x) alone")).to_be_visible()
    expect(page.get_by_text("Convergence in K", exact=True).filter(visible=True)).to_be_visible()
    page.locator(".st-key-score-why summary").click()
    expect(page.locator("strong", has_text=re.compile(r"^Percentile \d"))).to_be_visible()
    expect(page.locator(".st-key-score-why table")).to_contain_text(number[0])


def test_the_filter_lists_images_of_one_verdict(models: App, page: Page) -> None:
    score_page(page, models, only="Typical")
    expect(page.locator(".st-key-score-said")).to_contain_text("Looks like the training data")
    page.get_by_role("radio", name="Unlike").click()
    expect(page.locator(".st-key-score-said")).to_contain_text("Does not look", timeout=SLOW)
    expect(page).to_have_url(re.compile("only=Unlike"))


def test_images_are_selected_on_a_sheet_and_exported(models: App, page: Page) -> None:
    score_page(page, models, view="Sheet")
    expect(stop_button(page)).to_have_count(0, timeout=SLOW)
    pictures = page.locator(".sheet .grid button")
    expect(pictures).to_have_count(7, timeout=SLOW)
    expect(page.get_by_text("α = 4 % · above this line")).to_be_visible()
    pictures.nth(1).click()
    pictures.nth(3).click(modifiers=["Shift"])
    expect(page.get_by_text("3 selected")).to_be_visible()
    second, *_, fourth = [row["file"] for row in scores(page)][1:4]
    expect_report(page, f"{fourth}: log p̂(x)")
    with page.expect_download() as download:
        page.get_by_role("button", name="Selected as .zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 3
        assert f"{second}.png" in archive.namelist()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy names").click()
    expect(page.get_by_text("3 names copied")).to_be_visible()
    assert second in page.evaluate("navigator.clipboard.readText()").split("\n")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    expect_no_sideways_scroll(page)
    assert page.locator(".sheet .pictures").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_a_batch_that_the_model_does_not_know_goes_to_the_page_data(
    models: App, page: Page
) -> None:
    score_page(page, models, model="pretrained/digits-mean-field-d16", K="100")
    upload(page, noise(50))
    expect(page.get_by_text("0 typical · 0 unusual · 50 unlike")).to_be_visible(timeout=SLOW)
    note = page.locator(".st-key-score-foreign-batch")
    expect(note).to_contain_text("This model knows handwritten digits only; none of")
    note.get_by_role("button", name="Train a model on these images").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Data", timeout=SLOW)
    expect(page.get_by_label("Name", exact=True)).to_have_value("many", timeout=SLOW)


def test_a_broken_file_of_ones_own_is_not_taken_for_that_of_others(models: App, page: Page) -> None:
    score_page(page, models)
    upload(page, broken("cut off.png"), drawing("ring.jpg"))
    expect_report(page, "ring.jpg: log p̂(x) = −")
    expect(page.get_by_test_id("stAlert")).to_contain_text("cut off.png is damaged or cut off")
    expect(page.get_by_text("is not among these images")).to_have_count(0)


@pytest.mark.tour
def test_three_uploads_one_of_them_broken_give_two_scores_and_one_plain_error(
    models: App, page: Page
) -> None:
    score_page(page, models)
    upload(
        page, drawing("ring.jpg"), broken("cut off.png"), drawing("light.png", 8, "white", "black")
    )
    expect_report(page, "ring.jpg: log p̂(x) = −")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_have_count(1)
    expect(alert).to_contain_text("cut off.png is damaged or cut off")
    rows = {row["file"]: row for row in scores(page)}
    assert set(rows) == {"ring.jpg", "light.png", "cut off.png"}
    for name in ("ring.jpg", "light.png"):
        assert float(rows[name]["log_px"]) < 0
        assert float(rows[name]["se"]) > 0
        assert 0 <= float(rows[name]["percentile"]) <= 100
        assert rows[name]["importance_samples"] == "1000"
    assert rows["cut off.png"]["log_px"] == ""
    assert "cut off.png" in rows["cut off.png"]["error"]
    page.get_by_text("How the image was prepared").click()
    expect(page.get_by_text("Polarity")).to_be_visible()
    expect(page.get_by_text(re.compile("edge is light: inverted"))).to_be_visible()


def test_hostile_files_are_each_named_and_do_no_harm(models: App, page: Page) -> None:
    score_page(page, models)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inside.png", drawing("inside.png")["buffer"])
        archive.writestr("read *me*.md", "no image")
    upload(
        page,
        {"name": "set.zip", "mimeType": "application/zip", "buffer": out.getvalue()},
        {"name": "junk.zip", "mimeType": "application/zip", "buffer": b"PK\x03\x04 junk"},
        {"name": "empty.png", "mimeType": "image/png", "buffer": b""},
        payload("one colour.png", Image.new("L", (50, 50), 128)),
        drawing("*odd* $name$ [x](y).png"),
    )
    # Which of the three is the most unusual depends on the model, a little
    expect(report(page)).to_contain_text(
        re.compile(r"inside\.png|one colour|\*odd\*"), timeout=SLOW
    )
    settle(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text("read *me*.md is not an image")
    expect(page.get_by_test_id("stAlert")).to_contain_text(
        "junk.zip is not a complete .zip archive"
    )
    rows = {row["file"]: row for row in scores(page)}
    scored = {name for name, row in rows.items() if not row["error"]}
    assert scored == {"set.zip/inside.png", "one colour.png", "*odd* $name$ [x](y).png"}
    assert len(rows) == 6
    expect_no_exception(page)


def test_a_row_shows_its_image_and_the_link_keeps_it(models: App, page: Page) -> None:
    score_page(page, models)
    order = [row["file"] for row in scores(page)]
    for row in (3, 1):
        click_row(page, row)
        expect_report(page, f"{order[row]}: log p̂(x) =")
    page.reload()
    expect_report(page, f"{order[1]}: log p̂(x) =")


def test_a_link_keeps_its_image_while_others_are_scored_before_it(models: App, page: Page) -> None:
    score_page(page, models, K="20000", shown="Inverted")
    expect(stop_button(page)).to_have_count(0, timeout=SLOW)
    expect_report(page, "Inverted: log p̂(x) =")
    expect(page).to_have_url(re.compile("shown=Inverted"))


def test_results_survive_a_switch_of_page(models: App, page: Page) -> None:
    score_page(page, models)
    upload(page, drawing("ring.png"))
    expect_report(page, "ring.png: log p̂(x) =")
    before = report(page).inner_text()
    navigation = page.get_by_test_id("stSidebarNav")
    navigation.get_by_role("link", name="Start").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Score images", timeout=SLOW)
    settle(page)
    navigation.get_by_role("link", name="Score images").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Score images", timeout=SLOW)
    expect(report(page)).to_have_text(before, timeout=SLOW)
    upload(page, drawing("second.png", 200))
    expect_report(page, "second.png: log p̂(x) =")
    assert {row["file"] for row in scores(page)} == {"ring.png", "second.png"}
    page.get_by_role("button", name="Forget your images").click()
    expect(report(page)).not_to_contain_text(".png", timeout=SLOW)


def test_another_k_or_preparation_scores_anew(models: App, page: Page) -> None:
    score_page(page, models, K="5000")
    open_numbers(page)
    expect(page.get_by_text(re.compile("K = 5,000 draws from .+ · seed 0"))).to_be_visible()
    upload(page, drawing("ring.png"))
    expect_report(page, "ring.png: log p̂(x) =")
    before = report(page).inner_text()
    page.get_by_role("button", name="Preparation").click()
    page.get_by_test_id("stPopoverBody").get_by_text("no", exact=True).first.click()
    expect(report(page)).not_to_have_text(before, timeout=SLOW)
    settle(page)
    expect(page).to_have_url(re.compile("invert=no"))
    (row,) = scores(page)
    assert (row["invert"], row["importance_samples"]) == ("no", "5000")


def test_long_work_shows_progress_and_can_be_stopped_and_taken_up(models: App, page: Page) -> None:
    score_page(page, models, K="20000")
    upload(page, many_rings())
    running = page.get_by_text(re.compile(r"[1-9]\d* of 200 images scored, about"))
    expect(running).to_be_visible(timeout=2 * SLOW)
    # Streamlit shows another one while a script runs, which would leave half a page
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(1)
    stop_button(page).click()
    expect(stop_button(page)).to_have_text("Go on", timeout=SLOW)
    settle(page)
    done = page.get_by_text(re.compile(r"\d+ of 200 images scored"))
    text = done.inner_text()
    page.wait_for_timeout(1500)
    expect(done).to_have_text(text)
    assert 0 < len(scores(page)) < 200
    stop_button(page).click()
    expect(stop_button(page)).to_have_text("Stop", timeout=SLOW)
    expect(done).not_to_have_text(text, timeout=SLOW)
    stop_button(page).click()


def test_two_hundred_files_are_all_scored(models: App, page: Page) -> None:
    score_page(page, models, K="100")
    upload(page, many_rings())
    expect_report(page, "many.zip/")
    expect(stop_button(page)).to_have_count(0, timeout=2 * SLOW)
    assert sum(not row["error"] for row in scores(page)) == 200


def test_a_run_that_was_never_calibrated_says_so_and_a_button_does_it(
    models: App, page: Page
) -> None:
    score_page(page, models, model="stopped", K="100")
    expect(
        page.get_by_text("No verdict. The scores of this model are not calibrated yet")
    ).to_be_visible()
    expect(page.get_by_text("How unusual, among")).to_have_count(0)
    assert scores(page)[0]["percentile"] == ""
    page.get_by_role("button", name="Calibrate the scores").click()
    expect(page.get_by_text("Why this verdict?")).to_be_visible(timeout=2 * SLOW)
    expect(page.get_by_role("button", name="Calibrate the scores")).to_have_count(0)
    file = models.log.parent / "runs" / "stopped" / "calibration.safetensors"
    assert file.is_file()
    expect_no_exception(page)


def test_scores_of_another_binarisation_are_not_compared(models: App, page: Page) -> None:
    score_page(page, models, binarisation="threshold")
    expect(page.get_by_text(re.compile("No verdict.*cannot be compared"))).to_be_visible()
    open_numbers(page)
    expect(page.get_by_text("threshold binarisation · K = 1,000")).to_be_visible()


def test_nonsense_in_the_address_falls_back_to_the_defaults(models: App, page: Page) -> None:
    query = {
        "model": "nowhere",
        "K": "7",
        "invert": "maybe",
        "shown": "nothing",
        "binarisation": "x",
    }
    page.goto(f"{models.url}/score?{urlencode(query)}")
    # before the page has settled: on a busy computer the notice is gone by then
    expect(page.get_by_test_id("stToast")).to_contain_text(
        "K = 7, binarisation = x, invert = maybe", timeout=SLOW
    )
    settle(page)
    expect(page.get_by_text("There is no model called nowhere")).to_be_visible()
    expect(page.get_by_text("nothing is not among these images")).to_be_visible(timeout=SLOW)
    open_numbers(page)
    expect(
        page.get_by_text(re.compile("dynamic binarisation · K = 1,000 draws from .+ · seed 0"))
    ).to_be_visible()
    expect_no_exception(page)


def test_of_several_files_the_most_unusual_image_is_shown(models: App, page: Page) -> None:
    score_page(page, models, K="100")
    upload(page, drawing("alone.png"), noise(3))
    expect_report(page, "many.zip/")
    expect(stop_button(page)).to_have_count(0, timeout=SLOW)
    first, *_, last = [row["file"] for row in scores(page)]
    assert last == "alone.png"
    expect_report(page, f"{first}: log p̂(x)")


def test_a_row_can_be_clicked_while_others_are_being_scored(models: App, page: Page) -> None:
    score_page(page, models, K="20000")
    upload(page, many_rings())
    running = page.get_by_text(re.compile(r"[4-9] of 200 images scored, about"))
    expect(running).to_be_visible(timeout=2 * SLOW)
    click_row(page, 2)
    expect_report(page, "many.zip/002.png: log p̂(x)")
    expect(stop_button(page)).to_have_text("Stop")
    stop_button(page).click()


def test_other_draws_of_the_pixels_are_scored_when_asked_for(models: App, page: Page) -> None:
    score_page(page, models)
    expect(page.get_by_text("Over 10 draws")).to_have_count(0)
    other_draws(page).click()
    expect(page.get_by_text(re.compile(r"Over 10 draws, .* deviation of \d"))).to_be_visible(
        timeout=SLOW
    )
    expect(page.get_by_text(re.compile(r"Verdicts: \d+ × "))).to_be_visible()
    visit(page, f"{models.url}/score", {"model": "finished", "shown": "Blank"})
    expect_report(page, "Blank: log p̂(x)")
    other_draws(page).click()
    expect(page.get_by_text("no pixel of this image is grey")).to_be_visible(timeout=SLOW)
    expect_no_exception(page)


def test_a_model_that_overlooks_much_says_so_by_its_verdict(models: App, page: Page) -> None:
    visit(page, f"{models.url}/score", {"model": "pretrained/digits-full-d2"})
    expect_report(page, "log p̂(x)")
    note = page.locator(".st-key-score-better")
    expect(note).to_have_count(0)  # by an example, which is nobody's picture
    upload(page, drawing("ring.png"))
    expect_report(page, "ring.png: log p̂(x)")
    expect(note).to_contain_text(re.compile(r"calls \d+% of scribbles and \d+% of shirts"))
    note.get_by_role("button").click()
    expect(page).to_have_url(re.compile("model=pretrained%2Fmnist"), timeout=SLOW)
    expect_report(page, "ring.png: log p̂(x)")
    expect(note).to_have_count(0)


def test_a_damaged_calibration_is_said_and_its_repair_is_seen(models: App, page: Page) -> None:
    file = models.log.parent / "runs" / "finished" / "calibration.safetensors"
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[:100])
        score_page(page, models)
        expect(page.get_by_text(re.compile("No verdict.*is damaged"))).to_be_visible()
        expect(page.get_by_role("button", name="Calibrate the scores")).to_be_visible()
        expect(page.get_by_text("More about the image")).to_be_visible()
    finally:
        file.write_bytes(whole)
    page.reload()
    expect(page.get_by_text("Why this verdict?")).to_be_visible(timeout=SLOW)
