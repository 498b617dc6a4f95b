"""What someone does and sees on the Start page, with the models that come with the program."""

import itertools
import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.driving import PHONE, SLOW, App, new_tab, settle, visit

GAUSSIAN, FLOW, MANY = "digits-full-d2", "digits-iaf-d2", "digits-mean-field-d16"


def go(page: Page, app: App, model: str = GAUSSIAN, **query: str) -> None:
    visit(page, app.url, {"model": f"pretrained/{model}", **query})
    drawn(page)


def drawn(page: Page) -> None:
    """Wait for what is drawn last."""
    last = page.locator(".st-key-chart-elbo .scatterlayer .trace").first
    last.wait_for(state="attached", timeout=60_000)
    settle(page)


def values(page: Page) -> dict[str, float]:
    """The terms on the screen, in nats."""
    names = ("likelihood", "prior", "q", "w")
    metrics = {n: page.locator(f".st-key-term-{n} [data-testid=stMetricValue]") for n in names}
    return {name: number(metric) for name, metric in metrics.items()}


def number(shown: Locator) -> float:
    return float(shown.inner_text().replace("−", "-").split()[0])


def estimates(page: Page) -> list[tuple[float, float]]:
    """The table beside the chart: value and standard error (0 where there is none) of each row."""
    cells = page.locator(".st-key-walk-readouts td:nth-child(2)").all_inner_texts()
    parts = [text.replace("−", "-").replace(" nats", "").split(" ± ") for text in cells]
    return [(float(part[0]), float(part[1]) if len(part) > 1 else 0.0) for part in parts]


def another(page: Page) -> None:
    before = page.locator(".st-key-walk-terms").inner_text()
    page.get_by_role("button", name="Another ε").click()
    expect(page.locator(".st-key-walk-terms")).not_to_have_text(before, use_inner_text=True)
    settle(page)


def answer(page: Page) -> str:
    """What the encoder said."""
    return page.locator(".st-key-stage-said").inner_text()


@pytest.mark.tour
def test_a_first_visitor_reads_what_this_is_and_sees_an_image_walk_through(
    app_server: App, page: Page
) -> None:
    visit(page, app_server.url)
    expect(page.get_by_text("A variational autoencoder (VAE) learns to describe")).to_be_visible()
    drawn(page)
    for alt in ("as the model sees it", r"E\[x\|z\]"):
        expect(page.get_by_alt_text(re.compile(alt))).to_be_visible()
    for way_on in ("Train your own model", "See the whole latent space", "Score your own images"):
        expect(page.get_by_role("link", name=way_on)).to_be_visible()
    page.locator(".st-key-strip [role=radio]").nth(4).click()
    expect(page).to_have_url(re.compile(r"[?&]image=\d+"))
    settle(page)
    chosen = page.locator(".st-key-stage-x").get_by_text("test image").inner_text()
    page.get_by_role("link", name="See its true posterior").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Posterior")
    expect(page.get_by_alt_text(f"{chosen}, as the model sees it")).to_be_visible(timeout=SLOW)


def test_the_code_unfolds_and_follows_the_page(app_server: App, page: Page) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    go(page, app_server)
    assert not [url for url in fetched if "SyntaxHighlighter" in url], "fetched before it is shown"
    page.get_by_text("Show the code").click()
    code = page.get_by_test_id("stCode")
    expect(code).to_contain_text("from vae_core")
    before = code.inner_text()
    another(page)
    expect(code).not_to_have_text(before, use_inner_text=True)
    page.get_by_text("Show the code").click()
    expect(code).not_to_be_visible()


@pytest.mark.parametrize("model", [GAUSSIAN, FLOW, MANY])
def test_the_terms_on_the_screen_add_up_for_every_family(
    app_server: App, page: Page, model: str
) -> None:
    go(page, app_server, model)
    shown = values(page)
    total = shown["likelihood"] + shown["prior"] - shown["q"]
    assert shown["w"] == pytest.approx(total, abs=0.021)
    expect(page.locator(".st-key-stage-flow")).to_have_count(1 if model == FLOW else 0)


def test_another_noise_moves_all_that_depends_on_it_and_the_link_brings_it_back(
    app_server: App, page: Page
) -> None:
    go(page, app_server)
    said, first = answer(page), values(page)
    another(page)
    second = values(page)
    assert answer(page) == said
    assert second["w"] != first["w"]
    assert second["likelihood"] != first["likelihood"]
    expect(page).to_have_url(re.compile(r"[?&]epsilon=1(&|$)"))

    page.reload()
    drawn(page)
    assert values(page) == second
    page.get_by_role("spinbutton", name="Number of the draw").fill("0")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-term-w")).to_contain_text(f"{first['w']:.2f}".replace("-", "−"))


