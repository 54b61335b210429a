"""The way from a repository to a healthy cluster and back, by the command line, on a real API server."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata:
      name: %N
    spec:
      cluster:
        context: %C
        kubeconfig: %K
      components:
        - {name: namespaces, path: namespaces}
        - {name: data, path: data, dependsOn: [namespaces]}
        - {name: web, path: web, dependsOn: [data]}
    """

FILES = {
    "environments/%N/namespaces/kustomization.yaml": "resources: [namespace.yaml]\n",
    "environments/%N/namespaces/namespace.yaml": """\
        apiVersion: v1
        kind: Namespace
        metadata:
          name: %N
        """,
    "environments/%N/data/kustomization.yaml": """\
        namespace: %N
        secretGenerator:
          - name: password
            literals: [password=canary-7c2d9]
        """,
    "environments/%N/web/kustomization.yaml": """\
        namespace: %N
        resources: [../../../base/web]
        images:
          - name: example.com/web
            newTag: "2.0"
        replicas:
          - name: web
            count: 2
        """,
    "base/web/kustomization.yaml": """\
        resources: [web.yaml]
        configMapGenerator:
          - name: settings
            literals: [mode=fast]
        """,
    "base/web/web.yaml": """\
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
        spec:
          selector:
            matchLabels: {app: web}
          template:
            metadata:
              labels: {app: web}
            spec:
              containers:
                - name: web
                  image: example.com/web:1.0
                  envFrom:
                    - configMapRef: {name: settings}
                  ports:
                    - containerPort: 8080
                      name: http
        ---
        apiVersion: v1
        kind: Service
        metadata:
          name: web
        spec:
          selector: {app: web}
          ports:
            - port: 80
              targetPort: http
        """,
}


@pytest.fixture
def repository(platform: Platform, control_plane: Sandbox) -> Platform:
    """Return a repository with three components, committed."""
    environment = ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}")
    platform.write({"environments/%N/environment.yaml": environment, **FILES})
    platform.commit("first")
    return platform


def change(repository: Platform, path: str, old: str, new: str) -> None:
    """Change a file of the working tree."""
    target = repository.root / path.replace("%N", repository.name)
    text = target.read_text()
    assert old in text
    target.write_text(text.replace(old, new))


def audited(plane: Sandbox, name: str, verbs: set[str]) -> list[dict[str, object]]:
    """Return our own requests in the API server's audit log that have one of the verbs and name an environment."""
    events = (json.loads(line) for line in plane.audit_log.read_text().splitlines())
    return [event for event in events if event["verb"] in verbs and name in event["requestURI"] and ours(event)]


def ours(event: dict[str, object]) -> bool:
    """Whether a request is the reconciler's, and not one of the controllers'."""
    return str(event.get("userAgent", "")).startswith("reconciler")


def test_from_nothing_to_healthy_and_no_more_to_do(repository: Platform) -> None:
    """Apply makes everything in order; right after, diff finds nothing and no object costs a request of its own."""
    first = repository.expect(3, "diff", repository.name, "--exit-code", "-o", "json").json
    assert first["summary"]["create"] == 5
    report = repository.expect(0, "apply", repository.name, "--yes", "-o", "json").json
    assert {item["result"] for item in report["objects"]} == {"applied"}
    order = list(dict.fromkeys(item["component"] for item in report["objects"]))
    assert order.index("namespaces") < order.index("data") < order.index("web")
    web = next(item for item in report["objects"] if item["id"]["kind"] == "Deployment")
    assert web["health"] == "Current"

    after = repository.expect(0, "diff", repository.name, "--exit-code", "-o", "json").json
    kinds = 5  # Namespace, Secret, ConfigMap, Deployment, Service
    assert after["summary"]["unchanged"] == 5
    assert after["requests"]["list"] <= kinds
    assert (after["requests"]["get"], after["requests"]["dry_run"], after["requests"]["apply"]) == (0, 0, 0)


def test_a_run_without_changes_writes_nothing(repository: Platform, control_plane: Sandbox) -> None:
    """The first such run keeps one record that says so; from then on nothing is written at all."""
    writes = {"create", "update", "patch", "delete"}
    repository.expect(0, "apply", repository.name, "--yes")
    before = len(audited(control_plane, repository.name, writes))
    first = repository.expect(0, "apply", repository.name, "--yes", "-o", "json").json
    assert first["summary"]["unchanged"] == 5
    assert len(audited(control_plane, repository.name, writes)) <= before + 1
    before = len(audited(control_plane, repository.name, writes))
    second = repository.expect(0, "apply", repository.name, "--yes", "-o", "json").json
    assert second["requests"]["apply"] == 0
    assert len(audited(control_plane, repository.name, writes)) == before


