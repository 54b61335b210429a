"""Between what git declares and what Harbor holds, kind by kind: fields to content and back. Nothing is read or written here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Invalid
from reconciler.harbor.quantities import storage, storage_text
from reconciler.model.harbor import POLICY, PROJECT, REGISTRY, ROBOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.harbor.port import Item

Spec = dict[str, Any]
ROBOT_PREFIX: Final = "robot$"  # Harbor's default; the names that it tells begin with it
SWITCHES: Final[Mapping[str, str]] = {
    "public": "public",
    "preventVulnerable": "prevent_vul",
    "autoScan": "auto_scan",
    "autoSBOM": "auto_sbom_generation",
    "contentTrust": "enable_content_trust_cosign",
    "reuseSystemAllowlist": "reuse_sys_cve_allowlist",
}
"""A project's switches, and what Harbor calls them in its metadata, where they are texts."""

_POLICY: Final[Mapping[str, str]] = {
    "description": "description",
    "enabled": "enabled",
    "override": "override",
    "speedKb": "speed",
    "copyByChunk": "copy_by_chunk",
    "singleActiveReplication": "single_active_replication",
}
"""A policy's plain fields, and what Harbor calls them."""


@dataclass(frozen=True, slots=True)
class References:
    """What objects name each other by: the ids that Harbor gave to registries, and the storage that projects may use."""

    registries: Mapping[int, str] = field(default_factory=dict)
    quotas: Mapping[int, int] = field(default_factory=dict)

    def registry(self, name: str) -> int:
        """Return the id of a registry; raises Invalid where Harbor has none of this name."""
        for identity, known in self.registries.items():
            if known == name:
                return identity
        names = ", ".join(sorted(self.registries.values())) or "none"
        raise Invalid(f"Harbor has no registry {name}; it has {names}: declare a HarborRegistry of this name")


NOTHING: Final = References()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `shown` reads an object of Harbor's as fields, `content` writes fields as what is sent.

    `defaults` are the fields as they are where nobody has set them: what git drops goes back to these.
    """

    path: str
    id_key: str
    shown: Callable[[Item, References], Spec]
    content: Callable[[str, Spec, References], Item]
    defaults: Mapping[str, Any]

    def id_of(self, item: Item) -> int:
        """Return the id that Harbor gave to an object."""
        identity: int = item[self.id_key]
        return identity


def full_name(body: Mapping[str, Any]) -> str:
    """Return what an object is called in Harbor, without the prefix of robot accounts."""
    name: str = body["metadata"]["name"]
    spec = body.get("spec") or {}
    return f"{spec.get('project')}+{name}" if body["kind"] == ROBOT and spec.get("level") == "project" else name


def name_of(item: Item) -> str:
    """Return the name of an object of Harbor's, without the prefix of robot accounts."""
    name: str = item.get("name") or ""
    return name.removeprefix(ROBOT_PREFIX)


def _project_shown(item: Item, known: References) -> Spec:
    metadata = item.get("metadata") or {}
    spec: Spec = {name: metadata.get(key) == "true" for name, key in SWITCHES.items()}
    spec["severity"] = metadata.get("severity") or "none"
    spec["storageQuota"] = storage_text(known.quotas.get(item["project_id"], -1))
    if registry := item.get("registry_id"):
        spec["proxyCache"] = {"registry": known.registries.get(registry, f"number {registry}")}
        if metadata.get("proxy_speed_kb"):
            spec["proxyCache"]["speedKb"] = int(metadata["proxy_speed_kb"])
    return spec


def _project_content(name: str, spec: Spec, known: References) -> Item:
    metadata = {key: str(spec[name]).lower() for name, key in SWITCHES.items() if name in spec}
    if "severity" in spec:
        metadata["severity"] = spec["severity"]
    cache = spec.get("proxyCache") or {}
    if "speedKb" in cache:
        metadata["proxy_speed_kb"] = str(cache["speedKb"])
    content: Item = {"project_name": name, "metadata": metadata}
    if "storageQuota" in spec:
        content["storage_limit"] = storage(spec["storageQuota"])
    if "registry" in cache:
        content["registry_id"] = known.registry(cache["registry"])
    return content


def _registry_shown(item: Item, _: References) -> Spec:
    return {
        "type": item.get("type", ""),
        "url": item.get("url", ""),
        "insecure": bool(item.get("insecure")),
        "description": item.get("description") or "",
    }


def _registry_content(name: str, spec: Spec, _: References) -> Item:
    return {"name": name, **{key: value for key, value in spec.items() if key != "credentials"}}


