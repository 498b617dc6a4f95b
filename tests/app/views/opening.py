"""Open a page of the app by Streamlit's ``AppTest``."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

VIEWS = Path(__file__).resolve().parents[3] / "app" / "views"


class NoProcess:
    """A worker that ended at once."""

    returncode = 0

    def __init__(self, *_given: object) -> None:
        pass

    def poll(self) -> int:
        return 0


def opened(name: str, **query: str) -> AppTest:
    """Open the page of this folder with parameters in its address; it must not fail."""
    app = AppTest.from_file(str(VIEWS / name / "page.py"), default_timeout=300)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app
