"""What is sent: with labels, without stringData, and the render stage's objects untouched."""

from __future__ import annotations

from reconciler.model import tree
from reconciler.model.applyset import member_labels
from reconciler.plan.mark import marked
from tests.unit.plan.scene import objects, plain, wanted

SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: shop, labels: {mine: "1"}}
data: {password: b2xk, other: eA==}
stringData:
  password: new
"""


def test_labels_are_added_to_those_of_git() -> None:
    (item,) = objects(SECRET)
    (made,) = marked(wanted({"web": [item.body]})).components["web"]
    assert made.labels == {"mine": "1", **member_labels("dev", "web")}
    assert item.labels == {"mine": "1"}


def test_string_data_becomes_data_and_keeps_its_line() -> None:
    """An entry of stringData wins over one of data, as on the server; its origin is where git says it."""
    (item,) = objects(SECRET)
    (made,) = marked(wanted({"web": [item.body]})).components["web"]
    assert "stringData" not in made.body
    assert plain(made.body["data"]) == {"password": "bmV3", "other": "eA=="}
    origin = tree.origin_at(made.body, ("data", "password"))
    assert origin is not None
    assert origin.line == 6
    assert plain(item.body)["stringData"] == {"password": "new"}
