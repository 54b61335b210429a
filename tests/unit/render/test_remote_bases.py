"""Remote bases in a build: trees of their own, with origins that say so. Compared with `kustomize build` where noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from reconciler import yaml
from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.model.remote import Pinned
from reconciler.model.tree import origin_at
from reconciler.render.build import build
from reconciler.render.memory import Memory
from reconciler.render.remote import walk
from tests.fakes.charts import FakeCharts
from tests.unit.preview.trees import Files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.remote import RepoSpec
    from reconciler.render.build import Build
    from reconciler.render.remote import Place

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "https://git.example.com/org/repo"
MOUNT = f"{REPO}@{COMMIT[:12]}"


def config(name: str, value: str = "one") -> str:
    """Return a ConfigMap."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: {value}\n"


@dataclass(slots=True)
class Trees:
    """The port: repositories in memory by their place, each at one commit."""

    repositories: Mapping[str, Mapping[str, str]]
    asked: list[str] = field(default_factory=list)

    def pinned(self, spec: RepoSpec) -> Pinned:
        """Return a repository."""
        self.asked.append(spec.shown)
        if spec.place not in self.repositories:
            raise ConfigError([Problem("", 0, "is not in the cache", "fetch it")])
        return Pinned(COMMIT, Files(self.repositories[spec.place]))


def render(own: Mapping[str, str], remote: Mapping[str, str], **others: Mapping[str, str]) -> Build:
    """Build the root of a tree that may name https://git.example.com/org/repo, and others of that organisation."""
    more = {f"https://git.example.com/org/{name}": files for name, files in others.items()}
    return build(Files(own), "", remotes=Trees({REPO: remote, **more}))


def fails(own: Mapping[str, str], remote: Mapping[str, str] | None = None) -> str:
    """Return what a build says that cannot be made."""
    remotes = Trees({REPO: remote}) if remote is not None else None
    with pytest.raises(RenderError) as caught:
        build(Files(own), "", remotes=remotes)
    return str(caught.value)


def test_origins_name_repository_commit_and_path() -> None:
    """Steps of both repositories leave their mark on one object."""
    built = render(
        {
            "kustomization.yaml": f"resources: ['{REPO}//base?ref=v1']\nnamePrefix: my-\n"
            "patches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: a}\n    data: {more: x}\n"
        },
        {
            "base/kustomization.yaml": "resources: [../parts]\ncommonLabels: {app: x}\n",
            "parts/kustomization.yaml": "resources: [a.yaml]\n",
            "parts/a.yaml": config("a"),
        },
    )
    (resource,) = built.resources
    found = {
        path: str(origin_at(resource.body, steps))
        for path, steps in {
            "name": ("metadata", "name"),
            "label": ("metadata", "labels", "app"),
            "value": ("data", "value"),
            "more": ("data", "more"),
        }.items()
    }
    assert found == {
        "name": "kustomization.yaml:2",
        "label": f"{MOUNT}/base/kustomization.yaml:2",
        "value": f"{MOUNT}/parts/a.yaml:6",
        "more": "kustomization.yaml:8",
    }
    assert resource.origin is not None
    assert resource.origin.source.layer == f"{MOUNT}/parts"
    assert [str(item).partition(": ")[0] for item in built.warnings] == [f"{MOUNT}/base/kustomization.yaml:2"]


def test_the_root_of_a_repository_is_a_base() -> None:
    built = render(
        {"kustomization.yaml": f"resources: ['{REPO}']\n"},
        {
            "kustomization.yaml": "resources: [a.yaml, x]\n",
            "a.yaml": config("a"),
            "x/kustomization.yaml": "resources: [b.yaml]\n",
            "x/b.yaml": config("b"),
        },
    )
    assert [item.id.name for item in built.resources] == ["a", "b"]


def test_components_and_plugins_can_be_remote() -> None:
    built = render(
        {
            "kustomization.yaml": f"resources: [a.yaml]\ncomponents: ['{REPO}//component']\ntransformers: ['{REPO}//transformer']\n",
            "a.yaml": config("a"),
        },
        {
            "component/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -x\n",
            "transformer/kustomization.yaml": "resources: [prefix.yaml]\n",
            "transformer/prefix.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: x}\nprefix: p-\nfieldSpecs: [{path: metadata/name}]\n",
        },
    )
    assert [item.id.name for item in built.resources] == ["p-a-x"]


def test_a_base_that_is_used_twice_is_no_circle() -> None:
    entry = f"{REPO}//base"
    files = {"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": config("a")}
    own = {
        "kustomization.yaml": "resources: [one, two]\n",
        "one/kustomization.yaml": f"resources: ['{entry}']\nnamePrefix: one-\n",
        "two/kustomization.yaml": f"resources: ['{entry}']\nnamePrefix: two-\n",
    }
    assert [item.id.name for item in render(own, files).resources] == ["one-a", "two-a"]


