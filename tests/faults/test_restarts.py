"""The API server goes away in the middle of a run: the run goes on when it is back, or says why not and is continued."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Platform, own_sandbox
from tests.waiting import until

if TYPE_CHECKING:
    from reconciler.sandbox.control import Sandbox

__all__ = ["own_sandbox"]
pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      components: [{name: base, path: base}, {name: maps, path: maps, dependsOn: [base]}]
    """
MAPS = 400


@pytest.fixture
def many(own_sandbox: Sandbox, tmp_path: Path) -> Platform:
    """Return an environment of many ConfigMaps on a control plane of its own."""
    root = tmp_path / "repository"
    root.mkdir()
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=root, check=True)
    made = Platform(root, own_sandbox.kubeconfig, "many", {"RECONCILER_CACHE_DIR": str(tmp_path / "cache")})
    bodies = (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{number}"}, "data": {"v": "1"}}
        for number in range(MAPS)
    )
    made.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{own_sandbox.name}"),
            "environments/%N/base/kustomization.yaml": "resources: [namespace.yaml]\n",
            "environments/%N/base/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: %N}\n",
            "environments/%N/maps/kustomization.yaml": "namespace: %N\nresources: [all.yaml]\n",
            "environments/%N/maps/all.yaml": "---\n".join(json.dumps(body) + "\n" for body in bodies),
        }
    )
    return made


def started(sandbox: Sandbox) -> bool:
    """Whether the run has begun to write, and is far from its end."""
    try:
        listed = sandbox.run_kubectl("get", "configmaps", "-n", "many", "-o", "name", "--ignore-not-found")
    except Exception:  # noqa: BLE001 - the namespace may not be there yet
        return False
    return len(listed.split()) > MAPS // 20


def ready(sandbox: Sandbox) -> None:
    """Wait until the API server answers: a run that ended before its restart has not waited for it."""
    until(lambda: sandbox.run_kubectl("get", "--raw", "/readyz"), "the API server answers")


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_run_outlasts_a_restart_of_the_api_server(how: str, many: Platform, own_sandbox: Sandbox) -> None:
    """It ends well; what it could not do in time the next run does, and says nothing of a defect."""
    server = next(item for item in own_sandbox.processes if item.name == "kube-apiserver")
    command = Path(f"/proc/{server.pid}/cmdline").read_text().rstrip("\0").split("\0")
    process = many.start("apply", "many", "--yes")
    until(lambda: started(own_sandbox) or process.poll() is not None, "the run writes, or has ended")
    if how == "killed":
        subprocess.run(("kill", "-9", str(server.pid)), check=True)
    server.stop()
    server.start(command)
    out, err = process.communicate(timeout=180)
    assert process.returncode in (0, 1), err
    assert "Traceback" not in err
    assert process.returncode == 0 or "the next apply continues" in out or "failed" in out, out
    ready(own_sandbox)
    many.expect(0, "apply", "many", "--yes")
    listed = own_sandbox.run_kubectl(
        "get", "configmaps", "-n", "many", "-l", "reconciler.dev/environment=many", "-o", "name"
    )
    assert len(listed.split()) == MAPS
    many.expect(0, "diff", "many", "--exit-code")
