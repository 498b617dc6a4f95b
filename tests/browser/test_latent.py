"""The Latent space page, as someone uses it: look around, choose an image, go where none is."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.driving import (
    PHONE,
    SLOW,
    App,
    expect_no_exception,
    expect_no_sideways_scroll,
    new_tab,
    plot,
    settle,
    visit,
)
from vae_core.runs.execution import execute
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig

GAUSSIAN, FLOW, MANY = (
    f"pretrained/digits-{name}" for name in ("full-d2", "iaf-d2", "mean-field-d16")
)
LINE = "a-line"
TABS = ("Decode", "Manifold", "Interpolate", "Traverse", "Prior", "Map")
DOUBLE_CLICK = 600  # milliseconds after which two clicks are two
CHARTS = {
    "Map": ("latent-map", "latent-posterior"),
    "Manifold": ("latent-manifold",),
    "Interpolate": ("latent-interpolation", "latent-lengths"),
    "Traverse": ("latent-traversals",),
    "Prior": ("latent-kl", "latent-aggregate"),
}

# Where the point of an image is on the screen.
UNDER_POINTER = "plot => plot._hoverdata?.[0]?.customdata"
PLACE = """(plot, image) => {
  for (const trace of plot._fullData) {
    const at = Array.from(trace.customdata ?? []).indexOf(image);
    if (at < 0) continue;
    const { xaxis, yaxis } = plot._fullLayout;
    const box = plot.getBoundingClientRect();
    return [box.left + xaxis._offset + xaxis.l2p(trace.x[at]),
            box.top + yaxis._offset + yaxis.l2p(trace.y[at])];
  }
}"""
PIXELS = "canvas => canvas.toDataURL()"


@pytest.fixture(scope="module")
def app(app_server: App) -> App:
    """The app with a model of one latent dimension beside those that come with it."""
    folder: Path = app_server.log.parent / "runs" / LINE
    settings = {"posterior": "planar", "latent_size": 1, "epochs": 3, "learning_rate": 5e-3}
    assert execute(create_run(folder, RunConfig.from_settings(settings))) == "done"
    return app_server


def go(page: Page, app: App, tab: str = "Map", model: str = GAUSSIAN, **query: str) -> None:
    visit(page, f"{app.url}/latent", {"model": model, "tab": tab} | query)
    for chart in CHARTS.get(tab, ()):
        plot(page, chart).locator(".main-svg").first.wait_for(state="attached", timeout=SLOW)
    if tab == "Decode":
        expect(page.locator("canvas.large")).to_be_visible(timeout=SLOW)
    settle(page)


def open_tab(page: Page, tab: str) -> None:
    """Click on a tab and wait until it is drawn."""
    page.get_by_role("tab", name=tab, exact=True).click()
    for chart in CHARTS.get(tab, ()):
        expect(plot(page, chart)).to_be_visible(timeout=SLOW)
    if tab == "Decode":
        expect(page.locator("canvas.large")).to_be_visible(timeout=SLOW)
    settle(page)


def chosen(page: Page) -> Locator:
    return page.locator(".st-key-point input")


def figures(page: Page) -> Locator:
    return page.locator("table.latent-figures")


def click(page: Page, image: int) -> None:
    """Click on an image's point, once the map says that the pointer is on it.

    While other parts of the page are drawn, the map may move under the pointer.
    """
    chart = plot(page, "latent-map")
    for _ in range(100):
        x, y = chart.evaluate(PLACE, image)
        page.mouse.move(x - 3, y)
        page.mouse.move(x, y)
        page.wait_for_timeout(100)
        if chart.evaluate(UNDER_POINTER) == image and chart.evaluate(PLACE, image) == [x, y]:
            page.mouse.click(x, y)
            return
    raise AssertionError(f"the map never showed image {image} under the pointer")


def lonely(page: Page) -> list[int]:
    """Two images with no other near theirs on the map, so that a click can mean no other."""
    return plot(page, "latent-map").evaluate(
        """plot => {
          const all = plot._fullData.flatMap((t) => Array.from(t.customdata ?? [],
            (image, i) => ({ image, x: t.x[i], y: t.y[i] })));
          const gap = (a) => Math.min(...all.filter((b) => b !== a)
            .map((b) => Math.hypot(a.x - b.x, a.y - b.y)));
          return all.map((a) => [gap(a), a.image]).sort((a, b) => b[0] - a[0])
            .slice(0, 2).map(([, image]) => image);
        }"""
    )


# ---- the map


@pytest.mark.tour
def test_a_click_chooses_an_image_and_the_link_brings_it_back(app: App, page: Page) -> None:
    go(page, app)
    before = figures(page).inner_text()
    plot(page, "latent-map").evaluate("plot => { plot.marked = true }")
    for image in lonely(page):
        page.wait_for_timeout(DOUBLE_CLICK)
        click(page, image)
        expect(chosen(page)).to_have_value(str(image))
        expect(page).to_have_url(re.compile(rf"[?&]point={image}\b"))
        expect(figures(page)).not_to_have_text(before, use_inner_text=True)
        settle(page)
        assert plot(page, "latent-map").evaluate("plot => plot.marked"), "the map was drawn anew"
        before = figures(page).inner_text()
    assert re.search(r"ELBO\s+−\d+\.\d+ ± \d", before)
    page.reload()
    expect(figures(page)).to_have_text(before, use_inner_text=True, timeout=SLOW)


def test_of_two_quick_clicks_the_later_one_counts(app: App, page: Page) -> None:
    go(page, app)
    for image in lonely(page) * 2:
        click(page, image)
        expect(chosen(page)).to_have_value(str(image))
        expect(page.get_by_alt_text(re.compile(f"^Image {image}, class"))).to_be_visible()


def test_an_image_can_be_chosen_without_a_mouse(app: App, page: Page) -> None:
    go(page, app)
    chosen(page).fill("42")
    chosen(page).press("Enter")
    expect(page.get_by_alt_text(re.compile("^Image 42, class"))).to_be_visible()
    expect(page).to_have_url(re.compile("point=42"))
    chosen(page).press("ArrowUp")
    expect(page.get_by_alt_text(re.compile("^Image 43, class"))).to_be_visible()


def test_a_neighbour_becomes_the_chosen_image(app: App, page: Page) -> None:
    go(page, app, point="42")
    page.locator(".st-key-latent-neighbour").get_by_role("radio").nth(2).click()
    expect(chosen(page)).not_to_have_value("42")
    settle(page)
    image = chosen(page).input_value()
    expect(page.get_by_alt_text(re.compile(f"^Image {image}, class"))).to_be_visible()


def test_the_map_can_be_coloured_by_what_was_measured(app: App, page: Page) -> None:
    go(page, app)
    for colour in ("KL", "log p(x)"):
        page.locator(".st-key-colour").get_by_text(colour, exact=True).click()
        coloured = plot(page, "latent-map").filter(has_text=f"E[z|x] by {colour} (nats)")
        expect(coloured.locator(".colorbar")).to_be_visible(timeout=SLOW)
    page.reload()
    expect(coloured.locator(".colorbar")).to_be_visible(timeout=SLOW)


def test_the_way_to_the_start_page_takes_model_and_image_along(app: App, page: Page) -> None:
    go(page, app, model=FLOW, point="42")
    page.get_by_role("link", name="Send this image through the VAE").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How a VAE works")
    expect(page).to_have_url(re.compile("image=42"))
    assert "iaf" in page.url
    settle(page)


# ---- decode


def position(page: Page) -> list[str]:
    return page.locator(".rows output").all_inner_texts()


def test_the_image_follows_the_mouse_while_it_is_down(app: App, page: Page) -> None:
    go(page, app, "Decode", point="3")
    box = page.locator(".pad canvas").bounding_box()
    assert box is not None
    large = page.locator("canvas.large")
    pictures = {large.evaluate(PIXELS)}
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    for share in (0.3, 0.7, 0.85):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.3 * box["height"])
        page.wait_for_function(
            "([old, canvas]) => !old.includes(canvas.toDataURL())",
            arg=[list(pictures), large.element_handle()],
        )
        pictures.add(large.evaluate(PIXELS))
    assert "z=" not in page.url, "only where it is let go is worth a link"
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"[?&]z=-?[\d.]+_"))
    where = position(page)
    page.reload()
    expect(large).to_be_visible(timeout=SLOW)
    assert [float(v.replace("−", "-")) for v in position(page)] == pytest.approx(
        [float(v.replace("−", "-")) for v in where], abs=0.011
    )


def test_a_slider_moves_by_keys_and_goes_back_to_the_image(app: App, page: Page) -> None:
    go(page, app, "Decode", model=MANY, point="3")
    start, large = position(page), page.locator("canvas.large")
    assert len(start) == 8
    picture = large.evaluate(PIXELS)
    slider = page.locator(".rows input").first
    expect(slider).to_have_attribute("aria-label", re.compile(r"^z.+, KL [\d.]+ nats$"))
    slider.focus()
    slider.press("End")
    expect(page).to_have_url(re.compile("z="))
    settle(page)
    moved = position(page)
    assert moved[1:] == start[1:]
    assert moved[0] == "3.50"
    assert large.evaluate(PIXELS) != picture
    page.get_by_role("button", name="Back to the image").click()
    expect(page).not_to_have_url(re.compile("z="))
    settle(page)
    assert position(page) == start
    assert large.evaluate(PIXELS) == picture


def test_another_image_takes_the_sliders_along(app: App, page: Page) -> None:
    go(page, app, "Decode", point="3")
    page.get_by_role("button", name="Draw z from the prior").click()
    expect(page).to_have_url(re.compile("z="))
    settle(page)
    before = position(page)
    chosen(page).fill("4")
    chosen(page).press("Enter")
    expect(page).not_to_have_url(re.compile("z="))
    settle(page)
    assert position(page) != before


@pytest.mark.parametrize("model", [GAUSSIAN, MANY])
def test_an_image_of_the_manifold_leads_to_where_it_lies(app: App, page: Page, model: str) -> None:
    go(page, app, "Manifold", model=model, point="3")
    x, y = plot(page, "latent-manifold").evaluate(PLACE, 45)
    page.mouse.move(x, y)
    expect(plot(page, "latent-manifold").locator(".hoverlayer .hovertext")).to_be_visible()
    page.mouse.click(x, y)
    expect(page.locator("canvas.large")).to_be_visible(timeout=SLOW)
    expect(page).to_have_url(re.compile("tab=Decode.*z=|z=.*tab=Decode"))
    settle(page)
    if model == GAUSSIAN:  # the sixth of twenty from the left, the third from the top
        by_name = dict(
            zip(page.locator(".rows .name").all_inner_texts(), position(page), strict=True)
        )
        assert by_name == {"z₁": "−0.60", "z₂": "1.15"}


# ---- regions and animations


def test_a_lasso_opens_its_images_and_the_pointer_shows_one(app: App, page: Page) -> None:
    go(page, app)
    chart, image = plot(page, "latent-map"), lonely(page)[0]
    tip = page.locator(".tip")
    click(page, image)
    expect(chosen(page)).to_have_value(str(image))
    expect(tip).to_have_attribute("data-image", str(image), timeout=SLOW)
    expect(tip).to_be_visible()
    settle(page)
    box = chart.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    chart.locator("[data-title='Lasso Select']").click()
    page.mouse.move(x - 90, y - 90)
    page.mouse.down()
    for right, down in ((-90, 90), (90, 90), (90, -90), (-85, -90)):
        page.mouse.move(x + right, y + down, steps=5)
    page.mouse.up()
    sheet = page.locator(".st-key-latent-region")
    expect(sheet.get_by_role("heading")).to_have_text(re.compile(r"\d+ images? in the region"))
    expect(chosen(page)).to_have_value(str(image))
    pictures = sheet.locator(".grid button")
    expect(pictures.first).to_have_attribute("title", re.compile("ELBO .*KL"), timeout=SLOW)
    title = pictures.first.get_attribute("title") or ""
    pictures.first.click()
    expect(chosen(page)).to_have_value(re.findall(r"\d+", title)[0], timeout=SLOW)
    settle(page)
    with page.expect_download(timeout=SLOW) as saved:
        sheet.get_by_role("button", name="Figures as CSV").click()
    assert title.partition(",")[0].removeprefix("image ") in saved.value.path().read_text()
    page.reload()
    expect(sheet.get_by_role("heading")).to_be_visible(timeout=SLOW)
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_have_count(0)


def test_an_image_becomes_more_like_a_class_and_its_way_is_saved(app: App, page: Page) -> None:
    go(page, app, "Decode", model=MANY, point="3", toward="7")
    expect(page.locator(".legend li")).to_have_text(list("0123456789"))
    slider = page.get_by_role(
        "slider", name=re.compile("more like 7, .* σ from that of the others")
    )
    expect(page.locator(".directions output")).to_have_text("0.00")
    large, start = page.locator("canvas.large"), position(page)
    picture = large.evaluate(PIXELS)
    slider.focus()
    slider.press("End")
    expect(page).to_have_url(re.compile("z="))
    settle(page)
    assert position(page) != start
    assert large.evaluate(PIXELS) != picture
    open_tab(page, "Interpolate")
    page.get_by_role("button", name="Save the animation").click()
    with page.expect_download(timeout=SLOW) as saved:
        page.get_by_role("button", name="Save as GIF").click()
    assert saved.value.path().read_bytes()[:6] == b"GIF89a"


# ---- every tab, for every kind of model


@pytest.mark.parametrize("model", [GAUSSIAN, FLOW, MANY, LINE])
def test_every_tab_shows_what_it_promises(app: App, page: Page, model: str) -> None:
    go(page, app, model=model)
    for tab in TABS:
        open_tab(page, tab)
        if tab == "Decode":
            expect(page.locator(".pad canvas")).to_be_visible(visible=model != LINE)
        expect(page.get_by_text("Show the code")).to_be_visible()
        expect_no_exception(page)
        expect(page.locator("[data-testid=stAlert]")).to_have_count(0)


def test_dead_dimensions_are_called_by_their_names(app: App, page: Page) -> None:
    go(page, app, "Prior", model=MANY)
    text = page.get_by_test_id("stMain").inner_text()
    counted = re.search(r"(\d+) of 16 dimensions are active", text)
    assert counted
    dead = re.search(r"Dead: ([z₀-₉, ]+)", text)
    assert len(dead.group(1).split(",") if dead else []) == 16 - int(counted.group(1))


def test_the_second_image_of_a_way_lives_in_the_url(app: App, page: Page) -> None:
    go(page, app, "Interpolate", point="1")
    page.locator(".st-key-to input").fill("77")
    page.locator(".st-key-to input").press("Enter")
    expect(page).to_have_url(re.compile("to=77"))
    there = plot(page, "latent-interpolation").filter(has_text="image 77")
    expect(there).to_be_visible(timeout=SLOW)
    page.reload()
    expect(there).to_be_visible(timeout=SLOW)


@pytest.mark.parametrize(
    "query",
    [
        {"to": "99999", "point": "99999", "tab": "Interpolate"},
        {"z": "1_2_3", "point": "-1", "tab": "Decode"},
        {"tab": "Nonsense", "point": "seven", "split": "exam", "model": "no-such-run"},
    ],
    ids=lambda query: query["tab"],
)
def test_a_wrong_link_still_shows_the_page(app: App, page: Page, query: dict[str, str]) -> None:
    visit(page, f"{app.url}/latent", {"model": GAUSSIAN} | query)
    expect(page.get_by_role("tab", name="Map", exact=True)).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("Show the code")).to_be_visible(timeout=SLOW)
    settle(page)
    expect(page.locator("[data-testid=stAlertContentError]")).to_have_count(0)


def test_no_tab_scrolls_sideways_on_a_phone(app: App, browser: Browser) -> None:
    with new_tab(browser, PHONE) as page:
        go(page, app, model=MANY)
        for tab in TABS:
            open_tab(page, tab)
            expect_no_sideways_scroll(page)
