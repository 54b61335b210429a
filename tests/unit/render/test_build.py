"""Kustomize directories to objects, with the origin of every leaf."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import yaml
from reconciler.errors import RenderError
from reconciler.model.path import parse_path, plain_steps
from reconciler.model.tree import origin_at
from reconciler.render.build import build
from reconciler.render.images import split
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.origin import Origin
    from reconciler.model.resource import Resource
    from reconciler.render.build import Build

DEPLOYMENT = """\
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
    spec:
      replicas: 1
      selector:
        matchLabels: {app: web}
      template:
        metadata:
          labels: {app: web}
        spec:
          containers:
            - name: main
              image: example.com/web:1.0
              env:
                - {name: A, value: "1"}
            - name: side
              image: example.com/side:1.0
    """


def render(root: Path, files: dict[str, str], directory: str = "") -> Build:
    """Build a directory of files."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))
    return build(DirectoryTree(root), directory)


def only(built: Build) -> Resource:
    """Return the one object of a build."""
    (resource,) = built.resources
    return resource


def origin(resource: Resource, path: str) -> Origin:
    """Return the origin of a field that has to be there."""
    steps = plain_steps(resource.body, parse_path(path))
    assert steps is not None
    found = origin_at(resource.body, steps)
    assert found is not None
    return found


def told(origin: Origin) -> tuple[str, str]:
    """Return an origin as `file:line` and the step."""
    return str(origin), origin.by


def refused(root: Path, files: dict[str, str], directory: str = "") -> list[str]:
    """Return the problems of a build that has to fail."""
    with pytest.raises(RenderError) as caught:
        render(root, files, directory)
    return [str(problem) for problem in caught.value.problems]


def test_each_leaf_tells_its_file_and_step(tmp_path: Path) -> None:
    """Resource, patch, image, replicas, namespace and labels each leave their own line."""
    built = render(
        tmp_path,
        {
            "base/kustomization.yaml": "resources: [web.yaml]\n",
            "base/web.yaml": DEPLOYMENT,
            "over/kustomization.yaml": """\
                resources: [../base]
                namespace: shop
                images:
                  - name: example.com/web
                    newTag: "2.0"
                replicas:
                  - name: web
                    count: 3
                labels:
                  - pairs:
                      team: shop
                patches:
                  - path: patch.yaml
                """,
            "over/patch.yaml": """\
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: web
                spec:
                  template:
                    spec:
                      containers:
                        - name: side
                          image: example.com/side:9.9
                """,
        },
        "over",
    )
    web = only(built)
    assert told(origin(web, "spec.template.spec.containers[name=main].image")) == (
        "over/kustomization.yaml:5",
        "images",
    )
    assert told(origin(web, "spec.template.spec.containers[name=side].image")) == ("over/patch.yaml:10", "patch")
    assert told(origin(web, "spec.replicas")) == ("over/kustomization.yaml:8", "replicas")
    assert told(origin(web, "metadata.namespace")) == ("over/kustomization.yaml:2", "namespace")
    assert told(origin(web, "metadata.labels.team")) == ("over/kustomization.yaml:11", "labels")
    assert told(origin(web, "metadata.name")) == ("base/web.yaml:4", "resource")
    replicas = origin(web, "spec.replicas").shadowed
    assert replicas is not None
    assert replicas.value == 1
    assert str(replicas.origin) == "base/web.yaml:6"
    assert origin(web, "spec.replicas").source.layer == "over"
    assert origin(web, "metadata.name").source.layer == "base"