def test_a_hand_edit_is_drift_with_its_origin_and_is_repaired(repository: Platform, control_plane: Sandbox) -> None:
    """Drift names who did it and the line and commit of git that it contradicts; apply takes it back."""
    repository.expect(0, "apply", repository.name, "--yes")
    kubectl(control_plane, "-n", repository.name, "set", "image", "deployment/web", "web=example.com/web:by-hand")
    found = repository.expect(3, "diff", repository.name, "--exit-code", "-o", "json").json
    (field,) = found["changes"][0]["fields"]
    assert (field["path"], field["old"], field["new"]) == (
        "spec.template.spec.containers[name=web].image",
        "example.com/web:by-hand",
        "example.com/web:2.0",
    )
    assert (field["manager"], field["drift"]) == ("kubectl-set", True)
    assert field["origin"]["file"] == f"environments/{repository.name}/web/kustomization.yaml"
    assert field["origin"]["line"] == 5
    assert field["origin"]["commit"] is not None
    repository.expect(0, "apply", repository.name, "--yes")
    repository.expect(0, "diff", repository.name, "--exit-code")


def test_a_removed_component_is_pruned_and_its_namespace_protected(repository: Platform) -> None:
    """Prune goes in reverse order; a protected kind refuses the whole plan until the policy allows it."""
    repository.expect(0, "apply", repository.name, "--yes")
    path = "environments/%N/environment.yaml"
    change(repository, path, "    - {name: web, path: web, dependsOn: [data]}\n", "")
    report = repository.expect(0, "apply", repository.name, "--yes", "-o", "json").json
    pruned = [item["id"]["kind"] for item in report["objects"] if item["result"] == "pruned"]
    assert sorted(pruned) == ["ConfigMap", "Deployment", "Service"]
    assert pruned.index("Deployment") < pruned.index("ConfigMap")

    change(repository, path, "    - {name: namespaces, path: namespaces}\n", "")
    change(repository, path, ", dependsOn: [namespaces]", "")
    refused = repository.expect(4, "apply", repository.name, "--yes")
    assert "Namespace" in refused.out
    assert "Namespace is a protected kind" in refused.out
    change(repository, path, "  components:", "  policy: {deletions: {protect: []}}\n  components:")
    change(repository, path, "    - {name: data, path: data}\n", "    - {name: data, path: empty}\n")
    (repository.root / f"environments/{repository.name}/empty").mkdir()
    (repository.root / f"environments/{repository.name}/empty/kustomization.yaml").write_text("resources: []\n")
    assert "renders nothing" in repository.expect(4, "diff", repository.name).out


def test_a_killed_run_is_finished_by_the_next(repository: Platform) -> None:
    """After kill -9 in the middle of an apply the next one completes, and nothing is orphaned."""
    many = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: many-{index}}}\ndata: {{index: '{index}'}}\n"
        for index in range(300)
    )
    repository.write({"environments/%N/data/many.yaml": many})
    change(
        repository,
        "environments/%N/data/kustomization.yaml",
        "secretGenerator",
        "resources: [many.yaml]\nsecretGenerator",
    )
    process = repository.start("apply", repository.name, "--yes")
    time.sleep(1.0)
    process.kill()
    process.communicate()
    (repository.root / f"environments/{repository.name}/data/many.yaml").write_text(many.replace("many-", "other-"))
    change(
        repository,
        "environments/%N/environment.yaml",
        "  components:",
        "  policy: {deletions: {max: 1000, shrink: 100}}\n  components:",
    )
    report = repository.expect(0, "apply", repository.name, "--yes", "-o", "json").json
    assert report["summary"]["create"] + report["summary"]["unchanged"] + report["summary"]["update"] == 305
    after = repository.expect(0, "diff", repository.name, "--exit-code", "-o", "json").json
    assert {name: count for name, count in after["summary"].items() if count} == {"unchanged": 305}


def test_a_failure_holds_back_only_what_depends_on_it(repository: Platform) -> None:
    """An object that the server rejects fails alone: dependents are skipped and named, the rest is applied."""
    bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n"
    repository.write({"environments/%N/data/bad.yaml": bad})
    change(
        repository,
        "environments/%N/data/kustomization.yaml",
        "secretGenerator",
        "resources: [bad.yaml]\nsecretGenerator",
    )
    report = repository.expect(1, "apply", repository.name, "--yes", "-o", "json").json
    results = {(item["component"], item["result"]) for item in report["objects"]}
    assert results == {("namespaces", "applied"), ("data", "applied"), ("data", "failed"), ("web", "skipped")}
    failed = next(item for item in report["objects"] if item["result"] == "failed")
    assert "Not_A_Name" in failed["message"]


