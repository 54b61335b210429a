"""`sortOptions`: the order of output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.render.item import mapping
from reconciler.render.kinds import rank

if TYPE_CHECKING:
    from reconciler.model.identity import GroupVersionKind
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization

ORDERS: Final = ("fifo", "legacy")


def ordered(made: Kustomization, items: list[Item]) -> list[Item]:
    """Return objects in the order that a kustomization asks for; Kustomize's own where it asks for none."""
    options = mapping(made.body.get("sortOptions"))
    order = options.get("order", "legacy")
    if order not in ORDERS:
        raise made.error(f"sortOptions.order is {order}", "sortOptions", hint="expected fifo or legacy")
    if order == "fifo":
        if "legacySortOptions" in options:
            hint = "take it out, or sort by legacy"
            raise made.error("sortOptions.legacySortOptions is set, but the order is fifo", "sortOptions", hint=hint)
        return items
    legacy = mapping(options.get("legacySortOptions"))
    if not legacy:
        return sorted(items, key=lambda item: _legacy(item, rank(item.gvk.kind)))
    first, last = (tuple(map(str, legacy.get(key) or ())) for key in ("orderFirst", "orderLast"))
    return sorted(items, key=lambda item: _legacy(item, rank(item.gvk.kind, first, last)))


def _legacy(item: Item, place: int) -> tuple[object, ...]:
    gvk: GroupVersionKind = item.gvk
    name = str(item.metadata.get("name") or "")
    group = gvk.group or ("" if gvk.kind == "Namespace" else "~G")  # Kubernetes' own Namespaces are the first
    return (place, f"{group}_{gvk.version}_{gvk.kind}", item.namespace or "~X", name)
