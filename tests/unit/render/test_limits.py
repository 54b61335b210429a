"""What is too much is refused with a clear error, in a working tree and in a commit, and never ends in a traceback."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import git
import pytest

from reconciler import limits, yaml
from reconciler.errors import ConfigError, RenderError
from reconciler.model.origin import Source
from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree
from reconciler.source.tree import CommitTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.files import FileTree

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"
ODD = "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: odd}\nspec: {a: [x]}\n"


@pytest.fixture(params=["directory", "commit"])
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], FileTree]]:
    """Return what makes a tree of a directory's files, of either kind."""
    opened: list[git.Repo] = []

    def made() -> FileTree:
        if request.param == "directory":
            return DirectoryTree(tmp_path)
        for command in (
            ("init", "-q"),
            ("add", "-A"),
            ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"),
        ):
            subprocess.run(("git", *command), cwd=tmp_path, check=True)
        opened.append(git.Repo(tmp_path))
        return CommitTree(opened[0].head.commit.tree)

    yield made
    for repository in opened:
        repository.close()


def write(root: Path, files: dict[str, str]) -> None:
    """Write files."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def refused(files: FileTree, directory: str = "") -> str:
    """Return the first problem of a build that has to be refused."""
    with pytest.raises(RenderError) as caught:
        build(files, directory)
    return str(caught.value.problems[0])


def test_a_file_that_is_too_large(tmp_path: Path, tree: Callable[[], FileTree]) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "#" * (limits.FILE_BYTES + 1)})
    assert refused(tree()) == "a.yaml: is larger than 64 MiB"


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside.yaml", "b/../../outside.yaml"])
def test_links_that_lead_out(tmp_path: Path, tree: Callable[[], FileTree], target: str) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n", "b/c.yaml": CONFIG_MAP})
    (tmp_path / "a.yaml").symlink_to(target)
    assert "leads out of the repository" in refused(tree())


def test_a_directory_that_is_a_link_out(tmp_path: Path, tree: Callable[[], FileTree]) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [a]\n"})
    (tmp_path / "a").symlink_to("/etc")
    assert "leads out of the repository" in refused(tree())


def test_links_that_lead_in_circles(tmp_path: Path, tree: Callable[[], FileTree]) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n"})
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    assert "a.yaml" in refused(tree())


@pytest.mark.parametrize("path", ["../a.yaml", "/etc/hostname", "b/../../a.yaml"])
@pytest.mark.parametrize("field", ["resources: [{}]", "components: [{}]", "configurations: [{}]", "patches: [{{path: {}}}]",
                                   "configMapGenerator: [{{name: a, files: [{}]}}]", "secretGenerator: [{{name: a, envs: [{}]}}]",
                                   "crds: [{}]", "openapi: {{path: {}}}", "replacements: [{{path: {}}}]", "transformers: [{}]"])  # fmt: skip
def test_paths_that_lead_out(tmp_path: Path, tree: Callable[[], FileTree], field: str, path: str) -> None:
    """Whichever field names them, and whatever is there."""
    write(tmp_path, {"kustomization.yaml": field.format(path) + "\n", "b/c.yaml": CONFIG_MAP})
    told = refused(tree())
    assert "leads out of the repository" in told or "is not in or below" in told


def test_a_directory_instead_of_a_file(tmp_path: Path, tree: Callable[[], FileTree]) -> None:
    write(tmp_path, {"kustomization.yaml": "configMapGenerator: [{name: a, files: [b]}]\n", "b/c.yaml": CONFIG_MAP})
    assert "b" in refused(tree())


def test_layers_in_a_row(tmp_path: Path, tree: Callable[[], FileTree]) -> None:
    """A stack of layers is refused before Python's own stack ends."""
    write(tmp_path, {f"{n}/kustomization.yaml": f"resources: [../{n + 1}]\n" for n in range(400)})
    assert "more than 100 directories include each other in a row" in refused(tree(), "0")


