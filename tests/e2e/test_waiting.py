"""Changes that wait, on a real API server: a closed window, a suspended component, a source that shrank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      components: [{name: web, path: web}, {name: data, path: data%S}]
      policy: {%P}
    """


def write(platform: Platform, context: str, *, policy: str = "", suspend: bool = False, maps: int = 5) -> None:
    text = ENVIRONMENT.replace("%C", context).replace("%P", policy).replace("%S", ", suspend: true" if suspend else "")
    names = [f"c{number}" for number in range(maps)]
    generated = "".join(f"  - name: {name}\n    literals: [v={maps}]\n" for name in names)
    platform.write(
        {
            "environments/%N/environment.yaml": text,
            "environments/%N/web/kustomization.yaml": "resources: [namespace.yaml]\n",
            "environments/%N/web/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: %N}\n",
            "environments/%N/data/kustomization.yaml": "namespace: %N\ngeneratorOptions: {disableNameSuffixHash: true}\n"
            f"configMapGenerator:\n{generated}",
        }
    )


def test_what_waits_is_not_written_and_can_be_acknowledged(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    name, context = platform.name, f"sandbox-{control_plane.name}"
    maps = ("get", "configmaps", "-n", name, "-l", f"reconciler.dev/environment={name}", "-o", "name")

    def there() -> int:
        return len(kubectl(*maps).split())

    # outside of its window
    write(platform, context, policy="windows: [{schedule: '0 0 * * *', duration: 24h, do: deny}]")
    refused = platform.expect(4, "apply", name, "--yes")
    assert "the window '0 0 * * *' (UTC, 24h) denies changes; none opens within a year" in refused.out
    plan = platform.expect(4, "diff", name, "-o", "json").json
    assert [(item["rule"], item["acknowledgeable"]) for item in plan["refusals"]] == [("window", True)]
    answer = platform.expect(4, "apply", name, "--yes", "-o", "json")
    assert answer.json["refusals"] == plan["refusals"], "the plan, in the place of a report"
    assert plan["acknowledgement"] == f"{plan['plan']}+window"
    assert f"reconciler apply {name} --acknowledge {plan['acknowledgement']}" in answer.err
    platform.expect(4, "apply", name, "--acknowledge", "0123456789abcdef+window")
    assert "denies changes" in platform.expect(4, "apply", name, "--acknowledge", plan["plan"]).out, (
        "the id says no time"
    )
    assert kubectl("get", "namespaces", name, "--ignore-not-found") == ""
    platform.expect(0, "apply", name, "--acknowledge", plan["acknowledgement"])
    assert there() == 5
    platform.expect(0, "diff", name)  # with nothing to change there is nothing to refuse

    # suspended
    write(platform, context, suspend=True, maps=1)
    held = platform.expect(0, "apply", name, "--yes", "-o", "json").json
    assert (held["summary"]["held"], held["summary"]["delete"]) == (5, 0)
    assert there() == 5
    told = platform.expect(0, "diff", name).out
    assert "held back: component data is suspended" in told

    # shrunken
    write(platform, context, maps=1)
    refused = platform.expect(4, "apply", name, "--yes")
    assert "component data would lose 4 of the 5 objects that it owns" in refused.out
    shrunken = platform.expect(4, "diff", name, "-o", "json").json["acknowledgement"]
    write(platform, context, maps=2)  # something else than what was acknowledged
    platform.expect(4, "apply", name, "--acknowledge", shrunken)
    assert there() == 5
    write(platform, context, maps=1)
    platform.expect(0, "apply", name, "--acknowledge", shrunken)
    assert there() == 1
