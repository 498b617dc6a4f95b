"""Undocumented parts of Streamlit that the app uses.

Only this module of the app may use them; tests/test_architecture.py checks that. Checked with
Streamlit 1.67 and Starlette 1.10. Style sheets also select elements by ``data-testid``, which is
not documented either; the browser tests check the effect.
"""

import os
from typing import Any

import click
from starlette.formparsers import MultiPartParser
from streamlit import config
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import FragmentHandledException

from vae_core.basics.errors import UserError

__all__ = [
    "DeltaGenerator",
    "FragmentHandledException",
    "SettingError",
    "settings_of_environment",
]

# DeltaGenerator: the type of a container, used in annotations only. If Streamlit moves it, only
# this import breaks.

# FragmentHandledException: raised by a fragment whose error Streamlit has already reported. If
# Streamlit removes it, `errors.guard` reports such an error a second time.

# spool_max_size: Streamlit's server parses uploads with Starlette, which writes a file of more than
# a megabyte to a temporary file. If Starlette removes the attribute, uploaded images are written to
# disk again, contrary to `app.parts.text.PRIVACY`, and the test of this module fails.
MultiPartParser.spool_max_size = 2**40


class SettingError(UserError, ValueError):
    """A variable of the environment has a value that a setting of Streamlit cannot have."""


def settings_of_environment() -> dict[str, Any]:
    """Read the settings of Streamlit from variables such as ``STREAMLIT_SERVER_ADDRESS``.

    ``streamlit run`` reads these variables, by Click; ``st.App`` reads those of secrets only. If
    Streamlit moves its table of settings, the tests of this function fail.

    Returns:
        Values by the names of the settings, for ``st.App.run``.

    Raises:
        SettingError: if a value cannot be converted to the type of its setting.
    """
    options = config._config_options_template.items()
    given = {
        key: option
        for key, option in options
        if not option.sensitive and os.environ.get(option.env_var)
    }
    return {key: _value(option) for key, option in given.items()}


def _value(option: Any) -> Any:
    text = os.environ[option.env_var]
    kind = click.types.convert_type(option.type)
    try:
        if option.multiple:
            return tuple(kind(each) for each in kind.split_envvar_value(text))
        return kind(text)
    except click.BadParameter as error:
        raise SettingError(f"{option.env_var} cannot be used: {error.message}") from error
