"""Reading the metrics of a run while they grow."""

import json
import math
from pathlib import Path

import pytest

from vae_core.runs.metrics import Metrics, Reader, Row, kept_epoch_of, line_of


def row(epoch: int, elbo: float = -9.0) -> Row:
    return {"epoch": epoch, "train": {"elbo": elbo}, "validation": {"elbo": elbo}}


def line(epoch: int, elbo: float = -9.0) -> str:
    return json.dumps(row(epoch, elbo)) + "\n"


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "metrics.jsonl")


def append(reader: Reader, text: str) -> None:
    with reader.path.open("a", encoding="utf-8") as file:
        file.write(text)


def epochs(found: Metrics) -> list[int]:
    return [each["epoch"] for each in found.rows]


def test_where_there_is_no_file_there_are_no_rows(reader: Reader) -> None:
    assert reader.read() == Metrics((), 0)


def test_rows_are_read_as_they_come_and_half_a_line_waits(reader: Reader) -> None:
    append(reader, line(1) + line(2)[:20])
    assert epochs(reader.read()) == [1]
    append(reader, line(2)[20:] + line(3, -4.0))
    assert reader.read() == Metrics((row(1), row(2), row(3, -4.0)), 0)


def test_each_read_takes_the_new_bytes_alone(reader: Reader) -> None:
    append(reader, line(1, -1.0))
    reader.read()
    with reader.path.open("r+", encoding="utf-8") as file:
        file.write(line(1, -2.0))
    append(reader, line(2))
    assert reader.read().rows == (row(1, -1.0), row(2))


def test_what_was_handed_out_does_not_change(reader: Reader) -> None:
    append(reader, line(1))
    before = reader.read()
    append(reader, line(2))
    reader.read()
    assert epochs(before) == [1]


@pytest.mark.parametrize("kept", [2, 5])
def test_the_rows_start_over_where_a_run_goes_on_from_a_checkpoint(
    reader: Reader, tmp_path: Path, kept: int
) -> None:
    append(reader, "".join(line(epoch, -1.0) for epoch in (1, 2, 3)))
    reader.read()
    other = tmp_path / "other"
    other.write_text("".join(line(epoch) for epoch in range(1, kept + 1)), encoding="utf-8")
    other.replace(reader.path)
    assert reader.read().rows == tuple(row(epoch) for epoch in range(1, kept + 1))
    append(reader, line(kept + 1))
    assert epochs(reader.read()) == [*range(1, kept + 2)]
    reader.path.unlink()
    assert reader.read() == Metrics()


def test_older_rows_keep_what_was_asked_for(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "metrics.jsonl", lambda each: {"epoch": each["epoch"]})
    append(reader, line(1) + line(2))
    assert reader.read().rows == ({"epoch": 1}, row(2))
    append(reader, line(3))
    assert reader.read().rows == ({"epoch": 1}, {"epoch": 2}, row(3))


@pytest.mark.parametrize(
    "damaged",
    [
        "nonsense",
        "[]",
        '{"epoch": 3}',
        "\x00",
        "",
        '{"epoch": "x", "train": {}, "validation": {}}',
        '{"epoch": 1, "train": [], "validation": {}}',
    ],
)
def test_lines_that_cannot_be_read_are_counted_and_the_others_kept(
    reader: Reader, damaged: str
) -> None:
    append(reader, f"{line(1)}{damaged}\n{line(2)}")
    found = reader.read()
    assert epochs(found) == [1, 2]
    assert found.unreadable == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_is_null_in_the_file_and_nan_in_a_row(
    reader: Reader, value: float
) -> None:
    text = line_of(row(1, value))
    assert json.loads(text, parse_constant=pytest.fail)["train"] == {"elbo": None}
    append(reader, text)
    (found,) = reader.read().rows
    assert math.isnan(found["train"]["elbo"])


def test_a_row_of_the_version_before_names_no_kept_epoch() -> None:
    assert kept_epoch_of(row(1)) is None
