"""Replication between test Harbors: images really go over HTTP from one to the other, with the account of the registry."""

from __future__ import annotations

import base64
import fnmatch
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.harbor.state import bad, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harbor.state import State

Item = dict[str, Any]


def account(registry: Item) -> dict[str, str]:
    """Return the header with the account at another registry."""
    credential = registry.get("credential") or {}
    if not credential.get("access_key"):
        return {}
    return basic(credential["access_key"], credential.get("access_secret") or "")


def basic(name: str, password: str) -> dict[str, str]:
    """Return the header of an account."""
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


async def require_healthy(registry: Item) -> None:
    """Refuse a registry that does not answer, as Harbor does. Only other Harbors are asked: tests have no network."""
    if registry["type"] != "harbor":
        return
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{registry['url']}/v2/", headers=account(registry)) as answer,
        ):
            healthy = answer.status == 200
    except aiohttp.ClientError:
        healthy = False
    if not healthy:
        raise bad("the registry is unhealthy")


async def execute(state: State, policy: int, trigger: str) -> int:
    """Carry a policy out once, task by task; returns the id of the execution."""
    kept, identity = state.policies[policy], next(state.ids)
    if not kept["enabled"]:
        raise bad(f"the policy {policy} is disabled")
    began, tasks = moment(), []
    if kept["dest"]:
        async with aiohttp.ClientSession() as session:
            for source, target, manifest in _copies(state, kept):
                status = await _copied(session, state.registries[kept["dest"]], target, manifest)
                task = {
                    "id": next(state.ids),
                    "execution_id": identity,
                    "resource_type": "image",
                    "operation": "copy",
                    "src_resource": source,
                    "dst_resource": target,
                    "status": status,
                    "start_time": began,
                    "end_time": moment(),
                }
                tasks.append(task)
    failed = sum(task["status"] == "Failed" for task in tasks)
    state.tasks[identity] = tasks
    state.executions[identity] = {
        "id": identity,
        "policy_id": policy,
        "trigger": trigger,
        "status": "Failed" if failed else "Succeed",
        "status_text": "",
        "total": len(tasks),
        "failed": failed,
        "succeed": len(tasks) - failed,
        "in_progress": 0,
        "stopped": 0,
        "start_time": began,
        "end_time": moment(),
    }
    return identity


async def _copied(session: aiohttp.ClientSession, registry: Item, target: str, manifest: bytes) -> str:
    name, _, tag = target.rpartition(":")
    try:
        url = f"{registry['url']}/v2/{name}/manifests/{tag}"
        async with session.put(url, data=manifest, headers=account(registry)) as answer:
            return "Succeed" if answer.status == 201 else "Failed"
    except aiohttp.ClientError:
        return "Failed"


def _copies(state: State, policy: Item) -> Iterator[tuple[str, str, bytes]]:
    for identity, repositories in state.repositories.items():
        project = state.projects[identity]["name"]
        for repository, tags in repositories.items():
            for tag, manifest in tags.items():
                name = f"{project}/{repository}"
                if all(_fits(item, name, tag) for item in policy["filters"]):
                    yield f"{name}:{tag}", f"{_renamed(name, policy)}:{tag}", manifest


def _fits(item: Item, name: str, tag: str) -> bool:
    if item["type"] not in ("name", "tag"):
        return True
    pattern = str(item["value"]).replace("**", "*")
    fits = fnmatch.fnmatchcase(name if item["type"] == "name" else tag, pattern)
    return fits != (item.get("decoration") == "excludes")


def _renamed(name: str, policy: Item) -> str:
    if not policy["dest_namespace"]:
        return name
    parts, count = name.split("/"), policy["dest_namespace_replace_count"]
    kept = parts[-1:] if count == -1 else parts[count:]
    return "/".join([policy["dest_namespace"], *kept])
