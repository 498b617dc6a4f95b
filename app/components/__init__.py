"""The few pieces of the pages that run in the browser, each a Streamlit component of its own."""
