"""Declared Harbor objects through the command line, on a real API server. Harbor is tests/harbor, which is not Harbor."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.harbor import declared
from tests.harbor.replication import basic
from tests.harbor.server import TestHarbor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Answer, Platform

pytestmark = pytest.mark.cluster

DEFINITIONS = Path(__file__).parents[2] / "base/crds/harbor"


class Hub:
    """A repository with one environment, and the two Harbors that it is about."""

    def __init__(self, platform: Platform, context: str, hub: TestHarbor, edge: TestHarbor) -> None:
        self.platform, self.hub, self.edge, self._context = platform, hub, edge, context
        self.adopt, self.budget, self.files = "kubectl", 5, dict(declared.ALL)
        self.write()

    def write(self) -> None:
        """Write the environment as it is to be."""
        folder = f"environments/{self.platform.name}"
        values = {
            "%C": self._context,
            "%A": self.adopt,
            "%D": str(self.budget),
            "%U": self.hub.url,
            "%E": self.edge.url,
        }
        files = {
            f"{folder}/environment.yaml": declared.ENVIRONMENT,
            f"{folder}/harbor/kustomization.yaml": f"resources: [{', '.join(self.files)}]\n",
            **{f"{folder}/harbor/{name}": text for name, text in self.files.items()},
        }
        for old, new in values.items():
            files = {name: text.replace(old, new) for name, text in files.items()}
        self.platform.write(files)

    def expect(self, code: int, command: str, *arguments: str) -> Answer:
        """Run a command on the environment."""
        return self.platform.expect(code, command, self.platform.name, *arguments)

    def plan(self, code: int = 0) -> dict[str, Any]:
        """Return the plan, with the changes by kind and name."""
        document = self.expect(code, "diff", "-o", "json").json
        return {f"{item['id']['kind']}/{item['id']['name']}": item for item in document["changes"]} | {"": document}

    def apply(self, code: int = 0) -> dict[str, Any]:
        """Apply and return the outcomes by kind and name."""
        document = self.expect(code, "apply", "--yes", "-o", "json").json
        return {f"{item['id']['kind']}/{item['id']['name']}": item for item in document["objects"]} | {"": document}


@pytest.fixture(scope="module")
def definitions(kubectl: Callable[..., str]) -> None:
    kubectl("apply", "-k", str(DEFINITIONS))
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


@pytest.fixture
def hub(definitions: None, platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]) -> Iterator[Hub]:
    with TestHarbor() as one, TestHarbor() as other:
        name = platform.name
        kubectl("create", "namespace", name)
        for secret, password in (("harbor-admin", one.state.admin), ("edge", other.state.admin)):
            pair = ("--from-literal=username=admin", f"--from-literal=password={password}")
            kubectl("create", "secret", "generic", secret, "-n", name, *pair)
        found = Hub(platform, f"sandbox-{control_plane.name}", one, other)
        found.adopt = "kubectl"
        yield found
        assert [*one.violations, *other.violations] == []


def test_from_nothing_to_nothing(hub: Hub, kubectl: Callable[..., str]) -> None:
    """The first apply makes all, in order; the second changes nothing at one LIST a kind; drift is seen and repaired."""
    first = hub.apply()
    assert {item["result"] for key, item in first.items() if key} == {"applied"}
    state = hub.hub.state
    team = state.project("team")
    assert team["metadata"] == {"public": "false", "prevent_vul": "true", "severity": "high", "auto_scan": "true"}
    assert [item["hard"]["storage"] for item in state.quotas.values()] == [100 * 2**30, -1]
    ids = {item["name"]: key for kept in (state.registries, state.policies, state.robots) for key, item in kept.items()}
    assert ids["edge"] < ids["team-to-edge"]  # ids are given in the order of making
    assert team["project_id"] < min(ids["team-to-edge"], ids["team+builder"])
    assert ids["docker-hub"] < state.project("hub-cache")["project_id"]
    _passwords_are_kept(hub, kubectl)

    hub.hub.requests.clear()
    again = hub.apply()
    assert {item["result"] for key, item in again.items() if key} == {"unchanged"}
    assert again[""]["requests"].get("harbor_write", 0) == again[""]["requests"]["dry_run"] == 0
    read = sorted(path.removeprefix("/api/v2.0/") for _, path in hub.hub.requests)
    assert read == ["projects", "quotas", "registries", "replication/policies", "robots", "robots"]

    hub.files = {"server.yaml": declared.SERVER}
    hub.budget = 8
    hub.write()
    pruned = hub.apply()
    assert {item["result"] for key, item in pruned.items() if key} == {"pruned", "unchanged"}
    assert [state.projects, state.registries, state.policies, state.robots] == [{}, {}, {}, {}]


def test_what_somebody_changes_in_harbor_is_drift_and_is_repaired(hub: Hub) -> None:
    """Told field by field with file and line; what git does not say is left as it is."""
    hub.apply()
    name, state = hub.platform.name, hub.hub.state
    team = state.project("team")
    team["metadata"] |= {"public": "true", "severity": "low"}
    policy = next(iter(state.policies.values()))
    policy["enabled"], policy["speed"] = False, 1
    builder = next(item for item in state.robots.values() if item["name"] == "team+builder")
    builder["permissions"][0]["access"].append({"resource": "artifact", "action": "delete"})
    drift = hub.plan()
    assert [(item["path"], item["old"], item["new"]) for item in drift["HarborProject/team"]["fields"]] == [
        ("spec.public", True, False),
        ("spec.severity", "low", "high"),
    ]
    origin = drift["HarborProject/team"]["fields"][0]["origin"]
    assert (origin["file"], origin["line"]) == (f"environments/{name}/harbor/projects.yaml", 5)
    assert [item["path"] for item in drift["HarborReplicationPolicy/team-to-edge"]["fields"]] == ["spec.speedKb"]
    assert "HarborRobotAccount/builder" in drift
    (component,) = hub.expect(0, "status", "-o", "json").json["components"]
    assert {item["name"] for item in component["drifted"]} == {"team", "team-to-edge", "builder"}
    assert component["pending"] == 0
    assert [item["manager"] for item in drift["HarborProject/team"]["fields"]] == ["harbor", "harbor"]
    assert "projects.yaml:5" in hub.expect(0, "blame", "HarborProject/team", "-n", name).out
    hub.apply()
    assert state.project("team")["metadata"]["public"] == "false"
    assert policy["speed"] == 2048
    assert policy["enabled"] is False  # git says nothing of it
    assert hub.plan()[""]["changes"] == []


def _passwords_are_kept(hub: Hub, kubectl: Callable[..., str]) -> None:
    """The password of a robot account is in its Secret, works, and is nowhere else."""
    name = hub.platform.name
    found = json.loads(kubectl("get", "secret", "robot-replication", "-n", name, "-o", "json"))
    account = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
    assert account["username"] == "robot$replication"
    assert hub.hub.state.account(account["username"], account["password"])
    everything = kubectl("get", "harborrobotaccounts", "-n", name, "-o", "yaml")
    assert account["password"] not in everything
    for command in (("diff",), ("status",), ("history",)):
        assert account["password"] not in hub.expect(0, *command).out


def test_the_budget_counts_them_and_a_project_with_repositories_stays(hub: Hub) -> None:
    hub.apply()
    hub.hub.push("team/web", "1")
    hub.budget = 2
    hub.files = {name: text for name, text in declared.ALL.items() if name in ("server.yaml", "registries.yaml")}
    hub.write()
    refused = hub.plan(4)
    assert "budget" in {item["rule"] for item in refused[""]["refusals"]}
    hub.budget = 8
    hub.write()
    told = hub.plan(1)["HarborProject/team"]["problem"]
    assert told.startswith("Harbor's project team still has 1 repository")
    outcome = hub.apply(1)
    assert outcome["HarborProject/team"]["result"] == "failed"
    assert hub.hub.state.project("team")
    assert not any(item["name"] == "hub-cache" for item in hub.hub.state.projects.values())
    hub.hub.state.repositories[hub.hub.state.project("team")["project_id"]].clear()
    hub.apply()
    assert not hub.hub.state.projects


def test_what_others_made_is_not_taken_unless_the_policy_says_so(hub: Hub) -> None:
    """Neither changed nor deleted; with policy.adopt it is taken over, and what git does not say stays."""
    made = hub.hub.state.create_project({"project_name": "team", "metadata": {"public": "true", "auto_scan": "false"}})
    first = hub.apply(1)["HarborProject/team"]  # before this, nobody knew which Harbor is meant
    assert "has it already" in first["message"]
    assert "add harbor to policy.adopt" in first["message"]
    refused = hub.plan(4)["HarborProject/team"]["problem"]
    assert refused.startswith(f"belongs to harbor: Harbor has it (id {made}, made ")
    hub.expect(4, "apply", "--yes")
    assert hub.hub.state.project("team")["metadata"]["public"] == "true"
    hub.adopt = "kubectl, harbor"
    hub.write()
    change = hub.plan()["HarborProject/team"]
    assert "exists already and is adopted (policy.adopt: harbor)" in change["notes"]
    told = {item["path"]: (item["old"], item["new"]) for item in change["fields"]}
    assert {path: values for path, values in told.items() if path.startswith("spec.")} == {
        "spec.public": (True, False),
        "spec.storageQuota": ("-1", "100Gi"),
        "spec.preventVulnerable": (False, True),
        "spec.severity": ("none", "high"),
        "spec.autoScan": (False, True),
    }
    hub.apply()
    assert hub.hub.state.project("team")["project_id"] == made
    assert hub.hub.state.project("team")["metadata"]["public"] == "false"


def test_what_others_made_is_seen_before_anything_of_it_is_in_the_cluster(hub: Hub) -> None:
    """Also without a custom resource: the plan is refused, or shows what an adoption changes."""
    hub.files = {"server.yaml": declared.SERVER}
    hub.write()
    hub.apply()
    made = hub.hub.state.create_project({"project_name": "team", "metadata": {"public": "true"}})
    more = [declared.PROJECTS.partition("---")[0].replace("name: team", f"name: team-{number}") for number in range(5)]
    hub.files = {**declared.ALL, "more.yaml": "    ---\n".join(more)}
    hub.write()
    assert f"Harbor has it (id {made}, made " in hub.plan(4)["HarborProject/team"]["problem"]
    hub.adopt = "kubectl, harbor"
    hub.write()
    change = hub.plan()["HarborProject/team"]
    assert "exists already and is adopted (policy.adopt: harbor)" in change["notes"]
    public = next(item for item in change["fields"] if item["path"] == "spec.public")
    assert (public["old"], public["new"], public["origin"]["line"]) == (True, False, 5)
    hub.apply()
    assert hub.hub.state.project("team")["project_id"] == made
    assert hub.plan()[""]["changes"] == []


def test_one_that_was_deleted_and_made_again_by_others_is_not_ours_any_more(hub: Hub) -> None:
    """Names prove nothing: pruning takes the custom resource only, and leaves what others made."""
    hub.apply()
    project = hub.hub.state.project("team")
    hub.hub.state.delete_project("team")
    other = hub.hub.state.create_project({"project_name": "team", "metadata": {}})
    assert other != project["project_id"]
    assert "belongs to harbor" in hub.plan(4)["HarborProject/team"]["problem"]
    hub.files = {"server.yaml": declared.SERVER}
    hub.budget = 8
    hub.write()
    hub.apply()
    assert [item["project_id"] for item in hub.hub.state.projects.values()] == [other]


def test_another_harbor_has_nothing_of_ours_though_its_ids_are_the_same(hub: Hub) -> None:
    """A HarborServer that is led elsewhere: nothing there is touched because its name and id happen to be those of ours."""
    hub.files = {"server.yaml": declared.SERVER, "projects.yaml": declared.PROJECTS.partition("---")[0]}
    hub.write()
    hub.apply()
    with TestHarbor() as other:
        other.state.admin = hub.hub.state.admin
        made = other.state.create_project({"project_name": "team", "metadata": {"public": "true"}})
        assert made == hub.hub.state.project("team")["project_id"]
        hub.files["server.yaml"] = declared.SERVER.replace("%U", other.url)
        hub.write()
        hub.apply(0)
        assert "belongs to harbor" in hub.plan(4)["HarborProject/team"]["problem"]
        assert other.state.project("team")["metadata"]["public"] == "true"


@pytest.mark.parametrize("after", [1, 3])
def test_a_run_that_is_killed_while_it_prunes_is_finished_by_the_next(hub: Hub, after: int) -> None:
    hub.apply()
    hub.files, hub.budget = {"server.yaml": declared.SERVER}, 8
    hub.write()
    killed_after(hub, after)
    hub.apply()
    state = hub.hub.state
    assert [state.projects, state.registries, state.policies, state.robots] == [{}, {}, {}, {}]
    assert hub.plan()[""]["changes"] == []


def test_what_is_gone_from_harbor_is_made_again(hub: Hub) -> None:
    hub.apply()
    hub.hub.state.policies.clear()
    change = hub.plan()["HarborReplicationPolicy/team-to-edge"]
    assert any(note.startswith("Harbor does not have it") for note in change["notes"])
    hub.apply()
    assert [item["name"] for item in hub.hub.state.policies.values()] == ["team-to-edge"]
    assert hub.plan()[""]["changes"] == []


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_run_that_is_killed_after_a_write_is_finished_by_the_next(hub: Hub, after: int) -> None:
    """Killed when Harbor has made an object and before its id is noted: it is ours, and made once."""
    killed_after(hub, after)
    before = {item["id"] for item in hub.hub.state.robots.values()}
    hub.apply()
    assert before <= {item["id"] for item in hub.hub.state.robots.values()}
    assert sorted(item["name"] for item in hub.hub.state.projects.values()) == ["hub-cache", "team"]
    assert len(hub.hub.state.policies) == 1
    assert hub.plan()[""]["changes"] == []


def killed_after(hub: Hub, writes: int) -> None:
    """Apply, and kill the run when Harbor has done so many writes and has not answered the last one yet."""
    seen: list[str] = []

    def kill(_: str, path: str) -> None:
        seen.append(path)
        if len(seen) == writes:
            os.kill(process.pid, signal.SIGKILL)

    hub.hub.faults.after_write = kill
    process = hub.platform.start("apply", hub.platform.name, "--yes")
    assert process.wait(120) == -signal.SIGKILL
    process.communicate()
    hub.hub.faults.after_write = None


def test_a_harbor_that_restarts_in_the_middle_of_an_apply(hub: Hub) -> None:
    """Whatever of the answers was lost: nothing is made twice, and what may have failed is settled by the next run."""

    def restart() -> None:
        hub.hub.stop()
        time.sleep(1)
        hub.hub.start()

    restarting = threading.Thread(target=restart)

    def begin(_: str, __: str) -> None:
        if restarting.ident is None:
            restarting.start()
            time.sleep(0.1)  # the answer to this write does not come

    hub.hub.faults.after_write = begin
    hub.platform.run("apply", hub.platform.name, "--yes")
    restarting.join()
    hub.hub.faults.after_write = None
    assert hub.platform.run("apply", hub.platform.name, "--yes").code == 0
    assert sorted(item["name"] for item in hub.hub.state.projects.values()) == ["hub-cache", "team"]
    assert [len(hub.hub.state.registries), len(hub.hub.state.policies), len(hub.hub.state.robots)] == [2, 1, 2]
    assert hub.plan()[""]["changes"] == []


def test_harbor_that_fails_for_a_while_is_waited_for(hub: Hub) -> None:
    """Bursts of 500 and 503 with Retry-After are tried again; what cannot be repeated is reported, and made by the next run."""
    hub.hub.fail(500, 2, method="GET")
    hub.hub.fail(503, 1, method="GET", retry_after="1")
    assert {item["result"] for key, item in hub.apply().items() if key} == {"applied"}
    hub.hub.state.project("team")["metadata"]["public"] = "true"
    hub.hub.fail(500, 1, method="PUT")
    hub.apply()
    assert hub.hub.state.project("team")["metadata"]["public"] == "false"
    hub.hub.state.policies.clear()
    hub.hub.fail(500, 1, method="POST")
    failed = hub.apply(1)["HarborReplicationPolicy/team-to-edge"]
    assert "answered POST /replication/policies with 500: UNKNOWN: internal server error" in failed["message"]
    assert f"environments/{hub.platform.name}/harbor/policies.yaml:" in failed["message"]
    hub.apply()
    assert len(hub.hub.state.policies) == 1


def test_harbor_that_does_not_answer_does_not_keep_the_rest_from_being_applied(
    hub: Hub, kubectl: Callable[..., str]
) -> None:
    hub.apply()
    hub.hub.stop()
    change = hub.plan()["HarborProject/team"]
    assert any("compared when it is applied: cannot connect to Harbor" in note for note in change["notes"])
    assert change["fields"] == []
    hub.hub.start()
    assert hub.plan()[""]["changes"] == []


def test_wrong_credentials_are_told_and_nothing_is_taken_for_absent(hub: Hub, kubectl: Callable[..., str]) -> None:
    hub.apply()
    hub.hub.state.admin = "Another-1"
    note = hub.plan()["HarborProject/team"]["notes"]
    assert any(
        "401: UNAUTHORIZED: unauthorized; look at the Secret that the HarborServer names" in item for item in note
    )
    failed = hub.apply(1)["HarborProject/team"]
    assert "401" in failed["message"]
    assert len(hub.hub.state.projects) == 2


async def test_images_go_from_hub_to_edge_and_a_changed_password_is_given_to_harbor(
    hub: Hub, kubectl: Callable[..., str]
) -> None:
    """What is pushed to the hub is in the edge afterwards, by the declared policy and the account in the Secret."""
    hub.apply()
    hub.edge.state.create_project({"project_name": "mirror", "metadata": {}})
    async with aiohttp.ClientSession(headers=basic("admin", hub.hub.state.admin)) as session:

        async def push(tag: str) -> None:
            async with session.put(f"{hub.hub.url}/v2/team/web/manifests/{tag}", data=b"image") as answer:
                assert answer.status == 201

        await push("1")
        await push("dev-1")
        assert hub.edge.tags("mirror/web") == {"1": b"image"}
        hub.edge.state.admin = "Changed-1"
        await push("2")
        async with session.get(f"{hub.hub.url}/api/v2.0/replication/executions?page_size=50") as answer:
            assert (await answer.json())[-1]["status"] == "Failed"
        name = hub.platform.name
        patch = json.dumps({"stringData": {"password": "Changed-1"}})
        kubectl("patch", "secret", "edge", "-n", name, "-p", patch)
        notes = hub.plan()["HarborRegistry/edge"]["notes"]
        assert "Secret/edge has changed since Harbor was given it" in notes
        hub.apply()
        await push("3")
    assert sorted(hub.edge.tags("mirror/web")) == ["1", "2", "3"]
    assert hub.plan()[""]["changes"] == []


def test_a_lost_password_is_made_anew(hub: Hub, kubectl: Callable[..., str]) -> None:
    hub.apply()
    name = hub.platform.name
    kubectl("delete", "secret", "robot-replication", "-n", name)
    notes = hub.plan()["HarborRobotAccount/replication"]["notes"]
    assert notes == ["Secret/robot-replication is not there: a new password is made"]
    hub.apply()
    found = json.loads(kubectl("get", "secret", "robot-replication", "-n", name, "-o", "json"))["data"]
    assert hub.hub.state.account("robot$replication", base64.b64decode(found["password"]).decode())


def test_what_harbor_is_asked_of_is_refused_before_it_is_written(hub: Hub) -> None:
    """The definitions refuse what Harbor cannot do, with the place in git; a reference that leads nowhere is one, too."""
    hub.files["policies.yaml"] = declared.POLICY.replace("mode: push", "mode: pull")
    hub.write()
    told = hub.plan(1)["HarborReplicationPolicy/team-to-edge"]["problem"]
    assert "only what is pushed can be copied when it happens" in told
    hub.files["policies.yaml"] = declared.POLICY.replace("registry: edge", "registry: egde")
    hub.write()
    checked = hub.expect(2, "validate")
    assert "did you mean edge?" in checked.out + checked.err


def test_harbor_is_reached_through_the_api_server_too(
    definitions: None, platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    """By a session with a token against forged requests: the API server keeps the header Authorization for itself."""
    name, address = platform.name, own_address()
    with TestHarbor(host=address) as harbor:
        kubectl("create", "namespace", name)
        pair = ("--from-literal=username=admin", f"--from-literal=password={harbor.state.admin}")
        kubectl("create", "secret", "generic", "harbor-admin", "-n", name, *pair)
        kubectl("apply", "-f", "-", stdin=json.dumps(service(name, address, harbor.port)))
        status = json.dumps({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}})
        kubectl("patch", "pod", "harbor", "-n", name, "--subresource=status", "--type=merge", "-p", status)
        found = Hub(platform, f"sandbox-{control_plane.name}", harbor, harbor)
        server = declared.SERVER.replace("url: %U", "service: {name: harbor, port: http, scheme: http}")
        found.files = {
            "server.yaml": server,
            "projects.yaml": declared.PROJECTS.partition("---")[0],
            "robots.yaml": declared.ROBOTS,
        }
        found.write()
        found.apply()
        assert harbor.state.project("team")["metadata"]["public"] == "false"
        assert len(harbor.state.robots) == 2
        harbor.forget_sessions()
        assert found.plan()[""]["changes"] == []
        harbor.state.project("team")["metadata"]["public"] = "true"
        found.apply()
        assert harbor.state.project("team")["metadata"]["public"] == "false"
        assert harbor.violations == []
        kubectl("delete", "endpoints", "harbor", "-n", name)
        notes = found.plan()["HarborProject/team"]["notes"]
        assert any("no endpoints available" in note for note in notes)


def own_address() -> str:
    """Return an address of this machine that is not loopback: the API server takes no such one for an endpoint."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        found: str = probe.getsockname()[0]
    return found


def service(name: str, address: str, port: int) -> dict[str, Any]:
    """Return a Service whose endpoint is a test Harbor, and a Pod that is not run: the API server leads to Pods only."""
    metadata = {"name": "harbor", "namespace": name}
    target = {"ip": address, "targetRef": {"kind": "Pod", **metadata}}
    container = {"name": "harbor", "image": "example.com/harbor:1"}
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {"schedulerName": "nobody", "containers": [container]},
            },
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": metadata,
                "subsets": [{"addresses": [target], "ports": [{"name": "http", "port": port}]}],
            },
        ],
    }
