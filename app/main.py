"""The router: Streamlit runs this file for every page. The pages are in ``app/views``."""

from app.parts import live
from app.shell import errors, frame, imports

live.enter()
with frame.open_page() as page, errors.guard():
    imports.finish()
    page.run()
