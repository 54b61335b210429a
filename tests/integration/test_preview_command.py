"""`reconciler preview` as a user calls it, on a real git repository."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.cli import main
from tests.unit.preview.trees import WEB, platform

if TYPE_CHECKING:
    from pathlib import Path

PREVIEW = ("preview", "--base", "main", "--head", "change")


class Repository:
    """A repository with a base and a change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")
        self.write(platform("dev", "prod"))
        self.commit("base")
        self.git("checkout", "-q", "-b", "change")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        keep = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(
            ("git", *who, *arguments), cwd=self.root, check=True, capture_output=True, text=True, env=keep
        )
        return done.stdout.strip()

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def run(self, *arguments: str) -> int:
        return main.main(["--repo", str(self.root), *(arguments or PREVIEW)])


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_it_starts_where_both_sides_part(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """What the target got in the meantime does not show; commits of lines do."""
    repository.write({"shared/web/web.yaml": WEB.replace("replicas: 1", "replicas: 2")})
    head = repository.commit("two")
    repository.git("checkout", "-q", "main")
    base = repository.git("rev-parse", "HEAD")
    repository.write({"shared/web/data.txt": "changed on main"})
    repository.commit("meanwhile")
    assert repository.run(*PREVIEW, "-o", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["base"], told["head"]) == (base, head)
    (change,) = told["changes"]
    assert change["environments"] == ["dev", "prod"]
    (field,) = change["fields"]
    assert (field["path"], field["old"], field["new"]) == ("spec.replicas", 1, 2)
    assert field["origin"]["commit"] == head
    assert {item["name"]: bool(item["change"]) for item in told["environments"]} == {"dev": True, "prod": True}


def test_text_and_markdown_tell_the_same(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.write({"shared/web/web.yaml": WEB.replace("replicas: 1", "replicas: 2")})
    repository.commit("two")
    for output in ("text", "markdown"):
        assert repository.run(*PREVIEW, "-o", output) == 0
        told = capsys.readouterr().out
        assert "Deployment/web -n shop" in told
        assert "shared/web/web.yaml:5" in told


def test_a_broken_head_ends_with_2_and_says_where(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.write({"shared/web/kustomization.yaml": "resources: [web.yaml, absent.yaml]\n"})
    repository.commit("a slip")
    assert repository.run() == 2
    told = capsys.readouterr()
    assert "shared/web/kustomization.yaml:1" in told.out
    assert "absent.yaml" in told.out
    assert told.err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("preview", "--base", "main", "--head", "nowhere"), "no revision 'nowhere'"),
        (("preview", "--base", "main", "--head", "alone"), "no commit in common"),
        ((*PREVIEW, "--post", "--forge", "gitea"), "there is no token"),
    ],
)
def test_what_cannot_be_is_told_without_a_traceback(
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    for name in ("GITEA_TOKEN", "GITHUB_TOKEN", "GITEA_ACTIONS", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    repository.git("checkout", "-q", "--orphan", "alone")
    repository.commit("of another family")
    assert repository.run(*arguments) in (1, 2)
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert "Traceback" not in told.err
