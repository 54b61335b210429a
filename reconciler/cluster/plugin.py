"""Login plugins of a kubeconfig (`exec`): a program that writes an ExecCredential to stdout.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from reconciler.errors import ConfigError, Unauthorized

if TYPE_CHECKING:
    from reconciler.cluster.kubeconfig import Context


async def credential(context: Context) -> dict[str, Any]:
    """Run the plugin of a context's user and return the `status` that it answers: a token, or a certificate and key.

    Raises ConfigError where there is no such program, and Unauthorized, with what it wrote to stderr, where it gives none.
    """
    entry = context.user["exec"]
    if not isinstance(entry, dict) or not entry.get("command") or not entry.get("apiVersion"):
        raise ConfigError(f"context {context.name}: exec of its user needs a command and an apiVersion")
    told = f"context {context.name}: {entry['command']}"
    output = await _output(entry, told)
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


async def _output(entry: dict[str, Any], told: str) -> bytes:
    info = {"apiVersion": entry["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": sys.stdout.isatty()}}
    try:
        own = {str(item["name"]): str(item["value"]) for item in entry.get("env") or ()}
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{told}: every entry of its env needs a name and a value") from error
    try:
        process = await asyncio.create_subprocess_exec(
            entry["command"],
            *map(str, entry.get("args") or ()),
            env={**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise ConfigError(f"{told} cannot be run: {error.strerror}") from error
    output, words = await process.communicate()
    if process.returncode:
        why = "; ".join(line.strip() for line in words.decode(errors="replace").splitlines() if line.strip())
        raise Unauthorized(f"{told} gave no credentials: it ended with {process.returncode}: {why or 'without a word'}")
    return output
