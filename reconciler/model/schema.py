"""The shape of a kind as its API server defines it: types, list semantics, defaults.

Made from OpenAPI v3 documents and from the CRDs of the same plan by `plan.openapi`; read by comparison and prediction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""Stands where a schema gives no default (None is a value)."""


class Type(StrEnum):
    """What a value may be. INT_OR_STRING and what follows are strings or numbers with an equality of their own."""

    OBJECT = "object"
    ARRAY = "array"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    INT_OR_STRING = "int-or-string"
    QUANTITY = "quantity"
    BYTES = "bytes"
    TIME = "time"
    DURATION = "duration"
    ANY = "any"


class ListType(StrEnum):
    """`x-kubernetes-list-type`."""

    ATOMIC = "atomic"
    SET = "set"
    MAP = "map"


_NO_FIELDS: Final = frozenset(("apiVersion", "kind", "status"))


@dataclass(frozen=True, slots=True)
class Schema:
    """One node of a kind's schema."""

    type: Type = Type.ANY
    properties: Mapping[str, Schema] = field(default_factory=dict)
    values: Schema | None = None  # additionalProperties of a map
    items: Schema | None = None
    list_type: ListType = ListType.ATOMIC
    list_keys: tuple[str, ...] = ()
    atomic: bool = False  # x-kubernetes-map-type: atomic
    required: tuple[str, ...] = ()
    enforced: bool = False  # of a built-in kind: an object without its required fields is refused
    default: Any = MISSING
    preserve_unknown: bool = False
    nullable: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)  # constraints beyond the type, by their OpenAPI keyword
    status_apart: bool = True  # of a whole kind: its status is a subresource, which an apply does not touch

    @property
    def no_fields(self) -> frozenset[str]:
        """The keys of a whole object that are no fields which git could set."""
        return _NO_FIELDS if self.status_apart else _NO_FIELDS - {"status"}

    def child(self, key: str) -> Schema:
        """Return the schema of a map entry; ANY where the schema does not say."""
        return self.properties.get(key) or self.values or ANYTHING


ANYTHING: Final = Schema(preserve_unknown=True)
"""The schema of a value of which nothing is known."""
