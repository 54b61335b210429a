"""The agent as it is shipped: its ServiceAccount, a forge that delivers webhooks, a real API server."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import agents
from tests.e2e.agents import Pod, Proxy
from tests.e2e.ports import free_port
from tests.e2e.shipped import Repository
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.agents import Agent
    from tests.forge.client import Forge

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not agents.possible(), reason="a process cannot have mounts of its own here (unshare)"),
]

SECRET = "a-webhook-secret"
GRAFANA = "base/monitoring/grafana/grafana.yaml"
ACCOUNT, NAMESPACE = "reconciler", "reconciler-system"


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
        f"an Event {reason} that says {words}",
        20,
    )
    return found


@dataclass(frozen=True, slots=True)
class Story:
    """A platform that an agent keeps as its repository says."""

    sandbox: Sandbox
    repository: Repository
    agent: Agent

    def pushed(self, message: str) -> str:
        """Commit and push, and wait until the agent has been told of it."""
        commit = self.repository.commit(message)
        self.repository.push("main")
        self.agent.wait_for("webhook.push", commit=commit)
        return commit

    def a_push_is_applied(self) -> str:
        self.repository.replace(GRAFANA, "replicas: 1", "replicas: 2")
        commit = self.pushed("two of grafana")
        done = self.agent.wait_for("run.finished", revision=commit)
        assert (done["result"], live(self.sandbox)) == ("applied", "2"), done
        noted(self.sandbox, "Applied", commit[:12], done["change"])
        return commit

    def a_hand_edit_is_repaired(self, commit: str) -> None:
        mark, target = len(self.agent.lines), ("deployment/grafana", "-n", "monitoring")
        self.sandbox.run_kubectl("annotate", *target, "by=hand")  # not ours: nobody minds
        self.sandbox.run_kubectl("set", "image", *target, "grafana=example.com/mine:1")
        repaired = self.agent.wait_for("run.finished", mark, drifted=1, result="applied")
        assert repaired["revision"] == commit
        assert "example.com/mine" not in live(self.sandbox, "{.spec.template.spec.containers[0].image}")
        noted(self.sandbox, "DriftRepaired", commit[:12])

    def a_bad_commit_changes_nothing(self, before: str) -> None:
        self.repository.replace(GRAFANA, "replicas: 2", "replicas: 3\n    : broken")
        commit = self.pushed("a bad commit")
        done = self.agent.wait_for("run.finished", revision=commit)
        assert done["result"] == "invalid"
        assert f"{GRAFANA}:" in done["told"]
        noted(self.sandbox, "InvalidRevision", commit[:12], f"{GRAFANA}:")
        assert live(self.sandbox) == "2"
        assert 'reconciler_last_run_succeeded{environment="dev"} 0.0' in self.agent.get("/metrics")
        here = {"RECONCILER_SANDBOX": self.sandbox.name}
        told = self.repository.command("--revision", before, "status", "dev", "-o", "json", variables=here)
        agent = json.loads(told)["agent"]
        assert (agent["revision"], agent["result"], agent["applied"]) == (commit, "invalid", before)

    def a_good_one_after_it_is_applied(self) -> None:
        self.repository.replace(GRAFANA, "replicas: 3\n    : broken", "replicas: 3")
        commit = self.pushed("a good one after it")
        done = self.agent.wait_for("run.finished", revision=commit)
        assert (done["result"], live(self.sandbox)) == ("applied", "3"), done
        assert 'reconciler_webhooks_total{result="push"}' in self.agent.get("/metrics")

    def it_ends_cleanly(self) -> None:
        code, seconds = self.agent.stop()
        assert (code, seconds < 5) == (0, True), (code, seconds)
        assert "agent.stopped" in [line["event"] for line in self.agent.lines]
        for name in ("reconciler-dev", "reconciler-dev.agent"):
            holder = ("get", "lease", name, "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}")
            assert self.sandbox.run_kubectl(*holder) == "", name

    def its_rights_were_enough(self) -> None:
        user = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
        refused = [json.loads(line) for line in self.sandbox.audit_log.read_text().splitlines() if '"code":403' in line]
        assert [item["requestURI"] for item in refused if item["user"]["username"] == user] == []


def test_a_platform_lives_by_its_repository(own_sandbox: Sandbox, forge: Forge, tmp_path: Path) -> None:
    """Pushed, applied, repaired, a bad commit reported and not applied, a good one applied, and a clean end."""
    sandbox = own_sandbox
    repository = Repository(forge, tmp_path / "platform", f"platform-{os.getpid()}")
    first = repository.commit("the platform")
    repository.push("main")
    repository.command("apply", "dev", "--yes", variables={"RECONCILER_SANDBOX": sandbox.name})
    port = free_port()
    pod = Pod.of(sandbox, tmp_path / "pod", ACCOUNT, NAMESPACE)
    source = ("--source", forge.clone_url(repository.name), "--poll", "3600")
    with agents.running(pod, tmp_path / "agent", port, *source, RECONCILER_WEBHOOK_SECRET=SECRET) as agent:
        done = agent.wait_for("run.finished", revision=first)
        assert done["result"] == "applied", done
        assert agent.get("/healthz") == agent.get("/readyz") == "ok\n"
        forge.create_hook(repository.name, f"http://127.0.0.1:{port}/webhook", SECRET)
        story = Story(sandbox, repository, agent)
        second = story.a_push_is_applied()
        story.a_hand_edit_is_repaired(second)
        story.a_bad_commit_changes_nothing(second)
        story.a_good_one_after_it_is_applied()
        story.it_ends_cleanly()
        story.its_rights_were_enough()


def writes(sandbox: Sandbox, pod: Pod) -> list[dict[str, Any]]:
    """Return the audited requests of one Pod that changed something; each Pod has a token of its own."""
    found = []
    for line in sandbox.audit_log.read_text().splitlines():
        item = json.loads(line)
        credential = (item["user"].get("extra") or {}).get("authentication.kubernetes.io/credential-id", [""])[0]
        wrote = item["verb"] in ("create", "update", "patch", "delete") and "dryRun=All" not in item["requestURI"]
        if wrote and credential == pod.credential and item["responseStatus"]["code"] < 300:
            found.append(item)
    return found


def of_objects(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the writes of what the environment is made of."""
    return [item for item in items if item["objectRef"]["resource"] not in ("leases", "events")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_another_replica_takes_over_and_they_never_write_at_the_same_time(
    own_sandbox: Sandbox, forge: Forge, tmp_path: Path, number: signal.Signals
) -> None:
    """One of two is killed (or frozen, and goes on later) amid its writes: the other one writes only after it."""
    sandbox, here = own_sandbox, {"RECONCILER_SANDBOX": own_sandbox.name}
    repository = Repository(forge, tmp_path / "platform", f"two-{os.getpid()}-{number}")
    repository.commit("the platform")
    repository.push("main")
    repository.command("apply", "dev", "--yes", variables=here)
    pods = [Pod.of(sandbox, tmp_path / f"pod{index}", ACCOUNT, NAMESPACE) for index in range(2)]
    source = ("--source", forge.clone_url(repository.name), "--poll", "1")
    with (
        agents.running(pods[0], tmp_path / "first", free_port(), *source) as first,
        agents.running(pods[1], tmp_path / "second", free_port(), *source) as second,
    ):
        until(
            lambda: any(line["event"] == "lease.held" for line in (*first.lines, *second.lines)), "one holds the Lease"
        )
        leading, waiting = (first, second) if any(x["event"] == "lease.held" for x in first.lines) else (second, first)
        waiting.wait_for("lease.waited_for")
        leading.wait_for("run.finished")
        for kind in ("base/monitoring", "base/logging"):
            for file in (repository.folder / kind).rglob("*.yaml"):
                if file.name != "kustomization.yaml" and "replicas: 1\n" in file.read_text():
                    file.write_text(file.read_text().replace("replicas: 1\n", "replicas: 2\n"))
        commit = repository.commit("many changes")
        repository.push("main")
        leading.wait_for("plan.made", revision=commit)
        leading.process.send_signal(number)
        begun = time.monotonic()
        done = waiting.wait_for("run.finished", revision=commit, result="applied")
        seconds = time.monotonic() - begun
        assert done["result"] == "applied"
        assert seconds < 30, "the Lease runs out after 15 s, and the writer's Lease is not waited for once more"
        leading.process.send_signal(signal.SIGCONT)
        time.sleep(3)
        repository.replace(GRAFANA, "replicas: 2", "replicas: 1")
        commit = repository.commit("and on")
        repository.push("main")
        waiting.wait_for("run.finished", revision=commit, result="applied")
    old, new = (pods[0], pods[1]) if leading is first else (pods[1], pods[0])
    before, after = of_objects(writes(sandbox, old)), of_objects(writes(sandbox, new))
    assert before
    assert after
    assert max(item["stageTimestamp"] for item in before) < min(item["requestReceivedTimestamp"] for item in after)


def test_lost_servers_are_survived_and_reported(own_sandbox: Sandbox, forge: Forge, tmp_path: Path) -> None:
    """Neither git nor the API server answer for a while: the agent says so, goes on trying, and catches up."""
    sandbox, here = own_sandbox, {"RECONCILER_SANDBOX": own_sandbox.name}
    repository = Repository(forge, tmp_path / "platform", f"lost-{os.getpid()}")
    repository.commit("the platform")
    repository.push("main")
    repository.command("apply", "dev", "--yes", variables=here)
    pod = Pod.of(sandbox, tmp_path / "pod", ACCOUNT, NAMESPACE)
    with Proxy.to(pod.server) as api, Proxy.to(forge.url) as git:
        source = forge.clone_url(repository.name).replace(forge.url, f"http://127.0.0.1:{git.port}")
        reached = replace(pod, server=f"https://127.0.0.1:{api.port}")
        with agents.running(reached, tmp_path / "agent", free_port(), "--source", source, "--poll", "1") as agent:
            agent.wait_for("run.finished", result="applied")
            git.down()
            agent.wait_for("git.unreachable")
            git.up()
            agent.wait_for("git.reachable_again")
            api.down()
            mark = len(agent.lines)
            agent.wait_for("lease.unreachable", mark)
            assert 'reconciler_lease_held{environment="dev"} 0.0' in agent.get("/metrics")
            assert agent.get("/healthz") == "ok\n"
            repository.replace(GRAFANA, "replicas: 1", "replicas: 2")
            commit = repository.commit("while nobody looks")
            repository.push("main")
            agent.wait_for("git.moved", mark, revision=commit)
            api.up()
            agent.wait_for("run.finished", mark, revision=commit, result="applied")
            assert live(sandbox) == "2"
            api.down()
            git.down()
            code, seconds = agent.stop()
            assert (code, seconds < 15) == (0, True), (code, seconds)
