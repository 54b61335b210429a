"""Server-side apply: ownership, conflicts, force, dry-run, removal (KEP-555)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import Conflict, Invalid, NotFound
from tests.contract.lab import owned

if TYPE_CHECKING:
    from tests.contract.lab import Lab


async def test_apply_creates_and_records_what_was_set(lab: Lab) -> None:
    made = await lab.apply(lab.config_map(data={"a": "1"}, annotations={}))
    assert made["data"] == {"a": "1"}
    assert owned(made, "alice") == {"f:data": {"f:a": {}}, "f:metadata": {"f:annotations": {}}}
    assert made["metadata"]["uid"]
    assert await lab.get() == made


async def test_a_brief_answer_is_the_metadata_alone(lab: Lab) -> None:
    made = await lab.apply(lab.config_map(data={"a": "1"}), brief=True)
    assert made == {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": (await lab.get())["metadata"],
    }
    with pytest.raises(Conflict, match="alice"):
        await lab.apply(lab.config_map(data={"a": "2"}), "bob", brief=True)


@pytest.mark.parametrize(
    "text", ["a\u0085b", "[ \u2029 ]", "\u2028", "\x7f\x80\x9b", "\ufeff", "\uffff", "\u00a0\U0001f600"]
)
async def test_text_arrives_as_it_is(lab: Lab, text: str) -> None:
    """Whatever reads the request, be it as YAML: line breaks and controls of Unicode are characters like others."""
    made = await lab.apply(lab.config_map(data={"a": text}))
    assert made["data"] == {"a": text}


async def test_what_has_no_entries_is_owned_where_it_is_a_value_of_its_own(lab: Lab) -> None:
    """Not where others may add entries of theirs."""
    deployment, template = lab.deployment(), lab.deployment()["spec"]["template"]
    template["spec"] |= {"tolerations": [], "imagePullSecrets": [], "nodeSelector": None}
    deployment["spec"] |= {"template": template, "paused": None}
    made = await lab.cluster.apply(lab.kind("Deployment", "apps"), deployment, field_manager="alice")
    fields = owned(made, "alice")
    assert fields is not None
    mine = fields["f:spec"]
    assert "f:tolerations" in mine["f:template"]["f:spec"]
    assert "f:imagePullSecrets" not in mine["f:template"]["f:spec"]
    assert "f:paused" in mine
    assert "f:nodeSelector" in mine["f:template"]["f:spec"]


async def test_applying_the_same_again_changes_nothing(lab: Lab) -> None:
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    assert await lab.apply(lab.config_map(data={"a": "1"})) == made


async def test_a_field_that_is_left_out_goes_away(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1", "b": "2"}))
    made = await lab.apply(lab.config_map(data={"b": "3"}))
    assert made["data"] == {"b": "3"}


async def test_the_last_field_of_a_map_takes_the_map_along(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1"}, labels={"x": "y"}))
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    assert "labels" not in made["metadata"]


async def test_a_field_that_another_manager_shares_stays(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1", "b": "2"}))
    await lab.apply(lab.config_map(data={"a": "1"}), "bob")
    made = await lab.apply(lab.config_map(data={"b": "2"}))
    assert made["data"] == {"a": "1", "b": "2"}


async def test_another_value_for_a_field_of_another_manager_is_a_conflict(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1", "b": "1"}))
    with pytest.raises(Conflict) as caught:
        await lab.apply(lab.config_map(data={"a": "2"}), "bob")
    assert caught.value.status == 409
    assert caught.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "alice"', "field": ".data.a"}
    ]
    assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "alice": .data.a'
    assert (await lab.get())["data"] == {"a": "1", "b": "1"}


async def test_conflicts_name_elements_of_keyed_lists(lab: Lab) -> None:
    await lab.apply(lab.deployment())
    with pytest.raises(Conflict) as caught:
        await lab.apply(lab.deployment("web:2", replicas=1), "bob")
    causes = caught.value.details["causes"]
    assert isinstance(causes, list)
    assert {cause["field"] for cause in causes} == {
        ".spec.replicas",
        '.spec.template.spec.containers[name="web"].image',
    }


async def test_force_takes_the_field_and_leaves_the_rest(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1", "b": "1"}))
    made = await lab.apply(lab.config_map(data={"a": "2"}), "bob", force=True)
    assert made["data"] == {"a": "2", "b": "1"}
    assert owned(made, "alice") == {"f:data": {"f:b": {}}}
    assert owned(made, "bob") == {"f:data": {"f:a": {}}}


async def test_a_dry_run_answers_and_keeps_nothing(lab: Lab) -> None:
    foreseen = await lab.apply(lab.config_map(data={"a": "1"}), dry_run=True)
    assert foreseen["data"] == {"a": "1"}
    with pytest.raises(NotFound):
        await lab.get()


async def test_a_dry_run_that_changes_nothing_keeps_the_version(lab: Lab) -> None:
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    assert await lab.apply(lab.config_map(data={"a": "1"}), dry_run=True) == made


async def test_a_dry_run_meets_conflicts_too(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1"}))
    with pytest.raises(Conflict):
        await lab.apply(lab.config_map(data={"a": "2"}), "bob", dry_run=True)


async def test_lists_merge_by_their_keys_and_keep_what_others_added(lab: Lab) -> None:
    await lab.apply(lab.deployment())
    sidecar = lab.deployment()
    containers = sidecar["spec"]["template"]["spec"]["containers"]
    containers[:] = [{"name": "log", "image": "log:1"}]
    made = await lab.apply(sidecar, "bob")
    names = {item["name"] for item in made["spec"]["template"]["spec"]["containers"]}
    assert names == {"web", "log"}
    containers[:] = [{"name": "metrics", "image": "metrics:1"}]
    made = await lab.apply(sidecar, "bob")
    assert {item["name"] for item in made["spec"]["template"]["spec"]["containers"]} == {"web", "metrics"}


async def test_keys_of_list_elements_are_completed_with_defaults(lab: Lab) -> None:
    body = lab.deployment()
    body["spec"]["template"]["spec"]["containers"][0] |= {"ports": [{"containerPort": 80}], "env": []}
    made = await lab.apply(body)
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    fields = owned(made, "alice")
    assert fields is not None
    ours = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']
    assert ours == {
        ".": {},
        "f:name": {},
        "f:image": {},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
    }
    assert fields["f:spec"]["f:selector"] == {}, "selectors are atomic"


async def test_status_cannot_be_applied(lab: Lab) -> None:
    made = await lab.apply({**lab.deployment(), "status": {"replicas": 7}})
    assert (made.get("status") or {}).get("replicas") != 7
    assert "f:status" not in (owned(made, "alice") or {})


async def test_the_generation_counts_changes_of_the_spec_only(lab: Lab) -> None:
    first = await lab.apply(lab.deployment())
    labelled = lab.deployment()
    labelled["metadata"]["labels"] = {"a": "b"}
    second = await lab.apply(labelled)
    third = await lab.apply(lab.deployment(paused=True))
    assert [item["metadata"]["generation"] for item in (first, second, third)] == [1, 1, 2]


@pytest.mark.parametrize("broken", [{"spec": {"replica": 1}}, {"data": {"a": 1}}, {"colour": "blue"}])
async def test_what_the_schema_does_not_know_is_invalid_at_once(lab: Lab, broken: dict[str, object]) -> None:
    sent = lab.cluster.requests.snapshot().get("apply", 0)
    body = {**(lab.deployment() if "spec" in broken else lab.config_map()), **broken}
    with pytest.raises(Invalid, match=r"failed to create typed patch object"):
        await lab.apply(body)
    assert lab.cluster.requests.snapshot()["apply"] == sent + 1, "it is not tried again"


async def test_a_bad_name_is_invalid(lab: Lab) -> None:
    with pytest.raises(Invalid, match=r"metadata\.name") as caught:
        await lab.apply(lab.config_map("Bad_Name", {"a": "1"}))
    assert caught.value.reason == "Invalid"
    assert caught.value.details["causes"]


async def test_a_field_that_may_not_change_is_invalid(lab: Lab) -> None:
    await lab.apply(lab.deployment())
    with pytest.raises(Invalid, match="immutable") as caught:
        await lab.apply(lab.deployment(selector={"matchLabels": {"app": "other"}}), force=True)
    causes = caught.value.details["causes"]
    assert isinstance(causes, list)
    assert any(cause["field"] == "spec.selector" for cause in causes)


async def test_a_namespace_that_is_missing_is_named(lab: Lab) -> None:
    body = lab.config_map(data={"a": "1"})
    body["metadata"]["namespace"] = "nowhere"
    for dry_run in (True, False):
        with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
            await lab.apply(body, dry_run=dry_run)


async def test_managed_fields_cannot_be_applied(lab: Lab) -> None:
    with pytest.raises(Invalid, match="managedFields must be nil"):
        await lab.apply(lab.config_map(managedFields=[{"manager": "x"}]))


async def test_a_stale_version_in_an_apply_is_a_conflict(lab: Lab) -> None:
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    await lab.apply(lab.config_map(data={"a": "2"}))
    with pytest.raises(Conflict, match="has been modified"):
        await lab.apply(lab.config_map(data={"a": "3"}, resourceVersion=made["metadata"]["resourceVersion"]))


async def test_an_apply_can_be_bound_to_one_object(lab: Lab) -> None:
    """By its uid: another one of the same name is not written to, and none is made where it is gone."""
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    uid = made["metadata"]["uid"]
    assert (await lab.apply(lab.config_map(data={"a": "2"}, uid=uid)))["data"] == {"a": "2"}
    with pytest.raises(Invalid) as raised:
        await lab.apply(lab.config_map(data={"a": "3"}, uid="00000000-0000-0000-0000-000000000000"))
    causes: Any = raised.value.details["causes"]
    assert [cause["field"] for cause in causes] == ["metadata.uid"]
    await lab.cluster.delete(lab.config_maps, lab.namespace, "settings", uid=uid)
    with pytest.raises(Conflict) as gone:
        await lab.apply(lab.config_map(data={"a": "3"}, uid=uid))
    assert "causes" not in gone.value.details


async def test_a_plain_write_takes_fields_from_an_apply_without_asking(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1", "b": "1"}))
    made = await lab.cluster.patch(
        lab.config_maps, lab.namespace, "settings", {"data": {"a": "2"}}, kind="merge", field_manager="kubectl-edit"
    )
    assert owned(made, "alice") == {"f:data": {"f:b": {}}}
    assert owned(made, "kubectl-edit", "Update") == {"f:data": {"f:a": {}}}
    with pytest.raises(Conflict, match='conflict with "kubectl-edit" using v1'):
        await lab.apply(lab.config_map(data={"a": "1", "b": "1"}))


async def test_what_a_plain_write_takes_away_is_nobodys(lab: Lab) -> None:
    """So a field that was deleted by hand is seen by its absence from our own entry."""
    await lab.apply(lab.config_map(data={"a": "1", "b": "1"}))
    made = await lab.cluster.patch(
        lab.config_maps, lab.namespace, "settings", {"data": {"a": None}}, kind="merge", field_manager="kubectl-edit"
    )
    assert owned(made, "alice") == {"f:data": {"f:b": {}}}
    made = await lab.apply(lab.config_map(data={"a": "1", "b": "1"}))
    assert made["data"] == {"a": "1", "b": "1"}


async def test_client_side_ownership_can_be_made_ours(lab: Lab) -> None:
    """The way kubectl's own csaupgrade does it: one JSON patch of managedFields, guarded by the version."""
    body = lab.config_map(data={"a": "1", "b": "1"})
    await lab.cluster.create(lab.config_maps, lab.config_map(data={"c": "1"}))
    live = await lab.cluster.patch(
        lab.config_maps, lab.namespace, "settings", {"data": body["data"]}, kind="merge", field_manager="kubectl"
    )
    entries = [
        {**entry, "manager": "alice", "operation": "Apply"} if entry["manager"] == "kubectl" else entry
        for entry in live["metadata"]["managedFields"]
    ]
    patch = [
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ]
    await lab.cluster.patch(lab.config_maps, lab.namespace, "settings", patch, kind="json", field_manager="alice")
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    assert made["data"] == {"a": "1", "c": "1"}, "what alice no longer sets goes away"


async def test_an_object_without_owners_is_everybodys_until_it_is_applied(lab: Lab) -> None:
    await lab.cluster.create(lab.config_maps, lab.config_map())
    live = await lab.cluster.patch(
        lab.config_maps, lab.namespace, "settings", {"data": {"a": "1"}}, kind="merge", field_manager="kubectl"
    )
    assert "managedFields" not in live["metadata"]
    with pytest.raises(Conflict, match='conflict with "before-first-apply" using v1'):
        await lab.apply(lab.config_map(data={"a": "2"}))
    made = await lab.apply(lab.config_map(data={"a": "2"}), force=True)
    assert owned(made, "alice") == {"f:data": {"f:a": {}}}