def _policy_shown(item: Item, _: References) -> Spec:
    remote = item.get("dest_registry") or {}
    mode = "push" if remote.get("id") else "pull"
    remote = remote if mode == "push" else item.get("src_registry") or {}
    trigger = item.get("trigger") or {}
    spec: Spec = {name: item.get(key, _POLICY_DEFAULTS[name]) for name, key in _POLICY.items()}
    spec |= {"mode": mode, "registry": remote.get("name", ""), "trigger": {"type": trigger.get("type") or "manual"}}
    if cron := (trigger.get("trigger_settings") or {}).get("cron"):
        spec["trigger"]["cron"] = cron
    spec["replicateDeletion"] = bool(item.get("replicate_deletion", item.get("deletion")))
    spec["filters"] = [_filter_shown(found) for found in item.get("filters") or ()]
    spec["destination"] = {
        "namespace": item.get("dest_namespace") or "",
        "replaceCount": item.get("dest_namespace_replace_count", -1),
    }
    return spec


def _filter_shown(found: Item) -> Spec:
    value = found.get("value")
    spec: Spec = {"type": found.get("type"), **({"labels": value} if isinstance(value, list) else {"value": value})}
    return spec | ({"decoration": found["decoration"]} if found.get("decoration") else {})


def _policy_content(name: str, spec: Spec, known: References) -> Item:
    content: Item = {"name": name, **{key: spec[field] for field, key in _POLICY.items() if field in spec}}
    remote = "dest_registry" if spec.get("mode") == "push" else "src_registry"
    content[remote] = {"id": known.registry(spec["registry"])}
    trigger = spec.get("trigger") or {"type": "manual"}
    content["trigger"] = {"type": trigger["type"]}
    if trigger.get("cron"):
        content["trigger"]["trigger_settings"] = {"cron": trigger["cron"]}
    if "replicateDeletion" in spec:
        content |= {"replicate_deletion": spec["replicateDeletion"], "deletion": spec["replicateDeletion"]}
    content["filters"] = [
        {key: value for key, value in item.items() if key != "labels"}
        | ({"value": item["labels"]} if "labels" in item else {})
        for item in spec.get("filters") or ()
    ]
    destination = spec.get("destination") or {}
    content["dest_namespace"] = destination.get("namespace", "")
    content["dest_namespace_replace_count"] = destination.get("replaceCount", -1)
    return content


def _robot_shown(item: Item, _: References) -> Spec:
    permissions = [
        {"kind": found.get("kind"), "namespace": found.get("namespace"), "access": _access(found)}
        for found in item.get("permissions") or ()
    ]
    permissions.sort(key=lambda found: (str(found["kind"]), str(found["namespace"])))
    level = item.get("level") or "system"
    spec: Spec = {
        "level": level,
        "description": item.get("description") or "",
        "durationDays": item.get("duration", -1),
        "disabled": bool(item.get("disable")),
        "permissions": permissions,
    }
    return spec | ({"project": name_of(item).partition("+")[0]} if level == "project" else {})


def _access(permission: Item) -> list[Item]:
    found = [
        {"resource": item.get("resource"), "action": item.get("action")} for item in permission.get("access") or ()
    ]
    return sorted(found, key=lambda item: (str(item["resource"]), str(item["action"])))


def _robot_content(name: str, spec: Spec, _: References) -> Item:
    return {
        "name": name,
        "level": spec["level"],
        "duration": spec.get("durationDays", -1),
        "description": spec.get("description", ""),
        "disable": spec.get("disabled", False),
        "permissions": spec["permissions"],
    }


_POLICY_DEFAULTS: Final[Mapping[str, Any]] = {
    "description": "",
    "enabled": True,
    "override": False,
    "speedKb": 0,
    "copyByChunk": False,
    "singleActiveReplication": False,
    "replicateDeletion": False,
    "filters": [],
    "destination": {"namespace": "", "replaceCount": -1},
    "trigger": {"type": "manual"},
}
KINDS: Final[Mapping[str, Kind]] = {
    REGISTRY: Kind("/registries", "id", _registry_shown, _registry_content, {"insecure": False, "description": ""}),
    PROJECT: Kind(
        "/projects",
        "project_id",
        _project_shown,
        _project_content,
        {**dict.fromkeys(SWITCHES, False), "severity": "none", "storageQuota": "-1"},
    ),
    POLICY: Kind("/replication/policies", "id", _policy_shown, _policy_content, _POLICY_DEFAULTS),
    ROBOT: Kind(
        "/robots",
        "id",
        _robot_shown,
        _robot_content,
        {"description": "", "durationDays": -1, "disabled": False},
    ),
}