def test_nested_bases_and_their_circle() -> None:
    other = "https://git.example.com/org/other"
    own = {"kustomization.yaml": f"resources: ['{REPO}']\n"}
    leaf = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config("a")}
    first = {"kustomization.yaml": f"resources: ['{other}']\nnamePrefix: n-\n"}
    assert [item.id.name for item in render(own, first, other=leaf).resources] == ["n-a"]
    with pytest.raises(RenderError) as caught:
        render(own, first, other={"kustomization.yaml": f"resources: ['{REPO}']\n"})
    assert str(caught.value).startswith(
        f"{MOUNT}/kustomization.yaml:1: the directories include each other in a circle: "
        f"{MOUNT} → {other}@{COMMIT[:12]} → {MOUNT}"
    )


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("resources: [../secret.yaml]", "resources[0]: ../secret.yaml leads out of the repository"),
        ("resources: [../../../../../secret.yaml]", "leads out of the repository"),
        ("resources: [/secret.yaml]", "resources[0]: /secret.yaml leads out of the repository"),
        ("components: [../..]", "components[0]: ../.. leads out of the repository"),
        ("configMapGenerator: [{name: x, files: [../secret.yaml]}]", "../secret.yaml is not in or below"),
        ("patches: [{path: ../secret.yaml}]", "../secret.yaml is not in or below"),
    ],
)
@pytest.mark.parametrize("restrict", [True, False])
def test_nothing_leads_out_of_a_remote_base(base: str, expected: str, restrict: bool) -> None:
    """Not to the files of whoever names it either, and whatever the load restrictor says."""
    own = Files({"kustomization.yaml": f"resources: ['{REPO}']\n", "secret.yaml": config("canary")})
    with pytest.raises(RenderError) as caught:
        build(own, "", restrict_loads=restrict, remotes=Trees({REPO: {"kustomization.yaml": base + "\n"}}))
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{MOUNT}/kustomization.yaml:1: ")


def test_without_the_port_a_remote_base_is_refused_with_the_way_in() -> None:
    told = fails({"kustomization.yaml": f"resources:\n- {REPO}//base?ref=v1\n- git@git.example.com:org/repo\n"})
    assert told.splitlines()[0] == (
        f"kustomization.yaml:2: resources[0]: remote base {REPO} at v1: remote bases are off (name the host under "
        "spec.render.remotes of environment.yaml (of a directory: --allow-remote HOST), or copy the directory into "
        "the repository)"
    )
    assert told.splitlines()[1].startswith(
        "kustomization.yaml:3: resources[1]: remote base ssh://git.example.com/org/repo at HEAD: remote bases are off"
    )


def test_what_the_port_says_has_the_place_of_the_entry() -> None:
    told = fails(
        {"kustomization.yaml": "resources:\n- a.yaml\n- https://git.example.com/org/none\n", "a.yaml": config("a")}, {}
    )
    assert told == (
        "kustomization.yaml:3: resources[1]: remote base https://git.example.com/org/none at HEAD: is not in the "
        "cache (fetch it)"
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("https://example.com/x.yaml", "resources[0]: https://example.com/x.yaml is the URL of a file, and builds fetch none (copy the file"),
        ("https://raw.example.com/org/repo/main/x.yml", "is the URL of a file"),
        ("gitlab.com/org/repo", "gitlab.com/org/repo is no URL of a repository: it has no scheme such as https://"),
        ("https://me:canary@example.com/org/repo", "https://example.com/org/repo is no URL of a repository: it holds a password"),
        (f"{REPO}//none", f"remote base {REPO} at HEAD: it has no directory none"),
        (f"{REPO}//a.yaml", f"remote base {REPO} at HEAD: it has no directory a.yaml"),
    ],
)  # fmt: skip
def test_what_is_no_base_says_why(entry: str, expected: str) -> None:
    told = fails({"kustomization.yaml": f"resources: ['{entry}']\n"}, {"a.yaml": config("a")})
    assert expected in told
    assert "canary" not in told


def test_a_patch_by_url_is_refused() -> None:
    told = fails({"kustomization.yaml": "patches:\n- path: https://example.com/patch.yaml\n"})
    assert told.startswith("kustomization.yaml:2: https://example.com/patch.yaml is a URL, and builds fetch no files")


def test_files_and_directories_that_look_like_hosts_are_local() -> None:
    """A file comes before a URL as in Kustomize; a directory does where the URL would be none."""
    built = render(
        {
            "kustomization.yaml": "resources: [github.com/org/a.yaml, gitlab.com/org/repo, a@b/c]\n",
            "github.com/org/a.yaml": config("a"),
            "gitlab.com/org/repo/kustomization.yaml": "resources: [b.yaml]\n",
            "gitlab.com/org/repo/b.yaml": config("b"),
            "a@b/c/kustomization.yaml": "resources: [c.yaml]\n",
            "a@b/c/c.yaml": config("c"),
        },
        {},
    )
    assert [item.id.name for item in built.resources] == ["a", "b", "c"]


