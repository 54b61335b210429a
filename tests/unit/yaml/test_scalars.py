"""Plain scalars mean what they mean to go-yaml, and floats are written as Go writes them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.origin import Source
from reconciler.yaml import Dialect, canonical, parse, resolve
from reconciler.yaml.folding import rewritten

SOURCE = Source("a.yaml", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("y", "y"), ("True", True), ("~", None), ("", None), ("Null", None),
        ("0777", 511), ("0o17", 15), ("0b11", 3), ("0x1F", 31), ("1_000", 1000), ("+5", 5), ("-0", 0), ("08", 8),
        ("1e3", 1000), ("1.0", 1), (".5", 0.5), ("5.", 5), ("-.5", -0.5), ("1e5.5", "1e5.5"), ("1:30", "1:30"),
        ("9223372036854775807", 9223372036854775807), ("9223372036854775809", 9223372036854776000),
        ("18446744073709551616", 1.8446744073709552e19), ("1e17", 100000000000000000), ("1e21", 1e21), ("1e-05", 1e-05),
        ("2020-01-01", "2020-01-01T00:00:00Z"), ("2020-1-1", "2020-01-01T00:00:00Z"), ("2020-13-01", "2020-13-01"),
        ("2020-01-01 10:00:00", "2020-01-01T10:00:00Z"), ("2020-01-01T10:00:00.50+02:00", "2020-01-01T10:00:00.5+02:00"),
    ],
)  # fmt: skip
def test_meaning(text: str, value: Any) -> None:
    assert (resolve(text), type(resolve(text))) == (value, type(value))


def test_a_kustomization_file_knows_the_booleans_of_yaml_1_1() -> None:
    assert parse("a: on\nb: No\nc: 'yes'\n", SOURCE, Dialect.KUSTOMIZATION) == [{"a": True, "b": False, "c": "yes"}]
    assert parse("a: on\nb: No\n", SOURCE) == [{"a": "on", "b": "No"}]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-05, "1e-05"), (0.0001, "0.0001"), (1234567.5, "1.2345675e+06"), (100000.5, "100000.5"), (1e300, "1e+300")],
)
def test_floats_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert canonical(value) == text


def test_the_text_of_a_scalar_is_kept_where_its_value_does_not_tell() -> None:
    [tree] = parse("a: 1.50\nb: ~\nc:\nd: 1\ne: [0x10]\nf: null\n", SOURCE)
    assert {key: origin.text for key, origin in tree.origins.items()} == {
        "a": "1.50", "b": "~", "c": "", "d": None, "e": None, "f": None,
    }  # fmt: skip
    assert tree["e"].origins[0].text == "0x10"


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("a b\n", "a b\n"),
        ("a\nb\n", "a\nb\n"),
        ("a\n  b\nc", "a\n\n  b\nc"),
        ("{\n\n  x\n}\n", "{\n\n\n  x\n}\n"),
        (" a\nb", " a\nb"),
    ],
)
def test_a_folded_scalar_goes_through_go_yaml(text: str, given: str) -> None:
    """The output of Kustomize 5.8.1 for these texts as folded scalars."""
    assert rewritten(text) == given