def test_layers_that_include_two_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each level doubles what is read: 30 levels would be a thousand million files."""
    monkeypatch.setattr("reconciler.render.memory.BUILD_READS", 500)
    write(tmp_path, {f"30-{side}/kustomization.yaml": "resources: []\n" for side in "ab"})
    for n in range(30):
        both = f"resources: [../{n + 1}-a, ../{n + 1}-b]\n"
        write(tmp_path, {f"{n}-{side}/kustomization.yaml": f"{both}namePrefix: {side}\n" for side in "ab"})
    assert "a build reads at most 500 files" in refused(DirectoryTree(tmp_path), "0-a")


def test_objects_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.render.building.BUILD_OBJECTS", 2)
    objects = "---\n".join(CONFIG_MAP.replace("name: a", f"name: a{n}") for n in range(3))
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": objects})
    assert "a build makes at most 2 objects" in refused(DirectoryTree(tmp_path))


def test_bytes_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.render.memory.BUILD_BYTES", 64)
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": CONFIG_MAP})
    assert "and this one goes beyond that" in refused(DirectoryTree(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 300 + "]" * 300,
        "a: " + "{b: " * 300 + "}" * 300,
        "\n".join(f"{' ' * n}a:" for n in range(300)),
        "- " * 300 + "a",
        "a: &a0 "
        + "[" * 90
        + "]" * 90
        + "".join(f"\nb{n}: &a{n + 1} " + "[" * 90 + f"*a{n}" + "]" * 90 for n in range(20)),
    ],
    ids=["lists", "mappings", "block", "dashes", "aliases"],
)
def test_nesting(text: str) -> None:
    with pytest.raises(ConfigError, match="nested more than 200 levels deep"):
        yaml.parse(text, Source("a.yaml", ""))


def test_aliases_that_double() -> None:
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    with pytest.raises(ConfigError, match="aliases make more than 1000000 nodes"):
        yaml.parse(text, Source("a.yaml", ""))


@pytest.mark.parametrize(
    "more",
    [
        "patches:\n- target: {kind: Odd}\n  patch: |-\n" + "    - {op: copy, from: /spec, path: /spec/b}\n" * 300,
        "patches:\n- target: {kind: Odd}\n  patch: |-\n" + "    - {op: copy, from: /spec/a, path: /spec/a/-}\n" * 40,
        "patches:\n- target: {kind: Odd}\n  patch: |-\n    - {op: add, path: /spec/" + "a/" * 250 + "a, value: 1}\n",
        "replacements:\n" + "- {source: {kind: Odd, fieldPath: spec}, targets: [{select: {kind: Odd}, fieldPaths: [spec.b], options: {create: true}}]}\n" * 300,
        "replacements:\n- {sourceValue: x, targets: [{select: {kind: Odd}, fieldPaths: [spec." + "b." * 250 + "c], options: {create: true}}]}\n",
        "replacements:\n- {sourceValue: " + "x" * 90 + ", targets: [{select: {kind: Odd}, fieldPaths: [spec.t], options: {create: true}}]}\n"
        + "- {source: {kind: Odd, fieldPath: spec.t}, targets: [{select: {kind: Odd}, fieldPaths: [spec.t], options: {delimiter: '/', index: 99}}]}\n" * 40,
        "labels:\n- pairs: {a: b}\n  fields: [{path: " + "a/" * 250 + "a, create: true}]\n",
    ],
    ids=["copies in themselves", "copies beside", "long pointer", "replacements", "long path", "texts", "field specs"],
)  # fmt: skip
def test_what_steps_make_larger_and_larger(tmp_path: Path, more: str) -> None:
    """An object that doubles with each step is refused, and told where."""
    write(tmp_path, {"kustomization.yaml": f"resources: [a.yaml]\n{more}", "a.yaml": ODD})
    assert refused(DirectoryTree(tmp_path)).startswith("kustomization.yaml:")
