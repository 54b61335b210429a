"""The agent may do what the shipped environments need, and nothing else."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler import environment as environments
from reconciler import pipeline
from reconciler.pipeline import Checkout
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.resource import Resource

ROOT = Path(__file__).parent.parent.parent.parent
RBAC = "rbac.authorization.k8s.io"

Right = tuple[str, str, str]  # API group, resource, verb

RECONCILED: Final = ("get", "list", "watch", "create", "patch", "delete")
EXTRA: Final[frozenset[Right]] = frozenset(
    [
        *product([RBAC], ["clusterroles", "roles"], ["bind", "escalate"]),  # what it writes grants what it has not
        *product([""], ["events", "pods"], ["list"]),  # why something is not healthy
        ("", "pods/log", "get"),
        *(  # what was written to Harbor is noted there
            ("harbor.reconciler.dev", f"{name}/status", "patch")
            for name in ("harborprojects", "harborregistries", "harborreplicationpolicies", "harborrobotaccounts")
        ),
    ]
)
OWN: Final[frozenset[Right]] = frozenset(
    [
        *product(["coordination.k8s.io"], ["leases"], ["get", "create", "update"]),
        ("events.k8s.io", "events", "create"),
    ]
)
# (group, resource) of kinds that come with a later commit, or went with an earlier one and are still to be pruned: the
# agent reads all kinds before it writes anything, so it has to have its rights before and to keep them until then.
ON_THE_WAY: Final[frozenset[tuple[str, str]]] = frozenset()


@pytest.fixture(scope="module")
def rendered() -> tuple[Resource, ...]:
    """Return the objects of all shipped environments."""
    files = DirectoryTree(ROOT)
    found: list[Resource] = []
    for name in environments.discover(files):
        environment = environments.load(files, f"environments/{name}/environment.yaml")
        found += [item for _, item in pipeline.render(Checkout(files, environment, None)).resources]
    return tuple(found)


def plural(kind: str) -> str:
    """Return the resource of a kind, as Kubernetes' own kinds and the platform's form it."""
    name = kind.lower()
    if name.endswith("facts"):
        return name
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def granted(rendered: Iterable[Resource], kind: str) -> set[Right]:
    """Return what the agent's role of a kind grants; it may not be narrowed to names or widened by wildcards."""
    role: dict[str, Any] = next(
        dict(item.body) for item in rendered if (item.id.kind, item.id.name) == (kind, "reconciler")
    )
    rights: set[Right] = set()
    for rule in role["rules"]:
        assert set(rule) == {"apiGroups", "resources", "verbs"}, rule
        rights.update(product(rule["apiGroups"], rule["resources"], rule["verbs"]))
    return rights


def told(rights: Iterable[Right]) -> list[str]:
    """Return rights for people to read, one resource a line."""
    verbs: dict[str, list[str]] = {}
    for group, resource, verb in sorted(rights):
        verbs.setdefault(f"{resource}.{group}".rstrip("."), []).append(verb)
    return [f"{resource}: {', '.join(found)}" for resource, found in verbs.items()]


def test_cluster_role_is_what_is_rendered_and_nothing_more(rendered: tuple[Resource, ...]) -> None:
    kinds = {(item.id.group, plural(item.id.kind)) for item in rendered} | ON_THE_WAY
    wanted = EXTRA | {(*kind, verb) for kind, verb in product(kinds, RECONCILED)}
    rights = granted(rendered, "ClusterRole")
    assert len(kinds) > 20
    assert told(wanted - rights) == [], "missing in base/cluster-management/reconciler/rbac.yaml"
    assert told(rights - wanted) == [], "not needed in base/cluster-management/reconciler/rbac.yaml"


def test_no_kind_is_on_the_way_that_has_arrived(rendered: tuple[Resource, ...]) -> None:
    assert {(item.id.group, plural(item.id.kind)) for item in rendered} & ON_THE_WAY == set()


def test_leases_and_events_are_for_its_own_namespace(rendered: tuple[Resource, ...]) -> None:
    assert granted(rendered, "Role") == OWN
    found = {item.id.namespace for item in rendered if (item.id.kind, item.id.name) == ("Role", "reconciler")}
    assert found == {"reconciler-system"}


def test_rights_are_bound_to_the_agent_alone(rendered: tuple[Resource, ...]) -> None:
    """Whoever else had them would be an administrator."""
    subjects = [
        (subject["kind"], subject["namespace"], subject["name"])
        for item in rendered
        if item.id.kind in ("ClusterRoleBinding", "RoleBinding") and item.body["roleRef"]["name"] == "reconciler"
        for subject in item.body["subjects"]
    ]
    assert set(subjects) == {("ServiceAccount", "reconciler-system", "reconciler")}
