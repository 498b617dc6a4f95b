"""Forms made from the config classes: complete, bounded, validated again, and easy to refill."""

import dataclasses
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.parts import forms
from tests.vae_core.data.test_catalogue import INFO, Flags
from vae_core.data.catalogue import BUILT_IN
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import find_dataset
from vae_core.settings.presets import PRESETS, PresetName

TIMEOUT = 120
UNTOUCHED = RunConfig.from_settings(find_dataset("digits").suggested)


def script() -> None:
    import streamlit as st

    from app.parts import forms
    from vae_core.settings.config import RunConfig

    wanted = {"dataset": "mnist", "posterior": "iaf", "flow_steps": 7, "title": "Seven steps"}
    st.button(
        "Duplicate",
        on_click=lambda: forms.prefill(RunConfig.from_settings(wanted), latent_size=16),
    )
    values = forms.run_form()
    run = forms.checked(values)
    st.session_state["values"] = values
    st.session_state["run"] = run


def opened(**query: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=TIMEOUT)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def widget(app: AppTest, name: str) -> Any:
    found = [w for w in (*app.selectbox, *app.number_input, *app.text_input)
             if w.key == f"new_{name}"]  # fmt: skip
    return found[0] if found else None


def test_an_untouched_form_is_the_default_run_as_its_data_set_suggests() -> None:
    app = opened()
    assert not app.exception
    assert app.session_state["run"] == UNTOUCHED
    assert set(app.session_state["values"]) <= set(RunConfig().settings())


@pytest.mark.slow
def test_another_data_set_brings_its_suggestions_but_leaves_what_was_chosen() -> None:
    app = opened()
    app.selectbox(key="new_dataset").select("mnist").run()
    assert app.session_state["run"].train.epochs == 20
    app.number_input(key="new_learning_rate").set_value(0.004).run()
    app.selectbox(key="new_dataset").select("digits").run()
    assert app.session_state["run"].train.epochs == 200
    assert app.session_state["run"].train.learning_rate == 0.004


def test_a_data_set_that_was_added_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened()
    monkeypatch.setitem(BUILT_IN, "flags", Flags(INFO))
    app.run()
    app.selectbox(key="new_dataset").select("flags").run()
    assert "Flags 6×4" in app.selectbox(key="new_dataset").options
    assert app.session_state["run"].model.image_shape == (3, 4, 6)


def test_an_address_with_a_data_set_starts_from_its_suggestions() -> None:
    title = find_dataset("mnist").title
    assert opened(new_dataset=title).session_state["run"].train.epochs == 20
    chosen = opened(new_dataset=title, new_epochs="200").session_state["run"]
    assert chosen.train.epochs == 200


def test_every_setting_has_a_widget_or_a_reason_not_to() -> None:
    app = opened()
    for about in forms.RUN_SETTINGS:
        if about.choices is not None and len(about.choices) == 1:
            assert widget(app, about.name) is None  # nothing to choose
        elif about.only_if is None:
            shown = widget(app, about.name)
            assert shown is not None, about.name
            assert shown.label == about.label
            assert (shown.help or "").startswith(about.help)
            if about.bounds:
                assert (shown.min, shown.max) == about.bounds


def test_advanced_settings_are_folded_away() -> None:
    app = opened()
    assert [e.label for e in app.expander] == ["More"]
    inside = {w.key for kind in ("selectbox", "number_input") for w in app.expander[0].get(kind)}
    assert "new_learning_rate" in inside
    assert not inside & {"new_dataset", "new_latent_size", "new_epochs"}


def test_choices_are_shown_by_their_titles() -> None:
    assert "Inverse autoregressive flow" in widget(opened(), "posterior").options


def test_settings_that_do_not_apply_are_hidden_and_left_out() -> None:
    app = opened()
    assert widget(app, "flow_steps") is None
    assert "flow_steps" not in app.session_state["values"]
    app.selectbox(key="new_posterior").select("planar").run()
    app.number_input(key="new_flow_steps").set_value(9).run()
    assert app.session_state["run"].model.flow_steps == 9
    app.selectbox(key="new_network").select("conv").run()
    assert widget(app, "hidden_size") is None
    assert widget(app, "channels") is not None


