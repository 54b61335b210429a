"""What is declared of a Harbor: the kinds, and what is told of them beside their fields when they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.api import ApiResource

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP: Final = "harbor.reconciler.dev"
VERSION: Final = "v1alpha1"

SERVER: Final = ApiResource(GROUP, VERSION, "HarborServer", "harborservers", namespaced=True)
REGISTRY: Final = "HarborRegistry"
PROJECT: Final = "HarborProject"
POLICY: Final = "HarborReplicationPolicy"
ROBOT: Final = "HarborRobotAccount"
KINDS: Final = frozenset((REGISTRY, PROJECT, POLICY, ROBOT))
"""What Harbor holds. A HarborServer is not of these: it says where a Harbor is."""

MANAGER: Final = "harbor"
"""Who is told to own a declared field that somebody changed in Harbor. Harbor does not say who it was."""

UNCLAIMED: Final = f"{GROUP}/unclaimed"
"""An annotation of what was looked at, never stored: Harbor has such an object, and it is not of our making."""

PENDING: Final = f"{GROUP}/pending"
"""An annotation of what was looked at, never stored: why Harbor has to be written although no field differs."""


def is_declared(group: str, kind: str) -> bool:
    """Whether objects of a kind stand for something in a Harbor."""
    return group == GROUP and kind in KINDS


def unclaimed(body: Mapping[str, Any]) -> str:
    """Return what is told of an object that Harbor has and that is not ours; "" for every other object."""
    return _told(body, UNCLAIMED)


def pending(body: Mapping[str, Any]) -> str:
    """Return why Harbor has to be written although no field differs; "" where it has not."""
    return _told(body, PENDING)


def held(body: Mapping[str, Any]) -> str:
    """Return why an object cannot be deleted from Harbor: a project with repositories never is."""
    if body.get("kind") != PROJECT or not str(body.get("apiVersion", "")).startswith(f"{GROUP}/"):
        return ""
    count = (body.get("status") or {}).get("repositories") or 0
    if not count:
        return ""
    name = body["metadata"]["name"]
    told = "1 repository" if count == 1 else f"{count} repositories"
    return f"Harbor's project {name} still has {told}: delete or move what is in it, or keep the project in git"


def _told(body: Mapping[str, Any], name: str) -> str:
    found: str = (body["metadata"].get("annotations") or {}).get(name, "")
    return found
