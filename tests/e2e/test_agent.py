"""The agent as it is shipped: its ServiceAccount, a forge that delivers webhooks, a real API server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.sandbox import control
from tests.e2e import agents
from tests.e2e.agents import Pod, until
from tests.e2e.conftest import IDENTITY
from tests.e2e.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.sandbox.control import Sandbox
    from tests.forge.client import Forge

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a Pod's files are put where a Pod has them, by a mount"),
]

ROOT = Path(__file__).parents[2]
SECRET = "a-webhook-secret"
GRAFANA = "base/monitoring/grafana/grafana.yaml"
ACCOUNT, NAMESPACE = "reconciler", "reconciler-system"


class Repository:
    """A copy of the shipped platform in a repository of the forge."""

    def __init__(self, forge: Forge, folder: Path, name: str) -> None:
        self.forge, self.folder, self.name = forge, folder, name
        for part in ("base", "overlays", "environments"):
            shutil.copytree(ROOT / part, folder / part)
        self.git("init", "-q", "-b", "main")
        self.replace("environments/dev/environment.yaml", "interval: 5m", "interval: 3s")
        forge.create_repository(name)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ("git", *arguments),
            cwd=self.folder,
            check=True,
            env={**os.environ, **IDENTITY},
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *references: str) -> None:
        self.forge.push(self.folder, self.name, *references)

    def command(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Run the reconciler in the repository and return what it prints."""
        done = subprocess.run(
            (sys.executable, "-m", "reconciler.cli.main", *arguments),
            cwd=self.folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Return a sandbox of the test's own: the shipped platform is applied to all of it."""
    name = f"agent-{os.getpid()}"
    try:
        yield control.up(name, storage_class=False)
    finally:
        control.down(name)


def live(sandbox: Sandbox, path: str = "{.spec.replicas}") -> str:
    return sandbox.run_kubectl("get", "deployment", "grafana", "-n", "monitoring", "-o", f"jsonpath={path}")


def events(sandbox: Sandbox) -> list[dict[str, Any]]:
    found = json.loads(sandbox.run_kubectl("get", "events.events.k8s.io", "-n", NAMESPACE, "-o", "json"))
    return [item for item in found["items"] if item.get("reportingController") == "reconciler.dev/agent"]


def noted(sandbox: Sandbox, reason: str, *words: str) -> dict[str, Any]:
    """Return the Event with a reason that says all of these words."""
    found: dict[str, Any] = until(
        lambda: next(
            (
                item
                for item in events(sandbox)
                if item["reason"] == reason and all(word in item["note"] for word in words)
            ),
            None,
        ),
        20,
    )
    return found


def test_a_platform_lives_by_its_repository(sandbox: Sandbox, forge: Forge, tmp_path: Path) -> None:
    """Pushed, applied, repaired, a bad commit reported and not applied, a good one applied, and a clean end."""
    here = {"RECONCILER_SANDBOX": sandbox.name}
    repository = Repository(forge, tmp_path / "platform", f"platform-{os.getpid()}")
    first = repository.commit("the platform")
    repository.push("main")
    repository.command("apply", "dev", "--yes", "-o", "json", **here)
    port = free_port()
    pod = Pod.of(sandbox, tmp_path / "pod", ACCOUNT, NAMESPACE)
    source = ("--source", forge.clone_url(repository.name), "--poll", "3600")
    with agents.running(pod, tmp_path / "agent", port, *source, RECONCILER_WEBHOOK_SECRET=SECRET) as agent:
        done = agent.wait_for("run.finished", revision=first)
        assert done["result"] == "applied", done
        assert agent.get("/healthz") == agent.get("/readyz") == "ok\n"
        forge.create_hook(repository.name, f"http://127.0.0.1:{port}/webhook", SECRET)

        repository.replace(GRAFANA, "replicas: 1", "replicas: 2")
        second = repository.commit("two of grafana")
        repository.push("main")
        agent.wait_for("webhook.push", commit=second)
        done = agent.wait_for("run.finished", revision=second)
        assert (done["result"], live(sandbox)) == ("applied", "2"), done
        noted(sandbox, "Applied", second[:12], done["change"])

        mark = len(agent.lines)
        sandbox.run_kubectl("annotate", "service/grafana", "-n", "monitoring", "by=hand")  # not ours: nobody minds
        sandbox.run_kubectl("set", "image", "deployment/grafana", "-n", "monitoring", "grafana=example.com/mine:1")
        repaired = agent.wait_for("run.finished", mark, drifted=1, result="applied")
        assert repaired["revision"] == second
        assert "example.com/mine" not in live(sandbox, "{.spec.template.spec.containers[0].image}")
        noted(sandbox, "DriftRepaired", second[:12])

        repository.replace(GRAFANA, "replicas: 2", "replicas: 3\n    : broken")
        bad = repository.commit("a bad commit")
        repository.push("main")
        done = agent.wait_for("run.finished", revision=bad)
        assert done["result"] == "invalid"
        assert f"{GRAFANA}:" in done["told"]
        noted(sandbox, "InvalidRevision", bad[:12], f"{GRAFANA}:")
        assert live(sandbox, "{.spec.template.spec.containers[0].image}")
        metrics = agent.get("/metrics")
        assert 'reconciler_last_run_succeeded{environment="dev"} 0.0' in metrics
        told = json.loads(repository.command("--revision", second, "status", "dev", "-o", "json", **here))["agent"]
        assert (told["revision"], told["result"], told["applied"]) == (bad, "invalid", second)

        repository.replace(GRAFANA, "replicas: 3\n    : broken", "replicas: 3")
        good = repository.commit("a good one after it")
        repository.push("main")
        done = agent.wait_for("run.finished", revision=good)
        assert (done["result"], live(sandbox)) == ("applied", "3"), done
        assert 'reconciler_webhooks_total{result="push"}' in agent.get("/metrics")

        code, seconds = agent.stop()
        assert (code, seconds < 5) == (0, True), (code, seconds)
        assert "agent.stopped" in [line["event"] for line in agent.lines]
    for lease in ("reconciler-dev", "reconciler-dev.agent"):
        held = sandbox.run_kubectl("get", "lease", lease, "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}")
        assert held == "", lease
    refused = [json.loads(line) for line in sandbox.audit_log.read_text().splitlines() if '"code":403' in line]
    mine = [item for item in refused if item["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"]
    assert [item["requestURI"] for item in mine] == [], "the rights that are shipped are enough"
