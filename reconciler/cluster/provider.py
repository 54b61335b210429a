"""Tokens of a kubeconfig's `auth-provider` (OIDC, GCP), by the official client; loaded only where there is one.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#option-1-oidc-authenticator
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.kube_config import KubeConfigLoader

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from reconciler.cluster.kubeconfig import Context


async def token(context: Context) -> str:
    """Return the value of the Authorization header; raises ConfigError where the provider gives none."""
    document = {
        "current-context": context.name,
        "contexts": [{"name": context.name, "context": {"cluster": "cluster", "user": "user"}}],
        "clusters": [{"name": "cluster", "cluster": context.cluster}],
        "users": [{"name": "user", "user": context.user}],
    }
    try:
        loader = _Loader(document, config_base_path="")
        await loader.load_and_set(Configuration())
    except (config.ConfigException, ValueError, KeyError, OSError) as error:
        raise ConfigError(f"context {context.name}: its auth provider gave no credentials: {error}") from error
    return str(getattr(loader, "token", ""))


class _Loader(KubeConfigLoader):
    """The client's loader, which would renew an OIDC token unasked.

    It does so without verifying the issuer's certificate, and the refresh token that it gets in exchange is lost with the
    process: the one in the kubeconfig would be of no more use to kubectl.
    """

    async def _refresh_oidc(self, provider: Any) -> None:  # noqa: ARG002 - the client's signature
        raise config.ConfigException(
            "the id-token is missing or has expired: let kubectl renew it (`kubectl get namespaces`), "
            "or use an exec plugin such as kubelogin"
        )
