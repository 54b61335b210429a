"""The shipped platform on a real API server: accepted, healthy, and then nothing left to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import yaml
from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parent.parent.parent
DIRECTORIES = sorted(
    str(item.parent.relative_to(ROOT)) for item in (ROOT / "environments").glob("*/*/kustomization.yaml")
)


def reconciler(sandbox: Sandbox, expected: int, *arguments: str) -> tuple[Any, str]:
    """Run a command on the shipped repository; return its document and what it said beside."""
    command = [sys.executable, "-m", "reconciler.cli.main", "--repo", str(ROOT), *arguments, "-o", "json"]
    surroundings = {**os.environ, "RECONCILER_SANDBOX": sandbox.name}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == expected, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_builds_as_kustomize_does(control_plane: Sandbox, directory: str) -> None:
    """Byte for byte what the Kustomize in kubectl prints."""
    built = build(DirectoryTree(ROOT), directory)
    command = (str(control_plane.kubectl), "kustomize", str(ROOT / directory))
    expected = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "---\n".join(yaml.dump(item.body) for item in built.resources) == expected


def test_is_accepted_becomes_healthy_and_stays(control_plane: Sandbox) -> None:
    """Every object is accepted without a warning, every workload becomes Ready; then one LIST per kind finds no change."""
    report, said = reconciler(control_plane, 0, "apply", "dev", "--yes")
    assert {item["result"] for item in report["objects"]} == {"applied"}
    assert len(report["objects"]) > 90
    assert "warning" not in said.lower()
    workloads = [
        item for item in report["objects"] if item["id"]["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job")
    ]
    assert len(workloads) == 15
    assert {item["health"] for item in workloads} == {"Current"}

    plan, _ = reconciler(control_plane, 0, "diff", "dev", "--exit-code")
    kinds = len({(item["id"]["group"], item["id"]["kind"]) for item in report["objects"]})
    requests = plan["requests"]
    assert requests["list"] <= kinds + 1
    assert (requests["get"], requests["dry_run"], requests["discovery"]) == (0, 0, 2)

    status, _ = reconciler(control_plane, 0, "status", "dev")
    assert {item["health"] for item in status["components"]} == {"Current"}
