"""Declared objects of a Harbor behind the cluster port: tests/fakes for the API server, tests/harbor for Harbor."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import yaml
from reconciler.errors import AlreadyExists, ClusterError, Conflict, NotFound
from reconciler.harbor import declared as behind
from reconciler.harbor.cluster import HarborCluster
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.harbor import PROJECT, REGISTRY, ROBOT, pending, unclaimed
from reconciler.model.origin import Source
from tests.fakes.cluster import FakeCluster
from tests.harbor.server import TestHarbor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from reconciler.cluster.port import Body
    from reconciler.model.api import ApiResource

DEFINITIONS = Path(__file__).parents[2] / "base/crds/harbor"
SPACE = "registry"
SPECS: dict[str, dict[str, Any]] = {
    REGISTRY: {"type": "docker-hub", "url": "https://hub.docker.com", "credentials": {"secret": "hub"}},
    PROJECT: {"public": False, "autoScan": True, "storageQuota": "1Gi"},
    ROBOT: {
        "level": "system",
        "permissions": [
            {"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]}
        ],
    },
}


def secret(name: str, username: str, password: str) -> Body:
    data = {
        key: base64.b64encode(text.encode()).decode() for key, text in (("username", username), ("password", password))
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SPACE}, "data": data}


@pytest.fixture
def harbor() -> Iterator[TestHarbor]:
    with TestHarbor() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def api(harbor: TestHarbor) -> FakeCluster:
    fake = FakeCluster()
    for file in DEFINITIONS.glob("*.yaml"):
        for body in yaml.parse(file.read_text(), Source(file.name, "")):
            if body["kind"] == "CustomResourceDefinition":
                fake.seed(dict(body))
    fake.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    fake.seed(secret("harbor-admin", "admin", harbor.state.admin))
    fake.seed(secret("hub", "reader", "Old-1"))
    server = declared("HarborServer", "harbor", {"url": harbor.url, "credentials": {"secret": "harbor-admin"}})
    fake.seed_apply(server)
    return fake


@pytest.fixture
async def cluster(api: FakeCluster) -> AsyncIterator[HarborCluster]:
    async with connected(api) as found:
        yield found


@asynccontextmanager
async def connected(api: FakeCluster) -> AsyncIterator[HarborCluster]:
    """Connect anew: nothing is remembered of the Harbor."""
    found = HarborCluster(api, adopts=False)
    try:
        yield found
    finally:
        await found.leave()


def declared(kind: str, name: str, spec: dict[str, Any]) -> Body:
    metadata = {"name": name, "namespace": SPACE}
    return {"apiVersion": "harbor.reconciler.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def resource(api: FakeCluster, kind: str) -> ApiResource:
    return api.resource(kind)


async def applied(
    cluster: HarborCluster, api: FakeCluster, kind: str, name: str, spec: dict[str, Any] | None = None
) -> Body:
    body = declared(kind, name, SPECS[kind] if spec is None else spec)
    return await cluster.apply(resource(api, kind), body, field_manager=FIELD_MANAGER)


async def seen(cluster: HarborCluster, api: FakeCluster, kind: str) -> Body:
    """Return the one object of a kind as a plan sees it."""
    (body,) = [item async for item in cluster.list(resource(api, kind))]
    return body


async def test_an_object_is_made_and_its_id_is_noted(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    body = await applied(cluster, api, PROJECT, "team")
    project = harbor.state.project("team")
    assert body["status"]["id"] == project["project_id"]
    assert body["status"]["conditions"][0]["status"] == "True"
    assert project["metadata"] == {"public": "false", "auto_scan": "true"}
    assert (await seen(cluster, api, PROJECT))["spec"] == SPECS[PROJECT]
    assert not pending(await seen(cluster, api, PROJECT))


async def test_a_dry_run_writes_nothing(cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor) -> None:
    body = declared(PROJECT, "team", SPECS[PROJECT])
    await cluster.apply(resource(api, PROJECT), body, field_manager=FIELD_MANAGER, dry_run=True)
    assert harbor.writes() == []


async def test_what_git_does_not_have_any_more_goes_back_to_what_harbor_has_by_itself(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    await applied(cluster, api, PROJECT, "team")
    await applied(cluster, api, PROJECT, "team", {"public": True})
    assert harbor.state.project("team")["metadata"] == {"public": "true", "auto_scan": "false"}
    assert [item["hard"] for item in harbor.state.quotas.values()] == [{"storage": -1}]


async def test_what_git_never_said_is_left_as_it_is(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    await applied(cluster, api, PROJECT, "team")
    harbor.state.project("team")["metadata"]["severity"] = "high"
    await applied(cluster, api, PROJECT, "team", {**SPECS[PROJECT], "public": True})
    assert harbor.state.project("team")["metadata"]["severity"] == "high"


async def test_what_others_made_is_neither_changed_nor_deleted(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    harbor.state.create_project({"project_name": "team", "metadata": {"public": "true"}})
    found = await cluster.get(resource(api, PROJECT), SPACE, "team")  # it has no custom resource
    assert unclaimed(found).startswith("id ")
    assert found["spec"]["public"] is True
    with pytest.raises(AlreadyExists, match="not of our making"):
        await applied(cluster, api, PROJECT, "team")
    body = await seen(cluster, api, PROJECT)
    assert unclaimed(body)
    await cluster.delete(resource(api, PROJECT), SPACE, "team", uid=body["metadata"]["uid"])
    assert harbor.state.project("team")["metadata"]["public"] == "true"
    assert [item async for item in cluster.list(resource(api, PROJECT))] == []


async def test_an_error_names_file_and_line_and_is_kept_in_the_status(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    text = """\
        apiVersion: harbor.reconciler.dev/v1alpha1
        kind: HarborProject
        metadata: {name: Team.., namespace: registry}
        spec: {public: true}
        """
    (body,) = yaml.parse(text.replace("        ", "").replace("Team..", "team"), Source("harbor/projects.yaml", ""))
    harbor.fail(500, 1, method="POST")
    with pytest.raises(ClusterError, match=r"^harbor/projects\.yaml:4: Harbor at .* answered POST /projects with 500"):
        await cluster.apply(resource(api, PROJECT), body, field_manager=FIELD_MANAGER)
    condition = (await seen(cluster, api, PROJECT))["status"]["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "Refused")


async def test_a_project_with_repositories_is_kept_with_its_custom_resource(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    body = await applied(cluster, api, PROJECT, "team")
    harbor.push("team/web", "1")
    with pytest.raises(ClusterError, match="contains repositories"):
        await cluster.delete(resource(api, PROJECT), SPACE, "team", uid=body["metadata"]["uid"])
    assert (await seen(cluster, api, PROJECT))["status"]["repositories"] == 1


async def test_a_delete_that_is_meant_for_another_object_reaches_nothing(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    await applied(cluster, api, PROJECT, "team")
    with pytest.raises(Conflict):
        await cluster.delete(resource(api, PROJECT), SPACE, "team", uid="another")
    assert harbor.state.project("team")


async def test_a_password_is_kept_in_a_secret_and_told_nowhere(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    body = await applied(cluster, api, ROBOT, "copier")
    kept = await api.get(resource(api, "Secret"), SPACE, "copier")
    password = base64.b64decode(kept["data"]["password"]).decode()
    assert harbor.state.account("robot$copier", password)
    assert kept["metadata"]["ownerReferences"][0]["uid"] == body["metadata"]["uid"]
    assert password not in str(body)


async def test_a_lost_password_is_pending_and_made_anew(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    await applied(cluster, api, ROBOT, "copier")
    api.remove("Secret", SPACE, "copier")
    assert pending(await seen(cluster, api, ROBOT)) == "Secret/copier is not there: a new password is made"
    await applied(cluster, api, ROBOT, "copier")
    kept = await api.get(resource(api, "Secret"), SPACE, "copier")
    assert harbor.state.account("robot$copier", base64.b64decode(kept["data"]["password"]).decode())


async def test_an_account_that_changed_in_the_cluster_or_in_harbor_is_given_again(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    await applied(cluster, api, REGISTRY, "hub")
    (there,) = harbor.state.registries.values()
    api.seed(secret("hub", "reader", "New-1"))
    assert "Secret/hub has changed" in pending(await seen(cluster, api, REGISTRY))
    await applied(cluster, api, REGISTRY, "hub")
    (there,) = harbor.state.registries.values()
    assert there["credential"]["access_secret"] == "New-1"
    there["credential"]["access_key"] = "somebody"
    async with connected(api) as later:
        assert "Harbor has another account, somebody" in pending(await seen(later, api, REGISTRY))


async def test_a_look_at_many_costs_one_list(cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor) -> None:
    for number in range(5):
        await applied(cluster, api, PROJECT, f"team-{number}", {"public": True})
    harbor.requests.clear()
    async with connected(api) as later:
        found = [item async for item in later.list(resource(api, PROJECT))]
    assert [len(found), harbor.requests] == [5, [("GET", "/api/v2.0/projects")]]


async def test_without_a_harbor_server_the_namespace_is_named(cluster: HarborCluster, api: FakeCluster) -> None:
    api.remove("HarborServer", SPACE, "harbor")
    with pytest.raises(NotFound, match="namespace registry has to have one HarborServer"):
        await applied(cluster, api, PROJECT, "team")


async def test_without_a_harbor_server_nothing_is_taken_for_gone(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    body = await applied(cluster, api, PROJECT, "team")
    api.remove("HarborServer", SPACE, "harbor")
    async with connected(api) as later:
        with pytest.raises(ClusterError, match="it cannot be deleted from Harbor") as raised:
            await later.delete(resource(api, PROJECT), SPACE, "team", uid=body["metadata"]["uid"])
    assert not isinstance(raised.value, NotFound)


async def test_a_robot_account_goes_with_its_project(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    await applied(cluster, api, PROJECT, "team")
    access = [{"resource": "repository", "action": "pull"}]
    permissions = [{"kind": "project", "namespace": "team", "access": access}]
    spec = {"level": "project", "project": "team", "permissions": permissions}
    body = await applied(cluster, api, ROBOT, "reader", spec)
    assert [item["name"] for item in harbor.state.robots.values()] == ["team+reader"]
    harbor.state.delete_project("team")
    await cluster.delete(resource(api, ROBOT), SPACE, "reader", uid=body["metadata"]["uid"])
    assert [item async for item in api.list(resource(api, ROBOT))] == []


async def test_a_harbor_that_stays_away_is_given_up(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All objects share the time in which it may come up."""
    monkeypatch.setattr(behind, "PATIENCE", 0.0)
    harbor.stop()
    with pytest.raises(ClusterError, match="cannot connect to Harbor"):
        await applied(cluster, api, PROJECT, "team")


async def test_a_lost_lease_keeps_harbor_from_being_written(
    cluster: HarborCluster, api: FakeCluster, harbor: TestHarbor
) -> None:
    calls = iter(range(100))

    def guard() -> None:
        if next(calls) >= 2:  # the custom resource and its announcement are written before
            raise ClusterError("no longer ours")

    with pytest.raises(ClusterError, match="no longer ours"):
        await applied(cluster.guarded(guard), api, PROJECT, "team")
    assert harbor.state.projects == {}