def test_a_strategic_patch_puts_its_elements_first(tmp_path: Path) -> None:
    """Lists with a merge key merge by it: the patch's elements in its order, then the rest."""
    web = only(
        render(
            tmp_path,
            {
                "kustomization.yaml": """\
                    resources: [web.yaml]
                    patches:
                      - patch: |
                          apiVersion: apps/v1
                          kind: Deployment
                          metadata: {name: web}
                          spec:
                            template:
                              spec:
                                containers:
                                  - name: side
                                    $patch: delete
                                  - name: extra
                                    image: example.com/extra:1
                                  - name: main
                                    env: [{name: B, value: "2"}]
                    """,
                "web.yaml": DEPLOYMENT,
            },
        )
    )
    containers = web.body["spec"]["template"]["spec"]["containers"]
    assert [item["name"] for item in containers] == ["extra", "main"]
    assert [item["name"] for item in containers[1]["env"]] == ["B", "A"]
    assert str(origin(web, "spec.template.spec.containers[name=extra].image")) == "kustomization.yaml:14"


def test_generated_names_are_hashed_and_followed(tmp_path: Path) -> None:
    """The content decides the name, and references follow it."""
    files = {
        "kustomization.yaml": """\
            namePrefix: dev-
            resources: [pod.yaml]
            configMapGenerator:
              - name: settings
                literals: [mode=fast]
                files: [notes.txt]
            """,
        "notes.txt": "hello\n",
        "pod.yaml": """\
            apiVersion: v1
            kind: Pod
            metadata: {name: web}
            spec:
              containers:
                - name: main
                  image: example.com/web:1
                  envFrom: [{configMapRef: {name: settings}}]
            """,
    }
    config, pod = render(tmp_path, files).resources
    reference = pod.body["spec"]["containers"][0]["envFrom"][0]["configMapRef"]
    assert config.id.name == reference["name"] == "dev-settings-" + config.id.name.rsplit("-", 1)[1]
    assert len(config.id.name.rsplit("-", 1)[1]) == 10
    assert str(origin(config, 'data["notes.txt"]')) == "notes.txt:1"
    assert str(origin(config, "data.mode")) == "kustomization.yaml:5"
    assert origin(pod, "spec.containers[name=main].envFrom[0].configMapRef.name").by == "nameReference"
    (tmp_path / "notes.txt").write_text("changed\n")
    again, _ = build(DirectoryTree(tmp_path), "").resources
    assert again.id.name != config.id.name


