"""Stands in for the operators and servers that a sandbox cannot run: sets the status that the real ones would set.

It says nothing of those programs. What it makes possible is to apply a platform in full to a real API server and to see
that the reconciler waits for what matters, in order, and goes on when it is there. Harbor's API is stood in for by
`tests/harbor`, which is not Harbor either.

    python -m tests.stand_ins KUBECTL KUBECONFIG    until it is ended
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harbor.server import TestHarbor

PAUSE: Final = 0.5  # seconds between two looks
READY: Final[Mapping[str, Any]] = {"phase": "Ready"}
STATUSES: Final[Mapping[str, Mapping[str, Any]]] = {
    "cephclusters.ceph.rook.io": {"phase": "Ready", "state": "Created", "ceph": {"health": "HEALTH_OK"}},
    "cephblockpools.ceph.rook.io": READY,
    "cephfilesystems.ceph.rook.io": READY,
    "cephfilesystemsubvolumegroups.ceph.rook.io": READY,
    "cephobjectstores.ceph.rook.io": READY,
}
"""What Rook says of what it has made, by resource."""

AVAILABLE: Final = {"conditions": [{"type": "Available", "status": "True", "reason": "Passed"}]}
"""What the API server says of metrics.k8s.io where metrics-server answers."""


class StandIns:
    """Stand-ins for one cluster, in a thread of their own."""

    def __init__(self, kubectl: str, kubeconfig: str, harbor: TestHarbor | None = None) -> None:
        """Begin with nothing seen; a test Harbor is told the password that the cluster has made for it."""
        self._command = (kubectl, "--kubeconfig", kubeconfig)
        self._harbor = harbor
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand-ins", daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join(30)

    def look(self) -> None:
        """Give every object its status that has none yet."""
        for resource, status in STATUSES.items():
            for item in self._list(resource):
                if not item.get("status"):
                    self._patch(resource, item, status)
        if self._harbor is not None and not self._harbor.state.admin:
            self._harbor.state.admin = self._password()
        for item in self._list("apiservices.apiregistration.k8s.io"):
            served = any(condition["status"] == "True" for condition in item.get("status", {}).get("conditions", ()))
            if item["spec"].get("service") and not served:
                self._patch("apiservices.apiregistration.k8s.io", item, AVAILABLE)

    def _password(self) -> str:
        """Return the password of Harbor's administrator, which its core reads as it starts; "" before it is made."""
        get = ("get", "secret", "harbor-admin", "-n", "registry", "-o", "jsonpath={.data.password}")
        done = subprocess.run((*self._command, *get), capture_output=True, text=True, check=False)
        return base64.b64decode(done.stdout).decode() if done.returncode == 0 else ""

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            self.look()

    def _list(self, resource: str) -> list[dict[str, Any]]:
        """Return all objects of a resource; none where the cluster does not know it."""
        done = subprocess.run(
            (*self._command, "get", resource, "-A", "-o", "json"), capture_output=True, text=True, check=False
        )
        return json.loads(done.stdout)["items"] if done.returncode == 0 else []

    def _patch(self, resource: str, item: dict[str, Any], status: Mapping[str, Any]) -> None:
        metadata = item["metadata"]
        place = ("-n", metadata["namespace"]) if metadata.get("namespace") else ()
        patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
        command = (*self._command, "patch", resource, metadata["name"], *place, *patch)
        subprocess.run(command, capture_output=True, check=False)  # it may be gone, or be asked again


if __name__ == "__main__":
    with StandIns(sys.argv[1], sys.argv[2]):
        while True:
            time.sleep(60)
