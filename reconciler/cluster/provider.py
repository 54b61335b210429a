"""Tokens of a kubeconfig's `auth-provider`: OIDC as kubectl left it there, others (GCP) by the official client.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#option-1-oidc-authenticator
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.kubeconfig import Context

MARGIN: Final = 10.0  # seconds before its end in which kubectl renews a token, too


async def token(context: Context) -> str:
    """Return the value of the Authorization header; raises ConfigError where the provider gives none."""
    provider = context.user["auth-provider"] or {}
    if provider.get("name") == "oidc":
        return _id_token(context.name, provider.get("config") or {})
    return await _asked(context)


def _id_token(context: str, settings: Mapping[str, Any]) -> str:
    """Return the token that the kubeconfig holds.

    It is not renewed: an issuer may take each refresh token once, and the one that it gives in exchange belongs into the
    kubeconfig, which is kubectl's to write.
    """
    found = str(settings.get("id-token") or "")
    way_out = "let kubectl renew it (`kubectl get namespaces`), or use an exec plugin such as kubelogin"
    if not found:
        raise ConfigError(f"context {context}: its auth provider has no id-token: {way_out}")
    try:
        claims = found.split(".")[1]
        expires = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).get("exp")
    except (IndexError, ValueError, AttributeError) as error:
        raise ConfigError(f"context {context}: the id-token of its auth provider is no JSON Web Token") from error
    if isinstance(expires, int | float) and expires - time.time() < MARGIN:
        raise ConfigError(f"context {context}: the id-token of its auth provider has expired: {way_out}")
    return f"Bearer {found}"


async def _asked(context: Context) -> str:
    from kubernetes.aio import config
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config.kube_config import KubeConfigLoader

    document = {
        "current-context": context.name,
        "contexts": [{"name": context.name, "context": {"cluster": "cluster", "user": "user"}}],
        "clusters": [{"name": "cluster", "cluster": context.cluster}],
        "users": [{"name": "user", "user": context.user}],
    }
    try:
        loader = KubeConfigLoader(document, config_base_path="")
        await loader.load_and_set(Configuration())
    except (config.ConfigException, ValueError, KeyError, OSError) as error:
        raise ConfigError(f"context {context.name}: its auth provider gave no credentials: {error}") from error
    return str(getattr(loader, "token", ""))
