"""One import: read a namespace, leave out, clean, and let the server prove that what was left out comes back by itself."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.errors import ClusterError, ConfigError, Forbidden, Invalid, NotFound, Problem
from reconciler.importing import cleaning, leaving
from reconciler.model.api import ApiResource
from reconciler.model.applyset import ENVIRONMENT_LABEL, FIELD_MANAGER
from reconciler.model.identity import GroupVersionKind, ObjectId
from reconciler.plan.openapi import Schemas
from reconciler.plan.ownership import tool

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.cluster.port import Cluster
    from reconciler.model.api import Discovery

NAMESPACES = ApiResource("", "v1", "Namespace", "namespaces", namespaced=False)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be imported. Without `kinds` all of them; `secrets`: Secrets too."""

    namespace: str
    selector: str = ""
    kinds: tuple[str, ...] = ()
    secrets: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found.

    `left` tells why each object that was left out was; `owners` whose the others are where a tool has marked them, as
    `policy.adopt` names it. `unproven` are those whose defaults stay, since the server would not try them, and why.
    """

    objects: tuple[Body, ...]
    left: dict[ObjectId, str] = field(default_factory=dict)
    owners: dict[ObjectId, str] = field(default_factory=dict)
    unproven: dict[ObjectId, str] = field(default_factory=dict)
    unread: str = ""  # why Secrets, which are left out, could not even be counted


async def read(cluster: Cluster, choice: Choice) -> Imported:
    """Read the objects of a namespace, cleaned; raises ConfigError where there is no such namespace or kind.

    Nothing is ever silently absent: a kind that cannot be listed is an error.
    """
    discovery = await cluster.discover()
    resources = _resources(discovery, choice)
    try:
        namespace = await cluster.get(NAMESPACES, "", choice.namespace)
    except NotFound as error:
        raise ConfigError(f"there is no namespace {choice.namespace} on {cluster.name}") from error
    bodies, unread = await _listed(cluster, resources, choice)
    if not choice.selector and (not choice.kinds or _named(NAMESPACES, choice.kinds)):
        bodies.insert(0, namespace)
    left = {ObjectId.of(body): why for body in bodies if (why := leaving.reason(body, secrets=choice.secrets))}
    kept = [body for body in bodies if ObjectId.of(body) not in left]
    documents = await cluster.openapi(sorted({body["apiVersion"] for body in kept}))
    schemas, unproven = Schemas(documents), dict[ObjectId, str]()
    made = await asyncio.gather(*(_made(cluster, discovery, schemas, body, unproven) for body in kept))
    owners = {ObjectId.of(body): owner for body in kept if (owner := _owner(body))}
    return Imported(tuple(made), left, owners, unproven, unread)


def _resources(discovery: Discovery, choice: Choice) -> list[ApiResource]:
    """Return the kinds to list; raises ConfigError where one is not known, or a group's backend does not answer."""
    every = [item for item in discovery.preferred.values() if item.namespaced and {"list", "create"} <= set(item.verbs)]
    if not choice.kinds:
        if discovery.failed:
            silent = ", ".join(sorted(discovery.failed))
            raise ConfigError(f"nobody knows what {silent} serves at present: put its APIService right, or name --kind")
        return [item for item in every if leaving.listed(item.gvk.group_kind)]
    unknown = [name for name in choice.kinds if not any(_named(item, (name,)) for item in (*every, NAMESPACES))]
    if unknown:
        raise ConfigError(
            f"the server has no namespaced kind {', '.join(unknown)}: expected e.g. Deployment or deployments"
        )
    return [item for item in every if _named(item, choice.kinds)]


def _named(resource: ApiResource, names: Collection[str]) -> bool:
    return not {resource.kind.lower(), resource.plural.lower()}.isdisjoint(name.lower() for name in names)


async def _listed(cluster: Cluster, resources: Sequence[ApiResource], choice: Choice) -> tuple[list[Body], str]:
    """Return all objects, and why Secrets were not read, where that is no matter since they are left out anyway."""

    async def one(resource: ApiResource) -> list[Body] | ClusterError:
        try:
            listed = cluster.list(resource, namespace=choice.namespace, selector=choice.selector)
            return [body async for body in listed]
        except ClusterError as error:
            return error

    answers = dict(zip(resources, await asyncio.gather(*map(one, resources)), strict=True))
    errors = {kind: answer for kind, answer in answers.items() if isinstance(answer, ClusterError)}
    if choice.selector and any(isinstance(error, Invalid) for error in errors.values()):
        raise ConfigError(f"--selector {choice.selector}: {next(iter(errors.values()))}")
    hidden = [kind for kind, error in errors.items() if _left_anyway(kind, choice) and isinstance(error, Forbidden)]
    unread = "".join(str(errors.pop(kind)) for kind in hidden)
    if errors and all(isinstance(error, Forbidden) for error in errors.values()):
        told = "\n".join(sorted(str(error) for error in errors.values()))
        raise Forbidden(f"{told}\nname the kinds that may be read with --kind", status=403, reason="Forbidden")
    if errors:
        raise ConfigError(
            [
                Problem("", 0, f"{kind.kind} cannot be listed: {error}", "name the others with --kind")
                for kind, error in errors.items()
            ]
        )
    return [body for answer in answers.values() if isinstance(answer, list) for body in answer], unread


def _left_anyway(kind: ApiResource, choice: Choice) -> bool:
    return kind.gvk.group_kind == ("", "Secret") and not choice.secrets and not choice.kinds


async def _made(
    cluster: Cluster, discovery: Discovery, schemas: Schemas, live: Body, unproven: dict[ObjectId, str]
) -> Body:
    """Return an object without the defaults that the server fills in again: a dry-run under another name tells which."""
    gvk = GroupVersionKind.of(live)
    schema = schemas.of(gvk)
    whole = cleaning.cleaned(live, schema)
    slim = cleaning.slimmed(whole)
    name = f"import-{hashlib.sha256(live['metadata']['name'].encode()).hexdigest()[:12]}"
    probe = {**slim, "metadata": {**slim["metadata"], "name": name}}
    try:
        answer = await cluster.apply(discovery.resources[gvk], probe, field_manager=FIELD_MANAGER, dry_run=True)
    except ClusterError as error:
        unproven[ObjectId.of(live)] = str(error)
        return whole
    return cleaning.restored(slim, whole, answer, schema)


def _owner(body: Body) -> str:
    labels = body["metadata"].get("labels") or {}
    return f"environment:{labels[ENVIRONMENT_LABEL]}" if ENVIRONMENT_LABEL in labels else tool(body)
