"""The JSON Schema of environment.yaml, made from the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from reconciler.environment.models import Environment

SHIPPED: Final = Path(__file__).with_name("environment.schema.json")
"""The schema as it is shipped for editors; `make reference` writes it."""


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of environment.yaml."""
    made = Environment.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://reconciler.dev/schema/v1alpha1/environment.json",
        **made,
    }
