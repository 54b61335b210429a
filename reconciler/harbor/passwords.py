"""The Secrets that objects of a Harbor are about, compared without reading what is in them: accounts and robots' passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.harbor import endpoint
from reconciler.model.harbor import REGISTRY, ROBOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.port import Bodies, Body, Cluster
    from reconciler.harbor.port import Item


async def reasons(
    cluster: Cluster, namespace: str, bodies: Bodies, found: Mapping[tuple[str, str], Item | None]
) -> dict[str, str]:
    """Return, by name, what of the Secrets of objects of one kind is to be dealt with. One LIST, of metadata only."""
    named = {body["metadata"]["name"]: (body, secret) for body in bodies if (secret := secret_of(body))}
    if not named:
        return {}
    secrets = {
        item["metadata"]["name"]: item["metadata"]["resourceVersion"]
        async for item in cluster.list(endpoint.SECRETS, namespace=namespace, metadata_only=True)
    }
    told = {name: _reason(body, secret, secrets, found[body["kind"], name]) for name, (body, secret) in named.items()}
    return {name: reason for name, reason in told.items() if reason}


def secret_of(body: Body) -> str:
    """Return the Secret that an object is about: the account of a registry, or where a robot's password is kept."""
    spec = body.get("spec") or {}
    if body["kind"] == ROBOT:
        return str((spec.get("secret") or {}).get("name") or body["metadata"]["name"])
    return str((spec.get("credentials") or {}).get("secret", "")) if body["kind"] == REGISTRY else ""


def _reason(body: Body, secret: str, secrets: Mapping[str, str], item: Item | None) -> str:
    if body["kind"] == ROBOT:
        return "" if secret in secrets else f"Secret/{secret} is not there: a new password is made"
    status = body.get("status") or {}
    if secret not in secrets:
        return f"Secret/{secret} is not there"
    if secrets[secret] != status.get("credentialVersion"):
        return f"Secret/{secret} has changed since Harbor was given it"
    there = ((item or {}).get("credential") or {}).get("access_key")
    if item is not None and there != status.get("accessKey"):
        return f"Harbor has another account, {there}, than that of Secret/{secret}"
    return ""
