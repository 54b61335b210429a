"""The sandbox is a real control plane: workloads become ready, claims bind, crashes leave nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.sandbox import control, places, programs

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster


def kubectl(sandbox: Sandbox, *arguments: str, stdin: str = "") -> str:
    """Run kubectl on a sandbox."""
    command = (str(sandbox.kubectl), "--kubeconfig", str(sandbox.kubeconfig), *arguments)
    return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout


def workload(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    """Return a workload with one container."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "example.com/main:1"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def test_workloads_become_ready_and_claims_bind(control_plane: Sandbox) -> None:
    """A Deployment, a StatefulSet with a claim, a DaemonSet and a Job do what they do on a real cluster."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    stateful = workload("StatefulSet", "store", volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": claim}])
    stateful["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.com/main:1"}]}
            }
        },
    }
    objects = [workload("Deployment", "web", replicas=3), stateful, workload("DaemonSet", "agent"), job]
    kubectl(control_plane, "create", "namespace", "sandbox-workloads")
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl(control_plane, "-n", "sandbox-workloads", "create", "-f", "-", stdin=text)
    for target, condition in (
        ("deployment/web", "jsonpath={.status.readyReplicas}=3"),
        ("statefulset/store", "jsonpath={.status.readyReplicas}=1"),
        ("daemonset/agent", "jsonpath={.status.numberReady}=3"),
        ("job/once", "condition=complete"),
        ("pvc/data-store-0", "jsonpath={.status.phase}=Bound"),
    ):
        told = kubectl(control_plane, "-n", "sandbox-workloads", "wait", target, f"--for={condition}", "--timeout=30s")
        assert "condition met" in told


def test_a_crash_is_cleaned_up_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After kill -9 of a part the next `up` starts anew; `down` leaves no process and no folder."""
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(tmp_path))
    first = control.up("crash")
    try:
        assert control.up("crash") == first
        pids = [process.pid for process in first.processes]
        assert None not in pids
        os.kill(pids[1] or 0, signal.SIGKILL)
        os.kill(pids[4] or 0, signal.SIGKILL)
        until = time.monotonic() + 10
        while control.find("crash") is not None and time.monotonic() < until:
            time.sleep(0.05)
        assert control.find("crash") is None
        second = control.up("crash")
        assert second.running
        assert {process.pid for process in second.processes}.isdisjoint(pids)
    finally:
        control.down("crash")
    assert list((tmp_path / "sandboxes").iterdir()) == []
    assert control.down("crash") is False


def test_run_passes_on_the_exit_code_and_stops(tmp_path: Path) -> None:
    """`sandbox run` starts a sandbox, sets KUBECONFIG, and takes it down again with the command's exit code."""
    script = "kubectl=$1; $kubectl get nodes -o name | wc -l; exit 7"
    command = [sys.executable, "-m", "reconciler.cli.main", "sandbox", "run", "--name", "runs", "--nodes", "2", "--"]
    surroundings = {**os.environ, "RECONCILER_STATE_DIR": str(tmp_path)}
    kubectl_path = programs.find_all(places.programs_dir(), None, tell=lambda _: None)["kubectl"]
    done = subprocess.run(
        [*command, "sh", "-c", script, "sh", str(kubectl_path)],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (7, "2"), done.stderr
    assert list((tmp_path / "sandboxes").iterdir()) == []
