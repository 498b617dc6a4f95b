"""A data set downloaded while pages are looked at: begun, stopped, taken up again, failed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.services import data
from app.services.downloads import Download
from app.shell import errors
from tests.mirror import Server, publish, running, source_of
from vae_core.data.catalogue import at_hand
from vae_core.data.download import DownloadError
from vae_core.settings.data_sets import DataError

NAME = "mnist"  # of which models come with the program
PATIENCE = 120.0


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> Iterator[None]:
    st.cache_resource.clear()  # another test of this process may have read the data set
    yield
    st.cache_resource.clear()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The one mirror of the data set, which is nowhere else."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    monkeypatch.setenv("VAE_CACHE_DIR", str(tmp_path))
    for server in running():
        publish(server, NAME, monkeypatch)
        yield server
        server.gate.set()


def wait_for(fact: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_nothing_is_downloaded_before_somebody_asks(server: Server) -> None:
    download = Download(NAME)
    download.advance(0)
    assert (download.begun, download.working, download.share) == (False, False, 0)
    with pytest.raises(DataError, match="is not on this computer"):
        data.dataset(NAME)
    assert server.requests == []


def test_it_arrives_without_anybody_waiting_for_it(server: Server) -> None:
    server.gate.clear()
    download = Download(NAME)
    asked = time.monotonic()
    download.go_on()
    assert time.monotonic() - asked < 5
    assert download.working
    assert not at_hand(NAME)
    server.gate.set()
    download.advance(PATIENCE)
    assert (download.state, download.share) == ("done", 1)
    assert download.done_bytes == sum(file.size for file in source_of(NAME).files)
    assert at_hand(NAME)


def test_who_asks_twice_gets_one_download(server: Server) -> None:
    server.gate.clear()
    download = Download(NAME)
    download.go_on()
    download.go_on()
    server.gate.set()
    download.advance(PATIENCE)
    assert len(server.requests) == len(source_of(NAME).files)


def test_it_stops_at_once_even_where_no_answer_comes_and_can_go_on(server: Server) -> None:
    download = Download(NAME)
    server.gate.clear()
    download.go_on()
    wait_for(lambda: len(server.requests) == 1)
    download.stop()
    assert download.state == "stopped"
    download.go_on()  # while the first attempt still waits for its answer
    assert download.working
    server.gate.set()
    download.advance(PATIENCE)
    assert download.state == "done"
    assert at_hand(NAME)


def test_a_failure_says_why_and_can_be_tried_again(server: Server) -> None:
    files = dict(server.files)
    server.files.clear()
    download = Download(NAME)
    download.go_on()
    download.advance(PATIENCE)
    assert download.state == "failed"
    assert isinstance(download.error, DownloadError)
    assert "could not be downloaded" in errors.sentence(download.error)
    server.files |= files
    download.go_on()
    download.advance(PATIENCE)
    assert download.state == "done"


def page() -> None:
    import streamlit as st

    from app.parts import missing_data
    from app.services import data, models

    choice = models.choices()["pretrained/mnist-full-d2"]
    if data.missing(choice):
        missing_data.panel(choice, "This page needs it.")
    else:
        st.markdown("All is here.")


def opened() -> AppTest:
    app = AppTest.from_function(page, default_timeout=60).run()
    assert "MNIST 28×28 is not on this computer." in app.markdown[0].value
    return app


def test_the_panel_gives_way_to_the_page_once_the_data_are_there(server: Server) -> None:
    app = opened()
    assert server.requests == []
    app.button(key="missing-data-download").click().run()
    while not at_hand(NAME):
        assert not app.exception
        app.run()
    assert not app.exception
    assert [each.value for each in app.run().markdown] == ["All is here."]


def test_the_panel_tells_a_failure_and_the_second_attempt_ends_well(server: Server) -> None:
    files = dict(server.files)
    server.files.clear()
    app = opened()
    app.button(key="missing-data-download").click().run()
    while not app.error:
        app.run()
    assert "could not be downloaded" in app.error[0].value
    assert app.button(key="missing-data-go-on").label == "Try again"
    server.files |= files
    app.button(key="missing-data-go-on").click().run()
    wait_for(lambda: at_hand(NAME))
    assert [each.value for each in app.run().markdown] == ["All is here."]
    assert not app.exception
