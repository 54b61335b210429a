"""The shape of values as OpenAPI v3 describes it: what is a keyed list, a set, an atom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Raw = dict[str, Any]

REF: Final = "#/components/schemas/"
KEY_DEFAULTS: Final = {"protocol": "TCP"}


@dataclass(frozen=True, slots=True)
class Shape:
    """One node of a schema, with the named schemas that it may refer to."""

    raw: Raw = field(default_factory=dict)
    named: Mapping[str, Raw] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether anything is known of the value."""
        return bool(self.raw)

    @property
    def atomic(self) -> bool:
        """Whether the value is owned as a whole."""
        if self.raw.get("type") == "array":
            return self.list_type == "atomic"
        return self.raw.get("x-kubernetes-map-type") == "atomic"

    @property
    def list_type(self) -> str:
        """`map`, `set` or `atomic`."""
        return str(self.raw.get("x-kubernetes-list-type", "atomic"))

    @property
    def is_map(self) -> bool:
        """Whether the value is a map with keys of the user's choice."""
        return "additionalProperties" in self.raw

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that must be there."""
        return tuple(self.raw.get("required", ()))

    def child(self, key: str) -> Shape:
        """Return the shape of a map entry."""
        found = (self.raw.get("properties") or {}).get(key)
        if found is None:
            more = self.raw.get("additionalProperties")
            found = more if isinstance(more, dict) else {}
        return self._resolved(found)

    def declares(self, key: str) -> bool:
        """Whether a map entry of that name may be there."""
        open_ended = self.raw.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in self.raw
        return not self.raw.get("properties") or bool(open_ended) or key in self.raw["properties"]

    def item(self) -> Shape:
        """Return the shape of a list's elements."""
        return self._resolved(self.raw.get("items") or {})

    def key_of(self, element: Any) -> dict[str, Any]:
        """Return the key fields of an element of a keyed list, missing ones completed with their defaults."""
        item = self.item()
        return {key: element.get(key, item.default_of(key)) for key in self.raw["x-kubernetes-list-map-keys"]}

    def default_of(self, key: str) -> Any:
        """Return the default of a key field."""
        return self.child(key).raw.get("default", KEY_DEFAULTS.get(key))

    def accepts(self, value: Any) -> bool:
        """Whether a value is of the declared type (containers and plain strings, numbers and truth values only)."""
        types: dict[str, tuple[type, ...]] = {
            "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
        }  # fmt: skip
        if self.raw.get("format") == "int-or-string" or self.raw.get("x-kubernetes-int-or-string"):
            return True
        wanted = types.get(str(self.raw.get("type")))
        return value is None or wanted is None or "oneOf" in self.raw or isinstance(value, wanted)

    def _resolved(self, raw: Raw) -> Shape:
        if len(raw.get("allOf", ())) == 1:
            raw = {**raw["allOf"][0], **{key: value for key, value in raw.items() if key != "allOf"}}
        if "$ref" in raw:
            raw = {**self.named.get(raw["$ref"].removeprefix(REF), {}), **raw}
        return Shape(raw, self.named)
