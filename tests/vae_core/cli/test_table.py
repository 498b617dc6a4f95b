"""A table of scores that is killed while it is written, and goes on."""

import csv
import hashlib
from pathlib import Path

import pytest

from vae_core.cli.table import ScoreTable, TableError, as_cell

COLUMNS = ("log_px", "nearest")
PROTOCOL = {"seed": 0, "calibrated_by": None}
FILES = [("a.png", b"a"), ("b.png", b"b"), ("a.png", b"c"), ('c, d\n"e".png', b"d")]


def row(name: str, ok: bool = True) -> dict:
    figures = {"log_px": -1.5, "nearest": [1, 2]} if ok else {"error": "no image,\nsorry"}
    return {"file": name, "ok": ok, **figures}


def names(files) -> list[bytes]:
    return [content for _, content in files]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scores.csv"


def test_rows_are_on_the_disk_at_once(path):
    table = ScoreTable(path, COLUMNS, PROTOCOL)
    for name, _ in FILES[:2]:
        table.append(row(name))
        assert read(path)[-1]["file"] == name
    assert read(path)[0] == {
        "file": "a.png", "ok": "True", "error": "", "sha256": "", "log_px": "-1.5",
        "nearest": "1 2",
        "seed": "0", "calibrated_by": "",
    }  # fmt: skip


def test_what_has_a_row_is_not_done_again_and_equal_names_are_counted(path):
    table = ScoreTable(path, COLUMNS, PROTOCOL)
    table.append(row("a.png"))
    assert names(ScoreTable(path, COLUMNS, PROTOCOL).missing(FILES)) == [b"b", b"c", b"d"]
    for name in ("a.png", FILES[3][0]):
        table.append(row(name))
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    assert names(again.missing(FILES)) == [b"b"]
    assert names(again.missing(FILES)) == [b"b"], "asking changes nothing"


def test_files_that_could_not_be_read_are_remembered(path):
    ScoreTable(path, COLUMNS, PROTOCOL).append(row("a.png", ok=False))
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    assert again.failed == 1
    assert read(path)[0]["log_px"] == ""
    assert "\n" not in read(path)[0]["error"]


