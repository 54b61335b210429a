"""OpenAPI documents of the server, as far as it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from reconciler.cluster.credentials import Access
from reconciler.cluster.failures import Answer
from reconciler.cluster.kube import KubeCluster

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from reconciler.cluster.requests import Request

PATHS = {f"apis/{name}/v1": {"serverRelativeURL": f"/openapi/v3/apis/{name}/v1?hash=1"} for name in ("a", "b", "c")}


async def test_a_document_that_is_not_there_yet_is_left_out_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a group that was just made the index tells, while its document is empty or gone again."""
    answers = {
        "/openapi/v3": Answer(200, orjson.dumps({"paths": PATHS})),
        "/openapi/v3/apis/a/v1": Answer(200, b'{"openapi": "3.0.0"}'),
        "/openapi/v3/apis/b/v1": Answer(200, b""),
        "/openapi/v3/apis/c/v1": Answer(404, b"404 page not found"),
    }

    async def send(request: Request, _: str) -> Answer:
        return answers[request.path]

    async def nobody(_: bool) -> str:
        return ""

    cluster = KubeCluster(Access("https://example.com", None, nobody), tmp_path)
    monkeypatch.setattr(cluster._requests, "send", send)
    assert await cluster.openapi(["a/v1", "b/v1", "c/v1"]) == {"a/v1": {"openapi": "3.0.0", "components": {}}}
    answers["/openapi/v3/apis/b/v1"] = Answer(200, b'{"openapi": "3.0.1"}')
    assert set(await cluster.openapi(["a/v1", "b/v1", "c/v1"])) == {"a/v1", "b/v1"}
    await cluster.close()
