"""Every shipped environment on a real API server: applied in full, healthy, kept, and pruned to nothing.

Nodes are KWOK's and Pods do not run; what operators would say of their objects, tests/stand_ins.py says in their place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import environment as environments
from reconciler.sandbox import control
from reconciler.source.directory import DirectoryTree
from tests.harbor import shipped
from tests.harbor.server import TestHarbor
from tests.stand_ins import StandIns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = [name for name in environments.discover(DirectoryTree(ROOT)) if name != "dev"]
NODES = 6
NOTHING = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Sandbox]:
    """Return an empty cluster, which one environment after the other has to itself."""
    name = f"platform-{os.getpid()}"
    try:
        yield control.up(name, nodes=NODES, storage_class=False)
    finally:
        control.down(name)


class Place:
    """A copy of the shipped repository, and a cluster that one of its environments takes for its own."""

    def __init__(self, root: Path, name: str, cluster: Sandbox) -> None:
        self.root, self.name, self.cluster = root, name, cluster
        for part in ("base", "overlays", "environments", "rules"):
            shutil.copytree(ROOT / part, root / part)
        self._kubeconfig = root / "kubeconfig"
        self._kubeconfig.write_text(cluster.kubeconfig.read_text().replace(f"sandbox-{cluster.name}", name))

    def run(self, expected: int, *arguments: str) -> tuple[Any, str]:
        """Run a command on the environment; return its document and what it said beside."""
        command = [sys.executable, "-m", "reconciler.cli.main", "--repo", str(self.root), *arguments, "-o", "json"]
        surroundings = {**os.environ, "KUBECONFIG": str(self._kubeconfig)}
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == expected, done.stdout[-4000:] + done.stderr[-4000:]
        return json.loads(done.stdout), done.stderr

    def let_go(self) -> None:
        """Take away what keeps the objects of components that go."""
        file = self.root / "environments" / self.name / "environment.yaml"
        file.write_text(re.sub(r"\n +prune: false.*", "", file.read_text()))

    def empty(self) -> None:
        """Take every component out of the environment."""
        file = self.root / "environments" / self.name / "environment.yaml"
        head, _, rest = file.read_text().partition("  components:\n")
        policy = rest[rest.index("  policy:\n") :]
        file.write_text(f"{head}  components:\n    - {{name: nothing, path: nothing}}\n{policy}")
        (file.parent / "nothing").mkdir()
        (file.parent / "nothing" / "kustomization.yaml").write_text(NOTHING)

    def names(self, *arguments: str) -> set[str]:
        """Return what `kubectl get -o name` prints."""
        return set(self.cluster.run_kubectl("get", "-o", "name", *arguments).split())


def give(cluster: Sandbox, environment: str, edge: TestHarbor) -> None:
    """Put the passwords there that somebody else knows (docs/guides/secrets.md, docs/guides/harbor.md)."""
    cluster.run_kubectl("create", "namespace", "registry")
    for name, user, password in (("harbor-database", "", "of-somebody-else"), *shipped.accounts(environment, edge)):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "registry"},
            "stringData": {"password": password, **({"username": user} if user else {})},
        }
        cluster.run_kubectl("apply", "-f", "-", stdin=json.dumps(secret))


def tidy(cluster: Sandbox, stop: threading.Event) -> None:
    """Delete the claims of StatefulSets that are gone, as a person would who wants nothing to stay."""
    while not stop.wait(1):
        if not cluster.run_kubectl("get", "statefulsets", "-A", "-o", "name"):
            cluster.run_kubectl("delete", "pvc", "--all", "-A", "--wait=false")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_from_nothing_to_nothing(name: str, cluster: Sandbox, tmp_path: Path) -> None:
    place = Place(tmp_path, name, cluster)
    before = place.names("namespaces")
    with shipped.own() as harbor, TestHarbor() as edge:
        if name.startswith("prod-"):
            give(cluster, name, edge)
            shipped.lead(tmp_path, name, harbor, edge)
        with StandIns(str(cluster.kubectl), str(cluster.kubeconfig), harbor):
            _is_applied_and_stays(place)
            _comes_back_without_its_pods(place)
            assert bool(harbor.state.projects) is shipped.has_harbor(ROOT, name)
            _goes(place)
        assert [harbor.state.projects, harbor.state.policies, harbor.state.robots, harbor.violations] == [
            {},
            {},
            {},
            [],
        ]
    assert place.names("namespaces") <= before | {"namespace/reconciler-system"}
    selector = f"reconciler.dev/environment={name}"
    for kind in ("customresourcedefinitions", "clusterroles", "storageclasses", "persistentvolumes"):
        assert place.names(kind, "-l", selector) == set(), kind
    cluster.run_kubectl("delete", "namespace", "reconciler-system")  # never pruned; for the next environment


def _is_applied_and_stays(place: Place) -> None:
    report, said = place.run(0, "apply", place.name, "--yes")
    assert {item["result"] for item in report["objects"]} == {"applied"}
    assert len(report["objects"]) > 130
    assert "warning" not in said.lower().replace("-warning", "")
    checked = [item for item in report["objects"] if item["id"]["kind"] in ("Deployment", "StatefulSet", "DaemonSet")]
    assert {item["health"] for item in checked} == {"Current"}
    again, _ = place.run(0, "apply", place.name, "--yes")
    assert {item["result"] for item in again["objects"]} <= {"unchanged"}
    assert again["requests"]["dry_run"] == 0


def _comes_back_without_its_pods(place: Place) -> None:
    """No policy, quota or admission rule keeps the platform from starting again."""
    place.cluster.run_kubectl("delete", "pods", "--all", "-A", "--wait=false", "--grace-period=0", "--force")
    columns = "custom-columns=K:.kind,N:.metadata.namespace,M:.metadata.name"
    kinds = "deployments,statefulsets,daemonsets"
    workloads = place.cluster.run_kubectl("get", kinds, "-A", "--no-headers", "-o", columns)
    for kind, namespace, workload in (line.split() for line in workloads.splitlines()):
        place.cluster.run_kubectl("rollout", "status", f"{kind}/{workload}", "-n", namespace, "--timeout=120s")


def _goes(place: Place) -> None:
    place.let_go()
    report, _ = place.run(0, "apply", place.name, "--yes")
    assert {item["result"] for item in report["objects"]} <= {"unchanged"}
    place.empty()
    plan, _ = place.run(4, "diff", place.name)
    assert {"protected", "budget"} <= {item["rule"] for item in plan["refusals"]}
    stop = threading.Event()
    helper = threading.Thread(target=tidy, args=(place.cluster, stop))
    helper.start()
    try:
        report, _ = place.run(0, "apply", place.name, "--yes", "--acknowledge", plan["plan"])
    finally:
        stop.set()
        helper.join()
    assert {item["result"] for item in report["objects"]} == {"pruned"}
