"""The workflow files in the docs do what they say: Gitea's is run as its runner would, of the others the commands are."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.cli import main
from tests.e2e.shipped import ROOT, Repository

if TYPE_CHECKING:
    from tests.forge.client import Forge

FOLDER = ROOT / "docs/guides/preview"
GRAFANA = "base/monitoring/grafana/grafana.yaml"


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_the_command_has_the_options_of_the_program(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command line is taken by the parser: what is wrong with it is that here there is no such repository."""
    job = document(name)["preview"] if name == "gitlab.yaml" else document(name)["jobs"]["preview"]
    lines = job["script"] if "script" in job else [step["run"] for step in job["steps"]]
    commands = [line for line in lines if line.startswith("reconciler ")]
    assert len(commands) == 1
    command = re.sub(r"\$\{?[A-Z_:$-]+\}?\}?", "1", commands[0]).replace("--repo repository", "--repo nowhere")
    if "--repo" not in command:
        command = command.replace("reconciler", "reconciler --repo nowhere", 1)
    assert main.main(shlex.split(command)[1:]) == 2
    assert "nowhere: there is no such directory" in capsys.readouterr().err


@pytest.mark.cluster
def test_giteas_workflow_posts_the_preview(forge: Forge, tmp_path: Path) -> None:
    repository = Repository(forge, tmp_path / "platform", f"workflow-{os.getpid()}")
    repository.commit("the platform")
    repository.push("main")
    repository.git("checkout", "-q", "-b", "change")
    repository.replace(GRAFANA, "replicas: 1", "replicas: 2")
    head = repository.commit("two of grafana")
    repository.push("change")
    number = forge.open_pull(repository.name, "Two of grafana", "change", "main")["number"]
    job = document("gitea.yaml")["jobs"]["preview"]
    given = {
        "github.event.pull_request.base.ref": "main",
        "github.event.pull_request.head.sha": head,
        "github.event.pull_request.number": str(number),
        "secrets.PREVIEW_TOKEN": forge.token,
    }
    variables = {
        key: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: given[found[1]], text) for key, text in job["env"].items()
    }
    runner = {
        "GITEA_ACTIONS": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REPOSITORY": f"{forge.user}/{repository.name}",
        "GITHUB_SERVER_URL": forge.url,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    for step in job["steps"]:
        subprocess.run(("bash", "-e", "-c", step["run"]), cwd=workspace, env={**runner, **variables}, check=True)
    comments = forge.comments(repository.name, number)
    assert len(comments) == 1
    assert "`1` → `2`" in comments[0]["body"]
    assert forge.statuses(repository.name, head)[0]["status"] == "success"
