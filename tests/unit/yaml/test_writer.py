"""The quick writer writes what libyaml writes with go-yaml's choices."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.yaml import dump, libyaml

WORDS = (
    *("a", "b c", "", "-", "- x", "?", "? x", ": x", "x: y", "x:", "#", "a #b", "a#b", " a", "a ", "'", "it's", '"q"'),
    *("yes", "null", "1", "1.5", "0x1", "2020-01-01", "2020-13-01", "12:30", "a\nb", "a\nb\n", "a\n\nb\n\n", " a\nb"),
    *("a \nb", "---", "--- a", "...", "...\n", "%a", "@a", "`", "a,b", "[a]", "{a}", "*a", "&a", "!a", "|", "> a", "~"),
    *("long " * 20, "x" * 100, "x" * 90 + " y z", "word word: " * 12, "it's long " * 12, "\t", "a\tb", "é", "=", "<<"),
    *("a  b  c  " * 10 + "d", "a " + "'" * 3, "1e3", ".", "+", "-1", "- ", ":", "::", "a:b", "#a", ",", "\U0001f600"),
)
TEXTS = st.sampled_from(WORDS) | st.text(alphabet=" abc:#-'\"\n,.?!019{}[]&*|>%@~", max_size=140) | st.text(max_size=20)
TREES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(TREES)
def test_both_writers_agree(tree: Any) -> None:
    assert dump(tree) == libyaml.dump(tree)


def test_the_style_is_that_of_kustomize() -> None:
    tree = {
        "b10": [{"x": 1, "y": ["z", []]}, {}],
        "b9": "two\nlines\n",
        "B": "yes",
        "n": None,
        "f": 1234567.5,
        "e": 1e-05,
    }
    assert dump(tree) == (
        'B: "yes"\nb9: |\n  two\n  lines\nb10:\n- x: 1\n  "y":\n  - z\n  - []\n- {}\n'
        'e: 1e-05\nf: 1.2345675e+06\n"n": null\n'
    )
