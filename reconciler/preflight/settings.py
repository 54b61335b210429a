"""Kubelets against the file that git says they were started with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError
from reconciler.model.origin import Source
from reconciler.model.preflight import Finding
from reconciler.model.tree import origin_at
from reconciler.plan.duration import nanoseconds
from reconciler.preflight.version import spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.resource import Desired, Resource

HINT: Final = "give the node its file anew and restart its kubelet, or change the line in git if the node is right"
UNSEEN: Final = frozenset({"apiVersion", "kind"})


def file_of(profile: Resource, desired: Desired) -> tuple[Mapping[str, Any], Resource] | None:
    """Return the KubeletConfiguration that a profile names, and the ConfigMap that holds it; None where it names none.

    Raises ConfigError where it names one that is not there.
    """
    named = (spec_of(profile.body).get("kubelet") or {}).get("configuration")
    if not named:
        return None
    wanted = (named["namespace"], named["configMap"])
    for _, item in desired.resources:
        if item.id.kind == "ConfigMap" and (item.id.namespace, item.id.name) == wanted:
            text = (item.body.get("data") or {}).get(named["key"])
            if text is not None:
                (document,) = yaml.parse(text, Source(named["key"], ""))
                return document, item
    raise ConfigError(
        f"NodeProfile/{profile.id.name}: there is no key {named['key']} in ConfigMap/{named['configMap']} "
        f"-n {named['namespace']}, expected a KubeletConfiguration"
    )


def settings(
    wanted: Mapping[str, Any], holder: Resource, key: str, seen: Mapping[str, Any], about: str
) -> Iterator[Finding]:
    """Yield what a kubelet runs with otherwise than its file says; what the file leaves out is the kubelet's own choice."""
    place = origin_at(holder.body, ("data", key)) or holder.origin
    for path, value in _leaves(wanted):
        actual = _at(seen, path)
        if not _same(value, actual):
            told = f"its kubelet has {'.'.join(path)} {_shown(actual)}, git says {_shown(value)}"
            yield Finding("nodes", "warning", about, told, HINT, place)


def _leaves(document: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in document.items():
        path = (*above, str(key))
        if isinstance(value, dict):
            yield from _leaves(value, path)
        elif path[0] not in UNSEEN:
            yield path, value


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    return document


def _same(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, str) and isinstance(actual, str):
        length = nanoseconds(wanted)
        return wanted == actual or (length is not None and length == nanoseconds(actual))
    return bool(wanted == actual) or (not wanted and not actual)  # a kubelet leaves out what is empty, false or 0


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
