"""What holds of every build: laws over layers that are put together at random."""

from __future__ import annotations

import random
from typing import Any, Final

from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler import yaml
from reconciler.errors import ConfigError
from reconciler.model.tree import Map, Seq
from reconciler.render.build import Build, build
from reconciler.render.memory import Memory
from tests.fakes.files import Files

WORKLOAD: Final = """\
apiVersion: apps/v1
kind: {kind}
metadata:
  name: {name}
  annotations: {{a: "1.50"}}
spec:
  replicas: 1
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
        - name: main
          image: example.com/{name}:1.0
          env:
            - {{name: A, value: "yes"}}
          envFrom:
            - configMapRef: {{name: settings}}
      volumes:
        - name: secret
          secret: {{secretName: hidden}}
"""
RESOURCES: Final = {
    "web.yaml": WORKLOAD.format(kind="Deployment", name="web"),
    "db.yaml": WORKLOAD.format(kind="StatefulSet", name="db"),
    "web-service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n",
    "account.yaml": """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: web}
subjects: [{kind: ServiceAccount, name: web, namespace: default}]
""",
    "numbers.yaml": "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: odd}\nspec: {a: 1.50, b: 0x1f, c: ~, d: [], e: {}, f: 'on'}\n",
}
FIELDS: Final[tuple[dict[str, Any], ...]] = (
    {"namePrefix": "p-"},
    {"nameSuffix": "-s"},
    {"namespace": "shop"},
    {"labels": [{"pairs": {"team": "shop"}, "includeSelectors": True}]},
    {"labels": [{"pairs": {"team": "shop"}, "includeTemplates": True}]},
    {"commonAnnotations": {"note": "1"}},
    {"images": [{"name": "example.com/web", "newTag": "2.0"}]},
    {"images": [{"name": "example.com/web", "newName": "example.com/other", "digest": "sha256:ab"}]},
    {"configMapGenerator": [{"name": "settings", "literals": ["a=1"]}]},
    {"secretGenerator": [{"name": "hidden", "literals": ["a=1", "b=2"]}]},
    {"patches": [{"target": {"kind": "Deployment|StatefulSet"}, "patch": '[{"op": "add", "path": "/spec/x", "value": {"y": [1]}}]'}]},
    {"patches": [{"target": {"kind": ".*"}, "patch": "metadata:\n  name: any\n  annotations:\n    deep: {}\nspec:\n  list: [{a: b}]\n"}]},
    {
        "replacements": [
            {
                "sourceValue": "v",
                "targets": [{"select": {"kind": "Odd|Service"}, "fieldPaths": ["spec.put"], "options": {"create": True}}],
            }
        ]
    },
)  # fmt: skip
PATCHES: Final = (
    "spec: {replicas: 3}",
    "metadata: {annotations: {a: null}}",
    "metadata: {annotations: {b: x}}",
    "metadata: {labels: {c: y}}",
    "spec: {strategy: {type: Recreate}}",
    "spec: {template: {spec: {nodeSelector: {$patch: replace, disk: ssd}}}}",
    "spec: {template: {spec: {containers: [{name: main, image: other}]}}}",
    "spec: {template: {spec: {containers: [{name: main, env: [{name: A, value: z}]}]}}}",
    "spec: {template: {spec: {containers: [{name: main, ports: [{containerPort: 80}]}]}}}",
    "spec: {template: {spec: {volumes: [{name: cache, emptyDir: {}}]}}}",
)

resources = st.lists(st.sampled_from(sorted(RESOURCES)), min_size=1, unique=True)
kustomizations = st.lists(st.sampled_from(FIELDS), max_size=5).map(lambda parts: {key: v for part in parts for key, v in part.items()})  # fmt: skip


def layers(base: list[str], *above: dict[str, Any]) -> dict[str, str]:
    """Return the files of a base and of layers on it; the outermost is `top`."""
    files = {f"base/{name}": text for name, text in RESOURCES.items()}
    files["base/kustomization.yaml"] = yaml.dump({"resources": base})
    below = "base"
    for index, body in enumerate(above):
        name = "top" if index == len(above) - 1 else f"layer-{index}"
        files[f"{name}/kustomization.yaml"] = yaml.dump({"resources": [f"../{below}"], **body})
        below = name
    return files


def built(files: Files | dict[str, str], directory: str = "top", **options: Any) -> Build:
    """Build a directory; combinations that do not fit together are none of the law's business."""
    try:
        return build(files if isinstance(files, Files) else Files(files), directory, **options)
    except ConfigError:
        assume(False)
        raise


def bodies(made: Build) -> list[Any]:
    """Return the objects alone."""
    return [item.body for item in made.resources]


def traced(value: Any) -> Any:
    """Return a tree with the whole origin of each entry."""
    if isinstance(value, Map):
        return {key: (value.origins.get(key), traced(item)) for key, item in value.items()}
    if isinstance(value, Seq):
        return [tuple(value.origins), *map(traced, value)]
    return value


def whole(made: Build) -> list[Any]:
    """Return the objects with all of their origins."""
    return [traced(body) for body in bodies(made)]


