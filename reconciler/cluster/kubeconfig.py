"""Kubeconfig files: where they are looked for, how several are merged, what one context says.

Files are merged as kubectl does: the first file that names an entry, or the current context, wins; relative paths in an
entry are relative to its file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Entry = dict[str, Any]

VARIABLE = "KUBECONFIG"
PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True)
class Context:
    """One context: the cluster to talk to and the user to be; paths in both are absolute."""

    name: str
    cluster_name: str
    cluster: Entry
    user: Entry


def load(kubeconfig: str | None, context: str | None, environ: Mapping[str, str] = os.environ) -> Context:
    """Return a context of the given kubeconfig, else of `KUBECONFIG`, else of `~/.kube/config`; None: the current one.

    Raises ConfigError naming where was looked, which contexts there are, or what an entry lacks.
    """
    looked, why = _places(kubeconfig, environ)
    found = [path for path in looked if path.is_file()]
    if not found:
        places = ", ".join(str(path) for path in looked)
        raise ConfigError(f"no kubeconfig found: looked for {places} ({why}); set {VARIABLE} or cluster.kubeconfig")
    return _select(_merged(found), context, " and ".join(str(path) for path in found))


def _places(kubeconfig: str | None, environ: Mapping[str, str]) -> tuple[list[Path], str]:
    if kubeconfig:
        return [Path(kubeconfig).expanduser()], "the path that was given"
    if environ.get(VARIABLE):
        return [Path(part).expanduser() for part in environ[VARIABLE].split(os.pathsep) if part], VARIABLE
    return [Path("~/.kube/config").expanduser()], f"{VARIABLE} is not set"


def _merged(files: list[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {"clusters": {}, "contexts": {}, "users": {}, "current-context": None}
    for path in files:
        content = _read(path)
        merged["current-context"] = merged["current-context"] or content.get("current-context")
        for section in ("clusters", "contexts", "users"):
            for item in content.get(section) or ():
                if not isinstance(item, dict) or "name" not in item:
                    raise ConfigError(f"{path}: every entry of {section} needs a name")
                merged[section].setdefault(item["name"], _absolute(item.get(section[:-1]) or {}, path.parent))
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except OSError as error:
        raise ConfigError(f"kubeconfig {path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        raise ConfigError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}") from error
    if not isinstance(content or {}, dict):
        raise ConfigError(f"kubeconfig {path} is not a mapping: expected apiVersion, clusters, contexts, users")
    return content or {}


def _absolute(entry: Entry, base: Path) -> Entry:
    """Return an entry with its paths made absolute; so is that of a login plugin which is more than a name."""
    found = {key: str(base / value) if key in PATHS and value else value for key, value in entry.items()}
    plugin = found.get("exec")
    if isinstance(plugin, dict) and "/" in str(plugin.get("command", "")):
        found["exec"] = {**plugin, "command": str(base / str(plugin["command"]))}
    return found


def _select(merged: dict[str, Any], context: str | None, files: str) -> Context:
    contexts = merged["contexts"]
    known = ", ".join(sorted(contexts)) or "none"
    name = context or merged["current-context"]
    if not name:
        raise ConfigError(f"no current context in {files}: name one of its contexts ({known}) in cluster.context")
    if name not in contexts:
        raise ConfigError(f"no context {name} in {files}: its contexts are {known}")
    chosen = contexts[name]
    cluster_name, user_name = chosen.get("cluster"), chosen.get("user")
    cluster = merged["clusters"].get(cluster_name)
    if not (cluster or {}).get("server"):
        raise ConfigError(f"context {name} in {files} names cluster {cluster_name}, which has no entry with a server")
    if user_name and user_name not in merged["users"]:
        raise ConfigError(f"context {name} in {files} names user {user_name}, which has no entry")
    if cluster.get("proxy-url"):
        require_proxy(str(cluster["proxy-url"]), f"{files}: proxy-url of cluster {cluster_name}")
    return Context(name, cluster_name, cluster, merged["users"].get(user_name, {}))


def require_proxy(url: str, place: str) -> None:
    """Raise ConfigError, naming the place, unless requests can go by way of the proxy at a URL."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        fits = False
    if not fits:
        shown = re.sub("//.*@", "//…@", url)  # without its password
        raise ConfigError(
            f"{place} is {shown}: expected http://HOST:PORT or https://HOST:PORT, no other proxy can be used"
        )
