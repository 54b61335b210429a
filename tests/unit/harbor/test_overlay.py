"""A custom resource as the plan sees it, and whose Harbor's object is."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.harbor import changed, overlay
from reconciler.harbor.kinds import KINDS
from reconciler.harbor.ownership import Claim, claim
from reconciler.model.harbor import PROJECT, UNCLAIMED, held, pending, unclaimed

SPEC = {"public": False, "autoScan": True}
MADE = "2026-03-01T10:00:00.500Z"
ITEM = {
    "project_id": 7,
    "name": "team",
    "owner_name": "admin",
    "creation_time": MADE,
    "metadata": {"public": "false", "auto_scan": "true", "severity": "low"},
    "repo_count": 0,
}


def resource(status: dict[str, Any] | None = None, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    wanted = SPEC if spec is None else spec
    metadata = {"name": "team", "namespace": "registry", "resourceVersion": "41", "uid": "u"}
    noted = {"id": 7, "made": MADE, "given": overlay.digest(wanted)} if status is None else status
    return {
        "apiVersion": "harbor.reconciler.dev/v1alpha1",
        "kind": PROJECT,
        "metadata": metadata,
        "spec": wanted,
        "status": noted,
    }


def item(**metadata: str) -> dict[str, Any]:
    return {**ITEM, "metadata": {**ITEM["metadata"], **metadata}}  # type: ignore[dict-item]


def test_what_is_as_git_says_is_seen_as_it_is() -> None:
    assert overlay.seen(resource(), ITEM) == resource()


def test_harbors_values_stand_in_declared_fields_and_no_others() -> None:
    seen = overlay.seen(resource(), item(public="true", severity="high"))
    assert seen["spec"] == {"public": True, "autoScan": True}
    assert not pending(seen)


def test_what_somebody_changed_in_harbor_is_told_to_be_theirs() -> None:
    ours = {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:public": {}, "f:autoScan": {}}}
    body = resource()
    body["metadata"]["managedFields"] = [{"manager": "reconciler", "operation": "Apply", "fieldsV1": ours}]
    entries = overlay.seen(body, item(public="true"))["metadata"]["managedFields"]
    assert [(entry["manager"], entry["fieldsV1"]) for entry in entries] == [
        ("reconciler", {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:autoScan": {}}}),
        ("harbor", {"f:spec": {"f:public": {}}}),
    ]


def test_of_a_map_only_what_differs_is_theirs() -> None:
    given = {"destination": {"namespace": "a", "replaceCount": 1}, "filters": [1], "enabled": True}
    there = {"destination": {"namespace": "b", "replaceCount": 1}, "filters": [2]}
    found = changed.differing(given, there)
    assert found == {"f:destination": {"f:namespace": {}}, "f:filters": {}, "f:enabled": {}}


def test_a_version_tells_harbors_values_too() -> None:
    """Else an answer about the custom resource would be taken for one about what Harbor has now."""
    one = overlay.seen(resource(), item(public="true"))["metadata"]["resourceVersion"]
    other = overlay.seen(resource(), item(public="true", auto_scan="false"))["metadata"]["resourceVersion"]
    assert one != other
    assert {overlay.plain(one), overlay.plain(other)} == {"41"}


def test_what_harbor_does_not_have_is_seen_without_fields() -> None:
    seen = overlay.seen(resource(), None)
    assert seen["spec"] == {}
    assert pending(seen) == "Harbor does not have it (its id was 7)"


def test_another_object_of_the_same_name_is_not_ours() -> None:
    seen = overlay.seen(resource({"id": 6, "given": overlay.digest(SPEC)}), ITEM)
    assert unclaimed(seen) == "id 7, made 2026-03-01T10:00:00 by admin"


def test_the_same_id_in_another_harbor_is_not_ours() -> None:
    noted = {"id": 7, "made": "2025-01-01T00:00:00.000Z", "given": overlay.digest(SPEC)}
    assert unclaimed(overlay.seen(resource(noted), ITEM))


def test_what_was_announced_and_made_after_it_is_ours() -> None:
    seen = overlay.seen(resource({"creating": "2026-03-01T10:00:00Z"}), ITEM)
    assert pending(seen) == "it was made by a run that ended before it noted so"


def test_what_was_there_when_ours_was_announced_is_not_ours() -> None:
    assert UNCLAIMED in overlay.seen(resource({"creating": "2026-03-01T10:00:05Z"}), ITEM)["metadata"]["annotations"]


@pytest.mark.parametrize("status", [{}, {"creating": "yesterday"}, {"creating": None, "id": None}])
def test_without_a_record_nothing_is_ours(status: dict[str, Any]) -> None:
    assert claim(KINDS[PROJECT], status, ITEM) is Claim.FOREIGN


def test_fields_that_harbor_was_not_given_are_pending() -> None:
    """As after a run that ended between the custom resource and Harbor, with a field that git dropped."""
    seen = overlay.seen(resource({"id": 7, "made": MADE, "given": "of before"}), ITEM)
    assert pending(seen) == "Harbor was not given all of it"


def test_what_could_not_be_asked_is_neither_the_same_nor_gone() -> None:
    seen = overlay.unasked(resource(), "cannot connect")
    assert seen["spec"] == SPEC
    assert pending(seen) == "compared when it is applied: cannot connect"


@pytest.mark.parametrize(("count", "told"), [(1, "1 repository"), (3, "3 repositories")])
def test_a_project_with_repositories_is_held(count: int, told: str) -> None:
    seen = overlay.seen(resource(), {**ITEM, "repo_count": count})
    assert held(seen).startswith(f"Harbor's project team still has {told}")
    assert held(overlay.seen(resource(), ITEM)) == ""
    assert held({**seen, "kind": "Service"}) == ""


def test_the_same_amount_of_storage_is_the_same_however_it_is_written() -> None:
    assert overlay.declared({"storageQuota": "1024Mi"}, {"storageQuota": "1Gi"}) == {"storageQuota": "1024Mi"}
    assert overlay.declared({"storageQuota": "much"}, {"storageQuota": "1Gi"}) == {"storageQuota": "1Gi"}
