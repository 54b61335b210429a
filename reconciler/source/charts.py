"""Archives of charts from repositories: of HTTP, with an index.yaml, and of OCI registries.

Nothing that comes from a network is believed: an archive is used only if it has the SHA-256 that git says. The protocols
are those of Helm's chart repositories and of the OCI distribution specification 1.1.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ChartError, ConfigError
from reconciler.model.charts import Pin
from reconciler.model.origin import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS: Final = 30  # for a connection, and for each silence after it
MAX_ARCHIVE: Final = 32 << 20  # bytes
MAX_INDEX: Final = 64 << 20
OCI: Final = "oci://"
LAYER: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


def fetch(pin: Pin, cache: Path) -> bytes:
    """Return the archive that a pin names, and keep it in the cache; raises ChartError where it is another one."""
    content = _blob(pin) if pin.repo.startswith(OCI) else _download(pin)
    found = digest(content)
    if found != pin.digest:
        raise ChartError(f"{pin} is now {found}, pinned is {pin.digest}: it is not used")
    path = pin.archive(cache)
    with suppress(OSError):  # a cache that cannot be written costs a download each time, and no more
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as part:
            part.write(content)
        Path(part.name).replace(path)
    return content


def resolve(repo: str, name: str, version: str) -> Pin:
    """Return the pin of what a repository has now; the archive is read to learn its digest."""
    repo = repo.rstrip("/")
    if repo.startswith(OCI):
        return Pin(repo, name, version, _layer(repo, name, version))
    return Pin(repo, name, version, digest(_download(Pin(repo, name, version, ""))))


def digest(content: bytes) -> str:
    """Return the SHA-256 of an archive, as it is written in the lock file."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _download(pin: Pin) -> bytes:
    """Return the archive that a repository's index names for a version."""
    index = f"{pin.repo.rstrip('/')}/index.yaml"
    try:
        document = next(iter(yaml.parse(_get(index, limit=MAX_INDEX), Source(index, ""))), None)
    except ConfigError as error:
        raise ChartError(str(error)) from error
    entries = _dig(document, "entries", pin.name)
    if not isinstance(entries, list):
        raise ChartError(f"{index} has no chart {pin.name}")
    fitting = [item for item in entries if _dig(item, "version") == pin.version]
    urls = _dig(fitting[0], "urls") if fitting else None
    if not isinstance(urls, list) or not urls or not isinstance(urls[0], str):
        raise ChartError(f"{index} has no archive of {pin.name} {pin.version}")
    return _get(urllib.parse.urljoin(index, urls[0]), limit=MAX_ARCHIVE)


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True, slots=True)
class _Registry:
    """A repository of a registry: the address of its API, and the token that was given for reading."""

    base: str
    headers: Mapping[str, str]

    def get(self, path: str, *, accept: str, limit: int) -> bytes:
        return _get(f"{self.base}/{path}", {**self.headers, "Accept": accept}, limit=limit)


def _blob(pin: Pin) -> bytes:
    """Return the archive by its digest: a tag that was moved cannot mislead."""
    return _registry(pin.repo, pin.name).get(f"blobs/{pin.digest}", accept="*/*", limit=MAX_ARCHIVE)


def _layer(repo: str, name: str, version: str) -> str:
    """Return the digest of the archive that a tag has now; tags have `_` where a version has `+`."""
    tag = version.replace("+", "_")
    content = _registry(repo, name).get(f"manifests/{tag}", accept=_MANIFEST, limit=MAX_INDEX)
    try:
        layers = _dig(json.loads(content), "layers")
    except ValueError as error:
        raise ChartError(f"{repo}/{name}:{tag} has no manifest that can be read: {error}") from error
    found = [_dig(item, "digest") for item in layers or () if _dig(item, "mediaType") == LAYER]
    if len(found) != 1 or not isinstance(found[0], str):
        raise ChartError(f"{repo}/{name}:{tag} is no chart: expected one layer of type {LAYER}")
    return found[0]


def _registry(repo: str, name: str) -> _Registry:
    """Return a repository of a registry, with a token where it wants one of everybody (the distribution's token flow)."""
    host, _, path = f"{repo.removeprefix(OCI).rstrip('/')}/{name}".partition("/")
    scheme = "http" if host.rpartition(":")[0] in _LOCAL or host in _LOCAL else "https"
    root = f"{scheme}://{host}/v2/"
    base = f"{root}{path}"
    challenge = _challenge(root)
    if not challenge:
        return _Registry(base, {})
    query = {key: challenge[key] for key in ("service",) if key in challenge} | {"scope": f"repository:{path}:pull"}
    answer = _get(f"{challenge['realm']}?{urllib.parse.urlencode(query)}", limit=MAX_INDEX)
    try:
        told = json.loads(answer)
    except ValueError as error:
        raise ChartError(f"{challenge['realm']} gives no token: {error}") from error
    token = _dig(told, "token") or _dig(told, "access_token")
    if not isinstance(token, str):
        raise ChartError(f"{challenge['realm']} gives no token for reading {path} without a login")
    return _Registry(base, {"Authorization": f"Bearer {token}"})


def _challenge(root: str) -> dict[str, str]:
    """Return what a registry wants before it answers; nothing where it just answers."""
    try:
        with urllib.request.urlopen(root, timeout=TIMEOUT_SECONDS):  # noqa: S310 - http or https, made above
            return {}
    except urllib.error.HTTPError as error:
        header = error.headers.get("WWW-Authenticate", "")
        told = dict(_CHALLENGE.findall(header))
        safe = told.get("realm", "").startswith(("https://", f"{root.partition(':')[0]}://"))
        if error.code == 401 and header.lower().startswith("bearer") and safe:
            return told
        if error.code == 404:
            return {}  # some registries answer for repositories only
        raise ChartError(f"{root} answers {error.code} {error.reason}: only public registries can be read") from error
    except (OSError, http.client.HTTPException) as error:
        raise ChartError(f"{root} cannot be read: {getattr(error, 'reason', error)}") from error


def _get(address: str, headers: Mapping[str, str] | None = None, *, limit: int) -> bytes:
    """Return the content of an address; raises ChartError where it is too long or cannot be had."""
    if not address.startswith(("http://", "https://")):
        raise ChartError(f"{address} is no address of a chart repository: expected https://, http:// or oci://")
    request = urllib.request.Request(address)  # noqa: S310 - checked above
    for key, value in (headers or {}).items():
        request.add_unredirected_header(key, value)  # where a registry sends us on, its token has no place
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            content: bytes = answer.read(limit + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ChartError(f"{address} cannot be read: {getattr(error, 'reason', error)}") from error
    if len(content) > limit:
        raise ChartError(f"{address} is larger than {limit >> 20} MiB")
    return content
