"""No value of a Secret leaves the plan."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Invalid
from reconciler.model.identity import ObjectId
from reconciler.model.plan import FieldChange
from reconciler.plan import mask
from tests.unit.plan.scene import run

LOGIN = ObjectId("", "Secret", "shop", "login")
SCENE = (Path(__file__).parents[2] / "golden" / "plans" / "cases" / "secret.yaml").read_text().partition("\n---\n")[0]


def test_a_length_and_that_it_is_another_value_is_all_that_is_told() -> None:
    change = FieldChange(
        "data.password", "replace", base64.b64encode(b"hunter2").decode(), base64.b64encode(b"hunter3").decode()
    )
    told = mask.masked_change(change)
    assert (told.old, told.new) == ("(secret, 7 bytes)", "(secret, 7 bytes, another value)")


@given(st.text("xyz", min_size=12), st.sampled_from(["data.a", "data", "metadata.annotations.a", "type"]))
def test_no_value_shows(canary: str, path: str) -> None:
    """Whatever the path and the shape, the value is not in what is told."""
    op: Literal["add"] = "add"
    for value in (canary, {"key": canary}, [canary]):
        assert canary not in repr(mask.masked_change(FieldChange(path, op, None, value)))


def test_the_words_of_the_server_are_left_out_for_secrets() -> None:
    """A rejection may quote the value; the reason and the field are told."""
    details: dict[str, object] = {"causes": [{"field": "data[key]", "message": "canary"}]}
    error = Invalid(
        "Secret is invalid: data[key]: Invalid value: canary", status=422, reason="Invalid", details=details
    )
    words = mask.server_words(LOGIN, error)
    assert "canary" not in words
    assert "data[key]" in words
    assert "canary" in mask.server_words(LOGIN._replace(kind="ConfigMap"), error)


def test_a_whole_plan_shows_no_canary() -> None:
    """Changes, conflicts, problems and notes of a plan with Secrets hold none of their values, encoded or not."""
    _, plan = run(SCENE)
    shown = repr([(item.fields, item.conflicts, item.problem, item.notes) for item in plan.changes])
    assert "secret, " in shown
    assert "canary" not in shown
    assert base64.b64encode(b"canary").decode()[:7] not in shown
