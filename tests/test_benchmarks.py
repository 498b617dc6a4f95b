"""The benchmark for a graphics card, tiny and on the processor, so that it is known to run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import gpu

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_script_for_a_card_runs_and_all_that_it_promises_holds_here(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    rows = gpu.main(["--device", "cpu", "--size", "tiny", "--json", str(file)])
    assert [row.what for row in rows if row.good is False] == []
    assert sum(row.good is True for row in rows) >= 12
    assert [each["what"] for each in json.loads(file.read_text())] == [row.what for row in rows]


@pytest.mark.slow
def test_the_script_for_a_card_needs_no_streamlit() -> None:
    code = "import sys; import tests.benchmarks.gpu; sys.exit('streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0
