"""Where a Harbor is and as whom it is spoken to: a HarborServer of the cluster, with the Secrets that it names."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Invalid, NotFound
from reconciler.model.api import ApiResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.port import Body, Cluster

SECRETS: Final = ApiResource("", "v1", "Secret", "secrets", namespaced=True)
ROOT: Final = "/api/v2.0"
SECONDS: Final = 30.0  # for one answer, where the HarborServer does not say


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password; the password is in no text that is made of this."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One Harbor. `url` is where it answers; with `proxied`, a path of the API server that leads to its Service.

    `authority` is the PEM of what has signed its certificate; "" for what this machine trusts.
    """

    url: str
    credentials: Credentials
    authority: str = ""
    proxied: bool = False
    seconds: float = SECONDS


async def find(cluster: Cluster, server: Body) -> Endpoint:
    """Return the endpoint of a HarborServer, its Secrets read from the cluster."""
    spec, metadata = server.get("spec") or {}, server["metadata"]
    told = f"HarborServer/{metadata['name']} -n {metadata['namespace']}"
    reference = spec["credentials"]
    data = await secret(cluster, metadata["namespace"], reference["secret"], told)
    credentials = Credentials(
        value(data, reference.get("usernameKey", "username"), reference["secret"], told),
        value(data, reference.get("passwordKey", "password"), reference["secret"], told),
    )
    authority = ""
    if bundle := spec.get("certificateAuthority"):
        found = await secret(cluster, metadata["namespace"], bundle["secret"], told)
        authority = value(found, bundle.get("key", "ca.crt"), bundle["secret"], told)
    seconds = float(spec.get("timeoutSeconds") or SECONDS)
    if url := spec.get("url"):
        return Endpoint(url.rstrip("/"), credentials, authority, seconds=seconds)
    return Endpoint(_service(spec["service"], metadata["namespace"]), credentials, "", proxied=True, seconds=seconds)


async def secret(cluster: Cluster, namespace: str, name: str, told: str) -> Mapping[str, str]:
    """Read a Secret's data; raises NotFound in words of the object that names it."""
    try:
        body = await cluster.get(SECRETS, namespace, name)
    except NotFound as error:
        raise NotFound(f"Secret/{name} -n {namespace}, which {told} names, is not in the cluster") from error
    return body.get("data") or {}


def value(data: Mapping[str, str], key: str, name: str, told: str) -> str:
    """Return one value of a Secret; raises Invalid where it has none of this key."""
    if key not in data:
        keys = ", ".join(sorted(data)) or "none"
        raise Invalid(f"Secret/{name}, which {told} names, has no key {key}; its keys are {keys}")
    return base64.b64decode(data[key]).decode()


def _service(service: Mapping[str, Any], namespace: str) -> str:
    scheme = f"{service['scheme']}:" if service.get("scheme") else ""
    port = f":{service['port']}" if service.get("port") else ""
    where = service.get("namespace") or namespace
    return f"/api/v1/namespaces/{where}/services/{scheme}{service['name']}{port}/proxy"
