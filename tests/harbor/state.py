"""What a test Harbor holds, and the rules that Harbor 2.15 has for it, after its published handlers and controllers.

It is not Harbor. It knows projects, quotas, registries, replication policies and robot accounts, as far as declared objects
use them; it has no scanner, no web page and no schedule.
"""

from __future__ import annotations

import itertools
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Item = dict[str, Any]
TYPES: Final = frozenset(
    [
        "ali-acr",
        "aws-ecr",
        "azure-acr",
        "docker-hub",
        "docker-registry",
        "github-ghcr",
        "gitlab",
        "google-gcr",
        "harbor",
        "huawei-SWR",
        "jfrog-artifactory",
        "quay",
        "tencent-tcr",
        "volcengine-cr",
    ]
)
PROXIED: Final = frozenset(
    [
        "docker-hub",
        "harbor",
        "azure-acr",
        "ali-acr",
        "aws-ecr",
        "google-gcr",
        "docker-registry",
        "github-ghcr",
        "jfrog-artifactory",
        "quay",
    ]
)
SWITCHES: Final = frozenset(
    [
        "public",
        "enable_content_trust",
        "enable_content_trust_cosign",
        "prevent_vul",
        "auto_scan",
        "auto_sbom_generation",
        "reuse_sys_cve_allowlist",
    ]
)
PROJECT_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
ROBOT_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
PREFIX: Final = "robot$"