def test_a_walk_finds_what_a_build_will_ask_for() -> None:
    """Nested ones too, through fields of all kinds, and goes on where something is wrong."""
    other = "https://git.example.com/org/other"
    own = Files(
        {
            "kustomization.yaml": f"resources: [sub, a.yaml, none, '{REPO}//base?ref=v1']\ntransformers:\n- |\n  kind: X\n",
            "sub/kustomization.yaml": f"components: ['{REPO}//component?ref=v1']\n",
            "a.yaml": config("a"),
        }
    )
    trees = Trees(
        {
            REPO: {
                "base/kustomization.yaml": "resources: [../deeper]\n",
                "deeper/kustomization.yaml": f"resources: ['{other}']\n",
                "component/kustomization.yaml": "kind: [\n",
            }
        }
    )
    seen: list[tuple[str, str]] = []

    def visit(place: Place, spec: RepoSpec) -> Pinned | None:
        seen.append((str(place), spec.shown))
        return trees.pinned(spec) if spec.place == REPO else None

    problems = walk(own, "", visit)
    assert sorted(seen) == [
        (f"{MOUNT}/deeper/kustomization.yaml:1", f"{other} at HEAD"),
        ("kustomization.yaml:1", f"{REPO} at v1"),
        ("sub/kustomization.yaml:1", f"{REPO} at v1"),
    ]
    assert [problem.file for problem in problems] == [f"{MOUNT}/component/kustomization.yaml"]


def test_a_tree_that_refuses_a_path_says_which_repository() -> None:
    class Linked(Files):
        def is_file(self, path: str) -> bool:
            if path == "link.yaml":
                raise RenderError([Problem(path, 0, "leads out of the repository")])
            return super().is_file(path)

    class Port:
        def pinned(self, spec: RepoSpec) -> Pinned:
            return Pinned(COMMIT, Linked({"kustomization.yaml": "resources: [link.yaml]\n"}))

    with pytest.raises(RenderError) as caught:
        build(Files({"kustomization.yaml": f"resources: ['{REPO}']\n"}), "", remotes=Port())
    assert str(caught.value) == (f"{MOUNT}/link.yaml: leads out of the repository [by way of kustomization.yaml:1]")


def test_the_output_is_that_of_the_same_files_copied_in() -> None:
    files = {"kustomization.yaml": "resources: [a.yaml]\nnamePrefix: p-\n", "a.yaml": config("a")}
    remote = render({"kustomization.yaml": f"resources: ['{REPO}']\nnamespace: shop\n"}, files)
    copied = Files(
        {
            "kustomization.yaml": "resources: [c]\nnamespace: shop\n",
            **{f"c/{name}": text for name, text in files.items()},
        }
    )
    assert [yaml.dump(item.body) for item in remote.resources] == [
        yaml.dump(item.body) for item in build(copied, "").resources
    ]


CHART = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "value: one\n",
    "charts/web/templates/a.yaml": config("a", "{{ .Values.value }}"),
}


@pytest.mark.parametrize("home", ["charts", "../charts"])
def test_charts_of_a_remote_base_are_found_in_it(home: str) -> None:
    inner = "" if home == "charts" else "base/"
    fields = f"helmGlobals: {{chartHome: {home}}}\nhelmCharts: [{{name: web, valuesFile: values.yaml}}]\n"
    files = {f"{inner}kustomization.yaml": fields, f"{inner}values.yaml": "value: two\n", **CHART}
    own = Files({"kustomization.yaml": f"resources: ['{REPO}//{inner}']\n", **CHART})
    (found,) = build(own, "", charts=FakeCharts(), remotes=Trees({REPO: files})).resources
    assert found.body["data"]["value"] == "two"
    assert found.origin is not None
    assert found.origin.source.file.startswith(f"{MOUNT}/")


def test_charts_outside_of_a_remote_base_are_not() -> None:
    fields = "helmGlobals: {chartHome: ../../../../charts}\nhelmCharts: [{name: web}]\n"
    own = Files({"kustomization.yaml": f"resources: ['{REPO}']\n", **CHART})
    with pytest.raises(RenderError, match="leads out of the repository"):
        build(own, "", charts=FakeCharts(), remotes=Trees({REPO: {"kustomization.yaml": fields}}))


def test_what_was_built_is_built_anew_where_a_pin_or_the_right_to_it_has_changed() -> None:
    """A memory holds what a base gave; whether it may still be used is asked each time."""
    own = Files({"kustomization.yaml": "resources: [sub]\n", "sub/kustomization.yaml": f"resources: ['{REPO}']\n"})
    trees = {
        "1" * 40: Files({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config("a", "one")}),
        "2" * 40: Files({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config("a", "two")}),
    }

    @dataclass
    class Port:
        commit: str

        def pinned(self, spec: RepoSpec) -> Pinned:
            return Pinned(self.commit, trees[self.commit])

    memory = Memory()

    def value(remotes: Port | None) -> str:
        (found,) = build(own, "", remotes=remotes, memory=memory).resources
        assert isinstance(found.body["data"]["value"], str)
        return found.body["data"]["value"]

    assert [value(Port("1" * 40)), value(Port("2" * 40)), value(Port("1" * 40))] == ["one", "two", "one"]
    for tree in trees.values():
        tree.read_paths.clear()
    assert value(Port("2" * 40)) == "two"
    assert "a.yaml" not in trees["2" * 40].read_paths, "it is remembered"
    with pytest.raises(RenderError, match="remote bases are off"):
        value(None)
