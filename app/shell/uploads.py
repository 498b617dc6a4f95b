"""What becomes of files that visitors give: they stay in memory."""

from starlette.formparsers import MultiPartParser

# Streamlit's server would let an upload of over a megabyte pass through a temporary file.
MultiPartParser.spool_max_size = 2**40

PRIVACY = (
    "Your images stay in this app's memory, for this session: never written to disk, and gone when "
    "you reload or close the page."
)
