"""Blacking out: every form in which a secret value may turn up in words."""

from __future__ import annotations

import base64
from types import MappingProxyType

import pytest

from reconciler.apply.secrecy import redactor, rejection
from reconciler.errors import Forbidden, Invalid, Unavailable
from reconciler.model.graph import Graph
from reconciler.model.identity import GroupKind, ObjectId
from reconciler.model.plan import Action, Change, Plan
from reconciler.model.resource import Resource
from reconciler.model.tree import Map

KEY = "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG\nxyz\n-----END KEY-----\n"
SECRET = GroupKind("", "Secret")


def plan(**data: str) -> Plan:
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    item = ObjectId("", "Secret", "shop", "keys")
    change = Change(Action.CREATE, "base", item, Resource(item, "v1", Map({"data": encoded})))
    return Plan("dev", None, "id", (change,), Graph(MappingProxyType({}), (), (), ()))


@pytest.mark.parametrize(
    "text",
    [
        "password is hunter2-x",
        f"data: {base64.b64encode(b'hunter2-x').decode()}",
        "line MIIBVgIBADANBgkqhkiG alone",
        'quoted "-----BEGIN KEY-----\\nMIIBVgIBADANBgkqhkiG\\nxyz\\n-----END KEY-----\\n"',
    ],
)
def test_every_form_of_a_value_is_blacked_out(text: str) -> None:
    redact = redactor(plan(password="hunter2-x", key=KEY))
    assert "(secret)" in redact(text)
    assert "hunter2" not in redact(text)
    assert "MIIB" not in redact(text)


def test_what_is_no_secret_stays_as_it_is() -> None:
    """Values of one to three characters are in any text; they are not looked for."""
    assert redactor(plan(short="on"))("connection refused") == "connection refused"


def test_of_a_rejected_secret_only_the_field_is_told() -> None:
    causes: dict[str, object] = {"causes": [{"field": "data[password]", "message": "bad value 12345"}]}
    error = Invalid("Secret is invalid: bad value 12345", status=422, reason="Invalid", details=causes)
    assert "12345" not in rejection(SECRET, error)
    assert "data[password]" in rejection(SECRET, error)
    assert rejection(GroupKind("", "ConfigMap"), error) == str(error)


def test_what_cannot_hold_a_value_is_told_of_a_secret_too() -> None:
    for error in (Forbidden("no right", status=403), Unavailable("no answer"), Unavailable("busy", status=503)):
        assert rejection(SECRET, error) == str(error)
