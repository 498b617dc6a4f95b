"""Waiting threads sleep: the policy is set before PyTorch, which reads it when it is loaded."""

import os
import subprocess
import sys

import pytest

WATCHED = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("policy:", os.environ.get("OMP_WAIT_POLICY"))
            sys.meta_path.remove(self)

sys.meta_path.insert(0, Watch())
"""


def policy_at_torch(module: str, **settings: str) -> str:
    """Import the module in a new process and return the policy by the time PyTorch is loaded."""
    kept = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    return subprocess.run(
        [sys.executable, "-c", f"{WATCHED}\nimport {module}"],
        env=kept | settings,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    ["vae_core.model.vae", "vae_core.runs.execution", "app.views.score.page"],
)
def test_threads_sleep_by_the_time_pytorch_is_loaded(module: str) -> None:
    assert policy_at_torch(module) == "policy: PASSIVE"


@pytest.mark.slow
def test_the_policy_of_the_user_stays() -> None:
    assert policy_at_torch("vae_core.model.vae", OMP_WAIT_POLICY="ACTIVE") == "policy: ACTIVE"
