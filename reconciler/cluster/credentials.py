"""From a kubeconfig or a ServiceAccount to an address, a TLS context and headers; the official client does the reading."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from reconciler.errors import ConfigError

DEFAULT_KUBECONFIG = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How one API server is reached as one user. Tokens are read anew for each request, for they expire."""

    server: str
    tls: ssl.SSLContext
    proxy: str | None
    configuration: Any

    async def headers(self) -> dict[str, str]:
        """Return the headers that prove who we are; empty where a client certificate does."""
        settings = await self.configuration.auth_settings()
        made = {item["key"]: str(item["value"]) for item in settings.values() if item.get("value")}
        basic = self.configuration.get_basic_auth_token() if self.configuration.username else None
        return {**made, "authorization": basic} if basic else made


async def load(*, kubeconfig: str | None, context: str | None, in_cluster: bool) -> Credentials:
    """Read credentials; raises ConfigError that says where was looked and which contexts there are."""
    configuration = Configuration()
    configuration.connection_pool_maxsize = 0
    if in_cluster:
        try:
            config.load_incluster_config(configuration)
        except config.ConfigException as error:
            raise ConfigError(
                f"cluster.inCluster: this does not run in a Pod with a ServiceAccount: {error}"
            ) from error
    else:
        path = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
        await _load_file(path, context, configuration)
    try:
        rest = RESTClientObject(configuration)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError(f"the certificates of {configuration.host} cannot be used: {error}") from error
    return Credentials(configuration.host.rstrip("/"), rest.ssl_context, configuration.proxy, configuration)


def _existing(path: str) -> str:
    """Return the files of a KUBECONFIG-like path; raises ConfigError where none of them exists."""
    files = [str(Path(item).expanduser()) for item in path.split(os.pathsep) if item]
    if not any(Path(item).is_file() for item in files):
        raise ConfigError(f"there is no kubeconfig at {', '.join(files)}: set KUBECONFIG, or cluster.kubeconfig")
    return os.pathsep.join(files)


async def _load_file(path: str, context: str | None, configuration: Configuration) -> None:
    joined = _existing(path)
    try:
        if context is not None:
            known, _ = config.list_kube_config_contexts(config_file=joined)
            names = [item["name"] for item in known]
            if context not in names:
                raise ConfigError(f"{path} has no context {context!r}; it has {', '.join(sorted(names)) or 'none'}")
        await config.load_kube_config(
            config_file=joined, context=context, client_configuration=configuration, persist_config=False
        )
    except config.ConfigException as error:
        raise ConfigError(f"{path} cannot be used as a kubeconfig: {error}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read as a kubeconfig: {error}") from error
