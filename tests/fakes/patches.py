"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) on plain values."""

from __future__ import annotations

import copy
from typing import Any

from reconciler.errors import Invalid


def merge_patch(value: Any, patch: Any) -> Any:
    """Return a value after a JSON Merge Patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), item)
    return result


def json_patch(value: Any, operations: list[dict[str, Any]]) -> Any:
    """Return a value after a JSON Patch of add, replace, remove and test; raises Invalid where it does not fit."""
    result = copy.deepcopy(value)
    for operation in operations:
        try:
            _carry_out(result, operation)
        except (KeyError, IndexError, ValueError) as error:
            raise Invalid(f"the server rejected our request: {operation}", status=422, reason="Invalid") from error
    return result


def _carry_out(root: Any, operation: dict[str, Any]) -> None:
    *parents, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
    node = root
    for step in parents:
        node = node[int(step)] if isinstance(node, list) else node[step]
    key: Any = last
    if isinstance(node, list):
        key = len(node) if last == "-" else int(last)
    match operation["op"]:
        case "add" if isinstance(node, list):
            node.insert(key, copy.deepcopy(operation["value"]))
        case "add":
            node[key] = copy.deepcopy(operation["value"])
        case "replace":
            if isinstance(node, dict) and key not in node:
                raise KeyError(key)
            node[key] = copy.deepcopy(operation["value"])
        case "remove":
            del node[key]
        case "test":
            if node[key] != operation["value"]:
                raise ValueError(operation["path"])
