"""Documents to stdout: exactly one, and nothing else."""

from __future__ import annotations

import sys
from typing import Any

import orjson

from reconciler import yaml


def print_document(document: Any, output: str) -> None:
    """Print a document as JSON or YAML."""
    if output == "json":
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(yaml.dump(document))


def print_warnings(warnings: tuple[str, ...]) -> None:
    """Print warnings to stderr."""
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}\n")
