"""What was built before is given again where nothing that was looked at has changed, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import yaml
from reconciler.errors import RenderError
from reconciler.model.identity import ObjectId
from reconciler.model.origin import Origin, Shadow, Source
from reconciler.model.resource import Resource
from reconciler.model.tree import Map, Seq
from reconciler.render import kustomization
from reconciler.render.build import Build, build
from reconciler.render.memory import Memory, Watched, Whole
from reconciler.shelf import BuildShelf
from reconciler.source.directory import DirectoryTree
from reconciler.store import Store

if TYPE_CHECKING:
    from pathlib import Path

WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, annotations: {a: 1.50}}\ndata: {a: b}\n"
FILES = {
    "base/web.yaml": WEB,
    "base/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: p-\nconfigMapGenerator: [{name: g, files: [g.txt]}]\n",
    "base/g.txt": "text",
    "one/kustomization.yaml": "resources: [../base]\nnamespace: one\n",
    "two/kustomization.yaml": "resources: [../base]\nnamespace: two\nlabels: [{pairs: {a: b}}]\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the directories whose kustomization is read."""
    found: list[str] = []
    real = kustomization.read

    def spy(files: Watched, directory: str) -> kustomization.Kustomization:
        found.append(directory)
        return real(files, directory)

    monkeypatch.setattr(kustomization, "read", spy)
    return found


def told(value: object) -> object:
    """Return a tree with all of its origins."""
    if isinstance(value, Map):
        return {key: (value.origins.get(key), told(item)) for key, item in value.items()}
    if isinstance(value, Seq):
        return value.origins, [told(item) for item in value]
    return value, type(value)


def text(built: Build) -> str:
    return "---\n".join(yaml.dump(item.body) for item in built.resources)


def origins(built: Build) -> object:
    return [told(item.body) for item in built.resources]


def test_a_layer_is_built_once_for_all_that_use_it(root: Path, reads: list[str]) -> None:
    files, memory = DirectoryTree(root), Memory()
    one, two = build(files, "one", memory=memory), build(files, "two", memory=memory)
    assert reads == ["one", "base", "two"]
    assert (text(one), text(two)) == (text(build(files, "one")), text(build(files, "two")))
    assert (origins(one), origins(two)) == (origins(build(files, "one")), origins(build(files, "two")))
    assert build(files, "one", memory=memory) is one


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("base/web.yaml", WEB.replace("a: b", "a: c")),
        ("base/g.txt", "other"),
        ("base/kustomization.yaml", FILES["base/kustomization.yaml"].replace("p-", "q-")),
        ("one/kustomization.yaml", "resources: [../base]\nnamespace: three\n"),
    ],
)
def test_whatever_was_read_counts(root: Path, path: str, content: str) -> None:
    memory = Memory(BuildShelf(Store(root / "cache")))
    before = text(build(DirectoryTree(root), "one", memory=memory))
    (root / path).write_text(content)
    after = text(build(DirectoryTree(root), "one", memory=memory))
    assert after != before
    assert after == text(build(DirectoryTree(root), "one"))
    assert after == text(build(DirectoryTree(root), "one", memory=Memory(BuildShelf(Store(root / "cache")))))


def test_a_file_that_comes_counts(root: Path) -> None:
    """A second kustomization file is an error, though no file that was read has changed."""
    memory = Memory()
    build(DirectoryTree(root), "one", memory=memory)
    (root / "base" / "kustomization.yml").write_text("resources: []\n")
    with pytest.raises(RenderError, match="one kustomization file too many"):
        build(DirectoryTree(root), "one", memory=memory)


def test_options_are_kept_apart(root: Path) -> None:
    (root / "one" / "kustomization.yaml").write_text("resources: [../base/web.yaml]\n")
    memory = Memory()
    assert build(DirectoryTree(root), "one", restrict_loads=False, memory=memory).resources
    with pytest.raises(RenderError, match="not in or below"):
        build(DirectoryTree(root), "one", memory=memory)


def test_the_next_process_finds_the_same(root: Path, reads: list[str]) -> None:
    first = build(DirectoryTree(root), "two", memory=Memory(BuildShelf(Store(root / "cache"))))
    count = len(reads)
    second = build(DirectoryTree(root), "two", memory=Memory(BuildShelf(Store(root / "cache"))))
    assert len(reads) == count
    assert (text(first), origins(first), first.warnings) == (text(second), origins(second), second.warnings)
    assert [item.id for item in first.resources] == [item.id for item in second.resources]
    assert [item.origin for item in first.resources] == [item.origin for item in second.resources]


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: b"x" + content, lambda _: b""])
def test_what_is_damaged_on_disk_is_built_again(root: Path, damage: object) -> None:
    assert callable(damage)
    before = text(build(DirectoryTree(root), "two", memory=Memory(BuildShelf(Store(root / "cache")))))
    for path in (root / "cache").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert text(build(DirectoryTree(root), "two", memory=Memory(BuildShelf(Store(root / "cache"))))) == before


def test_what_is_too_much_is_forgotten(root: Path, reads: list[str]) -> None:
    memory = Memory(most=3)
    for name in ("one", "two", "one", "two"):
        build(DirectoryTree(root), name, memory=memory)
    assert reads.count("base") > 1, "the layer and one build do not fit"


ORIGINS = st.builds(
    Origin,
    st.sampled_from((Source("a.yaml", "x"), Source("b.yaml", "y"))),
    st.integers(1, 9),
    st.sampled_from(("resource", "patch")),
    st.none() | st.builds(Shadow, st.text(max_size=3) | st.none(), st.none()),
    st.none() | st.text(max_size=3),
)


def placed(value: object, origins: list[Origin]) -> object:
    if isinstance(value, dict):
        made = Map()
        for key, item in value.items():
            made.put(key, placed(item, origins), origins[len(key) % len(origins)])
        return made
    if isinstance(value, list):
        return Seq((placed(item, origins) for item in value), [*origins, None][: len(value)])
    return value


TREES = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.text(max_size=4) | st.integers() | st.none() | st.floats(allow_nan=False) | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(TREES, st.lists(ORIGINS, min_size=1, max_size=3))
def test_trees_come_back_from_disk_as_they_were(tree: dict[str, object], origins: list[Origin]) -> None:
    body = placed(tree, origins)
    assert isinstance(body, Map)
    kept: dict[str, bytes] = {}

    class Box:
        get = staticmethod(kept.get)
        put = staticmethod(kept.__setitem__)

    identity = ObjectId("", "ConfigMap", "", "a")
    resource = Resource(identity, "v1", body, origins[0])
    shelf = BuildShelf(Box())  # type: ignore[arg-type]
    shelf.put("key", Whole({("read", "a"): "1", ("dir", "b"): False}, Build((resource,), ())))
    found = shelf.get("key")
    assert found is not None
    assert found.seen == {("read", "a"): "1", ("dir", "b"): False}
    [again] = found.build.resources
    assert (again.id, again.version, again.origin) == (resource.id, "v1", origins[0])
    assert told(again.body) == told(body)
