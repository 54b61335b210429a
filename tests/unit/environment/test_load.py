"""environment.yaml is read strictly, and every error of a file comes in one go with its line."""

from __future__ import annotations

import json
import os
import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from reconciler.environment import discover, load
from reconciler.environment.schema import SHIPPED, json_schema
from reconciler.errors import InvalidEnvironment
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = """\
apiVersion: reconciler.dev/v1alpha1
kind: Environment
metadata:
  name: dev
spec:
  cluster:
    sandbox: true
  components:
    - name: crds
      path: crds
      prune: false
    - name: web
      path: web
      dependsOn: [crds]
      timeout: 90s
"""


def write(root: Path, text: str) -> DirectoryTree:
    """Write a repository with one environment and its two components."""
    for name in ("crds", "web"):
        (root / "environments" / "dev" / name).mkdir(parents=True)
        (root / "environments" / "dev" / name / "kustomization.yaml").write_text("resources: []\n")
    (root / "environments" / "dev" / "environment.yaml").write_text(textwrap.dedent(text))
    return DirectoryTree(root)


def problems(root: Path, text: str) -> list[str]:
    """Return the errors of an environment.yaml without the file's name."""
    with pytest.raises(InvalidEnvironment) as caught:
        load(write(root, text), "environments/dev/environment.yaml")
    return [str(item).removeprefix("environments/dev/environment.yaml:") for item in caught.value.problems]


def test_a_good_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    made = load(write(tmp_path, GOOD), "environments/dev/environment.yaml")
    web = made.component("web")
    assert web is not None
    assert (web.depends_on, web.timeout_seconds, web.prune, web.wait) == (("crds",), 90.0, True, True)
    assert made.place_of("web", "crds") == "environments/dev/environment.yaml:14"
    assert made.policy.deletions.budget(1000) == 10
    assert "Namespace" in made.policy.deletions.protect
    assert made.policy.adopt == ("kubectl",)


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    """Unknown keys, wrong types and bad values are told together, each with its line."""
    text = (
        GOOD.replace("prune: false", "prune: no")
        .replace("timeout: 90s", "timeut: 90s")
        .replace("sandbox: true", "sandbox: maybe")
    )
    told = problems(tmp_path, text)
    assert any(item.startswith("11: spec.components[0].prune has to be true or false") for item in told)
    assert any(item.startswith("15: unknown key spec.components[1].timeut (did you mean timeout?)") for item in told)
    assert any(item.startswith("7: ") for item in told)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: dev", "name: prod", "4: metadata.name is prod (its directory is dev: give both the same name)"),
        (
            "kind: Environment\n",
            "kind: Environment\nkind: Environment\n",
            "3: the key kind is given twice (first in line 2)",
        ),
        ("path: web", "path: wob", "13: component web: path wob is no directory: there is no environments/dev/wob"),
        ("path: web", "path: ../../..", "13: component web: path ../../.. leads out of the repository"),
        (
            "path: web",
            "path: ..",
            "13: component web: path .. is no Kustomize directory: expected environments/kustomization.yaml",
        ),
        ("[crds]", "[crd]", "14: component web depends on crd, which is no component (did you mean crds?)"),
        ("name: web", "name: crds", "12: component crds is given twice (first in line 9)"),
        (
            "timeout: 90s",
            "timeout: fast",
            "15: spec.components[1].timeout is 'fast' (expected a duration such as 90s, 5m or 1h30m)",
        ),
        (
            "    sandbox: true",
            "    {}",
            "6: spec.cluster: expected exactly one of context, inCluster, secretRef, sandbox",
        ),
        (
            "name: web",
            "name: Web",
            "12: spec.components[1].name is 'Web' (expected lower case letters, digits and dashes)",
        ),
    ],
)
def test_each_mistake_has_its_line_and_a_way_out(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in problems(tmp_path, GOOD.replace(old, new))


def test_a_circle_names_every_edge(tmp_path: Path) -> None:
    text = GOOD.replace("prune: false", "dependsOn: [web]")
    assert problems(tmp_path, text) == [
        "11: components need each other in a circle: crds needs web (line 11), web needs crds (line 14) (take one edge out)"
    ]


def test_broken_yaml_has_its_line(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace("metadata:", "metadata: ["))
    assert "not valid YAML" in told[0]


def test_an_unknown_environment_lists_the_known(tmp_path: Path) -> None:
    files = write(tmp_path, GOOD)
    assert discover(files) == ("dev",)
    with pytest.raises(InvalidEnvironment, match=r"there is no environment devv \(did you mean dev\? there are dev\)"):
        load(files, "environments/devv/environment.yaml")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda file: file.mkdir(),
            "environments/prod/environment.yaml: is a directory (expected a file with kind: Env",
        ),
        (
            lambda file: file.symlink_to("gone"),
            "environments/prod/environment.yaml: is no file: a link that leads nowhere",
        ),
        (
            lambda file: file.symlink_to(file.name),
            "environments/prod/environment.yaml: is no file: a link that leads now",
        ),
        (
            os.mkfifo,
            "environments/prod/environment.yaml: is no file: a link that leads nowhere, or a p",
        ),
        (
            lambda file: file.with_suffix(".yml").write_text(GOOD),
            "environments/prod/environment.yml: is not read (rename it: an environment's file is called environment.yaml)",
        ),
        (
            lambda file: (file.parent.rmdir(), file.parent.symlink_to("../gone")),
            "environments/prod: is no directory: a link that leads nowhere, or a pipe (expected a directory with env",
        ),
    ],
)
def test_an_environment_whose_file_is_none_is_not_skipped(
    tmp_path: Path, make: Callable[[Path], object], expected: str
) -> None:
    files = write(tmp_path, GOOD)
    (tmp_path / "environments" / "prod").mkdir()
    make(tmp_path / "environments" / "prod" / "environment.yaml")
    assert discover(files) == ("dev", "prod")
    with pytest.raises(InvalidEnvironment, match=re.escape(expected)):
        load(files, "environments/prod/environment.yaml")


def test_what_is_like_no_environment_is_none(tmp_path: Path) -> None:
    files = write(tmp_path, GOOD)
    (tmp_path / "environments" / "shared").mkdir()
    (tmp_path / "environments" / "shared" / "kustomization.yaml").write_text("resources: []\n")
    (tmp_path / "environments" / "README.md").write_text("what is here\n")
    (tmp_path / "environments" / ".#README.md").symlink_to("ada@laptop.1234")
    assert discover(files) == ("dev",)


def test_the_shipped_schema_is_the_models(tmp_path: Path) -> None:
    """The file that editors read says what the code accepts; `make reference` writes it."""
    assert json.loads(SHIPPED.read_text()) == json.loads(json.dumps(json_schema()))