def test_a_hidden_setting_remembers_its_value() -> None:
    app = opened()
    app.selectbox(key="new_posterior").select("planar").run()
    app.number_input(key="new_flow_steps").set_value(9).run()
    app.selectbox(key="new_posterior").select("full").run()
    app.selectbox(key="new_posterior").select("iaf").run()
    assert widget(app, "flow_steps").value == 9


def test_the_data_set_decides_the_image_shape() -> None:
    app = opened()
    app.selectbox(key="new_dataset").select("mnist").run()
    assert app.session_state["run"].model.image_shape == (1, 28, 28)


def test_an_address_fills_the_form() -> None:
    app = opened(new_latent_size="16", new_posterior="Planar flow")
    run = app.session_state["run"]
    assert (run.model.latent_size, run.model.posterior) == (16, "planar")


@pytest.mark.parametrize("query", [{"new_latent_size": "99999"}, {"new_posterior": "nonsense"}])
def test_an_address_out_of_bounds_is_ignored(query: dict[str, str]) -> None:
    app = opened(**query)
    assert not app.exception
    assert app.session_state["run"] == UNTOUCHED


def test_a_run_can_be_duplicated_with_a_change() -> None:
    app = opened()
    app.button[0].click().run()
    assert not app.exception
    assert not app.warning
    run = app.session_state["run"]
    assert run.title == "Seven steps"
    assert (run.model.posterior, run.model.flow_steps, run.model.latent_size) == ("iaf", 7, 16)


def bad_values() -> None:
    import streamlit as st

    from app.parts import forms

    st.session_state["run"] = forms.checked({"latent_size": 0})
    st.write("the rest of the page")


def test_values_that_cannot_be_used_are_refused_in_place_with_the_reason() -> None:
    app = AppTest.from_function(bad_values, default_timeout=TIMEOUT).run()
    assert [e.value for e in app.error] == ["Latent size d must be from 1 to 512; it was 0."]
    assert app.session_state["run"] is None
    assert app.markdown[0].value == "the rest of the page"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_the_form_and_can_be_changed(name: PresetName) -> None:
    app = opened()
    assert not [b for b in app.button if b.key and "preset" in b.key]  # the digits need none
    app.selectbox(key="new_dataset").select("mnist").run()
    app.button(key=f"new-preset-{name}").click().run()
    assert not app.exception
    expected = RunConfig.from_settings({**PRESETS[name].settings, "dataset": "mnist"})
    assert app.session_state["run"] == expected
    app.number_input(key="new_latent_size").set_value(7).run()
    assert app.session_state["run"].model.latent_size == 7
    assert app.session_state["run"].model.network == expected.model.network


SUGGESTED = {"likelihood": "discretised-logistic", "binarisation": "none"}


def test_a_chosen_data_set_that_was_removed_gives_way_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grey = dataclasses.replace(INFO, image_shape=(1, 4, 6), suggested=SUGGESTED)
    monkeypatch.setitem(BUILT_IN, "flags", Flags(grey))
    state: dict[str, Any] = {}
    monkeypatch.setattr(forms.st, "session_state", state)
    forms._update_defaults("new", "digits")
    forms._update_defaults("new", "flags")
    assert state["new_likelihood"] == "discretised-logistic"
    monkeypatch.delitem(BUILT_IN, "flags")
    forms._update_defaults("new", "digits")
    assert state["new_likelihood"] == "bernoulli"


def test_two_data_sets_of_one_title_can_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("flags", "banners"):
        monkeypatch.setitem(BUILT_IN, name, Flags(dataclasses.replace(INFO, name=name)))
    app = opened()
    app.selectbox(key="new_dataset").select("banners").run()
    assert app.session_state["run"].dataset == "banners"
    options = app.selectbox(key="new_dataset").options
    assert {"Flags 6×4 (flags)", "Flags 6×4 (banners)"} <= {*options}


def test_a_copy_of_a_run_whose_data_set_was_removed_keeps_that_of_the_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BUILT_IN, "flags", Flags(INFO))
    config = RunConfig.from_settings({"dataset": "flags", "latent_size": 7})
    monkeypatch.delitem(BUILT_IN, "flags")
    state: dict[str, Any] = {"copy_dataset": "mnist"}
    monkeypatch.setattr(forms.st, "session_state", state)
    forms.prefill(config, "copy")
    assert state["copy_dataset"] == "mnist"
    assert state["copy_latent_size"] == 7
