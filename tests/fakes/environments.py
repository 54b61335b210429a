"""Environments as tests describe them: from a document, without a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.environment.models import Environment, EnvironmentFile

if TYPE_CHECKING:
    from collections.abc import Mapping


def environment(name: str, spec: Mapping[str, Any]) -> Environment:
    """Return an environment of a name and what its file says under `spec`; raises msgspec.ValidationError."""
    document = {
        "apiVersion": "reconciler.dev/v1alpha1",
        "kind": "Environment",
        "metadata": {"name": name},
        "spec": spec,
    }
    read = msgspec.convert(document, EnvironmentFile)
    return Environment(read.metadata, read.spec)
