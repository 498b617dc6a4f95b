"""The router. Streamlit runs this file for every page; the pages are in ``app/pages``."""

from app import errors, shell

page = shell.open_page()
with errors.guard():
    page.run()
