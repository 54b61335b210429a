"""The findings of a preflight, as text and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from reconciler.report.canvas import one_line
from reconciler.report.document import origin_document, request_document
from reconciler.report.text import place, request_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from reconciler.model.preflight import Finding, Preflight

STYLES = {"blocker": "bold red", "warning": "yellow"}


def draw_preflight(console: Console, found: Preflight, requests: Mapping[str, int]) -> None:
    """Draw each finding with its line of git, then how many there are."""
    toward = f", on the way to {found.target}" if found.target else ""
    console.print(f"environment {found.environment}: Kubernetes {found.version}, {found.nodes} nodes{toward}")
    for item in found.findings:
        console.print()
        told = Text.assemble((f"{item.severity} ", STYLES[item.severity]), f"[{item.check}] ", (item.about, "bold"))
        console.print(Text.assemble(told, f": {one_line(item.message)}", (place(item.origin), "dim")))
        if item.hint:
            console.print(f"  {item.hint}", style="dim")
    for text in found.unread:
        console.print(Text.assemble(("\nnot looked at: ", "yellow"), text))
    blockers = sum(item.severity == "blocker" for item in found.findings)
    console.print()
    console.print(f"{blockers} blockers, {len(found.findings) - blockers} warnings", style="bold")
    console.print(request_line(requests), style="dim")


def preflight_document(found: Preflight, requests: Mapping[str, int]) -> dict[str, Any]:
    """Return the findings as a document."""
    return {
        "environment": found.environment,
        "version": found.version,
        "target": found.target or None,
        "nodes": found.nodes,
        "findings": [finding_document(item) for item in found.findings],
        "unread": list(found.unread),
        "requests": request_document(requests),
    }


def finding_document(item: Finding) -> dict[str, Any]:
    """Return one finding as a document."""
    return {
        "check": item.check,
        "severity": item.severity,
        "about": item.about,
        "message": item.message,
        "hint": item.hint or None,
        "origin": origin_document(item.origin, {}),
    }
