"""Login plugins of a kubeconfig (`exec`): a program that writes an ExecCredential to stdout.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ConfigError, Unauthorized

if TYPE_CHECKING:
    from reconciler.cluster.kubeconfig import Context


_OF_CLUSTER: Final = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
    "disable-compression",
)
"""What a plugin may know of its cluster, named as in a kubeconfig (client.authentication.k8s.io, Cluster)."""


async def credential(context: Context) -> dict[str, Any]:
    """Run the plugin of a context's user and return the `status` that it answers: a token, or a certificate and key.

    Raises ConfigError where there is no such program, and Unauthorized, with what it wrote to stderr, where it gives none.
    """
    entry = context.user["exec"]
    if not isinstance(entry, dict) or not entry.get("command") or not entry.get("apiVersion"):
        raise ConfigError(f"context {context.name}: exec of its user needs a command and an apiVersion")
    told = f"context {context.name}: {entry['command']}"
    output = await _output(entry, told, _asked(context, interactive=_interactive(entry, told)))
    try:
        answer = json.loads(output)
        version, status = answer["apiVersion"], answer["status"]
        token, certificate = status.get("token"), status.get("clientCertificateData") and status.get("clientKeyData")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unauthorized(f"{told} wrote no ExecCredential to stdout") from error
    if version != entry["apiVersion"]:
        raise Unauthorized(f"{told} answered as {version}, and the kubeconfig says {entry['apiVersion']}")
    if not token and not certificate:
        raise Unauthorized(f"{told} answered with neither a token nor a certificate and key")
    found: dict[str, Any] = status
    return found


def _interactive(entry: dict[str, Any], told: str) -> bool:
    """Return whether the plugin may ask a person; raises Unauthorized where it has to and there is nobody."""
    mode, somebody = entry.get("interactiveMode", "IfAvailable"), sys.stdin.isatty()
    if mode == "Always" and not somebody:
        raise Unauthorized(f"{told} has to ask somebody (interactiveMode: Always), and stdin is no terminal")
    return somebody and mode != "Never"


def _asked(context: Context, *, interactive: bool) -> dict[str, Any]:
    """Return the ExecCredential that tells a plugin what it is asked for, with the cluster where it wants to know it."""
    entry = context.user["exec"]
    spec: dict[str, Any] = {"interactive": interactive}
    if entry.get("provideClusterInfo"):
        spec["cluster"] = {key: context.cluster[key] for key in _OF_CLUSTER if key in context.cluster}
        authority = context.cluster.get("certificate-authority")
        if authority and "certificate-authority-data" not in spec["cluster"]:
            spec["cluster"]["certificate-authority-data"] = base64.b64encode(_content(authority)).decode()
        for item in context.cluster.get("extensions") or ():
            if item.get("name") == "client.authentication.k8s.io/exec":
                spec["cluster"]["config"] = item.get("extension")
    return {"apiVersion": entry["apiVersion"], "kind": "ExecCredential", "spec": spec}


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"certificate-authority {path} cannot be read: {error.strerror}") from error


async def _output(entry: dict[str, Any], told: str, asked: dict[str, Any]) -> bytes:
    try:
        own = {str(item["name"]): str(item["value"]) for item in entry.get("env") or ()}
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{told}: every entry of its env needs a name and a value") from error
    interactive = asked["spec"]["interactive"]
    try:
        process = await asyncio.create_subprocess_exec(
            entry["command"],
            *map(str, entry.get("args") or ()),
            env={**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            stdin=None if interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if interactive else asyncio.subprocess.PIPE,  # where to log in, and with which code
        )
    except OSError as error:
        hint = f"; {str(entry['installHint']).strip()}" if entry.get("installHint") else ""
        raise ConfigError(f"{told} cannot be run: {error.strerror}{hint}") from error
    output, words = await process.communicate()
    if process.returncode:
        lines = (line.strip() for line in (words or b"").decode(errors="replace").splitlines())
        why = "; ".join(filter(None, lines)) or ("see above" if interactive else "without a word")
        raise Unauthorized(f"{told} gave no credentials: it ended with {process.returncode}: {why}")
    return output
