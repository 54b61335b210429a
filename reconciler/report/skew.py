"""Two environments side by side, as text and as a document."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from reconciler.report.canvas import one_line
from reconciler.report.document import id_document, origin_document
from reconciler.report.text import place, shown

if TYPE_CHECKING:
    from rich.console import Console

    from reconciler.model.skew import FieldSkew, ObjectSkew, Side, Skew


def draw_skew(console: Console, skew: Skew) -> None:
    """Draw what differs by component, then which layers make the differences."""
    console.print(Text.assemble((f"- {skew.left}", "red"), "  ", (f"+ {skew.right}", "green")))
    if skew.settings:
        console.print("\nenvironment.yaml", style="bold")
        for field in skew.settings:
            _draw_field(console, field, "  ")
    by_component: dict[str, list[ObjectSkew]] = defaultdict(list)
    for item in skew.objects:
        by_component[item.right or item.left].append(item)
    for component, items in by_component.items():
        console.print(f"\n{component}", style="bold")
        for item in items:
            _draw_object(console, item)
    console.print()
    for layer, count in skew.layers.items():
        console.print(f"{count:5} by {layer}", style="dim")
    only = [sum(1 for item in skew.objects if item.only == side) for side in ("left", "right")]
    differ = len(skew.objects) - sum(only)
    counts = (
        f"{differ} objects differ, {only[0]} only in {skew.left}, {only[1]} only in {skew.right}, {skew.same} the same"
    )
    console.print(f"{counts}, {len(skew.settings)} settings differ", style="bold")


def skew_document(skew: Skew) -> dict[str, Any]:
    """Return what differs as a document; a side that has no such field is null."""
    return {
        "left": skew.left,
        "right": skew.right,
        "settings": [_field(item) for item in skew.settings],
        "objects": [
            {
                "id": id_document(item.id),
                "only": item.only or None,
                "components": {"left": item.left or None, "right": item.right or None},
                "origin": origin_document(item.origin, {}),
                "fields": [_field(field) for field in item.fields],
            }
            for item in skew.objects
        ],
        "same": skew.same,
        "layers": skew.layers,
    }


def _draw_object(console: Console, item: ObjectSkew) -> None:
    name = one_line(str(item.id))
    if item.only:
        sign, style = ("-", "red") if item.only == "left" else ("+", "green")
        console.print(Text.assemble("  ", (f"{sign} {name}", style), (place(item.origin), "dim")))
        return
    moved = f"  component {item.left} | {item.right}" if item.left != item.right else ""
    console.print(Text.assemble("  ", (f"~ {name}", "yellow"), moved))
    for field in item.fields:
        _draw_field(console, field, "      ")


def _draw_field(console: Console, field: FieldSkew, indent: str) -> None:
    console.print(f"{indent}{one_line(field.path)}")
    for sign, style, side in (("-", "red", field.left), ("+", "green", field.right)):
        if side.given:
            console.print(
                Text.assemble(indent, ("  " + f"{sign} {shown(side.value)}", style), (place(side.origin), "dim"))
            )


def _field(field: FieldSkew) -> dict[str, Any]:
    return {"path": field.path, "left": _side(field.left), "right": _side(field.right), "layers": list(field.layers)}


def _side(side: Side) -> dict[str, Any] | None:
    return {"value": side.value, "origin": origin_document(side.origin, {})} if side.given else None
