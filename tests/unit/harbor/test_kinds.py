"""Fields to Harbor's content and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from harborapi.models import models

from reconciler.errors import Invalid
from reconciler.harbor.kinds import KINDS, References, full_name, name_of
from reconciler.harbor.overlay import declared
from reconciler.harbor.quantities import storage, storage_text
from reconciler.model.harbor import POLICY, PROJECT, REGISTRY, ROBOT
from tests.harbor.schemas import problems
from tests.harbor.state import State

if TYPE_CHECKING:
    from pydantic import BaseModel

KNOWN = References({7: "edge", 8: "hub"}, {3: 100 * 2**30})
SPECS: dict[str, dict[str, Any]] = {
    PROJECT: {
        "public": False,
        "preventVulnerable": True,
        "severity": "high",
        "autoScan": True,
        "autoSBOM": False,
        "contentTrust": False,
        "reuseSystemAllowlist": True,
        "storageQuota": "100Gi",
        "proxyCache": {"registry": "hub", "speedKb": 100},
    },
    REGISTRY: {"type": "harbor", "url": "https://edge.example.com", "insecure": True, "description": "an edge"},
    POLICY: {
        "description": "all of it",
        "mode": "push",
        "registry": "edge",
        "enabled": True,
        "trigger": {"type": "scheduled", "cron": "0 0 * * * *"},
        "filters": [
            {"type": "name", "value": "team/**"},
            {"type": "label", "labels": ["released"], "decoration": "matches"},
        ],
        "destination": {"namespace": "mirror", "replaceCount": 1},
        "override": True,
        "replicateDeletion": True,
        "speedKb": 2048,
        "copyByChunk": True,
        "singleActiveReplication": True,
    },
    ROBOT: {
        "level": "system",
        "description": "copies",
        "durationDays": -1,
        "disabled": False,
        "permissions": [
            {"kind": "system", "namespace": "/", "access": [{"resource": "registry", "action": "list"}]},
            {"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]},
        ],
    },
}
MODELS: dict[str, type[BaseModel]] = {
    PROJECT: models.ProjectReq,
    REGISTRY: models.Registry,
    POLICY: models.ReplicationPolicy,
    ROBOT: models.RobotCreate,
}


@pytest.mark.parametrize("kind", SPECS)
def test_what_is_sent_is_as_harbors_api_says(kind: str) -> None:
    assert problems(MODELS[kind], KINDS[kind].content("team", SPECS[kind], KNOWN)) == []


@pytest.mark.parametrize("kind", SPECS)
def test_what_was_sent_is_read_as_the_same_fields(kind: str) -> None:
    content = KINDS[kind].content("team", SPECS[kind], KNOWN)
    item = {**content, "id": 3, "project_id": 3, "registry_id": content.get("registry_id")}
    if kind == POLICY:
        item["dest_registry"] = {**item["dest_registry"], "name": "edge"}
    assert declared(SPECS[kind], KINDS[kind].shown(item, KNOWN)) == SPECS[kind]


def test_permissions_are_compared_in_whatever_order_harbor_tells_them() -> None:
    state = State()
    made = state.create_robot(KINDS[ROBOT].content("copier", SPECS[ROBOT], KNOWN))
    told = state.told_robot(made)
    assert told["permissions"] != SPECS[ROBOT]["permissions"]
    assert declared(SPECS[ROBOT], KINDS[ROBOT].shown(told, KNOWN)) == SPECS[ROBOT]


def test_a_registry_that_harbor_does_not_have_is_named_with_those_that_it_has() -> None:
    with pytest.raises(Invalid, match="no registry egde; it has edge, hub"):
        KNOWN.registry("egde")


def test_an_account_of_a_project_has_the_project_in_its_name() -> None:
    body = {"kind": ROBOT, "metadata": {"name": "builder"}, "spec": {"level": "project", "project": "team"}}
    assert full_name(body) == "team+builder"
    assert name_of({"name": "robot$team+builder"}) == "team+builder"


@pytest.mark.parametrize(
    ("text", "amount", "told"),
    [
        ("-1", -1, "-1"),
        ("100Gi", 100 * 2**30, "100Gi"),
        ("1G", 10**9, "1000000000"),
        ("1024Mi", 2**30, "1Gi"),
        ("0", 0, "0"),
    ],
)
def test_storage_is_counted_in_bytes(text: str, amount: int, told: str) -> None:
    assert storage(text) == amount
    assert storage_text(amount) == told


def test_what_is_no_storage_is_refused() -> None:
    with pytest.raises(Invalid, match="'1 GB' is no amount of storage"):
        storage("1 GB")
