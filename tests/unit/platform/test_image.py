"""The Dockerfile, as far as it can be judged without building it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import reconciler
from reconciler import yaml
from reconciler.check.security import MOVING
from reconciler.model.origin import Source

ROOT: Final = Path(__file__).parent.parent.parent.parent
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def instructions() -> list[tuple[str, str]]:
    """Return each instruction with its argument, on one line."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text())
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


def arguments(word: str) -> list[str]:
    """Return the arguments of all instructions of one kind."""
    return [rest for found, rest in instructions() if found == word]


def copied() -> list[str]:
    """Return the files and folders of the repository that go into the build."""
    plain = (rest.split() for rest in arguments("COPY") if not rest.startswith("--from="))
    return [source for *sources, _ in plain for source in sources]


def test_every_stage_begins_with_the_same_pinned_image() -> None:
    [base] = [rest.removeprefix("PYTHON=") for rest in arguments("ARG") if rest.startswith("PYTHON=")]
    assert {rest.split(" AS ")[0] for rest in arguments("FROM")} == {"${PYTHON}"}
    name, _, tag = base.rpartition(":")
    assert name == "docker.io/library/python"
    assert re.fullmatch(r"3\.\d+(\.\d+)?-slim-\w+", tag)
    assert tag not in MOVING


def test_its_python_is_one_that_the_project_supports() -> None:
    tag = next(rest for rest in arguments("ARG") if rest.startswith("PYTHON=")).rpartition(":")[2]
    version = ".".join(tag.partition("-")[0].split(".")[:2])
    assert f"Programming Language :: Python :: {version}" in PYPROJECT["project"]["classifiers"]


def test_runs_as_the_number_that_the_deployment_names() -> None:
    file = "base/cluster-management/reconciler/reconciler.yaml"
    documents = yaml.parse((ROOT / file).read_text(), Source(file, ""))
    [deployment] = [item for item in documents if item["kind"] == "Deployment"]
    context = deployment["spec"]["template"]["spec"]["securityContext"]
    words = [word for word, _ in instructions()]
    assert arguments("USER") == [f"{context['runAsUser']}:{context['runAsGroup']}"]
    assert context["runAsUser"] > 0
    assert "RUN" not in words[words.index("USER") :]


def test_every_source_exists_and_reaches_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in lines if line.startswith("!")}
    sources = {source.rstrip("/") for source in copied()}
    assert "*" in lines
    assert allowed == sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_every_package_is_checked_against_its_hashes() -> None:
    installs = [
        part for rest in arguments("RUN") for part in rest.split("&&") if re.search(r"\bpip\b.* install ", part)
    ]
    locked = [part for part in installs if "--requirement" in part]
    assert len(locked) == 2
    assert all("--require-hashes" in part for part in locked)
    assert all("--no-index" in part for part in installs if part not in locked)
    assert any("PIP_NO_CACHE_DIR=1" in rest for rest in arguments("ENV"))


def test_entry_point_is_the_command_line() -> None:
    [entry] = arguments("ENTRYPOINT")
    assert json.loads(entry) == ["reconciler"]
    assert "reconciler" in PYPROJECT["project"]["scripts"]


def test_version_is_the_projects() -> None:
    assert f"VERSION={reconciler.__version__}" in arguments("ARG")
