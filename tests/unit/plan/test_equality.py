"""When two values are the same to Kubernetes, and when they only look so."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.path import format_path
from reconciler.model.schema import MISSING, ListType, Schema, Type
from reconciler.plan.differences import at, differences
from reconciler.plan.equality import same_scalar, same_value

TEXT, NUMBER = Schema(Type.STRING), Schema(Type.INTEGER)


@pytest.mark.parametrize(
    ("kind", "wanted", "live", "expected"),
    [
        (Type.STRING, "a", "a", True),
        (Type.STRING, "1000m", "1", False),
        (Type.QUANTITY, "1000m", "1", True),
        (Type.QUANTITY, 1, "1", True),
        (Type.QUANTITY, "1", "2", False),
        (Type.INT_OR_STRING, 80, 80, True),
        (Type.INT_OR_STRING, "80", 80, False),
        (Type.BOOLEAN, True, True, True),
        (Type.BOOLEAN, True, 1, False),
        (Type.NUMBER, 1, 1.0, True),
        (Type.BYTES, "AAEC\nAwQ=", "AAECAwQ=", True),
        (Type.BYTES, "AAEC", "AAED", False),
        (Type.BYTES, "?", "!", False),
        (Type.TIME, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        (Type.TIME, "2026-01-01T00:00:00Z", "soon", False),
        (Type.DURATION, "90s", "1m30s", True),
        (Type.DURATION, "1.5h", "1h30m0s", True),
        (Type.DURATION, "1000ms", "1s", True),
        (Type.DURATION, "-1m", "-60s", True),
        (Type.DURATION, "1m", "1h", False),
        (Type.DURATION, "1 day", "24h", False),
        (Type.ANY, None, None, True),
        (Type.ANY, None, 0, False),
    ],
)
def test_scalars(kind: Type, wanted: Any, live: Any, expected: bool) -> None:
    assert same_scalar(wanted, live, Schema(kind)) is expected


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        ({"a": 1}, {"a": 1, "protocol": "TCP"}, True),  # a default
        ({"a": 1}, {"a": 1, "protocol": "UDP"}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),  # no default
        ({"a": 1, "text": ""}, {"a": 1}, True),  # left out when written
        ({"a": 1, "text": "x"}, {"a": 1}, False),
        ({"a": 1}, {"a": 1, "all": {}}, False),  # an empty selector selects everything
        ({"a": 1, "all": {}}, {"a": 1}, False),
        ({"a": 1}, {"a": 1, "list": []}, True),
        ({"a": 1}, {"a": 1, "status": {"phase": "Pending"}}, True),  # a default of defaults
        ({"a": 1}, {"a": 1, "status": {"phase": "Bound"}}, False),
        ({}, None, True),
        ({"a": 1}, None, False),
        ({"a": 1}, [], False),
    ],
)
def test_maps_as_a_whole(wanted: Any, live: Any, expected: bool) -> None:
    schema = Schema(
        Type.OBJECT,
        properties={
            "protocol": Schema(Type.STRING, default="TCP"),
            "status": Schema(Type.OBJECT, properties={"phase": Schema(Type.STRING, default="Pending")}, default={}),
        },
    )
    assert same_value(wanted, live, schema) is expected


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [([1, 2], [1, 2], True), ([1, 2], [2, 1], False), ([1], [1, 2], False), ([], None, True), ([1], None, False)],
)
def test_lists_as_a_whole(wanted: Any, live: Any, expected: bool) -> None:
    assert same_value(wanted, live, Schema(Type.ARRAY)) is expected


PORTS = Schema(
    Type.ARRAY,
    list_type=ListType.MAP,
    list_keys=("port", "protocol"),
    items=Schema(Type.OBJECT, properties={"protocol": Schema(Type.STRING, default="TCP")}),
)


def test_elements_are_told_by_their_keys_and_not_by_position() -> None:
    """Swapped elements make no difference; a key that is left out is the schema's default."""
    old = [{"port": 53, "protocol": "UDP", "name": "a"}, {"port": 53, "protocol": "TCP", "name": "b"}]
    new = [{"port": 53, "name": "c"}, {"port": 53, "protocol": "UDP", "name": "a"}]
    (found,) = [item for item in differences(old, new, PORTS) if item.path[-1] == "name"]
    assert format_path(found.path) == "[port=53,protocol=TCP].name"
    assert (found.old, found.new) == ("b", "c")
    assert at(new, found.path, PORTS) == "c"


def test_elements_that_cannot_be_told_apart_are_compared_as_a_list() -> None:
    twins = [{"port": 1}, {"port": 1}]
    assert list(differences(twins, [dict(item) for item in twins], PORTS)) == []
    assert list(differences(twins, [{"port": 2}, {"port": 1}], PORTS)) != []


def test_an_empty_map_that_appears_is_told() -> None:
    """`emptyDir: {}` means something, an empty map of labels does not."""
    (found,) = differences({}, {"emptyDir": {}}, Schema(Type.OBJECT))
    assert (found.old, found.new) == (MISSING, {})
    labels = Schema(Type.OBJECT, properties={"labels": Schema(Type.OBJECT, values=TEXT)})
    assert list(differences({}, {"labels": {}}, labels)) == []
