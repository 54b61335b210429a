"""What is told of a document is wrong with it, and of a document with something wrong something is told."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.environment.mistakes import mistakes
from reconciler.environment.models import EnvironmentFile
from reconciler.environment.rules import RuleSet
from reconciler.generated.recipes import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENVIRONMENT: dict[str, Any] = {
    "apiVersion": "reconciler.dev/v1alpha1",
    "kind": "Environment",
    "metadata": {"name": "dev", "labels": {"tier": "dev"}},
    "spec": {
        "cluster": {"context": "dev", "kubeconfig": "config", "requestTimeout": "30s", "inFlight": 8},
        "interval": "1h30m",
        "components": [
            {"name": "crds", "path": "crds", "prune": False},
            {
                "name": "web",
                "path": "web",
                "dependsOn": ["crds"],
                "healthChecks": [
                    {"group": "example.com", "kind": "Shop", "current": "status.ready", "failed": "false"}
                ],
            },
        ],
        "policy": {
            "conflicts": [{"manager": "kubectl*", "do": "force"}],
            "adopt": ["kubectl", "environment:old"],
            "deletions": {"max": 3, "shrink": 20, "protect": ["Namespace"]},
            "ignore": [{"kind": "Deployment", "path": "spec.replicas", "when": "HorizontalPodAutoscaler"}],
            "windows": [{"schedule": "0 22 * * 1-5", "timeZone": "Europe/Berlin", "duration": "4h", "do": "allow"}],
        },
        "render": {"helm": True, "remotes": ["github.com"]},
        "rules": ["../../rules"],
    },
}
RULES: dict[str, Any] = {
    "apiVersion": "reconciler.dev/v1alpha1",
    "kind": "RuleSet",
    "metadata": {"name": "platform"},
    "spec": {
        "rules": [
            {
                "name": "storage",
                "environments": {"target": "eks"},
                "select": {"classes": {"kind": "StorageClass", "labels": {"a": "*"}}},
                "each": "classes",
                "expression": "object.provisioner != ''",
                "message": "there is no provisioner",
                "severity": "warning",
            }
        ]
    },
}
RECIPE: dict[str, Any] = {"certificate": {"commonName": "a", "dnsNames": ["a.b"], "days": 3, "authority": "shop/root"}}
SEEDS = ((EnvironmentFile, ENVIRONMENT), (RuleSet, RULES), (Recipe, RECIPE))

VALUES = st.sampled_from(
    [
        None,
        "",
        "x",
        "X y",
        "x\n",
        "5m\n",
        "x\n",
        "5m\n",
        "5m",
        "fail",
        "Environment",
        0,
        -1,
        3,
        300,
        2.0,
        True,
        False,
        [],
        ["x"],
        [1],
        {},
        {"name": "x"},
    ]
)


def places(node: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield every place in a document but the whole."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*steps, key)
        yield from places(value, (*steps, key))


def put(value: Any) -> Callable[[Any, str | int], None]:
    """Return the change that sets a place to a value."""
    return lambda parent, key: parent.__setitem__(key, copy.deepcopy(value))


def take(parent: Any, key: str | int) -> None:
    """Take a place out."""
    del parent[key]


def add(parent: Any, key: str | int) -> None:
    """Add something that nobody knows beside a place."""
    if isinstance(parent, dict):
        parent["unheard"] = 1
    else:
        parent.append(parent[key])


CHANGES = st.one_of(VALUES.map(put), st.just(take), st.just(add))


def changed(document: Any, data: st.DataObject) -> Any:
    """Return a document with one change somewhere."""
    made = copy.deepcopy(document)
    *way, last = data.draw(st.sampled_from(list(places(made))))
    parent = made
    for step in way:
        parent = parent[step]
    data.draw(CHANGES)(parent, last)
    return made


@pytest.mark.parametrize(("model", "document"), SEEDS)
def test_nothing_is_wrong_with_what_is_right(model: type, document: Any) -> None:
    msgspec.convert(document, model)
    assert mistakes(model, document) == []


@given(st.data(), st.sampled_from(SEEDS), st.integers(1, 3))
def test_mistakes_are_told_exactly_where_the_model_refuses(
    data: st.DataObject, seed: tuple[type, Any], times: int
) -> None:
    """For any few changes to a document: the model takes it, or at least one mistake is told, never both."""
    model, document = seed
    for _ in range(times):
        if list(places(document)):
            document = changed(document, data)
    found = mistakes(model, document)
    try:
        msgspec.convert(document, model)
    except msgspec.ValidationError:
        assert found
    else:
        assert found == []


def test_each_mistake_is_told_at_its_place() -> None:
    """All of them at once, in the words of the file."""
    document = copy.deepcopy(ENVIRONMENT)
    document["kind"] = "Environmnt"
    document["spec"]["cluster"] = {"context": "a", "sandbox": True, "inFlight": 8}
    document["spec"]["components"][0] |= {"name": "CRDs", "path": "", "wait": "yes"}
    document["spec"]["components"][1] |= {"depends_on": [], "dependsOn": "crds", "healthChecks": [{"kind": 1}]}
    document["spec"]["policy"]["conflicts"] = "forces"
    document["spec"]["policy"]["adopt"] = ["environment:"]
    document["spec"]["policy"]["deletions"] = {"max": -1, "shrink": 101}
    document["spec"]["policy"]["windows"][0] |= {"timeZone": "Mars/Olympus"}
    document["spec"]["render"]["remotes"] = ["https://github.com"]
    document["metadata"]["labels"]["tier"] = 1
    told = [
        f"{item.message} ({item.hint})" if item.hint else item.message for item in mistakes(EnvironmentFile, document)
    ]
    assert told == [
        "kind is 'Environmnt' (expected 'Environment')",
        "metadata.labels.tier has to be a string",
        "spec.cluster: expected exactly one of context, inCluster, secretRef, sandbox",
        "spec.components[0].name is 'CRDs' (expected lower case letters, digits and dashes)",
        "spec.components[0].path must not be empty",
        "spec.components[0].wait has to be true or false",
        "unknown key spec.components[1].depends_on (did you mean dependsOn?)",
        "spec.components[1].dependsOn has to be a list",
        "spec.components[1].healthChecks[0].kind has to be a string",
        "spec.components[1].healthChecks[0].current is missing",
        "spec.policy.conflicts is 'forces' (expected 'fail', 'force' or 'yield')",
        (
            "spec.policy.adopt[0] is 'environment:' "
            "(expected kubectl, helm, argocd, flux, applyset, harbor or environment:NAME)"
        ),
        "spec.policy.deletions.max is -1 (expected 0 or more)",
        "spec.policy.deletions.shrink is 101 (expected 0 to 100)",
        (
            "spec.policy.windows[0].timeZone: "
            "there is no time zone 'Mars/Olympus': expected an IANA name such as Europe/Berlin"
        ),
        (
            "spec.render.remotes[0] is 'https://github.com' "
            "(expected a host's name in lower case, without a scheme, e.g. github.com or git.example.com:8443)"
        ),
    ]


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        (("metadata", "name"), "dev\n"),
        (("spec", "interval"), "5m\n"),
        (("spec", "render", "remotes"), ["github.com\n"]),
        (("spec", "policy", "adopt"), ["environment:old\n"]),
        (("spec", "components", 0, "dependsOn"), ["web\n"]),
    ],
)
def test_a_line_break_at_the_end_is_no_part_of_a_name(steps: tuple[Any, ...], value: Any) -> None:
    """As the JSON Schema has it, by the rules of ECMA."""
    document = copy.deepcopy(ENVIRONMENT)
    parent = document
    for step in steps[:-1]:
        parent = parent[step]
    parent[steps[-1]] = value
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, EnvironmentFile)
    assert len(mistakes(EnvironmentFile, document)) == 1


def test_where_nothing_has_the_shape_all_shapes_are_named() -> None:
    document = copy.deepcopy(ENVIRONMENT)
    document["spec"]["policy"]["conflicts"] = {"manager": "a", "do": "force"}
    (told,) = mistakes(EnvironmentFile, document)
    assert told.message == "spec.policy.conflicts has to be 'fail', 'force', 'yield' or a list"


def test_what_is_checked_of_one_key_is_told_beside_other_mistakes() -> None:
    rules = copy.deepcopy(RULES)
    rules["spec"]["rules"][0] |= {"expression": "a b", "hnt": "x"}
    told = [item.message for item in mistakes(RuleSet, rules)]
    assert told[0] == "unknown key spec.rules[0].hnt"
    assert told[1].startswith("spec.rules[0].expression: 'a b' is not CEL")
    document = copy.deepcopy(ENVIRONMENT)
    document["spec"]["policy"]["windows"][0] |= {"timeZone": "Mars", "do": "maybe"}
    assert [item.steps[-1] for item in mistakes(EnvironmentFile, document)] == ["do", "timeZone"]
