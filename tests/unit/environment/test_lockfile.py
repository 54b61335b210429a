"""vendor.lock.yaml: what is written is read again, other sections stay, mistakes have a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.environment import lockfile
from reconciler.environment.lockfile import PATH, Lock
from reconciler.errors import ConfigError
from reconciler.model.remote import parse
from tests.unit.preview.trees import Files

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENTRY = f"- url: https://h/r\n  ref: v1\n  commit: {COMMIT}\n"

_words = st.text("abc/:.-123", min_size=1, max_size=12)
_commits = st.text("0123456789abcdef", min_size=40, max_size=40)


@given(
    st.dictionaries(st.tuples(_words, _words), _commits, max_size=5),
    st.dictionaries(st.sampled_from(("charts", "zebra")), st.lists(st.dictionaries(_words, _words), min_size=1)),
)
def test_what_is_written_is_read_again(bases: Mapping[tuple[str, str], str], rest: Mapping[str, object]) -> None:
    """And written the same, whatever the order."""
    text = lockfile.write(Lock(bases, rest))
    read = lockfile.read(Files({PATH: text} if text else {}))
    assert (read.bases, read.rest) == (bases, rest)
    assert lockfile.write(Lock(dict(reversed(list(bases.items()))), read.rest)) == text


def test_a_full_commit_is_its_own_pin() -> None:
    lock = lockfile.read(Files({PATH: f"bases:\n{ENTRY}"}))
    assert lock.commit(parse(f"https://h/org/r?ref={COMMIT}")) == COMMIT
    assert lock.commit(parse("https://h/org/r?ref=v1")) is None


@pytest.mark.parametrize("text", ["", "---\n", "bases:\n", "bases: []\n", "charts: []\n"])
def test_a_file_without_bases_pins_none(text: str) -> None:
    assert lockfile.read(Files({PATH: text})).bases == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]\n", f"{PATH}:1: expected one document, a mapping"),
        ("a: 1\n---\nb: 1\n", f"{PATH}:1: expected one document, a mapping"),
        ("x: 1\nbases: {}\n", ""),
        ("x: 1\nbases: {a: b}\n", f"{PATH}:2: bases has to be a list"),
        ("bases:\n- url: x\n", f"{PATH}:2: bases[0] has to hold the strings url, ref, commit, and nothing else"),
        (f"bases:\n{ENTRY}  more: x\n", f"{PATH}:2: bases[0] has to hold the strings"),
        ("bases:\n- url: x\n  ref: 1\n  commit: y\n", f"{PATH}:2: bases[0] has to hold the strings"),
        ("bases:\n- url: x\n  ref: v1\n  commit: abc\n", f"{PATH}:4: 'abc' is no commit"),
        (f"bases:\n{ENTRY}{ENTRY}", f"{PATH}:5: https://h/r at v1 is there twice"),
        ("bases: [\n", PATH),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, expected: str) -> None:
    if not expected:
        assert lockfile.read(Files({PATH: text})).bases == {}
        return
    with pytest.raises(ConfigError) as caught:
        lockfile.read(Files({PATH: text}))
    assert str(caught.value).startswith(expected)