def scored(name: str, content: bytes) -> dict:
    return {**row(name), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_file_that_could_not_be_read_is_tried_again_and_its_row_replaced(path):
    table = ScoreTable(path, COLUMNS, PROTOCOL)
    table.append(row("a.png", ok=False))
    table.append(scored("b.png", b"b"))
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    assert names(again.missing(FILES[:2])) == [b"a"]
    again.append(scored("a.png", b"a"))
    again.drop_replaced()
    assert again.failed == 0
    assert [(each["file"], each["ok"]) for each in read(path)] == [
        ("b.png", "True"),
        ("a.png", "True"),
    ]
    assert read(path)[0]["log_px"] == "-1.5", "the other rows stay as they were"


def test_failures_under_equal_names_replace_as_many_rows_as_are_tried_again(path):
    table = ScoreTable(path, COLUMNS, PROTOCOL)
    table.append(row("a.png", ok=False))
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    again.append(row("a.png", ok=False))
    again.append(row("a.png", ok=False))
    again.drop_replaced()
    assert [each["ok"] for each in read(path)] == ["False", "False"]


def test_a_failure_is_dropped_if_the_program_was_killed_after_its_file_was_scored(path):
    table = ScoreTable(path, COLUMNS, PROTOCOL)
    table.append(row("a.png", ok=False))
    table.append(scored("a.png", b"a"))
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    assert (again.before, again.failed) == (1, 0)
    assert [each["ok"] for each in read(path)] == ["True"]


def test_another_picture_under_an_old_name_has_no_row_yet(path):
    ScoreTable(path, COLUMNS, PROTOCOL).append(scored("a.png", b"a"))
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    assert names(again.missing([("a.png", b"other"), ("a.png", b"a")])) == [b"other"]
    assert names(again.missing([("a.png", TableError("unreadable now"))]))


def test_a_table_of_the_version_before_is_continued_by_name(path):
    protocol = {"likelihood": "bernoulli", **PROTOCOL, "pixels": "dynamic binarisation"}
    path.write_text("file,ok,error,log_px,nearest,seed,calibrated_by\r\na.png,True,,-1.5,1,0,\r\n",
                    newline="")  # fmt: skip
    table = ScoreTable(path, COLUMNS, protocol)
    assert names(table.missing(FILES)) == [b"b", b"c", b"d"]
    table.append(scored("b.png", b"b"))
    assert [each["file"] for each in read(path)] == ["a.png", "b.png"]
    assert names(ScoreTable(path, COLUMNS, protocol).missing(FILES)) == [b"c", b"d"]


def test_a_table_behind_a_link_stays_behind_it(path):
    path.symlink_to(path.with_name("real.csv"))
    for _ in range(2):
        table = ScoreTable(path, COLUMNS, PROTOCOL)
        table.append(row("a.png", ok=False))
        table.drop_replaced()
    assert path.is_symlink()
    assert len(read(path)) == 1


def test_wherever_it_was_killed_it_goes_on_to_the_same_table(path):
    """Cut at every byte: what is left of a row is dropped, and no row is lost or doubled."""
    table = ScoreTable(path, COLUMNS, PROTOCOL)
    for name, _ in FILES:
        table.append(row(name))
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        table = ScoreTable(path, COLUMNS, PROTOCOL)
        for name, _ in list(table.missing(FILES)):
            table.append(row(name))
        assert sorted(path.read_bytes().splitlines()) == sorted(whole.splitlines()), end


@pytest.mark.parametrize(
    ("columns", "protocol", "reason"),
    [
        (COLUMNS, {**PROTOCOL, "seed": 1}, "seed = 0, not 1"),
        (COLUMNS, {**PROTOCOL, "calibrated_by": 500}, "calibrated_by = none, not 500"),
        (("log_px",), PROTOCOL, "not a table of such scores"),
    ],
)
def test_scores_of_another_protocol_are_not_mixed_in(path, columns, protocol, reason):
    ScoreTable(path, COLUMNS, PROTOCOL).append(row("a.png"))
    before = path.read_bytes()
    with pytest.raises(TableError, match=reason):
        ScoreTable(path, columns, protocol)
    assert path.read_bytes() == before


def test_a_file_of_something_else_is_left_alone(path):
    path.write_text("my notes\nare here")
    with pytest.raises(TableError, match="use another file"):
        ScoreTable(path, COLUMNS, PROTOCOL)
    assert path.read_text() == "my notes\nare here"


@pytest.mark.parametrize("length", [390, 445, 999, 1500])
def test_a_long_name_is_found_again(path, length):
    name = ("d/" * length)[: length - 5] + "x.png"
    ScoreTable(path, COLUMNS, PROTOCOL).append(row(name))
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    assert list(again.missing([(name, b"")])) == []


def test_where_no_file_can_be_is_said_in_a_sentence(tmp_path):
    with pytest.raises(TableError, match="is not a file; use the path"):
        ScoreTable(tmp_path, COLUMNS, PROTOCOL)
    with pytest.raises(TableError, match=r"The folder .*nowhere for scores.* does not exist"):
        ScoreTable(tmp_path / "nowhere" / "scores.csv", COLUMNS, PROTOCOL)


@pytest.mark.parametrize("name", ["=1+1.png", "+a.png", "-a.png", "@a.png"])
def test_no_name_is_a_formula_to_a_spreadsheet(path, name):
    ScoreTable(path, COLUMNS, PROTOCOL).append(row(name))
    assert read(path)[0]["file"] == f"'{name}"
    assert read(path)[0]["log_px"] == "-1.5"
    again = ScoreTable(path, COLUMNS, PROTOCOL)
    assert not names(again.missing([(name, b"a")]))


def test_what_is_unknown_is_an_empty_cell():
    assert [as_cell(value) for value in (None, float("nan"), [float("nan")] * 3)] == [""] * 3


def test_a_table_knows_what_it_held(path):
    table = ScoreTable(path, COLUMNS, PROTOCOL)
    table.append(row("a.png"))
    table.append(row("b.png", ok=False))
    assert table.before == 0
    assert ScoreTable(path, COLUMNS, PROTOCOL).before == 2
