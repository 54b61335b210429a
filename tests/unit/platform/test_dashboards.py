"""Grafana's dashboards and datasources, held to models that are made from Grafana's own schemas.

Grafana itself could not be had; the models are of 11.6, the newest that are published for Python, and dashboards of that schema
are read by later ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = Path(__file__).parents[3] / "base" / "monitoring"
DASHBOARDS = sorted((BASE / "grafana").glob("*.json"))
SOURCES = (BASE / "grafana" / "datasources.yaml", BASE / "remote-write" / "influxdb.yaml")
KEYS = frozenset(
    ("name", "uid", "type", "access", "url", "isDefault", "jsonData", "secureJsonData", "basicAuth", "basicAuthUser")
)
"""What a datasource may say (Grafana's documentation of provisioning)."""


def lost(given: Any, kept: Any, place: str = "") -> Iterator[str]:
    """Yield what of a document a model does not know, or takes for something else."""
    if isinstance(given, dict):
        for key, value in given.items():
            if isinstance(kept, dict) and key in kept:
                yield from lost(value, kept[key], f"{place}.{key}")
            else:
                yield f"{place}.{key} is unknown"
    elif isinstance(given, list):
        for index, value in enumerate(given):
            yield from lost(value, kept[index], f"{place}[{index}]")
    elif given != kept:
        yield f"{place} is {given!r}, understood as {kept!r}"


def understood(document: dict[str, Any]) -> list[str]:
    """Return what Grafana's models make otherwise of a dashboard."""
    plugins.register_default_plugins()
    model = Dashboard.from_json(document)
    return list(lost(document, json.loads(json.dumps(model, cls=JSONEncoder))))


def sources() -> dict[str, dict[str, Any]]:
    """Return the datasources that are provisioned, by uid."""
    documents = (yaml.safe_load(path.read_text()) for path in SOURCES)
    return {item["uid"]: item for document in documents for item in document["datasources"]}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_is_understood_whole(path: Path) -> None:
    """Nothing of it is unknown, and every panel asks a datasource that is there."""
    document = json.loads(path.read_text())
    assert understood(document) == []
    asked = {panel["datasource"]["uid"]: panel["datasource"]["type"] for panel in document["panels"]}
    assert asked == {uid: sources()[uid]["type"] for uid in asked}
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])


def test_a_key_that_no_dashboard_has_is_found() -> None:
    """The test above can fail."""
    document = json.loads(DASHBOARDS[0].read_text())
    document["panels"][0]["targetz"] = []
    assert understood(document) == [".panels[0].targetz is unknown"]


def test_datasources_say_only_what_is_known_and_one_is_the_default() -> None:
    found = sources()
    assert {key for item in found.values() for key in item} <= KEYS
    assert [uid for uid, item in found.items() if item.get("isDefault")] == ["prometheus"]