@pytest.mark.parametrize(
    ("kustomization", "expected"),
    [
        ("resource: [web.yaml]\n", "kustomization.yaml:1: unknown field resource (did you mean resources?)"),
        ("resources: [none.yaml]\n", "kustomization.yaml:1: resources[0]: there is no none.yaml"),
        ("\nhelmCharts: [{name: web}]\n", "kustomization.yaml:2: helmCharts: rendering Helm charts is not enabled (set spec.render.helm: true in environment.yaml, or build with --enable-helm)"),
        ("resources: ['https://example.com/x']\n", "kustomization.yaml:1: resources[0]: https://example.com/x is no URL of a repository: its path has fewer than 2 parts, and no .git or // says where the repository ends (expected e.g. https://HOST/ORG/REPOSITORY//DIRECTORY?ref=COMMIT)"),
        ("resources: [web.yaml, web.yaml]\n", "web.yaml:1: Deployment/web is there 2 times (keep one of them)"),
        ("resources: [web.yaml]\nreplicas: [{name: wob, count: 1}]\n", "kustomization.yaml:2: replicas[0]: nothing named wob has replicas (near it: Deployment/web)"),
        ("resources: [web.yaml]\nimages: [{name: a, newTag: 1.0}]\n", "kustomization.yaml:2: images[0].newTag has to be a string (put it in quotes)"),
        ("resources: [../up]\n", "kustomization.yaml:1: resources[0]: ../up leads out of the repository"),
        ("configMapGenerator: [{name: a, files: [none]}]\n", "kustomization.yaml:1: there is no file none"),
        ("resources: [web.yaml]\npatches: [{patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: weeb}}'}]\n", "kustomization.yaml:2: the patch is for Deployment/weeb, and there is no such object (near it: Deployment/web)"),
        ("resources: [web.yaml]\npatches: [{target: {kind: Deployment}, patch: '[{op: remove, path: /spec/none}]'}]\n", "kustomization.yaml:2: the patch does not fit Deployment/web: there is no none"),
        ("a: [\n", "kustomization.yaml:2: not valid YAML: while parsing a flow node did not find expected node content"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_a_way_out(tmp_path: Path, kustomization: str, expected: str) -> None:
    assert refused(tmp_path, {"web.yaml": DEPLOYMENT, "kustomization.yaml": kustomization})[0] == expected


def test_all_broken_resources_are_told_at_once(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        {"kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "a.yaml": "apiVersion: v1\n", "b.yaml": "- 1\n"},
    )
    assert problems == [
        "a.yaml:1: the object has no kind",
        "b.yaml:1: expected an object, with apiVersion, kind and metadata.name",
    ]


def test_a_circle_of_directories_is_named(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"},
        "a",
    )
    assert "in a circle: a → b → a" in problems[0]


def test_files_outside_are_refused_unless_allowed(tmp_path: Path) -> None:
    """A file beside the kustomization's directory is only read when load restrictions are off, as in Kustomize."""
    files = {"shared.yaml": DEPLOYMENT, "app/kustomization.yaml": "resources: [../shared.yaml]\n"}
    assert "is not in or below app" in refused(tmp_path, files, "app")[0]
    assert len(build(DirectoryTree(tmp_path), "app", restrict_loads=False).resources) == 1


def test_a_patch_that_fits_nothing_is_a_warning(tmp_path: Path) -> None:
    """Kustomize is silent about a target that selects nothing; we say it."""
    built = render(
        tmp_path,
        {
            "web.yaml": DEPLOYMENT,
            "kustomization.yaml": "resources: [web.yaml]\npatches: [{target: {kind: Job}, patch: '[]'}]\n"
            "patchesStrategicMerge: []\n",
        },
    )
    assert any("fits no object: kind Job" in warning.message for warning in built.warnings)
    assert any("patchesStrategicMerge is deprecated" in warning.message for warning in built.warnings)


def test_aliases_cannot_blow_up(tmp_path: Path) -> None:
    """A document that aliases itself into the billions is refused, quickly."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    begun = time.process_time()
    problems = refused(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "\n".join(lines)})
    assert "aliases make more than" in problems[0]
    assert time.process_time() - begun < 30


def test_the_same_input_gives_the_same_output(tmp_path: Path) -> None:
    files = {"web.yaml": DEPLOYMENT, "kustomization.yaml": "resources: [web.yaml]\nnameSuffix: -x\n"}
    first = [yaml.dump(item.body) for item in render(tmp_path, files).resources]
    assert [yaml.dump(item.body) for item in render(tmp_path, files).resources] == first


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("nginx", ("nginx", "", "")),
        ("nginx:1", ("nginx", "1", "")),
        ("host:5000/nginx", ("host:5000/nginx", "", "")),
        ("host:5000/nginx:1@sha256:ab", ("host:5000/nginx", "1", "sha256:ab")),
        ("nginx@sha256:ab", ("nginx", "", "sha256:ab")),
    ],
)
def test_splits_images(image: str, parts: tuple[str, str, str]) -> None:
    assert split(image) == parts


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12),
    st.sampled_from(
        [
            "y",
            "no",
            "On",
            "1e3",
            "0o17",
            "017",
            "0x1F",
            "=",
            "<<",
            "~",
            "null",
            "2020-01-01",
            "1:30",
            ".inf",
            "a: b",
            "# c",
        ]
    ),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "y", "1", "true", "x/y.z"]), inner, max_size=3),
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["data", "n"]), documents, min_size=1))
def test_what_is_dumped_is_what_is_parsed(document: dict[str, Any]) -> None:
    """Whatever a string looks like, it comes back as that string."""
    from reconciler.model.origin import Source

    assert yaml.parse(yaml.dump(document), Source("a.yaml", "")) == [document]
