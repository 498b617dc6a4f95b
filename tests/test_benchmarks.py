"""Benchmarks, tiny and on the processor, so that they are known to run."""

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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="makes pipes; memory is read from /proc")
@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("store", "4, 0.5", ("the first list of the store: 0.", "without work: ", "Train page: ")),
        (
            "hostile",
            "150, 1, ('list', 'worker', 'sample', 'page train')",
            ("| list | 3 |", "| worker | 3 |", "| sample | 3 |", "| page train | 3 |"),
        ),
    ],
)
def test_the_benchmarks_of_run_stores_run(name: str, size: str, said: tuple[str, ...]) -> None:
    code = f"from tests.benchmarks import {name}; {name}.main({size})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(text in done.stdout for text in said), done.stdout
