"""Documents to stdout: exactly one, and nothing else."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import orjson

from reconciler import yaml


def print_document(document: Any, output: str) -> None:
    """Print a document as JSON or YAML."""
    if output == "json":
        print_data(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        print_data(yaml.dump(document))


def print_data(text: str) -> None:
    """Print what programs read: in UTF-8, whatever people read here."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.stdout.write(text)


def print_warnings(warnings: tuple[str, ...]) -> None:
    """Print warnings to stderr."""
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}\n")
