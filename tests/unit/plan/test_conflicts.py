"""Conflicts that the server finds and a comparison of values does not: with whom they may be won all the same."""

from __future__ import annotations

import pytest

from reconciler.environment import Policy
from reconciler.errors import Conflict
from reconciler.plan.conflicts import winnable

HELD = ("kubectl-client-side-apply", "kubectl-edit", "operator", "terraform")
LIVE = {
    "metadata": {
        "managedFields": [
            *({"manager": name, "operation": "Update", "fieldsV1": {}} for name in HELD),
            {"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": {}},
        ]
    }
}


def conflict(*said: str) -> Conflict:
    """Return what the server answers, with one cause for each field."""
    causes = [{"reason": "FieldManagerConflict", "message": text, "field": ".spec.x"} for text in said]
    return Conflict("Apply failed", status=409, reason="Conflict", details={"causes": causes})


@pytest.mark.parametrize(
    ("said", "won"),
    [
        (('conflict with "kubectl-client-side-apply" using apps/v1',), True),
        (('conflict with "kubectl-edit" using apps/v1 at 2030-01-01T00:00:00Z',), True),
        (('conflict with "terraform" using apps/v1',), True),  # what is taken over
        (('conflict with "operator" using apps/v1',), False),
        (('conflict with "kubectl-edit" using apps/v1', 'conflict with "operator" using apps/v1'), False),
        (('conflict with "kubectl" with subresource "scale" using apps/v1',), False),
        (('conflict with "nobody-we-know"',), False),
        (("the object has been modified",), False),
        ((), False),
    ],
)
def test_only_what_is_taken_over_or_drift_is_won(said: tuple[str, ...], won: bool) -> None:
    assert winnable(conflict(*said), LIVE, Policy(), ("kubectl-client-side-apply", "terraform")) is won


def test_a_conflict_of_another_kind_names_nobody() -> None:
    assert not winnable(Conflict("changed meanwhile", status=409), LIVE, Policy(), HELD)
