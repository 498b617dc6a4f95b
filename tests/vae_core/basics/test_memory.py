"""Freed memory is kept: scoring does not have it cleared by the system again and again."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

FAULTS = """
import resource, torch
from vae_core import load_model, log_density

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

model = load_model("pretrained/mnist-full-d2")
images = torch.rand(6, 1, 28, 28).round()
log_density(model, images[:2], 5000)
before = pages()
log_density(model, images[2:], 5000)
print(pages() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do otherwise")
def test_scoring_asks_the_system_for_no_memory_twice():
    run = [sys.executable, "-c", FAULTS]
    found = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert int(found) < 2000  # pages of 4 KiB; without, ten times as many
