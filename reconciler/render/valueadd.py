"""`ValueAddTransformer`: one value put into fields of objects, or into a path or URL that a field holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import yaml
from reconciler.errors import ConfigError, RenderError
from reconciler.model.origin import Source
from reconciler.model.tree import Map
from reconciler.render.fieldspec import FieldSpec, holders
from reconciler.render.item import mapping, sequence
from reconciler.render.selectors import Selector, SelectorInvalid

if TYPE_CHECKING:
    from reconciler.model.origin import Origin
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization, Load


def carry_out(config: Kustomization, items: list[Item], load: Load) -> None:
    """Put the value where the targets say."""
    value = str(config.body.get("value") or "")
    targets = list(config.entries("targets"))
    if isinstance(config.body.get("targetFilePath"), str):
        where, content = load(config.body["targetFilePath"], ("targetFilePath",))
        try:
            documents = yaml.parse(content, Source(where, config.directory))
        except ConfigError as error:
            raise RenderError(error.problems) from error
        targets += [entry for document in documents for entry in sequence(mapping(document).get("targets"))]
    origin = config.caused("valueAdd", "value")
    for target in targets:
        try:
            _one(mapping(target), items, value, origin)
        except SelectorInvalid as error:
            raise config.error(f"a selector is wrong: {error}", "targets") from error


def _one(target: Map, items: list[Item], value: str, origin: Origin) -> None:
    select = Selector.of(mapping(target.get("selector")))
    exclude = Selector.of(target["notSelector"]) if isinstance(target.get("notSelector"), Map) else None
    path, position = str(target.get("fieldPath") or ""), target.get("filePathPosition")
    for item in items:
        if not select.matches(item) or (exclude is not None and exclude.matches(item)):
            continue
        if path == "metadata/namespace" and position is None:
            item.metadata.put("namespace", value, origin)
            continue
        for node, key in holders(item.body, FieldSpec(path, create=True), origin):
            node.put(key, value if position is None else _placed(node.get(key), value, position), origin)


def _placed(old: Any, value: str, position: Any) -> str:
    """Return a path with the value at a position; 0 is before the first part, and leading slashes and schemes stay."""
    parts = str(old or "").split("/")
    count = position if isinstance(position, int) else 0
    offset = next((index for index, part in enumerate(parts) if part), 0) if str(old or "").startswith("/") else 0
    at = max(count - 1, 0) + offset if count > 0 else offset
    return "/".join((*parts[:at], value, *parts[at:]))
