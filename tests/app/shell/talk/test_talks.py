"""Talks as files and as texts of an address, also those that somebody made to do harm."""

import base64
import hashlib
import json
import zlib

import pytest

from app.shell.navigation import PAGES
from app.shell.talk import talks
from app.shell.talk.talks import MOST_STEPS, Step, Talk, TalkError, step_of


def a_talk(count: int = 3) -> Talk:
    return Talk(tuple(step_of(f"latent?image={i}&tab=Prior", f"Note {i}: ψ") for i in range(count)))


def a_file(steps: object, version: object = 1) -> bytes:
    return json.dumps({"elbo_room_talk": version, "steps": steps}).encode()


def test_a_talk_is_read_as_it_was_written() -> None:
    assert talks.read(talks.write(a_talk()).encode()) == a_talk()


def test_a_talk_in_an_address_is_the_same_talk() -> None:
    text = talks.packed(a_talk(10))
    assert talks.unpacked(text) == a_talk(10)
    assert text.replace("-", "").replace("_", "").isalnum()


def test_ten_screens_fit_into_an_address() -> None:
    assert 0 < len(talks.packed(a_talk(10))) < 600


def test_a_talk_that_is_too_long_for_an_address_is_not_put_into_one() -> None:
    noise = [hashlib.sha512(bytes([i])).hexdigest() for i in range(MOST_STEPS)]
    long = Talk(tuple(step_of(f"start?x={each}", each) for each in noise))
    assert talks.packed(long) == ""
    assert talks.read(talks.write(long).encode()) == long


def test_no_talk_is_an_empty_text() -> None:
    assert talks.packed(Talk()) == ""


@pytest.mark.parametrize("page", PAGES)
def test_every_page_can_be_a_step(page: str) -> None:
    step = step_of(f"{page}?image=3")
    assert step.page == page
    assert step.title.startswith(PAGES[page].title)


def test_a_former_address_of_a_page_becomes_its_address_of_today() -> None:
    assert step_of("posterior_lab?image=3").address == "posterior?image=3"


def test_the_first_page_has_no_path() -> None:
    assert step_of("?epsilon=3").address == step_of("start?epsilon=3").address == "?epsilon=3"


def test_what_belongs_to_the_frame_is_left_out_of_a_step() -> None:
    step = step_of("latent?talk=abc&talk_step=3&present=true&embed=true&tab=Map")
    assert step == Step("latent", "tab=Map")
    assert step.title == "Latent space · Map"


def test_a_parameter_may_have_several_values() -> None:
    assert talks.screen("compare", {"runs": ["a", "b c&d"]}).query == "runs=a&runs=b+c%26d"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/latent",
        "//evil.example/latent",
        "javascript:alert(1)",
        "data:text/html,x",
        "/\\evil.example",
        "../latent",
        "latent/../../x",
        "nowhere",
        "latent#<script>",
        "latent?<img>=1",
        "latent?a=%00",
        "latent?a=%0d%0aX: y",
        "http://[::1",
        "latent?" + "&".join(f"a{i}=1" for i in range(61)),
        "latent?a=" + "x" * 2000,
        7,
        None,
        ["latent"],
    ],
)
def test_only_addresses_of_our_pages_are_taken(address: object) -> None:
    with pytest.raises(TalkError, match=r"Step 1 of this talk is refused: .*\."):
        talks.read(a_file([{"address": address, "note": ""}]))


@pytest.mark.parametrize("note", ["x" * 301, 5, None, ["x"]])
def test_a_note_is_a_short_text(note: object) -> None:
    with pytest.raises(TalkError, match="Step 1"):
        talks.read(a_file([{"address": "latent", "note": note}]))


def test_a_note_is_one_line_without_control_characters() -> None:
    assert step_of("latent", "a\n\n b\x1b[31m\u202e").note == "a b�[31m�"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "not a talk"),
        (b"[]", "not a talk"),
        (b"null", "not a talk"),
        (a_file([], version=2), "another version"),
        (a_file([], version="1"), "another version"),
        (a_file({"0": "latent"}), "no list"),
        (a_file(["latent"]), "Step 1"),
        (a_file([{"address": "latent"}] * (MOST_STEPS + 1)), "at most 100"),
        (b" " * (talks.MOST_BYTES + 1), "larger than 256 kB"),
    ],
)
def test_a_wrong_file_is_refused_by_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(TalkError, match=said) as refused:
        talks.read(content)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "§", "a b", "AAAA", "x" * (talks.MOST_LINK + 1),
        base64.urlsafe_b64encode(zlib.compress(b"[]")).decode().rstrip("=")[:-4],
    ],
)  # fmt: skip
def test_a_broken_link_is_refused_by_a_sentence(text: str) -> None:
    with pytest.raises(TalkError, match=r"\.$"):
        talks.unpacked(text)


def test_a_small_link_cannot_unpack_to_much() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 2_000_000, 9)).decode().rstrip("=")
    assert len(bomb) < talks.MOST_LINK
    with pytest.raises(TalkError, match="larger than"):
        talks.unpacked(bomb)


def test_steps_are_moved_and_removed_and_noted() -> None:
    talk = a_talk()
    first, second, third = talk.steps
    assert talk.moved(0, 1).steps == (second, first, third)
    assert talk.moved(2, -1).steps == (first, third, second)
    assert talk.moved(0, -1) == talk.moved(2, 1) == talk
    assert talk.without(1).steps == (first, third)
    assert talk.noted(1, " say\tthis ").steps[1].note == "say this"
    assert len(talk.noted(1, "x" * 999).steps[1].note) == talks.MOST_NOTE


def test_a_talk_has_an_end() -> None:
    with pytest.raises(TalkError, match="at most 100"):
        a_talk(MOST_STEPS).plus(step_of("start"))
