"""A QR code of the present screen."""

from urllib.parse import urlsplit

import segno
import streamlit as st
from segno.encoder import DataOverflowError

_LONGEST = 2000  # characters; a code of more is too fine for a projector
_OF_THIS_COMPUTER = ("localhost", "127.0.0.1", "::1")
_ERROR_CORRECTION = "m"


def svg(address: str) -> str | None:
    """Draw the QR code of an address as SVG, black on white; None if the address is too long."""
    if len(address) > _LONGEST:
        return None
    try:
        code = segno.make_qr(address, error=_ERROR_CORRECTION)
    except DataOverflowError:
        return None
    return code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True)


@st.dialog("QR code of this screen", width="small")
def show(address: str) -> None:
    """Show the QR code of an address in a dialog."""
    picture = svg(address)
    if picture is None:
        st.error("The address of this screen is too long for a QR code.")
        return
    with st.container(key="qr-code"):
        st.image(picture, width="stretch", alt=f"QR code of {address}")
    st.code(address, language=None, wrap_lines=True)
    if urlsplit(address).hostname in _OF_THIS_COMPUTER:
        st.caption(
            "This address works on this computer only. Others reach the app if it is started with "
            "`STREAMLIT_SERVER_ADDRESS=0.0.0.0` and you open it by the name or the number that "
            "this computer has in the network."
        )
