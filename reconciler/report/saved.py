"""A plan kept in a file, to be applied later exactly as it is or not at all.

The file holds what is needed to notice that something moved, and to say what: per object its action, uid and a salted
digest of what git wants. It holds no value of any field, so nothing secret can leak from it.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from reconciler.errors import ConfigError, UnsafePlan
from reconciler.model.plan import Action

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.plan import Change, Plan

API_VERSION = "reconciler.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as it was kept. `objects` maps an object's text to its action, uid and salted digest."""

    environment: str
    revision: str | None
    plan: str
    salt: str
    objects: dict[str, dict[str, str]]


def save(path: Path, plan: Plan) -> None:
    """Write a plan to a file; the file appears whole or not at all."""
    salt = secrets.token_hex(16)
    document = {
        "apiVersion": API_VERSION,
        "kind": "Plan",
        "environment": plan.environment,
        "revision": plan.revision,
        "plan": plan.id,
        "summary": plan.summary,
        "salt": salt,
        "objects": _objects(plan, salt),
    }
    _write(path, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def load(path: Path) -> SavedPlan:
    """Read a kept plan; raises ConfigError where the file is none."""
    try:
        document = orjson.loads(path.read_bytes())
        if document["apiVersion"] != API_VERSION or document["kind"] != "Plan":
            raise ConfigError(f"{path}: expected a plan written by `reconciler diff --save`, of {API_VERSION}")
        return SavedPlan(*(document[key] for key in ("environment", "revision", "plan", "salt", "objects")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: expected a plan written by `reconciler diff --save`") from error


def require_same(kept: SavedPlan, plan: Plan) -> None:
    """Raise UnsafePlan, telling what moved, unless the plan of now is the kept one."""
    if kept.plan == plan.id:
        return
    now = _objects(plan, kept.salt)
    moved = [f"  {name}: {_moved(kept.objects.get(name), now.get(name))}" for name in sorted({*kept.objects, *now})]
    told = "\n".join(line for line in moved if not line.endswith(": ")) or "  a live value of a field that changes"
    raise UnsafePlan(
        f"the kept plan {kept.plan} is stale, the plan of now is {plan.id}; nothing was written. What moved:\n{told}\n"
        f"look at it again with: reconciler diff {plan.environment} --save FILE"
    )


def _objects(plan: Plan, salt: str) -> dict[str, dict[str, str]]:
    return {
        f"{change.id.group_kind} {change.id.namespace}/{change.id.name}": {
            "action": str(change.action),
            "uid": change.uid,
            "digest": _digest(change, salt),
        }
        for change in plan.changes
        if change.action is not Action.UNCHANGED
    }


def _digest(change: Change, salt: str) -> str:
    if change.resource is None:
        return ""
    body = orjson.dumps(change.resource.body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(salt.encode() + body).hexdigest()


def _moved(before: dict[str, str] | None, now: dict[str, str] | None) -> str:
    if before == now:
        return ""
    if before is None or now is None:
        return f"new in the plan: {_action(now)}" if before is None else f"no longer in the plan: {_action(before)}"
    if before["action"] != now["action"]:
        return f"was {before['action']}, is {now['action']}"
    return "another object of this name is live" if before["uid"] != now["uid"] else "git wants something else"


def _action(entry: dict[str, Any] | None) -> str:
    return str(entry["action"]) if entry else ""


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
