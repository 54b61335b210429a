"""The quick reader reads what libyaml reads, or says that it will not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ConfigError
from reconciler.model.origin import Source
from reconciler.model.tree import Map, Seq
from reconciler.yaml import block, dump, reader

ROOT = Path(__file__).parent.parent.parent.parent
SOURCE = Source("a.yaml", "")
FRAGMENTS = (
    *(
        "a",
        "b: c",
        "a:",
        "- ",
        "-",
        "  ",
        "    ",
        "\n",
        "\n",
        "\n",
        "\n\n",
        ": ",
        " # x",
        "#",
        "'",
        "''",
        '"',
        "\\",
        "\\n",
    ),
    *(
        "|",
        "|-",
        ">",
        ">-",
        "|+",
        "|2",
        "[]",
        "{}",
        "[a, b]",
        "{a: b}",
        "&a ",
        "*a",
        "!!str ",
        "<<: ",
        "---\n",
        "...\n",
    ),
    *(
        "? ",
        "key: value",
        "1.50",
        "0x1f",
        "~",
        "null",
        "true",
        "yes",
        "2020-01-01",
        "=",
        "\t",
        "é",
        "%",
        "@",
        "`",
        "1:30",
    ),
    *(
        "name: a\n",
        "  - b\n",
        "- c: d\n",
        "  e: f\n",
        'k: "x\n',
        '  y"\n',
        "k: 'x\n",
        "  y'\n",
        "k: plain\n",
        "   more\n",
    ),
)


def told(value: Any) -> Any:
    """Return a tree with the lines and texts of its entries."""
    if isinstance(value, Map):
        return {key: (value.origins[key].line, value.origins[key].text, told(item)) for key, item in value.items()}
    if isinstance(value, Seq):
        return [(at and (at.line, at.text), told(item)) for at, item in zip(value.origins, value, strict=True)]
    return value, type(value)


def agree(text: str) -> bool:
    """Return whether the quick reader reads a text; what it reads is what libyaml reads."""
    try:
        quick = block.read(text, SOURCE)
    except block.Unusual:
        return False
    assert [told(document) for document in quick] == [told(document) for document in reader.read(text, SOURCE)]
    return True


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join))
def test_pieces_of_yaml_in_any_order(text: str) -> None:
    """Neither accepts what the other refuses, nor reads it as something else."""
    agree(text)


@given(
    st.lists(st.sampled_from((*"{}[],:#'\"-", ", ", ": ", " ", "a", "1.50", "b c", '"d"', "x:y", "-z")), max_size=16)
    .map("".join)
    .map("k: {}\n".format)
)
def test_flow_collections(text: str) -> None:
    agree(text)


@given(st.text(alphabet=" \n:-#'\"|>ab1.\\[]{}&*!?,", max_size=60))
def test_any_text(text: str) -> None:
    agree(text)


TREES = st.recursive(
    st.text(max_size=100) | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none() | st.sampled_from((0.5, 1e-7)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(TREES)
def test_what_is_written_is_read_as_it_was(tree: Any) -> None:
    assert reader.parse(dump(tree), SOURCE) == [tree]


def test_the_shipped_platform_is_read_quickly() -> None:
    """All but few files are in the usual style; a change that makes them unusual would only cost time, and nobody saw it."""
    files = [*ROOT.glob("base/**/*.yaml"), *ROOT.glob("overlays/**/*.yaml"), *ROOT.glob("environments/**/*.yaml")]
    assert len(files) > 30
    quick = [path for path in files if agree(path.read_text())]
    assert len(quick) > 0.9 * len(files)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: b: c\n", 1),
        ("a: b\n c: d\n", 2),
        ("a:\n  - b\n c: d\n", 3),
        ("a: 'b\n", 2),
        ("a: [b\n", 2),
        ("a: |\n b\n  c: d\nx\ny: z\n", 5),
        ("- a\nb: c\n", 2),
        ("a: *b\n", 1),
        ("1: a\n", 1),
        ("a: \tb\n  \tc: d\n", 2),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        reader.parse(text, SOURCE)
    assert (caught.value.problems[0].file, caught.value.problems[0].line) == ("a.yaml", line)
