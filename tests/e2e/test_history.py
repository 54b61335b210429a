"""The history of an environment, by the command line on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

pytestmark = pytest.mark.cluster

FILES = {
    "environments/%N/environment.yaml": """\
        apiVersion: reconciler.dev/v1alpha1
        kind: Environment
        metadata: {name: %N}
        spec:
          cluster: {context: %C, kubeconfig: "%K"}
          components: [{name: web, path: web}]
        """,
    "environments/%N/web/kustomization.yaml": "namespace: %N\nresources: [namespace.yaml, web.yaml]\n",
    "environments/%N/web/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: %N}\n",
    "environments/%N/web/web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {v: one}\n",
}


def test_who_changed_what_by_which_commit(platform: Platform, control_plane: Sandbox) -> None:
    name, context = platform.name, f"sandbox-{control_plane.name}"
    platform.write({path: text.replace("%C", context) for path, text in FILES.items()})
    first = platform.commit("the beginning")
    assert platform.expect(0, "history", name).out == "never applied\n"
    platform.expect(0, "--revision", "main", "apply", name, "--yes")
    platform.write({"environments/%N/web/web.yaml": FILES["environments/%N/web/web.yaml"].replace("one", "two")})
    second = platform.commit("two instead of one")
    platform.expect(0, "--revision", "main", "apply", name, "--yes")
    runs = platform.expect(0, "history", name, "-o", "json").json["runs"]
    assert [run["revision"] for run in runs] == [second, first]
    assert list(runs[0]["phases"]) == ["render", "observe", "plan", "apply", "prune"]
    assert runs[0]["requests"]["apply"] >= 1
    (changed,) = runs[0]["changed"]
    assert (changed["action"], changed["fields"]) == ("update", [f"data.v (environments/{name}/web/web.yaml:4)"])
    told = platform.expect(0, "history", name, second[:10]).out
    assert f"revision {second}  two instead of one (Ada, " in told
    assert f"~ web  ConfigMap/web -n {name}\n    data.v (environments/{name}/web/web.yaml:4)\n" in told
    assert len(platform.expect(0, "history", name).out.splitlines()) == 3
    assert "expected a number, a plan id or a revision" in platform.expect(2, "history", name, "nonsense").err
