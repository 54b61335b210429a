"""Discovery answers and kept documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cluster import discovery
from reconciler.cluster.documents import Documents, index_key, needed
from reconciler.errors import ClusterError
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from pathlib import Path


def version(
    name: str, *kinds: str, freshness: str = "Current", verbs: tuple[str, ...] = ("get", "list")
) -> dict[str, Any]:
    """Return one version of an aggregated answer."""
    resources = [
        {
            "resource": f"{kind.lower()}s",
            "responseKind": {"group": "", "version": "", "kind": kind},
            "scope": "Namespaced",
            "verbs": list(verbs),
        }
        for kind in kinds
    ]
    return {"version": name, "freshness": freshness, "resources": resources}


def group(name: str, *versions: dict[str, Any]) -> dict[str, Any]:
    """Return an aggregated answer of one group."""
    return {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": name}, "versions": list(versions)}]}


def test_the_first_version_of_a_kind_is_preferred() -> None:
    found = discovery.read([group("x.dev", version("v2", "Thing"), version("v1", "Thing", "Old"))], "s")
    assert found.preferred[GroupKind("x.dev", "Thing")].version == "v2"
    assert found.preferred[GroupKind("x.dev", "Old")].version == "v1"
    assert len(found.resources) == 3


def test_a_backend_that_does_not_answer_is_told() -> None:
    assert discovery.read([group("m.dev", version("v1", freshness="Stale"))], "s").failed == ("m.dev/v1",)


def test_what_cannot_be_read_is_no_kind() -> None:
    assert not discovery.read([group("a.dev", version("v1", "Review", verbs=("create",)))], "s").resources


def test_an_old_server_is_refused() -> None:
    with pytest.raises(ClusterError, match="s offers no aggregated discovery"):
        discovery.read([{"kind": "APIGroupList", "groups": []}], "s")


def test_documents_are_kept_by_group_version_and_hash(tmp_path: Path) -> None:
    documents = Documents(tmp_path / "new")
    documents.keep("apps/v1", "/openapi/v3/apis/apps/v1?hash=A", {"a": 1})
    assert documents.find("apps/v1", "/openapi/v3/apis/apps/v1?hash=A") == {"a": 1}
    assert documents.find("apps/v1", "/openapi/v3/apis/apps/v1?hash=B") is None
    assert documents.note == ""


def test_a_damaged_document_is_read_again(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    documents.keep("v1", "u", {"a": 1})
    (file,) = tmp_path.iterdir()
    file.write_text('{"a"')
    assert documents.find("v1", "u") is None


def test_a_directory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    documents = Documents(blocked)
    documents.keep("v1", "u", {"a": 1})
    assert documents.find("v1", "u") is None
    assert str(blocked) in documents.note


def test_only_schemas_are_kept() -> None:
    document = {"openapi": "3.0.0", "paths": {"/a": {}}, "components": {"schemas": {"x": {}}}}
    assert needed(document) == {"openapi": "3.0.0", "components": {"schemas": {"x": {}}}}


def test_the_core_group_has_a_root_of_its_own() -> None:
    assert (index_key("v1"), index_key("apps/v1")) == ("api/v1", "apis/apps/v1")
