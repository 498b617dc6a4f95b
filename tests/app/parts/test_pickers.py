"""The model that pages open: each by its own default, until somebody chooses one."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.services import runs
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import save_model
from vae_core.runs.store import RunStore
from vae_core.settings.config import RunConfig

pytestmark = pytest.mark.slow

DIGITS, MNIST = "pretrained/digits-full-d2", "pretrained/mnist-full-d50"
TIMEOUT = 60


def pages() -> None:
    import streamlit as st

    from app.parts import pickers
    from app.views.score import better_model

    if st.session_state.get("page") == "score":
        st.session_state["open"] = pickers.pick_model(first_of=better_model.first_of).key
    elif st.session_state.get("page") == "classify":
        st.session_state["open"] = pickers.pick_model(conditional=True).key
    else:
        st.session_state["open"] = pickers.pick_model().key


def visit(app: AppTest, page: str, **query: str) -> str:
    """Go to a page as by the sidebar, or by a link; return the model that it opens."""
    app.session_state["page"] = page
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app.session_state["open"]


def test_the_score_page_opens_a_model_that_notices_and_other_pages_keep_their_own() -> None:
    app = AppTest.from_function(pages, default_timeout=TIMEOUT)
    assert visit(app, "start") == DIGITS
    assert visit(app, "score") == MNIST
    assert visit(app, "latent") == DIGITS


def test_a_chosen_model_stays_on_every_page() -> None:
    app = AppTest.from_function(pages, default_timeout=TIMEOUT)
    visit(app, "score")
    app.selectbox[0].select("pretrained/digits-mean-field-d16").run()
    assert visit(app, "start") == "pretrained/digits-mean-field-d16"
    assert visit(app, "score") == "pretrained/digits-mean-field-d16"


def test_a_link_to_the_default_of_another_page_is_a_choice() -> None:
    app = AppTest.from_function(pages, default_timeout=TIMEOUT)
    visit(app, "score")
    assert visit(app, "latent", model=MNIST) == MNIST


def test_a_model_of_p_of_x_given_y_opens_where_the_page_can_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    runs.store.clear()
    settings = {"dataset": "digits", "conditioning": "class", "hidden_size": 8}
    made = RunStore().create(RunConfig.from_settings(settings), "paused")
    save_model(VAE(made.config.model), made.folder / "model.safetensors")
    app = AppTest.from_function(pages, default_timeout=TIMEOUT)
    assert visit(app, "classify", model=made.id) == made.id
    assert visit(app, "latent") == DIGITS
    assert visit(app, "latent", model=made.id) == DIGITS
    assert any("describes p(x|y)" in each.value for each in app.caption)
    runs.store.clear()


def images() -> None:
    import streamlit as st

    from app.parts import pickers
    from app.services.images import Images
    from app.shell import carried
    from app.views.score import better_model

    page = st.session_state["page"]
    carried.arrive(page)
    first_of = {"first_of": better_model.first_of} if page == "score" else {}
    shown = Images(pickers.pick_model(**first_of), None)  # type: ignore[arg-type]
    st.session_state["open"] = shown.choice.key
    st.session_state["index"] = pickers.pick_image(shown)


def test_a_chosen_image_goes_along_with_its_model() -> None:
    app = AppTest.from_function(images, default_timeout=TIMEOUT)
    assert visit(app, "score") == MNIST
    app.number_input[0].set_value(42).run()
    assert visit(app, "latent") == MNIST
    assert app.session_state["index"] == 42


def test_an_image_of_other_data_is_forgotten_unless_a_link_names_it() -> None:
    app = AppTest.from_function(images, default_timeout=TIMEOUT)
    assert visit(app, "score", image="42") == MNIST
    assert app.session_state["index"] == 42
    assert visit(app, "latent") == DIGITS  # nobody chose a model
    assert app.session_state["index"] == 176
