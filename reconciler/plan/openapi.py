"""Schemas of kinds, from the server's OpenAPI v3 documents and from CustomResourceDefinitions in git.

Nodes are made when they are first looked at: the schema of a Deployment has some thousand of them, and the one of a
CustomResourceDefinition contains itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.model.identity import GroupVersionKind
from reconciler.model.schema import ANYTHING, MISSING, ListType, Schema, Type
from reconciler.plan import constraints
from reconciler.plan.enforced import ENFORCED

Raw = Mapping[str, Any]

_FORMATS: Final = {
    "byte": Type.BYTES,
    "date-time": Type.TIME,
    "duration": Type.DURATION,
    "int-or-string": Type.INT_OR_STRING,
}
_TYPES: Final = {str(item): item for item in Type}
_NAMED: Final = {".api.resource.Quantity": Type.QUANTITY, ".meta.v1.Duration": Type.DURATION}
"""Components whose documents only say that they are strings, by the end of their name."""

_FILLED_IN: Final[dict[str, Raw]] = {
    # Defaults that Kubernetes fills in by code, so that no document tells them, where they are inside atomic values.
    "core.v1.ObjectFieldSelector": {"apiVersion": "v1"},
    "core.v1.PersistentVolumeClaim": {"apiVersion": "v1", "kind": "PersistentVolumeClaim"},
    "core.v1.PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    "core.v1.PersistentVolumeClaimStatus": {"phase": "Pending"},
    "core.v1.ResourceFieldSelector": {"divisor": "0"},
    "core.v1.ServiceAccountTokenProjection": {"expirationSeconds": 3600},
    "networking.v1.NetworkPolicyPort": {"protocol": "TCP"},
    "batch.v1.PodFailurePolicyOnPodConditionsPattern": {"status": "True"},
    "rbac.v1.Subject": {"apiGroup": "rbac.authorization.k8s.io"},
    **{
        f"admissionregistration.v1.{name}": {"scope": "*", "matchPolicy": "Equivalent"}
        | {"namespaceSelector": {}, "objectSelector": {}}
        for name in ("RuleWithOperations", "NamedRuleWithOperations", "MatchResources")
    },
}
"""Component (`io.k8s.api.` left out), its properties and their defaults."""


class Schemas:
    """The schemas of one run, each made once."""

    def __init__(self, documents: Mapping[str, Raw], definitions: tuple[Raw, ...] = ()) -> None:
        """Read from documents by group/version (`v1`, `apps/v1`), then from definitions for what they do not hold."""
        self._documents = {group_version: _Document(document) for group_version, document in documents.items()}
        self._definitions = _defined(definitions)
        self._made: dict[GroupVersionKind, Schema | None] = {}

    def find(self, gvk: GroupVersionKind) -> Schema | None:
        """Return the schema of a kind; None where neither the server nor git tells it."""
        if gvk not in self._made:
            self._made[gvk] = self._make(gvk)
        return self._made[gvk]

    def of(self, gvk: GroupVersionKind) -> Schema:
        """Return the schema of a kind, or the one that allows anything."""
        return self.find(gvk) or ANYTHING

    def defined(self, gvk: GroupVersionKind) -> Schema | None:
        """Return the schema of a kind as its definition in git has it, whatever the server says; None without one."""
        return _Document({}).node(self._definitions[gvk]) if gvk in self._definitions else None

    def _make(self, gvk: GroupVersionKind) -> Schema | None:
        document = self._documents.get(gvk.api_version)
        found = document.kind(gvk) if document is not None else None
        return found if found is not None else self.defined(gvk)


class _Document:
    """One OpenAPI v3 document, its components made on demand."""

    def __init__(self, document: Raw) -> None:
        self._components: Raw = document.get("components", {}).get("schemas", {})
        self._made: dict[str, Schema] = {}
        self._names: dict[GroupVersionKind, str] | None = None

    def kind(self, gvk: GroupVersionKind) -> Schema | None:
        if self._names is None:
            self._names = {
                GroupVersionKind(item["group"], item["version"], item["kind"]): name
                for name, raw in self._components.items()
                for item in raw.get("x-kubernetes-group-version-kind", ())
            }
        name = self._names.get(gvk)
        return None if name is None else self._component(name)

    def _component(self, name: str) -> Schema:
        if name not in self._made:
            raw = _completed(name, self._components.get(name))
            known = next((kind for end, kind in _NAMED.items() if name.endswith(end)), None)
            if known is not None:
                self._made[name] = Schema(known)
            else:
                made = ANYTHING if raw is None else self.node(raw)
                self._made[name] = replace(made, enforced=True) if name in ENFORCED else made
        return self._made[name]

    def node(self, raw: Raw) -> Schema:
        """Return one node; its properties are made when they are asked for."""
        reference = raw.get("$ref") or _only_reference(raw)
        if reference is not None:
            return _overridden(self._component(reference.rpartition("/")[2]), raw)
        properties, values, items = raw.get("properties", {}), raw.get("additionalProperties"), raw.get("items")
        kind = _type(raw)
        return Schema(
            kind,
            properties=_Properties(properties, self.node) if properties else {},
            values=(self.node(values) if isinstance(values, Mapping) else ANYTHING) if values else None,
            items=self.node(items) if isinstance(items, Mapping) else None,
            list_type=ListType(raw.get("x-kubernetes-list-type", "atomic")),
            list_keys=tuple(raw.get("x-kubernetes-list-map-keys", ())),
            atomic=raw.get("x-kubernetes-map-type") == "atomic",
            required=tuple(raw.get("required", ())),
            default=raw.get("default", MISSING),
            preserve_unknown=bool(raw.get("x-kubernetes-preserve-unknown-fields"))
            or (kind in (Type.OBJECT, Type.ANY) and not properties and not values),
            nullable=bool(raw.get("nullable")),
            asked=constraints.of(raw),
        )


class _Properties(Mapping[str, Schema]):
    """The properties of a node, each made when it is first looked at."""

    __slots__ = ("_made", "_node", "_raw")

    def __init__(self, raw: Raw, node: Callable[[Raw], Schema]) -> None:
        self._raw, self._node = raw, node
        self._made: dict[str, Schema] = {}

    def __getitem__(self, key: str) -> Schema:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._node(self._raw[key])
        return found

    def get(self, key: str, default: Any = None) -> Any:
        found = self._made.get(key)
        if found is not None:
            return found
        return self[key] if key in self._raw else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _completed(name: str, raw: Raw | None) -> Raw | None:
    defaults = _FILLED_IN.get(name.removeprefix("io.k8s.api."))
    if raw is None or defaults is None:
        return raw
    properties = {
        key: {**item, "default": defaults[key]} if key in defaults else item for key, item in raw["properties"].items()
    }
    return {**raw, "properties": properties}


def _only_reference(raw: Raw) -> str | None:
    parts: list[Raw] = raw.get("allOf") or []
    reference = parts[0].get("$ref") if len(parts) == 1 else None
    return reference if isinstance(reference, str) else None


def _overridden(found: Schema, raw: Raw) -> Schema:
    """Return a component with what a field that refers to it says of itself: `claimRef` of a PersistentVolume is granular."""
    if "default" in raw:
        found = replace(found, default=raw["default"])
    if "x-kubernetes-map-type" in raw:
        found = replace(found, atomic=raw["x-kubernetes-map-type"] == "atomic")
    return found


def _type(raw: Raw) -> Type:
    if raw.get("x-kubernetes-int-or-string"):
        return Type.INT_OR_STRING
    if raw.get("format") in _FORMATS:
        return _FORMATS[raw["format"]]
    implied = "object" if raw.get("properties") else "any"
    return _TYPES.get(raw.get("type", implied), Type.ANY)


def _defined(definitions: tuple[Raw, ...]) -> dict[GroupVersionKind, Raw]:
    found: dict[GroupVersionKind, Raw] = {}
    for body in definitions:
        spec = body.get("spec") or {}
        kind = (spec.get("names") or {}).get("kind", "")
        for version in spec.get("versions") or ():
            raw = (version.get("schema") or {}).get("openAPIV3Schema")
            if isinstance(raw, Mapping):
                found[GroupVersionKind(spec.get("group", ""), version.get("name", ""), kind)] = _rooted(raw)
    return found


def _rooted(raw: Raw) -> Raw:
    """Add what every root has and what definitions leave out."""
    always = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties = raw.get("properties") or {}
    return {**raw, "properties": {**always, **properties, "metadata": {"type": "object"}}}