class Refused(Exception):
    """An answer that is an error: status, Harbor's code, words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def bad(message: str) -> Refused:
    """Return what is wrong with a request."""
    return Refused(400, "BAD_REQUEST", message)


def missing(message: str) -> Refused:
    """Return the answer for what is not there."""
    return Refused(404, "NOT_FOUND", message)


def moment(*, days: int = 0) -> str:
    """Return a time of now as Harbor writes it."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class State:
    """All that one Harbor holds; it outlives a restart of its server."""

    admin: str = "Harbor-Admin-1"  # "" before Harbor has been told: it does not answer yet
    projects: dict[int, Item] = field(default_factory=dict)
    repositories: dict[int, dict[str, dict[str, bytes]]] = field(default_factory=dict)  # project, name, tag
    quotas: dict[int, Item] = field(default_factory=dict)
    registries: dict[int, Item] = field(default_factory=dict)
    policies: dict[int, Item] = field(default_factory=dict)
    robots: dict[int, Item] = field(default_factory=dict)
    executions: dict[int, Item] = field(default_factory=dict)
    tasks: dict[int, list[Item]] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    storage_per_project: int = -1

    def account(self, name: str, password: str) -> bool:
        """Whether an account may come in."""
        if name == "admin":
            return password == self.admin
        robots = (item for item in self.robots.values() if PREFIX + item["name"] == name)
        return any(item["secret"] == password and not item["disable"] for item in robots)

    # Projects and quotas

    def project(self, key: str) -> Item:
        """Return a project by its id or its name."""
        for identity, item in self.projects.items():
            if key in (str(identity), item["name"]):
                return item
        raise missing(f"project {key} not found")

    def told_project(self, item: Item) -> Item:
        """Return a project as it is answered."""
        return {**item, "repo_count": len(self.repositories[item["project_id"]])}

    def create_project(self, content: Item) -> int:
        """Make a project (handler/project.go: CreateProject)."""
        name, registry = content.get("project_name") or "", content.get("registry_id")
        metadata = {"public": "false", **(content.get("metadata") or {})}
        if not PROJECT_NAME.fullmatch(name):
            raise bad(f"project name {name} is not in lower case or contains illegal characters")
        self._switches(metadata)
        if registry is not None:
            if registry not in self.registries:
                raise missing(f"failed to get the registry {registry}: registry {registry} not found")
            if self.registries[registry]["type"] not in PROXIED:
                raise bad(f"unsupported registry type {self.registries[registry]['type']}")
        else:
            metadata.pop("proxy_speed_kb", None)
        if any(item["name"] == name for item in self.projects.values()):
            raise Refused(409, "CONFLICT", f"The project named {name} already exists")
        identity, now = next(self.ids), moment()
        self.projects[identity] = {
            "project_id": identity,
            "name": name,
            "owner_id": 1,
            "owner_name": "admin",
            "registry_id": registry,
            "metadata": metadata,
            "creation_time": now,
            "update_time": now,
        }
        self.repositories[identity] = {}
        limit = content.get("storage_limit") or self.storage_per_project
        quota = next(self.ids)
        self.quotas[quota] = {
            "id": quota,
            "ref": {"id": identity, "name": name, "owner_name": "admin"},
            "hard": {"storage": limit},
            "used": {"storage": 0},
            "creation_time": now,
            "update_time": now,
        }
        return identity

    def update_project(self, key: str, content: Item) -> None:
        """Change a project's metadata: what is not sent stays."""
        item = self.project(key)
        self._switches(content.get("metadata") or {})
        item["metadata"] |= content.get("metadata") or {}
        item["update_time"] = moment()

    def delete_project(self, key: str) -> None:
        """Delete a project without repositories, its robot accounts and its quota."""
        item = self.project(key)
        identity = item["project_id"]
        if self.repositories[identity]:
            raise Refused(412, "PRECONDITION", "the project contains repositories, can not be deleted")
        del self.projects[identity], self.repositories[identity]
        for robot in [number for number, found in self.robots.items() if found["project_id"] == identity]:
            del self.robots[robot]
        for quota in [number for number, found in self.quotas.items() if found["ref"]["id"] == identity]:
            del self.quotas[quota]

    @staticmethod
    def _switches(metadata: Item) -> None:
        for key, value in metadata.items():
            if not isinstance(value, str):
                raise bad(f"metadata.{key} in body must be of type string")
            if key in SWITCHES and value not in ("true", "false"):
                raise bad(f"metadata.{key} should only be 'true' or 'false', but got: '{value}'")

    # Registries

    def checked_registry(self, content: Item) -> Item:
        """Return a registry's content if it is acceptable as it stands; whether it is healthy is asked elsewhere."""
        name = content.get("name") or ""
        if not 0 < len(name) <= 64:
            raise bad("name cannot be empty" if not name else "the max length of name is 64")
        if content.get("type") not in TYPES:
            raise bad(f"adapter factory for {content.get('type')} not found")
        if not re.match(r"https?://", content.get("url") or ""):
            raise bad(f"invalid URL: {content.get('url')}")
        return content

    def create_registry(self, content: Item) -> int:
        """Make a registry."""
        if any(item["name"] == content["name"] for item in self.registries.values()):
            raise Refused(409, "CONFLICT", f"registry {content['name']} already exists")
        identity, now = next(self.ids), moment()
        kept = {key: content.get(key) for key in ("name", "type", "url", "description", "credential")}
        self.registries[identity] = {
            **kept,
            "id": identity,
            "insecure": bool(content.get("insecure")),
            "description": content.get("description") or "",
            "status": "healthy",
            "creation_time": now,
            "update_time": now,
        }
        return identity

    @staticmethod
    def told_registry(item: Item) -> Item:
        """Return a registry as it is answered: never with what its account is secured by."""
        credential = item.get("credential")
        if not credential:
            return {key: value for key, value in item.items() if key != "credential"}
        return {
            **item,
            "credential": {**credential, **({"access_secret": "*****"} if credential.get("access_secret") else {})},
        }

    def delete_registry(self, identity: int) -> None:
        """Delete a registry that nothing refers to."""
        if identity not in self.registries:
            raise missing(f"registry {identity} not found")
        for policy in self.policies.values():
            if identity in (policy["src"], policy["dest"]):
                words = f"the registry {identity} is referenced by replication policies, cannot delete it"
                raise Refused(412, "PRECONDITION", words)
        if any(item["registry_id"] == identity for item in self.projects.values()):
            words = f"the registry {identity} is referenced by proxy cache project, cannot delete it"
            raise Refused(412, "PRECONDITION", words)
        del self.registries[identity]

    # Replication policies

    def checked_policy(self, content: Item, identity: int | None = None) -> Item:
        """Return a policy as it is kept: what is not sent becomes nothing, as PUT replaces all."""
        name = content.get("name") or ""
        source, target = ((content.get(key) or {}).get("id") or 0 for key in ("src_registry", "dest_registry"))
        if not name:
            raise bad("empty name")
        if bool(source) == bool(target):
            raise bad("either src_registry or dest_registry should be empty and the other one shouldn't be empty")
        if (source or target) not in self.registries:
            raise missing(f"registry {source or target} not found")
        if any(item["name"] == name and number != identity for number, item in self.policies.items()):
            raise Refused(409, "CONFLICT", f"policy {name} already exists")
        _check_trigger(content.get("trigger"))
        for item in content.get("filters") or ():
            _check_filter(item)
        return {
            "name": name,
            "description": content.get("description") or "",
            "src": source,
            "dest": target,
            "dest_namespace": content.get("dest_namespace") or "",
            "dest_namespace_replace_count": content.get("dest_namespace_replace_count", -1),
            "trigger": content.get("trigger"),
            "filters": content.get("filters") or [],
            "deletion": bool(content.get("replicate_deletion") or content.get("deletion")),
            "override": bool(content.get("override")),
            "enabled": bool(content.get("enabled")),
            "speed": content.get("speed") or 0,
            "copy_by_chunk": bool(content.get("copy_by_chunk")),
            "single_active_replication": bool(content.get("single_active_replication")),
        }

    def create_policy(self, content: Item) -> int:
        """Make a policy."""
        kept, identity = self.checked_policy(content), next(self.ids)
        self.policies[identity] = {**kept, "id": identity, "creation_time": moment(), "update_time": moment()}
        return identity

    def update_policy(self, identity: int, content: Item) -> None:
        """Replace a policy."""
        if identity not in self.policies:
            raise missing(f"the replication policy {identity} not found")
        self.policies[identity] |= {**self.checked_policy(content, identity), "update_time": moment()}

    def told_policy(self, item: Item) -> Item:
        """Return a policy as it is answered: Harbor itself is the registry with the id 0."""
        local = {
            "id": 0,
            "name": "Local",
            "type": "harbor",
            "url": "http://core:8080",
            "insecure": True,
            "status": "healthy",
        }
        told = {key: value for key, value in item.items() if key not in ("src", "dest")}
        ends = {
            name: self.told_registry(self.registries[item[key]]) if item[key] else local
            for name, key in (("src_registry", "src"), ("dest_registry", "dest"))
        }
        return {**told, **ends, "replicate_deletion": item["deletion"]}

    # Robot accounts

    def create_robot(self, content: Item) -> Item:
        """Make a robot account; its secret is in this answer only."""
        self._check_robot(content)
        name = content.get("name") or ""
        if not ROBOT_NAME.fullmatch(name):
            raise bad("robot name is not in lower case or contains illegal characters")
        owner = 0
        if content["level"] == "project":
            owner = self.project(content["permissions"][0]["namespace"])["project_id"]
            name = f"{self.projects[owner]['name']}+{name}"
        if any(item["name"] == name for item in self.robots.values()):
            raise Refused(409, "CONFLICT", f"robot account {name} already exists")
        identity, duration = next(self.ids), content.get("duration", 0) or 30
        self.robots[identity] = {
            "id": identity,
            "name": name,
            "description": content.get("description") or "",
            "level": content["level"],
            "project_id": owner,
            "duration": duration,
            "disable": bool(content.get("disable")),
            "permissions": content["permissions"],
            "secret": _secret(),
            "expires_at": -1 if duration == -1 else int((datetime.now(UTC) + timedelta(days=duration)).timestamp()),
            "creation_time": moment(),
            "update_time": moment(),
        }
        return self.robots[identity]

    def update_robot(self, identity: int, content: Item) -> None:
        """Replace what of a robot account may change."""
        item = self.robot(identity)
        self._check_robot(content)
        if content["level"] != item["level"] or content.get("name") != PREFIX + item["name"]:
            raise bad("cannot update the level or name of robot")
        item |= {
            "description": content.get("description") or "",
            "disable": bool(content.get("disable")),
            "duration": content["duration"],
            "permissions": content["permissions"],
            "update_time": moment(),
        }

    def refresh_robot(self, identity: int, content: Item) -> Item:
        """Give a robot account another secret, and tell it where it was made here."""
        item, given = self.robot(identity), content.get("secret") or ""
        if given and not (len(given) >= 8 and re.search("[a-z]", given) and re.search("[A-Z]", given)):
            words = (
                "the secret must longer than 8 chars with at least 1 uppercase letter, 1 lowercase letter and 1 number"
            )
            raise bad(words)
        item["secret"] = given or _secret()
        return {"secret": "" if given else item["secret"]}

    def robot(self, identity: int) -> Item:
        """Return a robot account as it is kept."""
        if identity not in self.robots:
            raise missing(f"robot with ID {identity} not found")
        return self.robots[identity]

    @staticmethod
    def told_robot(item: Item) -> Item:
        """Return a robot account as it is answered; permissions come in no order, as from a map of Go."""
        told = {key: value for key, value in item.items() if key not in ("secret", "project_id")}
        permissions = [
            {**found, "access": [{**access, "effect": "allow"} for access in reversed(found["access"])]}
            for found in reversed(item["permissions"])
        ]
        return {**told, "name": PREFIX + item["name"], "editable": True, "permissions": permissions}

    def _check_robot(self, content: Item) -> None:
        if content.get("level") not in ("system", "project"):
            raise bad(f"bad request error level input: {content.get('level')}")
        if not -1 <= content.get("duration", 0) < 2**31:
            raise bad(f"bad request error duration input: {content.get('duration')}")
        permissions = content.get("permissions") or []
        if not permissions or any(not item.get("access") for item in permissions):
            raise bad("bad request empty permission" if not permissions else "bad request empty access")
        if content["level"] == "project" and len(permissions) > 1:
            raise bad("bad request permission")
        for item in permissions:
            if item.get("kind") == "system" and item.get("namespace") != "/":
                raise bad("unknown namespace")
            if item.get("kind") == "project" and item.get("namespace") != "*":
                self.project(item["namespace"])


def _check_trigger(trigger: Item | None) -> None:
    kind = (trigger or {}).get("type")
    cron = ((trigger or {}).get("trigger_settings") or {}).get("cron") or ""
    if trigger and kind not in ("manual", "scheduled", "event_based"):
        raise bad("invalid trigger type")
    if kind == "scheduled" and len(cron.split()) != 6:
        raise bad(f"invalid cron string for scheduled trigger: {cron}")


def _check_filter(item: Item) -> None:
    kind, value = item.get("type"), item.get("value")
    if kind in ("resource", "name", "tag"):
        if not isinstance(value, str):
            raise bad("the type of filter value isn't string")
        if kind == "resource" and value not in ("image", "artifact"):
            raise bad(f"invalid resource filter: {value}")
        if kind != "tag" and item.get("decoration"):
            raise bad("only tag and label filter support decoration")
    elif kind == "label":
        if not isinstance(value, list):
            raise bad("the type of label filter value isn't string slice")
    else:
        raise bad("invalid filter type")


def _secret() -> str:
    return f"{secrets.token_hex(14)}aA1x"
