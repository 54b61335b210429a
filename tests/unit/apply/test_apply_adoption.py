"""The merge of another tool's managed fields into ours."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.apply.adoption import migrated, patch
from reconciler.model.plan import Takeover, Writer

TAKEN = Takeover(merged=(Writer("kubectl-client-side-apply", "Update"),))
TREES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({}), lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", "."]), inner), max_leaves=8
)


def entry(manager: str, operation: str, fields: dict[str, Any], subresource: str = "") -> dict[str, Any]:
    made = {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields}
    return made | ({"subresource": subresource} if subresource else {})


def paths(tree: dict[str, Any], prefix: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    return {prefix}.union(*(paths(value, (*prefix, key)) for key, value in tree.items()))


@given(TREES, TREES)
def test_our_entry_owns_what_both_owned(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    entries = [entry("reconciler", "Apply", ours), entry("kubectl-client-side-apply", "Update", theirs)]
    result = migrated(entries, TAKEN, "v1")
    assert result is not None
    assert [item["manager"] for item in result] == ["reconciler"]
    assert paths(result[0]["fieldsV1"]) == paths(ours) | paths(theirs)


def test_other_managers_and_subresources_stay_as_they_are() -> None:
    others = [
        entry("kube-controller-manager", "Update", {"f:status": {}}, "status"),
        entry("kubectl-client-side-apply", "Update", {"f:status": {}}, "status"),
        entry("kubectl-client-side-apply", "Apply", {"f:data": {}}),
    ]
    kubectl = entry("kubectl-client-side-apply", "Update", {"f:data": {"f:a": {}}})
    result = migrated([*others, kubectl], TAKEN, "v1")
    assert result is not None
    assert result[1:] == others
    assert (result[0]["manager"], result[0]["operation"]) == ("reconciler", "Apply")


def test_nothing_to_merge_needs_no_patch() -> None:
    assert migrated([entry("other", "Update", {})], TAKEN, "v1") is None


def test_what_may_be_defaults_loses_its_owner_and_nothing_else() -> None:
    """The entry goes; where it was the only one there is one of ours, or the server would make one up."""
    taken = Takeover(dropped=(Writer("helm", "Update"),))
    helm, other = entry("helm", "Update", {"f:data": {}}), entry("other", "Update", {"f:data": {}})
    assert migrated([helm, other], taken, "v1") == [other]
    left = migrated([helm], taken, "v1")
    assert left is not None
    (only,) = left
    assert (only["manager"], only["operation"]) == ("reconciler", "Apply")
    assert only["fieldsV1"] == {"f:metadata": {"f:labels": {"f:reconciler.dev/environment": {}}}}


def test_the_patch_takes_marks_off_and_is_bound_to_what_was_read() -> None:
    taken = Takeover(labels=("app.kubernetes.io/managed-by", "gone"), annotations=("meta.helm.sh/release-name",))
    metadata = {
        "resourceVersion": "7",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "x"},
    }
    assert patch({"metadata": metadata}, taken, "v1") == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1managed-by"},
        {"op": "remove", "path": "/metadata/annotations/meta.helm.sh~1release-name"},
    ]
    assert patch({"metadata": {"resourceVersion": "7"}}, taken, "v1") == []
