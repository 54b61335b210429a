"""Test Harbors in the place of those that the shipped environments name: in a copy of the repository, never in the repository."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.harbor.server import TestHarbor
from tests.harbor.state import State

if TYPE_CHECKING:
    from pathlib import Path

HUB: Final = "prod-onprem"
EDGES: Final = ("prod-eks", "prod-gke")
_OWN: Final = re.compile(r"https://registry\.((?:prod-\w+\.)?)platform\.example\.com")


def has_harbor(root: Path, name: str) -> bool:
    """Whether an environment declares objects of a Harbor."""
    return (root / "environments" / name / "distribution").is_dir()


def own() -> TestHarbor:
    """Return a Harbor that waits for the password which its cluster makes."""
    return TestHarbor(State(admin=""))


def lead(root: Path, name: str, harbor: TestHarbor, edge: TestHarbor) -> None:
    """Lead an environment of a copied repository to a test Harbor, and its replications to another one."""
    folders = (root / "base" / "distribution" / "harbor", root / "environments" / name / "distribution")
    for file in (path for folder in folders for path in folder.glob("*.yaml")):
        hub = "kind: HarborReplicationPolicy" in file.read_text()
        file.write_text(_OWN.sub(edge.url if hub else harbor.url, file.read_text()))


def accounts(name: str, edge: TestHarbor) -> list[tuple[str, str, str]]:
    """Return what a person gives to the hub's cluster: Secrets with the account at each edge."""
    return [(f"harbor-{one}", "admin", edge.state.admin) for one in EDGES] if name == HUB else []
