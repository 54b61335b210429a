"""What Kustomize knows of Kubernetes' types: facts of its version 5.8.1 as data, written by hack/kustomize-tables."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def _read(name: str) -> Any:
    return json.loads((_HERE / f"{name}.json").read_text())


@cache
def merge_keys() -> dict[str, Any]:
    """Return the kinds with their types, and the lists of each type that strategic merge patches merge."""
    found: dict[str, Any] = _read("merge_keys")
    return found


@cache
def scopes() -> dict[str, bool]:
    """Return for each kind that Kustomize knows, as `apiVersion/kind`, whether it has namespaces."""
    found: dict[str, bool] = _read("scopes")
    return found


@cache
def field_specs() -> dict[str, Any]:
    """Return the fields that each step changes where no configuration says otherwise."""
    found: dict[str, Any] = _read("field_specs")
    return found
