"""A plan kept in a file, to be applied later exactly as it is or not at all.

The file holds what is needed to notice that something moved, and to say what: the cluster, and per object its action, its uid
and salted digests of what git wants and of each field that changes. It holds no value of any field, so nothing secret can
leak from it. A checksum tells a file that was cut off or edited.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from reconciler.errors import ConfigError, UnsafePlan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.plan import Plan

API_VERSION = "reconciler.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as it was kept, of the cluster whose namespace kube-system has a uid ("" where that is not known).

    `objects` maps an object's text to its action, uid, salted digest, and salted digests of both sides of its fields.
    """

    environment: str
    revision: str | None
    plan: str
    cluster: str
    salt: str
    objects: dict[str, dict[str, Any]]


def text(plan: Plan, cluster: str) -> str:
    """Return what is kept of a plan of a cluster."""
    salt = secrets.token_hex(16)
    document = {
        "apiVersion": API_VERSION,
        "kind": "Plan",
        "environment": plan.environment,
        "revision": plan.revision,
        "plan": plan.id,
        "cluster": cluster,
        "summary": plan.summary,
        "salt": salt,
        "objects": _objects(plan, salt),
    }
    document["checksum"] = _checksum(document)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


def load(path: Path) -> SavedPlan:
    """Read a kept plan; raises ConfigError where the file is none."""
    try:
        document = orjson.loads(path.read_bytes())
        if document["apiVersion"] != API_VERSION or document["kind"] != "Plan":
            raise ConfigError(f"{path}: expected a plan written by `reconciler diff --save`, of {API_VERSION}")
        if document.pop("checksum") != _checksum(document):
            raise ConfigError(f"{path}: was changed after it was written: make it again with `reconciler diff --save`")
        return SavedPlan(*(document[key] for key in ("environment", "revision", "plan", "cluster", "salt", "objects")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: expected a plan written by `reconciler diff --save`") from error


def require_same(kept: SavedPlan, plan: Plan, cluster: str) -> None:
    """Raise UnsafePlan, telling what moved, unless the plan of now is the kept one, and of the same cluster."""
    if kept.cluster and cluster and kept.cluster != cluster:
        raise UnsafePlan(
            f"the kept plan {kept.plan} was made for another cluster (kube-system has uid {kept.cluster} there, {cluster} here); "
            "nothing was written: look at the context of environment.yaml or of --context"
        )
    if kept.plan == plan.id:
        return
    now = _objects(plan, kept.salt)
    moved = [
        f"  {name}: {line}"
        for name in sorted({*kept.objects, *now})
        for line in _moved(kept.objects.get(name), now.get(name))
    ]
    told = "\n".join(moved) or "  what the policy refuses"
    raise UnsafePlan(
        f"the kept plan {kept.plan} is stale, the plan of now is {plan.id}; nothing was written. What moved:\n{told}\n"
        f"look at it again with: reconciler diff {plan.environment} --save FILE"
    )


def _objects(plan: Plan, salt: str) -> dict[str, dict[str, Any]]:
    return {
        f"{change.id.group_kind} {change.id.namespace}/{change.id.name}": {
            "action": str(change.action),
            "uid": change.uid,
            "version": change.resource_version if change.id.group_kind == ("", "Secret") else "",
            "force": change.force,
            "problem": bool(change.problem),
            "digest": _digest(change.resource.body, salt) if change.resource is not None else "",
            "fields": {item.path: [_digest(item.old, salt), _digest(item.new, salt)] for item in change.fields},
        }
        for change in plan.changes
        if change.acts
    }


def _digest(value: Any, salt: str) -> str:
    content = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(salt.encode() + content).hexdigest()


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _moved(before: dict[str, Any] | None, now: dict[str, Any] | None) -> Iterator[str]:
    """Yield in which ways an object of the kept plan is another one now."""
    if before == now:
        return
    if before is None or now is None:
        yield f"new in the plan: {_action(now)}" if before is None else f"no longer in the plan: {_action(before)}"
    elif before["action"] != now["action"]:
        yield f"was {before['action']}, is {now['action']}"
    elif before["uid"] != now["uid"]:
        yield "another object of this name is live"
    else:
        found = [*_moved_fields(before["fields"], now["fields"])]
        if not found and before["digest"] != now["digest"]:
            found = ["git wants something else"]
        if not found and before["version"] != now["version"]:
            found = ["it was written to"]
        if before["force"] != now["force"]:
            found.append("who owns its fields changed")
        if before["problem"] != now["problem"]:
            found.append("it can be applied now" if before["problem"] else "it cannot be applied any more")
        yield from found


def _moved_fields(before: dict[str, list[str]], now: dict[str, list[str]]) -> Iterator[str]:
    for path in {**before, **now}:
        old, new = before.get(path), now.get(path)
        if old is None:
            yield f"{path} changes too"
        elif new is None:
            yield f"{path} changes no more"
        elif old != new:
            sides = [
                side
                for side, one, other in zip(("the live value", "git's value"), old, new, strict=True)
                if one != other
            ]
            yield f"{path}: {' and '.join(sides)} changed"


def _action(entry: dict[str, Any] | None) -> str:
    return str(entry["action"]) if entry else ""
