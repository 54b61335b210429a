"""`images`: names, tags and digests of container images.

Each rule goes over containers at any depth of any kind, and then over the fields of the configuration, as Kustomize's two
filters do; a `tagSuffix` is therefore added twice where both reach, as Kustomize does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.tree import Map, Seq
from reconciler.render.fieldspec import FieldSpec, holders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.model.origin import Origin
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization

KEYS: Final = ("newName", "newTag", "digest", "tagSuffix")
_LITERAL: Final = re.compile(r"[A-Za-z0-9/:_-]*")
_VERSION: Final = r"(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One entry: a pattern of a name, and what becomes of images that it fits."""

    name: str
    pattern: re.Pattern[str]
    new: dict[str, str]
    origin: Origin

    def fits(self, image: str) -> bool:
        """Whether an image has the name; cheap for most that have not."""
        return (not _LITERAL.fullmatch(self.name) or image.startswith(self.name)) and bool(
            self.pattern.fullmatch(image)
        )


def carry_out(made: Kustomization, items: Iterable[Item], specs: Sequence[FieldSpec]) -> None:
    """Rewrite the images of `images`; `specs` are the fields beside the containers."""
    rules = [_rule(made, field, index, entry) for field in ("images", "imageTags") for index, entry in made.maps(field)]
    if not rules:
        return
    specs = [replace(spec, create=False) for spec in specs]
    for item in items:
        if item.gvk.kind == "CustomResourceDefinition":
            continue
        containers = list(_containers(item.body))
        fields = [spec for spec in specs if spec.fits(item.gvk)]
        for rule in rules:
            for container in containers:
                _rewrite(rule, container, "image")
            for spec in fields:
                for node, key in holders(item.body, spec, None):
                    _rewrite(rule, node, key)


def _rule(made: Kustomization, field: str, index: int, entry: Map) -> _Rule:
    name = entry.get("name")
    if not isinstance(name, str):
        raise made.error(f"{field}[{index}] needs a name", field, index)
    for key in entry:
        if key not in ("name", *KEYS):
            raise made.error(f"{field}[{index}] has an unknown key {key}", field, index, key)
    try:
        pattern = re.compile(f"{name}{_VERSION}")
    except re.error as error:
        raise made.error(f"{field}[{index}].name {name!r} is no regular expression: {error}", field, index) from error
    new = {key: entry[key] for key in KEYS if entry.get(key)}
    cause = next((key for key in ("newTag", "digest", "newName", "tagSuffix") if key in new), "name")
    return _Rule(name, pattern, new, made.caused("images", field, index, cause))


def _rewrite(rule: _Rule, holder: Map, field: str) -> None:
    image = holder.get(field)
    if not isinstance(image, str) or not rule.fits(image):
        return
    name, tag, digest = split(image)
    new = rule.new
    if "newTag" in new or "digest" in new:
        tag, digest = new.get("newTag", ""), new.get("digest", "")
    elif "tagSuffix" in new:
        tag, digest = tag + new["tagSuffix"], ""
    fresh = new.get("newName", name) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    if fresh != image:
        holder.put(field, fresh, rule.origin)


def split(image: str) -> tuple[str, str, str]:
    """Return the name, tag and digest of an image; "" for what it does not have."""
    slash = max(image.find("/"), 0)
    name, _, digest = image.partition("@") if "@" in image[slash:] else (image, "", "")
    colon = name.find(":", slash)
    return (name, "", digest) if colon < 0 else (name[:colon], name[colon + 1 :], digest)


def _containers(node: Any) -> Iterator[Map]:
    if isinstance(node, Map):
        for key, value in node.items():
            if isinstance(value, Map | Seq):
                yield from _containers(value)
                if key in ("containers", "initContainers") and isinstance(value, Seq):
                    yield from (item for item in value if isinstance(item, Map))
    elif isinstance(node, Seq):
        for value in node:
            yield from _containers(value)