def test_a_key_draws_another_noise_too(app_server: App, page: Page) -> None:
    go(page, app_server)
    page.keyboard.press("e")
    expect(page).to_have_url(re.compile(r"[?&]epsilon=1(&|$)"))


def test_more_samples_narrow_the_estimates_below_log_px(app_server: App, page: Page) -> None:
    go(page, app_server, epsilon="3", L="5")
    few = estimates(page)
    slider = page.get_by_role("slider", name="Samples L")
    slider.focus()
    slider.press("End")
    expect(page).to_have_url(re.compile(r"[?&]L=1000(&|$)"))
    expect(page.locator(".st-key-chart-elbo")).to_contain_text("L = 1,000")
    settle(page)
    (joint, kl_form, _, log_px, gap) = estimates(page)
    assert joint[1] < few[0][1]
    assert kl_form[1] < few[1][1]
    assert abs(joint[0] - kl_form[0]) < 4 * (joint[1] + kl_form[1])
    assert joint[0] < log_px[0] + 3 * (joint[1] + log_px[1])
    assert gap[0] == pytest.approx(log_px[0] - joint[0], abs=2 * 10**-1)


def test_one_sample_has_no_error_to_show(app_server: App, page: Page) -> None:
    go(page, app_server, L="1")
    expect(page.locator(".st-key-walk-readouts td").nth(1)).not_to_contain_text("±")
    assert estimates(page)[0][0] == pytest.approx(values(page)["w"], abs=0.01)


def test_an_image_is_chosen_by_a_click_or_stepped_to(app_server: App, page: Page) -> None:
    go(page, app_server)
    said = answer(page)
    page.locator(".st-key-strip [role=radio]").nth(4).click()
    expect(page.locator(".st-key-stage-x")).to_contain_text("test image 172:")
    expect(page).to_have_url(re.compile(r"[?&]image=172(&|$)"))
    settle(page)
    assert answer(page) != said
    page.get_by_role("spinbutton", name="Test image").fill("180")  # beyond that dozen
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-stage-x")).to_contain_text("test image 180:")
    expect(page.locator(".st-key-strip [role=radio]").first).to_be_checked()


def test_another_model_is_chosen_and_kept_in_the_link(app_server: App, page: Page) -> None:
    go(page, app_server)
    page.get_by_role("combobox", name=re.compile("Model")).click()
    page.get_by_role("option", name=re.compile("IAF")).click()
    expect(page.locator(".st-key-stage-flow")).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(FLOW)))
    settle(page)
    before = values(page)
    page.reload()
    drawn(page)
    assert values(page) == before


@pytest.mark.parametrize(
    ("query", "image"),  # of the digits, or of MNIST where it is at hand
    [
        ({"model": "no-such-run", "image": "99999", "L": "7", "epsilon": "-4"}, "299|9999"),
        ({"model": "../../etc", "image": "x", "L": "x", "epsilon": "1e99"}, "176|0"),
    ],
)
def test_a_link_that_makes_no_sense_opens_the_page_all_the_same(
    app_server: App, page: Page, query: dict[str, str], image: str
) -> None:
    visit(page, app_server.url, query)
    drawn(page)
    expect(page.locator("[data-testid=stAlert]")).to_have_count(0)
    expect(page.locator(".st-key-stage-x")).to_contain_text(re.compile(f"test image ({image}):"))


def test_the_walk_goes_from_left_to_right_and_on_a_phone_from_top_to_bottom(
    app_server: App, browser: Browser, page: Page
) -> None:
    stages = ("x", "said", "noise", "flow", "latent", "p")

    def boxes(page: Page) -> list[dict[str, float]]:
        go(page, app_server, FLOW)
        return [page.locator(f".st-key-stage-{name}").bounding_box() or {} for name in stages]  # type: ignore[misc]

    wide = boxes(page)
    assert all(a["x"] + a["width"] <= b["x"] for a, b in itertools.pairwise(wide))
    assert len({round(box["y"]) for box in wide}) == 1
    with new_tab(browser, PHONE) as page:
        narrow = boxes(page)
    assert all(a["y"] + a["height"] <= b["y"] for a, b in itertools.pairwise(narrow))
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= PHONE[0] for box in narrow)


def test_nothing_jumps_while_another_noise_is_drawn(app_server: App, page: Page) -> None:
    go(page, app_server)
    page.evaluate("""() => {
        const parts = ['stage-p', 'walk-terms', 'walk-readouts', 'walk-foot'];
        const places = () => parts.map(part =>
            Math.round(document.querySelector(`.st-key-${part}`)?.getBoundingClientRect().top));
        const first = String(places());
        window.jumps = [];
        const look = () => {
            if (String(places()) !== first) window.jumps.push(places());
            requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    }""")
    for _ in range(4):
        another(page)
    assert page.evaluate("window.jumps") == []
