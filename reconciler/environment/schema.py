"""The JSON Schemas of environment.yaml and of files of rules, made from the models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reconciler.environment.models import EnvironmentFile
from reconciler.environment.rules import RuleSet

if TYPE_CHECKING:
    from reconciler.environment.models import Strict

SHIPPED: Final = Path(__file__).with_name("environment.schema.json")
"""The schema of environment.yaml as it is shipped for editors; `make reference` writes it."""

SHIPPED_RULES: Final = Path(__file__).with_name("rules.schema.json")
"""The schema of files of rules as it is shipped for editors; `make reference` writes it."""


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of environment.yaml."""
    return _schema(EnvironmentFile, "environment")


def rules_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of files of rules."""
    return _schema(RuleSet, "rules")


def _schema(model: type[Strict], name: str) -> dict[str, Any]:
    _, parts = msgspec.json.schema_components([model], ref_template="#/$defs/{name}")
    root = parts.pop(model.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://reconciler.dev/schema/v1alpha1/{name}.json",
        **root,
        "title": root["properties"]["kind"]["enum"][0],
        "$defs": parts,
    }
