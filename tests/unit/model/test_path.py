"""Field paths: the text form and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.model.path import Keyed, format_path, parse_path, plain_steps

names = st.text(min_size=1, max_size=12)
key_names = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
keyed = st.lists(st.tuples(key_names, names), min_size=1, max_size=3).map(Keyed)
paths = st.lists(st.one_of(names, st.integers(0, 99), keyed), max_size=6).map(tuple)


@given(paths)
def test_reads_what_it_writes(path: tuple[str | int | Keyed, ...]) -> None:
    """Whatever the steps are, the text form leads back to them."""
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.replicas", ("spec", "replicas")),
        ("spec.containers[name=web].image", ("spec", "containers", Keyed((("name", "web"),)), "image")),
        ('metadata.labels["a.b/c"]', ("metadata", "labels", "a.b/c")),
        (
            'ports[containerPort=80,protocol="a b"][0]',
            ("ports", Keyed((("containerPort", "80"), ("protocol", "a b"))), 0),
        ),
    ],
)
def test_reads_the_forms_people_write(text: str, path: tuple[str | int | Keyed, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["spec..replicas", "a[", 'a["b]', "a b"])
def test_names_the_place_it_cannot_read(text: str) -> None:
    """A path that makes no sense is an error with a position, not a guess."""
    with pytest.raises(UsageError, match="position"):
        parse_path(text)


def test_finds_elements_by_key() -> None:
    """A keyed step finds its element wherever it stands, comparing numbers with their text."""
    body = {"ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]}
    assert plain_steps(body, parse_path("ports[port=443].name")) == ("ports", 1, "name")
    assert plain_steps(body, parse_path("ports[port=444].name")) is None
