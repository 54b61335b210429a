"""kill -9 at random writes of apply and prune: whatever was under way, the next run ends at exactly what git wants."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import platform
from tests.faults.proxy import proxy

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform
    from tests.faults.proxy import Fault, Seen

__all__ = ["platform"]
pytestmark = pytest.mark.cluster

KILLS = 50
ROUND = 5  # kills between two runs that may end
SEED = 20_301_231
LEASE = ("lease", "-n", "reconciler-system", "--ignore-not-found")

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      components: [%P]
      policy: {deletions: {max: 1000, shrink: 100, protect: []}}
    """
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%N.example.com}
spec:
  group: %N.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
"""


def config_map(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}}


def secret(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"v": value}}


def widget(name: str, value: str, group: str) -> dict[str, Any]:
    return {"apiVersion": f"{group}.example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"v": value}}


def wanted(side: str, group: str) -> dict[str, list[dict[str, Any]]]:
    """Return the objects of one of two commits: they share some, change some, move some and have some for themselves."""
    first = side == "a"
    shared = [config_map(f"shared-{number}", side) for number in range(20)]
    moving = [secret(f"moving-{number}", "same") for number in range(15)]
    own = [config_map(f"only-{side}-{number}", side) for number in range(15)]
    parts = {"one": shared + (moving if first else []), "two": own + ([] if first else moving)}
    parts["custom"] = [widget(f"w-{number}", side, group) for number in range(5 if first else 12)]
    if first:
        parts["vanishing"] = [config_map(f"vanishing-{number}", side) for number in range(12)]
    return parts


def write(platform: Platform, context: str, side: str) -> dict[str, set[str]]:
    """Write one of the two commits; return what it wants, by component."""
    parts = wanted(side, platform.name)
    listed = ["{name: base, path: base}", *(f"{{name: {part}, path: {part}, dependsOn: [base]}}" for part in parts)]
    text = ENVIRONMENT.replace("%C", context).replace("%P", ", ".join(listed))
    files = {
        "environments/%N/environment.yaml": text,
        "environments/%N/base/kustomization.yaml": "resources: [namespace.yaml, definition.yaml]\n",
        "environments/%N/base/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: %N}\n",
        "environments/%N/base/definition.yaml": DEFINITION,
    }
    for part, bodies in parts.items():
        files[f"environments/%N/{part}/kustomization.yaml"] = "namespace: %N\nresources: [all.yaml]\n"
        files[f"environments/%N/{part}/all.yaml"] = "---\n".join(json.dumps(body) + "\n" for body in bodies)
    platform.write(files)
    return {part: {f"{body['kind']}/{body['metadata']['name']}" for body in bodies} for part, bodies in parts.items()}


def live(kubectl: Callable[..., str], name: str) -> Iterator[dict[str, Any]]:
    """Yield what carries our label, or what we have applied and is without it."""
    kinds = f"configmaps,secrets,widgets.{name}.example.com"
    for item in json.loads(kubectl("get", kinds, "-n", name, "-o", "json", "--show-managed-fields"))["items"]:
        managers = {entry["manager"] for entry in item["metadata"].get("managedFields", ())}
        labels = item["metadata"].get("labels", {})
        if "reconciler.dev/environment" in labels or "reconciler" in managers:
            yield item


def check(platform: Platform, kubectl: Callable[..., str], expected: dict[str, set[str]], uids: dict[str, str]) -> None:
    """Look whether exactly what git wants is there, with its uids, and the inventories of its components."""
    name = platform.name
    found = list(live(kubectl, name))
    assert {f"{item['kind']}/{item['metadata']['name']}" for item in found} == set().union(*expected.values())
    moved = {item["metadata"]["name"]: item["metadata"]["uid"] for item in found}
    kept = [key for key in moved if key.startswith(("shared", "moving"))]
    assert {key: moved[key] for key in kept} == {key: uids[key] for key in kept}, "moves and updates keep uids"
    parents = kubectl("get", "configmaps", "-n", "reconciler-system", "-l", "applyset.kubernetes.io/id", "-o", "name")
    ours = {line.removeprefix(f"configmap/{name}.") for line in parents.split() if f"/{name}." in line}
    assert ours == {"base", *expected}
    platform.expect(0, "diff", name, "--exit-code")


@dataclass(slots=True)
class Killer:
    """Kills a run in the moment in which it sends its k-th write, and keeps what that was."""

    k: int = 0
    victim: subprocess.Popen[str] | None = None
    writes: int = 0
    last: str = ""

    def __call__(self, seen: Seen) -> Fault | None:
        """Let everything pass; what is under way arrives, as it does when a process dies."""
        if seen.writes and self.writes < self.k:
            self.writes += 1
            self.last = seen.method
            if self.writes == self.k and self.victim is not None:
                self.victim.kill()
        return None


def test_a_run_that_is_killed_at_any_write_is_continued(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str], tmp_path: Path
) -> None:
    """Fifty runs die between two commits; every fifth time the next run has to bring about exactly what git wants.

    The Lease of a dead run is taken away so that nobody waits for it, but the last one: that one is waited for.
    """
    name, context, chance = platform.name, f"sandbox-{control_plane.name}", random.Random(SEED)  # noqa: S311 - no secret
    apply = ("apply", name, "--yes", "--no-wait", "--lock-timeout", "30")
    write(platform, context, "a")
    platform.expect(0, *apply)
    uids = {item["metadata"]["name"]: item["metadata"]["uid"] for item in live(kubectl, name)}
    with proxy(control_plane) as between:
        platform.kubeconfig = between.kubeconfig(tmp_path)
        write(platform, context, "b")
        platform.expect(0, *apply)
        whole, side, hits = len(between.written()), "b", list[str]()
        while len(hits) < KILLS:
            side = "a" if side == "b" else "b"
            expected = write(platform, context, side)
            between.rule = killer = Killer(chance.randint(1, whole))
            killer.victim = platform.start(*apply)
            killer.victim.communicate()
            if killer.victim.returncode == 0:  # what was left to do had fewer writes
                continue
            assert killer.victim.returncode == -9
            hits.append(killer.last)
            last = len(hits) == KILLS
            dead = kubectl("get", *LEASE, f"reconciler-{name}", "-o", "jsonpath={.spec.holderIdentity}")
            if not last:
                kubectl("delete", *LEASE, f"reconciler-{name}")
            if len(hits) % ROUND == 0:
                told = platform.expect(0, *apply).err
                assert f"waiting for {dead}" in told or not (last and dead)
                check(platform, kubectl, expected, uids)
    assert min(hits.count("PATCH"), hits.count("DELETE")) > 2, "runs died while they applied, and while they pruned"