def test_an_interrupted_run_says_what_was_done(repository: Platform) -> None:
    """Ctrl-C stops after the requests in flight with exit code 130, and the next run goes on."""
    repository.write(
        {
            "environments/%N/data/claim.yaml": """\
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: never}
        spec:
          selector: {matchLabels: {app: never}}
          template:
            metadata: {labels: {app: never}}
            spec:
              nodeSelector: {nothing: fits}
              containers: [{name: never, image: "example.com/never:1"}]
        """
        }
    )
    change(
        repository,
        "environments/%N/data/kustomization.yaml",
        "secretGenerator",
        "resources: [claim.yaml]\nsecretGenerator",
    )
    process = repository.start("apply", repository.name, "--yes")
    assert process.stderr is not None
    for line in process.stderr:
        if "waiting for Deployment/never" in line:
            break
    process.send_signal(2)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "the next apply continues" in out + err


def test_secrets_are_in_no_output(repository: Platform) -> None:
    """A secret value appears in no diff, report, blame or log."""
    said = [
        repository.run("-vv", "--log-format", "json", "diff", repository.name, "-o", output)
        for output in ("text", "json", "markdown")
    ]
    said.append(repository.run("-vv", "apply", repository.name, "--yes"))
    change(repository, "environments/%N/data/kustomization.yaml", "canary-7c2d9", "canary-changed")
    said.append(repository.run("diff", repository.name, "-o", "json"))
    for answer in said:
        assert "canary" not in answer.out + answer.err
        assert "Y2FuYXJ5" not in answer.out + answer.err


def test_a_saved_plan_is_applied_exactly_or_refused(repository: Platform, control_plane: Sandbox) -> None:
    """`apply --plan` carries out the plan that was kept; when something moved it refuses and says what."""
    repository.expect(0, "apply", repository.name, "--yes")
    change(repository, "environments/%N/web/kustomization.yaml", "count: 2", "count: 3")
    plan = str(repository.root.parent / "plan.json")
    repository.expect(0, "diff", repository.name, "--save", plan)
    change(repository, "environments/%N/web/kustomization.yaml", "count: 3", "count: 4")
    stale = repository.expect(4, "apply", repository.name, "--plan", plan)
    assert "web: spec.replicas: git's value changed" in stale.err
    change(repository, "environments/%N/web/kustomization.yaml", "count: 4", "count: 3")
    repository.expect(0, "apply", repository.name, "--plan", plan)
    told = kubectl(control_plane, "-n", repository.name, "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")
    assert told == "3"


def test_reads_the_commit_of_a_revision(repository: Platform) -> None:
    """With --revision the working tree does not matter, and blame names the commit."""
    change(repository, "environments/%N/web/kustomization.yaml", '"2.0"', '"3.0"')
    field = "spec.template.spec.containers[name=web].image"
    arguments = ("blame", repository.name, "Deployment/web", field, "-o", "json")
    committed = repository.expect(0, "--revision", "HEAD", *arguments).json["fields"][0]
    working = repository.expect(0, *arguments).json["fields"][0]
    assert (committed["value"], working["value"]) == ("example.com/web:2.0", "example.com/web:3.0")
    assert committed["origin"]["commit"] is not None
    assert working["origin"]["commit"] is None
    assert committed["origin"]["shadowed"]["value"] == "example.com/web:1.0"
    assert committed["origin"]["shadowed"]["origin"]["file"] == "base/web/web.yaml"


def test_tells_health_and_last_run(repository: Platform) -> None:
    repository.expect(0, "apply", repository.name, "--yes")
    told = repository.expect(0, "status", repository.name, "-o", "json").json
    assert told["lastRun"]["result"] == "applied"
    assert {item["name"]: item["health"] for item in told["components"]} == dict.fromkeys(
        ("namespaces", "data", "web"), "Current"
    )


def test_a_kubeconfig_may_come_from_a_secret(repository: Platform, control_plane: Sandbox) -> None:
    """`cluster.secretRef` is read from the hub cluster, that of the current context."""
    secret = ("create", "secret", "generic", repository.name, f"--from-file=kubeconfig={control_plane.kubeconfig}")
    kubectl(control_plane, "-n", "default", *secret)
    path = repository.root / f"environments/{repository.name}/environment.yaml"
    text = path.read_text()
    begin, end = text.index("    context:"), text.index("  components:")
    reference = f"    secretRef: {{namespace: default, name: {repository.name}}}\n"
    path.write_text(text[:begin] + reference + text[end:])
    assert repository.expect(0, "diff", repository.name, "-o", "json").json["summary"]["create"] == 5
    path.write_text(path.read_text().replace("secretRef: {", "secretRef: {key: other, "))
    assert "its keys are kubeconfig" in repository.expect(2, "diff", repository.name).err


def kubectl(plane: Sandbox, *arguments: str) -> str:
    """Run kubectl on the sandbox as a person would."""
    command = (str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig), *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
