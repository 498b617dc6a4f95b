"""What the shared parts of pages note for a report."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from app.shell.report import button, record
from vae_core.basics.errors import InvalidArgument


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A session of its own."""
    own: dict[str, object] = {}
    monkeypatch.setattr(record.st, "session_state", own)
    return own


def test_nothing_is_made_for_a_report_that_nobody_asked_for() -> None:
    assert record.begin("start") is None

    def figure() -> str:
        raise AssertionError("not to be made")

    record.chart("a", "An alt text", figure)
    record.code("code", "Show the code", figure)
    assert record.end() is None


def recorded() -> record.Record:
    found = record.end()
    assert found is not None
    return found


def test_charts_tables_and_code_are_noted_by_their_keys() -> None:
    record.order()
    token = record.begin("start")
    record.chart("curve", "A line.", lambda: "{}")
    record.code("code", "Show the code", lambda: "print(1)")
    record.code("more", "The lines", ["a", "b"])
    columns = {"Run": ["a", "b"], "p": [0.12345678, None], "Verdict": [["x", "y"], []]}
    record.table("of/all runs", columns, {"p": "p-value"}, "All runs.")
    found = recorded()
    assert found.token == token
    assert found.charts == {"curve": ("A line.", "{}")}
    assert found.codes == {"code": ("Show the code", "print(1)"), "more": ("The lines", "a\nb")}
    head, rows, about = found.tables["of-all-runs"]
    assert head == ["Run", "p-value", "Verdict"]
    assert rows == [["a", "0.123457", "x, y"], ["b", "", ""]]
    assert about == "All runs."


def test_a_long_table_says_that_it_was_cut() -> None:
    record.order()
    record.begin("start")
    record.table("t", {"n": range(record.MOST_ROWS + 1)}, {})
    _, rows, about = recorded().tables["t"]
    assert len(rows) == record.MOST_ROWS
    assert about == "The first 2,000 of 2,001 rows."


def test_code_that_cannot_be_written_does_not_break_the_page() -> None:
    def lines() -> str:
        raise InvalidArgument("There is no code for this.")

    record.order()
    record.begin("start")
    record.code("code", "Show the code", lines)
    assert recorded().codes["code"][1] == "# There is no code for this."


def test_a_page_that_is_drawn_again_is_recorded_again() -> None:
    record.order()
    token = record.begin("start")
    record.chart("old", "", lambda: "{}")
    assert record.begin("start") == token
    assert not recorded().charts


def test_the_report_of_a_page_that_was_left_is_not_made() -> None:
    record.order()
    record.begin("start")
    assert record.begin("latent") is None
    assert record.end() is None


def test_the_file_is_named_after_the_page_and_has_what_it_needs_offline() -> None:
    record.order()
    record.begin("latent")
    record.chart("a", "A chart.", lambda: json.dumps({"data": [], "layout": {}}))
    data = button._data(recorded(), "latent")
    assert data["file"].startswith("elbo-room-latent-")
    assert data["file"].endswith(".html")
    assert "plotly.js" in data["plotly"][:2000]
    assert "http" not in data["css"]


def test_without_charts_the_library_is_not_sent() -> None:
    record.order()
    record.begin("data")
    assert button._data(recorded(), "data")["plotly"] == ""


def parts() -> None:
    import plotly.graph_objects as go

    from app.figures import style
    from app.parts import charts, tables, widgets
    from app.shell.report import record

    record.order()
    record.begin("start")
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4]), layout=style.layout("T", "x", "y"))
    charts.chart(figure, "curve", "A line that rises.")
    tables.table({"n": [1]}, "numbers", column_config={"n": {"label": "Number"}})
    widgets.code(["print(1)"])


def test_the_shared_parts_of_pages_note_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    page = AppTest.from_function(parts, default_timeout=120).run()
    assert not page.exception
    found = page.session_state["report-record"]
    assert json.loads(found.charts["curve"][1])["data"][0]["type"] == "scatter"
    assert found.tables["numbers"][0] == ["Number"]
    assert found.codes["code"] == ("Show the code", "print(1)")