class Shuffled(Files):
    """Files that a file system lists in whatever order."""

    def entries(self, path: str) -> list[str]:
        """Return the names in a directory."""
        return random.Random(path).sample(found := super().entries(path), len(found))  # noqa: S311 - no secret


@given(resources, kustomizations, kustomizations)
def test_building_is_deterministic(base: list[str], one: dict[str, Any], other: dict[str, Any]) -> None:
    """Objects, their order, their origins, in whatever order files are listed and were written."""
    files = layers(base, one, other)
    first = built(files)
    assert whole(built(files)) == whole(first)
    assert whole(built(Shuffled(dict(reversed(files.items()))))) == whole(first)


@given(resources, kustomizations, kustomizations)
def test_the_output_builds_to_itself(base: list[str], one: dict[str, Any], other: dict[str, Any]) -> None:
    """As one file of resources, in the order that it has."""
    first = built(layers(base, one, other))
    text = "---\n".join(yaml.dump(body) for body in bodies(first))
    again = {"all.yaml": text, "kustomization.yaml": "resources: [all.yaml]\nsortOptions: {order: fifo}\n"}
    assert bodies(built(again, "")) == bodies(first)


@given(st.lists(st.sampled_from(PATCHES), min_size=2, max_size=3, unique=True), st.randoms(use_true_random=False))
def test_patches_of_different_fields_commute(chosen: list[str], order: random.Random) -> None:
    """The order of patches only matters where they say something of one field."""
    shuffled = order.sample(chosen, len(chosen))
    one, other = (
        bodies(
            built(
                layers(
                    ["web.yaml"],
                    {"patches": [{"target": {"name": "web"}, "patch": patch} for patch in patches]},
                )
            )
        )
        for patches in (chosen, shuffled)
    )  # fmt: skip
    assert one == other


@given(resources, kustomizations)
def test_a_component_is_what_it_says_in_place(base: list[str], body: dict[str, Any]) -> None:
    """With nothing beside it a component's content can as well stand in the kustomization."""
    inline = built(layers(base, body))
    files = layers(base, {"components": ["../part"]})
    files["part/kustomization.yaml"] = yaml.dump({"kind": "Component", **body, "metadata": {"name": "part"}})
    assert bodies(built(files)) == bodies(inline)


@given(resources, kustomizations)
def test_prefix_and_suffix_commute(base: list[str], body: dict[str, Any]) -> None:
    prefix, suffix = {"namePrefix": "a-"}, {"nameSuffix": "-z"}
    one = built(layers(base, body, prefix, suffix))
    assert bodies(built(layers(base, body, suffix, prefix))) == bodies(one)
    assert bodies(built(layers(base, body, {**prefix, **suffix}))) == bodies(one)


@given(resources, kustomizations)
def test_a_namespace_given_twice_is_given_once(base: list[str], body: dict[str, Any]) -> None:
    space = {"namespace": "one"}
    assert bodies(built(layers(base, body, space, space))) == bodies(built(layers(base, body, space)))


@given(resources, kustomizations, st.integers(1, 5))
def test_lines_are_told_and_nothing_hangs_on_them(base: list[str], body: dict[str, Any], count: int) -> None:
    """Comments on top of every file move all lines by their number, and change no object."""
    files = layers(base, body)
    moved = {path: "# comment\n" * count + text for path, text in files.items()}
    first, second = built(files), built(moved)
    assert bodies(second) == bodies(first)
    assert lines(whole(second)) == [line + count for line in lines(whole(first))]


def lines(told: Any) -> list[int]:
    """Return the lines of all origins in a tree, in order."""
    if hasattr(told, "line"):
        return [told.line]
    if isinstance(told, dict):
        told = list(told.values())
    return [line for item in told for line in lines(item)] if isinstance(told, list | tuple) else []


@given(resources, kustomizations, kustomizations)
def test_looking_thoroughly_changes_nothing(base: list[str], one: dict[str, Any], other: dict[str, Any]) -> None:
    files = layers(base, one, other)
    assert whole(built(files, thorough=True)) == whole(built(files))


@given(resources, kustomizations, kustomizations, kustomizations)
def test_no_build_changes_what_another_begins_with(
    base: list[str], one: dict[str, Any], other: dict[str, Any], third: dict[str, Any]
) -> None:
    """Two directories on one layer, built with one memory in turn, are what they are when they are built alone."""
    files = layers(base, one, other)
    files["side/kustomization.yaml"] = yaml.dump({"resources": ["../layer-0"], **third})
    tree, memory = Files(files), Memory()
    alone = {name: whole(built(tree, name)) for name in ("top", "side", "layer-0")}
    for name in ("top", "side", "layer-0", "side", "top"):
        assert whole(built(tree, name, memory=memory)) == alone[name]


@given(resources, kustomizations, kustomizations)
def test_no_two_objects_share_a_part(base: list[str], one: dict[str, Any], other: dict[str, Any]) -> None:
    """A patch or a value that several objects are given is given to each: changing one would change the others."""
    made = built(layers(base, one, other))
    parts = [id(part) for body in bodies(made) for part in containers(body)]
    assert len(parts) == len(set(parts))


def containers(value: Any) -> list[Any]:
    """Return every mapping and list of a tree."""
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in containers(item))]
    return [value, *(found for item in value for found in containers(item))] if isinstance(value, list) else []
