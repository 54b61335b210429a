"""Whose the values are that Harbor has: what is as we gave it is ours, what somebody changed there is not any more.

Told as Kubernetes tells it, in managedFields, so that a change by hand is drift as it is everywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.harbor import MANAGER
from reconciler.model.managers import is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.port import Body

Fields = dict[str, Any]


def by_others(body: Body, given: Mapping[str, Any]) -> Body:
    """Return a custom resource whose fields that differ from what Harbor was given belong to somebody in Harbor."""
    fields = {"f:spec": differing(given, body["spec"])}
    entries = [
        {**entry, "fieldsV1": without(entry.get("fieldsV1") or {}, fields)} if is_ours(entry) else entry
        for entry in body["metadata"].get("managedFields") or ()
    ]
    theirs = {
        "manager": MANAGER,
        "operation": "Update",
        "apiVersion": body["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return {**body, "metadata": {**body["metadata"], "managedFields": [*entries, theirs]}}


def differing(given: Mapping[str, Any], there: Mapping[str, Any]) -> Fields:
    """Return the set of fields, in the form of managedFields, in which two maps differ."""
    found: Fields = {}
    for name, value in given.items():
        other = there.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            below = differing(value, other)
            if below:
                found[f"f:{name}"] = below
        elif value != other:
            found[f"f:{name}"] = {}
    return found


def without(fields: Fields, taken: Fields) -> Fields:
    """Return a set of fields without those of another one."""
    left: Fields = {}
    for name, below in fields.items():
        if name not in taken:
            left[name] = below
        elif taken[name]:
            left[name] = without(below, taken[name])
    return left
