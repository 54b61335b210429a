"""From a kubeconfig's context, or a Pod's ServiceAccount, to what a request needs: server, TLS, authorization.

Tokens, client certificates and basic authentication are read here. Auth providers other than OIDC and ServiceAccounts are
left to `kubernetes.aio`, which is imported only for them: it takes longer to load than a small plan to make.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import ssl
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cluster import plugin
from reconciler.cluster.kubeconfig import require_proxy
from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.cluster.kubeconfig import Context


RENEWED_BEFORE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Access:
    """How one API server is reached.

    `authorize` gives the value of the Authorization header ("" for none); its argument asks for a fresh one, after the
    server has refused the last. `compressed`: long answers are, unless the kubeconfig says `disable-compression`.
    """

    server: str
    tls: ssl.SSLContext | None
    authorize: Callable[[bool], Awaitable[str]]
    server_name: str | None = None
    proxy: str | None = None
    compressed: bool = True


async def of_context(context: Context, again: Callable[[], Context] | None = None) -> Access:
    """Return the access that a context of a kubeconfig describes; raises ConfigError, and Unauthorized of a login plugin.

    `again` reads the context anew, where what it holds was refused and somebody else renews it.
    """
    user = context.user
    if "exec" in user:
        tls_user, authorize = await _from_exec(context)
    elif "auth-provider" in user:
        tls_user, authorize = await _from_provider(context, again or (lambda: context))
    else:
        tls_user, authorize = user, _static(context)
    cluster = context.cluster
    server = str(cluster["server"]).rstrip("/")
    tls = _tls(context, {**user, **tls_user}) if server.startswith("https:") else None
    return Access(
        server,
        tls,
        authorize,
        server_name=cluster.get("tls-server-name"),
        proxy=cluster.get("proxy-url") or _proxy(server),
        compressed=not cluster.get("disable-compression"),
    )


async def of_service_account() -> Access:
    """Return the access of the Pod that this runs in; raises ConfigError where it runs in none."""
    from kubernetes.aio import config
    from kubernetes.aio.client import Configuration

    settings: Any = Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException as error:
        raise ConfigError(f"cluster.inCluster is set, but this does not run in a Pod: {error}") from error
    tls = ssl.create_default_context(cafile=settings.ssl_ca_cert)

    async def authorize(_refresh: bool) -> str:
        settings.refresh_api_key_hook(settings)
        return str(settings.api_key["BearerToken"])

    return Access(settings.host, tls, authorize)


def _proxy(server: str) -> str | None:
    """Return the proxy that the environment names for a server (`HTTPS_PROXY`, `NO_PROXY` and their like); raises ConfigError."""
    if sys.platform == "linux" and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # as `getproxies` would find, which takes longer to load than to ask
    import urllib.request

    url = urllib.parse.urlsplit(server)
    if urllib.request.proxy_bypass(url.netloc):
        return None
    found = urllib.request.getproxies().get(url.scheme)
    if found is None:
        return None
    proxy = found if "://" in found else f"http://{found}"  # as everybody else takes it
    require_proxy(proxy, f"the environment's proxy for {url.scheme}")
    return proxy


def _static(context: Context) -> Callable[[bool], Awaitable[str]]:
    """Return the authorization of a user entry; a token file is read anew each time it is refused."""
    user = context.user
    known = ""
    if user.get("token"):
        known = f"Bearer {user['token']}"
    elif user.get("username") and "password" in user:
        known = "Basic " + base64.b64encode(f"{user['username']}:{user['password']}".encode()).decode()

    async def authorize(refresh: bool) -> str:
        nonlocal known
        if user.get("tokenFile") and not user.get("token") and (refresh or not known):
            known = f"Bearer {await asyncio.to_thread(_text, user['tokenFile'], context.name)}"
        return known

    return authorize


def _text(path: str, context: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"context {context}: {path} cannot be read: {error.strerror}") from error


async def _from_exec(context: Context) -> tuple[dict[str, Any], Callable[[bool], Awaitable[str]]]:
    """Ask an exec plugin; returns its client certificate, if any, and the authorization, which it renews in time."""
    status = await plugin.credential(context)
    certificate = {
        f"client-{part}-data": base64.b64encode(status[key].encode()).decode()
        for part, key in (("certificate", "clientCertificateData"), ("key", "clientKeyData"))
        if status.get(key)
    }

    async def authorize(refresh: bool) -> str:
        nonlocal status
        if refresh or _expires_soon(status):
            status = await plugin.credential(context)
        return f"Bearer {status['token']}" if status.get("token") else ""

    return certificate, authorize


def _expires_soon(status: dict[str, Any]) -> bool:
    expires = status.get("expirationTimestamp")
    if not expires:
        return False
    return datetime.fromisoformat(expires) - datetime.now(UTC) < RENEWED_BEFORE


async def _from_provider(
    context: Context, again: Callable[[], Context]
) -> tuple[dict[str, Any], Callable[[bool], Awaitable[str]]]:
    """Ask an auth provider (OIDC, GCP)."""
    from reconciler.cluster import provider

    token = await provider.token(context)

    async def authorize(refresh: bool) -> str:
        nonlocal token
        if refresh:
            token = await provider.token(await asyncio.to_thread(again))
        return token

    return {}, authorize


def _tls(context: Context, user: dict[str, Any]) -> ssl.SSLContext:
    cluster = context.cluster
    authority = cluster.get("certificate-authority") if not cluster.get("certificate-authority-data") else None
    try:
        if authority:
            _text(authority, context.name)  # names the file where it cannot be read
        tls = ssl.create_default_context(
            cafile=authority, cadata=_decoded(cluster, "certificate-authority-data", context.name)
        )
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        # Python 3.13 asks more of certificates than API servers that sign for themselves give.
        tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        _add_client_certificate(tls, user, context.name)
    except (OSError, ValueError) as error:
        raise ConfigError(f"context {context.name}: its certificates cannot be used: {error}") from error
    return tls


def _add_client_certificate(tls: ssl.SSLContext, user: dict[str, Any], context: str) -> None:
    certificate, key = (_client(user, part, context) for part in ("certificate", "key"))
    if not certificate and not key:
        return
    if not certificate or not key:
        given, missing = ("certificate", "key") if certificate else ("key", "certificate")
        raise ConfigError(
            f"context {context}: its user has a client-{given} and no client-{missing}: add client-{missing}, or "
            f"client-{missing}-data"
        )
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:  # mode 0600, and gone at once
        both.write(certificate + "\n" + key)
        both.flush()
        tls.load_cert_chain(both.name)


def _client(user: dict[str, Any], part: str, context: str) -> str | None:
    """Return a part of the client certificate, of the kubeconfig itself or else of a file."""
    file = user.get(f"client-{part}")
    return _decoded(user, f"client-{part}-data", context) or (_text(file, context) if file else None)


def _decoded(entry: dict[str, Any], key: str, context: str) -> str | None:
    if not entry.get(key):
        return None
    try:
        text = base64.b64decode("".join(entry[key].split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"context {context}: {key} is not base64 of a PEM file") from error
    return text
