"""The sandbox is a real control plane: workloads become ready, claims bind, crashes leave nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import control, ready
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.sandbox.control import Sandbox

    Kubectl = Callable[..., str]

pytestmark = pytest.mark.cluster

CONTAINER = {"name": "main", "image": "example.com/main:1"}
DEPLOYMENTS = 300
COMMAND = (sys.executable, "-m", "reconciler.cli.main", "sandbox")


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """Return a namespace of the test's own."""
    name = f"sandbox-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep the state of this test's sandboxes apart; return the folder that holds them. What a failure left is stopped."""
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(tmp_path))
    yield tmp_path / "sandboxes"
    for name in control.names():
        control.down(name)


def workload(kind: str, name: str, pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a workload with one container."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [CONTAINER], **(pod or {})}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def job(name: str) -> dict[str, Any]:
    """Return a Job that runs twice, after an init container."""
    pod = {"restartPolicy": "Never", "initContainers": [{**CONTAINER, "name": "before"}], "containers": [CONTAINER]}
    spec = {"completions": 2, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def claim(name: str, class_name: str | None = None, mode: str = "ReadWriteOnce") -> dict[str, Any]:
    """Return a claim on storage."""
    spec: dict[str, Any] = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}
    if class_name is not None:
        spec["storageClassName"] = class_name
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def storage_class(name: str, provisioner: str, mode: str) -> dict[str, Any]:
    """Return a StorageClass."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": provisioner,
        "volumeBindingMode": mode,
    }


def create(kubectl: Kubectl, namespace: str, *objects: dict[str, Any]) -> None:
    """Create objects."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("-n", namespace, "create", "-f", "-", stdin=text)


def wait(kubectl: Kubectl, namespace: str, target: str, condition: str) -> None:
    """Wait until an object is as it should be."""
    kubectl("-n", namespace, "wait", target, f"--for={condition}", "--timeout=30s")


def alive(state: Path) -> list[str]:
    """Return the command lines of processes whose files are in a folder of sandboxes."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(word.startswith("--") and str(state) in word for word in words):
            found.append(words[0])
    return found


def test_workloads_become_ready(kubectl: Kubectl, namespace: str) -> None:
    """A Deployment, a StatefulSet with a claim, a DaemonSet and a Job do what they do on a real cluster."""
    before = [{**CONTAINER, "name": "migrate"}, {**CONTAINER, "name": "proxy", "restartPolicy": "Always"}]
    stored = {"containers": [{**CONTAINER, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}
    create(
        kubectl,
        namespace,
        workload("Deployment", "web", {"initContainers": before}, replicas=3),
        workload("StatefulSet", "store", stored, replicas=2, volumeClaimTemplates=[claim("data")]),
        workload("DaemonSet", "agent"),
        job("once"),
    )
    for target, condition in (
        ("deployment/web", "condition=Available"),
        ("deployment/web", "jsonpath={.status.readyReplicas}=3"),
        ("statefulset/store", "jsonpath={.status.readyReplicas}=2"),
        ("daemonset/agent", "jsonpath={.status.numberReady}=3"),
        ("job/once", "condition=complete"),
        ("pvc/data-store-1", "jsonpath={.status.phase}=Bound"),
    ):
        wait(kubectl, namespace, target, condition)
    pods = json.loads(kubectl("-n", namespace, "get", "pods", "-l", "app=web", "-o", "json"))["items"]
    for pod in pods:
        states = {item["name"]: next(iter(item["state"])) for item in pod["status"]["initContainerStatuses"]}
        assert states == {"migrate": "terminated", "proxy": "running"}
        assert pod["status"]["podIP"]


def test_claims_of_any_class_bind_when_it_is_their_turn(kubectl: Kubectl, namespace: str) -> None:
    """At once or with the first consumer, as the class says; what no provisioner serves stays pending."""
    modes = {"now": "Immediate", "later": "WaitForFirstConsumer", "never": "Immediate"}
    classes = {
        name: storage_class(
            f"{namespace}-{name}",
            "kubernetes.io/no-provisioner" if name == "never" else f"{name}.example.com",
            mode,
        )
        for name, mode in modes.items()
    }
    create(
        kubectl,
        namespace,
        *classes.values(),
        claim("now", f"{namespace}-now", "ReadWriteMany"),
        claim("later", f"{namespace}-later"),
        claim("never", f"{namespace}-never"),
    )
    wait(kubectl, namespace, "pvc/now", "jsonpath={.status.phase}=Bound")
    phases = "jsonpath={.items[*].status.phase}"
    assert kubectl("-n", namespace, "get", "pvc", "later", "never", "-o", phases) == "Pending Pending"
    used = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "later"}}]}
    create(kubectl, namespace, workload("Deployment", "consumer", used))
    wait(kubectl, namespace, "pvc/later", "jsonpath={.status.phase}=Bound")
    wait(kubectl, namespace, "deployment/consumer", "condition=Available")
    assert kubectl("-n", namespace, "get", "pvc", "never", "-o", "jsonpath={.status.phase}") == "Pending"
    volume = kubectl("-n", namespace, "get", "pvc", "now", "-o", "jsonpath={.spec.volumeName}")
    kubectl("-n", namespace, "delete", "pvc", "now")
    until(lambda: volume not in kubectl("get", "pv", "-o", "name"), "the volume of a deleted claim goes")
    kubectl("delete", "storageclass", *(f"{namespace}-{name}" for name in modes))


def test_deleted_workloads_go(kubectl: Kubectl, namespace: str) -> None:
    """Pods with a grace period and their owner are gone in seconds, as `prune` waits for."""
    create(kubectl, namespace, workload("Deployment", "web", replicas=3))
    wait(kubectl, namespace, "deployment/web", "condition=Available")
    kubectl("-n", namespace, "delete", "deployment", "web", "--cascade=foreground", "--timeout=20s")
    assert kubectl("-n", namespace, "get", "pods", "-o", "name") == ""


def test_hundreds_of_deployments_are_observed_at_once(kubectl: Kubectl, namespace: str) -> None:
    """The controllers are not held back by their own rate limits: with those, this would take a minute."""
    create(kubectl, namespace, *(workload("Deployment", f"d{index}", replicas=0) for index in range(DEPLOYMENTS)))

    def observed() -> bool:
        told = kubectl("-n", namespace, "get", "deployments", "-o", "jsonpath={.items[*].status.observedGeneration}")
        return len(told.split()) == DEPLOYMENTS

    until(observed, "all are observed", 20)


def test_requests_can_be_counted_and_config_is_for_its_owner(control_plane: Sandbox, kubectl: Kubectl) -> None:
    """The audit log names each request with its object; who has no certificate sees nothing."""
    name = f"counted-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("get", "namespace", name)
    kubectl("delete", "namespace", name, "--wait=false")

    def counted() -> Counter[str]:
        lines = map(json.loads, control_plane.audit_log.read_text().splitlines())
        mine = (line for line in lines if line["user"]["username"] == "admin")
        return Counter(line["verb"] for line in mine if line.get("objectRef", {}).get("name") == name)

    until(lambda: counted()["delete"] == 1, "the deletion is in the log")
    assert (counted()["create"], counted()["get"]) == (1, 1)
    assert kubectl("auth", "can-i", "*", "*").strip() == "yes"
    with pytest.raises(SandboxError, match="Forbidden"):
        kubectl("get", "secrets", "--as", "somebody")
    assert control_plane.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_crash_is_cleaned_up_and_nothing_stays(own_state: Path) -> None:
    """After kill -9 of a part the next `up` starts anew; `down` leaves no process and no folder."""
    first = control.up("crash")
    try:
        assert control.up("crash") == first
        pids = [process.pid for process in first.processes]
        assert None not in pids
        os.kill(pids[1] or 0, signal.SIGKILL)
        os.kill(pids[4] or 0, signal.SIGKILL)
        until(lambda: control.find("crash") is None, "what crashed counts as gone")
        second = control.up("crash")
        assert second.running
        assert {process.pid for process in second.processes}.isdisjoint(pids)
    finally:
        control.down("crash")
    assert list(own_state.iterdir()) == []
    assert alive(own_state) == []
    assert control.down("crash") is False


def test_two_at_once_side_by_side(own_state: Path) -> None:
    """Two callers of one name get one sandbox; another name gets its own; `down --all` stops them."""
    found: list[Sandbox] = []
    callers = [threading.Thread(target=lambda name=name: found.append(control.up(name))) for name in ("a", "a", "b")]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    try:
        a, also_a, b = sorted(found, key=lambda sandbox: sandbox.name)
        assert a == also_a
        assert (a.running, b.running) == (True, True)
        a.run_kubectl("create", "namespace", "only-a")
        assert "only-a" not in b.run_kubectl("get", "namespaces")
    finally:
        subprocess.run((*COMMAND, "down", "--all"), check=True, stdout=subprocess.DEVNULL)
    assert control.names() == ()
    assert alive(own_state) == []


def test_a_port_that_is_taken_meanwhile_costs_one_more_try(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ready.free_ports
    tries = []

    def free_ports(count: int) -> list[int]:
        tries.append(count)
        ports = real(count)
        if len(tries) == 1:
            ports[2] = taken.getsockname()[1]
        return ports

    monkeypatch.setattr(ready, "free_ports", free_ports)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        try:
            assert control.up("ports", nodes=1, storage_class=False).running
        finally:
            control.down("ports")
    assert len(tries) == 2


def test_run_passes_on_the_exit_code_and_stops(own_state: Path, control_plane: Sandbox) -> None:
    """`sandbox run` starts a sandbox, sets KUBECONFIG, and takes it down again with the command's exit code."""
    script = '"$1" get nodes -o name | wc -l; exit 7'
    command = (*COMMAND, "run", "--name", "runs", "--nodes", "2", "--", "sh", "-c", script, "sh")
    done = subprocess.run((*command, str(control_plane.kubectl)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (7, "2"), done.stderr
    assert list(own_state.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing(own_state: Path, number: signal.Signals) -> None:
    """Ctrl-C or a kill while it starts: the exit code says so, no process and no folder stay."""
    starting = subprocess.Popen((*COMMAND, "up", "--name", "cut"), stderr=subprocess.PIPE, text=True)
    until(lambda: len(alive(own_state)) >= 2, "two processes are started")
    starting.send_signal(number)
    _, told = starting.communicate(timeout=60)
    assert starting.returncode == 130, told
    until(lambda: alive(own_state) == [], "no process is left")
    assert control.names() == ()


def test_a_signal_to_run_is_the_commands_to_obey(own_state: Path) -> None:
    """SIGTERM is passed on; the command ends in its own way and its exit code is told; the sandbox is gone."""
    script = "trap 'echo tidy; exit 9' TERM; echo started; while :; do sleep 0.1; done"
    running = subprocess.Popen(
        (*COMMAND, "run", "--name", "told", "--", "sh", "-c", script), stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    running.send_signal(signal.SIGINT)  # as with Ctrl-C, which the command would have got by itself
    running.terminate()
    out, _ = running.communicate(timeout=60)
    assert (running.returncode, out) == (9, "tidy\n")
    assert alive(own_state) == []
