"""The merge of another tool's managed fields into ours."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.apply.adoption import migrated

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
    result = migrated(entries, {"kubectl-client-side-apply"}, "v1")
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
    result = migrated([*others, kubectl], {"kubectl-client-side-apply"}, "v1")
    assert result is not None
    assert result[1:] == others
    assert (result[0]["manager"], result[0]["operation"]) == ("reconciler", "Apply")


def test_nothing_to_merge_needs_no_patch() -> None:
    assert migrated([entry("other", "Update", {})], {"kubectl-client-side-apply"}, "v1") is None
