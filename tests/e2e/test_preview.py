"""A pull request at a real forge: its preview, and the agent that applies what was previewed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import agents
from tests.e2e.agents import Pod
from tests.e2e.ports import free_port
from tests.e2e.shipped import Repository
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox
    from tests.forge.client import Forge

pytestmark = pytest.mark.cluster

GRAFANA = "base/monitoring/grafana/grafana.yaml"
ACCOUNT, NAMESPACE = "reconciler", "reconciler-system"
SECRET = "a-webhook-secret"


def preview(repository: Repository, number: int, *options: str, code: int = 0) -> str:
    """Preview branch `change` as CI does, and post it."""
    forge = repository.forge
    where = ("--forge", "gitea", "--forge-url", forge.url, "--forge-repository", f"{forge.user}/{repository.name}")
    return repository.command(
        "preview",
        *("--base", "main", "--head", "change", "--post", "--pull", str(number)),
        *where,
        *options,
        code=code,
        variables={"GITEA_TOKEN": forge.token},
    )


def of_ours(repository: Repository, number: int) -> list[dict[str, Any]]:
    return repository.forge.comments(repository.name, number)


def status(repository: Repository, commit: str) -> str:
    return str(repository.forge.statuses(repository.name, commit)[0]["status"])


def change_ids(text: str) -> dict[str, str]:
    return {item["name"]: item["change"] for item in json.loads(text)["environments"]}


def test_one_comment_follows_the_pull_request(forge: Forge, tmp_path: Path) -> None:
    """Posted, edited in place after a push, red with file and line where the head is broken, green after it."""
    repository = Repository(forge, tmp_path / "platform", f"pull-{os.getpid()}")
    repository.commit("the platform")
    repository.git("checkout", "-q", "-b", "change")
    repository.replace(GRAFANA, "replicas: 1", "replicas: 2")
    first = repository.commit("two of grafana")
    repository.push("main")
    repository.push("change")
    number = forge.open_pull(repository.name, "Two of grafana", "change", "main")["number"]
    ids = change_ids(preview(repository, number, "-o", "json"))
    comments = of_ours(repository, number)
    assert len(comments) == 1
    assert ids["dev"] in comments[0]["body"]
    assert f"`1` → `2` `{GRAFANA}:" in comments[0]["body"]
    assert status(repository, first) == "success"

    repository.replace(GRAFANA, "replicas: 2", "replicas: 2\n    : broken")
    bad = repository.commit("a slip")
    repository.push("change")
    preview(repository, number, code=2)
    changed = of_ours(repository, number)
    assert [item["id"] for item in changed] == [comments[0]["id"]]
    assert f"{GRAFANA}:" in changed[0]["body"]
    assert "cannot be rendered" in changed[0]["body"]
    assert status(repository, bad) == "failure"

    repository.replace(GRAFANA, "replicas: 2\n    : broken", "replicas: 2")
    good = repository.commit("mended")
    repository.push("change")
    again = change_ids(preview(repository, number, "-o", "json"))
    assert again == ids, "the same content has the same change id, whatever commits led to it"
    assert [item["id"] for item in of_ours(repository, number)] == [comments[0]["id"]]
    assert status(repository, good) == "success"


@pytest.mark.skipif(not agents.possible(), reason="a process cannot have mounts of its own here (unshare)")
def test_the_agent_names_the_change_that_was_previewed(own_sandbox: Sandbox, forge: Forge, tmp_path: Path) -> None:
    """Merged as one squashed commit: the Event of what is applied has the change id of the preview."""
    repository = Repository(forge, tmp_path / "platform", f"merged-{os.getpid()}")
    first = repository.commit("the platform")
    repository.push("main")
    repository.command("apply", "dev", "--yes", variables={"RECONCILER_SANDBOX": own_sandbox.name})
    pod = Pod.of(own_sandbox, tmp_path / "pod", ACCOUNT, NAMESPACE)
    port = free_port()
    source = ("--source", forge.clone_url(repository.name), "--poll", "3600")
    with agents.running(pod, tmp_path / "agent", port, *source, RECONCILER_WEBHOOK_SECRET=SECRET) as agent:
        agent.wait_for("run.finished", revision=first, result="applied")
        forge.create_hook(repository.name, f"http://127.0.0.1:{port}/webhook", SECRET)
        repository.git("checkout", "-q", "-b", "change")
        for step in ("2", "3"):
            repository.replace(GRAFANA, f"replicas: {int(step) - 1}", f"replicas: {step}")
            repository.commit(f"{step} of grafana")
        repository.push("change")
        number = forge.open_pull(repository.name, "Three of grafana", "change", "main")["number"]
        identity = change_ids(preview(repository, number, "-o", "json"))["dev"]
        merged = forge.merge(repository.name, number, "squash")["merge_commit_sha"]
        done = agent.wait_for("run.finished", revision=merged)
        assert (done["result"], done["change"]) == ("applied", identity)
        notes = ("get", "events.events.k8s.io", "-n", NAMESPACE, "-o", "jsonpath={.items[*].note}")
        until(lambda: f"change {identity}" in own_sandbox.run_kubectl(*notes), "an Event tells the change")
        assert agent.stop()[0] == 0
