"""Put Streamlit's settings into a wheel: the one build step that pyproject.toml cannot describe."""

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py

SETTINGS = ".streamlit/config.toml"


class BuildWithSettings(build_py):
    """Copy Streamlit's settings into the package ``app``.

    In the source tree the settings lie beside ``app``, where ``streamlit run app/main.py`` looks
    for them. In a wheel Streamlit finds them beside ``app/__main__.py``.
    """

    def run(self) -> None:
        """Build the packages in an empty folder, then copy the settings.

        Files of an earlier build would go into the wheel too. An editable install builds nothing
        and reads the original settings.
        """
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "app", SETTINGS)
            self.mkpath(str(target.parent))
            self.copy_file(SETTINGS, str(target))

    def get_source_files(self) -> list[str]:
        """List the files of a source distribution, with the settings."""
        return [*super().get_source_files(), SETTINGS]
