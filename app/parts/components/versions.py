"""Numbers by which a component in the browser tells newer data from older.

While a browser still loads a component's script, Streamlit may hand over two states of its data in
the wrong order. The component leaves out what is older than what it has.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

import streamlit as st


def numbered(key: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a component with a ``version`` that grows whenever the data changes.

    The number is also larger than those of an earlier session, whose component a browser may keep
    when it connects again.
    """
    name, digest = f"{key}-version", hash(json.dumps(data))
    known, version = st.session_state.get(name, (None, 0))
    if digest != known:
        version = max(version + 1, time.time_ns() // 1_000_000)
        st.session_state[name] = (digest, version)
    return {**data, "version": version}
