"""A preview as a comment: within the forge's limit, whole objects only, no secret, nothing that a stranger smuggles in."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Problem
from reconciler.model.identity import ObjectId
from reconciler.model.plan import Action, Change, FieldChange, Refusal
from reconciler.model.preview import ChangeSet, Preview
from reconciler.preview.compare import RISK
from reconciler.preview.fold import fold
from reconciler.report import preview as report
from reconciler.report.canvas import canvas
from tests.unit.preview.trees import compared, platform

if TYPE_CHECKING:
    from collections.abc import Sequence

CANARY = "canary-3f81c"


def all_outputs(made: Preview) -> str:
    folded, stream = fold(made.environments), io.StringIO()
    report.draw(canvas(stream), made, folded)
    document = orjson.dumps(report.document(made, folded, {}, {})).decode()
    return "\n".join((report.markdown(made, folded), document, stream.getvalue()))


def preview(*sets: ChangeSet) -> Preview:
    return Preview("b" * 40, "a" * 40, sets, ())


def changes(count: int, size: int, *, action: Action = Action.UPDATE) -> tuple[Change, ...]:
    fields = tuple(FieldChange(f"data.key{index}", "replace", "x" * size, "y" * size) for index in range(5))
    return tuple(Change(action, "web", ObjectId("", "ConfigMap", "ns", f"c-{i}"), None, fields) for i in range(count))


def counted(text: str) -> int:
    """Return how long GitHub thinks a text is."""
    return len(text.encode("utf-16-le")) // 2


texts = st.text(st.characters(codec="utf-8"), max_size=300)


@given(
    st.integers(0, 400), st.integers(0, 200), texts, st.integers(0, 60), st.integers(1, 30), st.integers(2000, 65_536)
)
def test_it_never_is_longer_than_the_limit(
    count: int, size: int, odd: str, problems: int, environments: int, limit: int
) -> None:
    """Whatever is in it, and what is left out is counted."""
    broken = tuple(Problem(f"a/{odd[:40]}.yaml", index, odd) for index in range(problems))
    sets = [ChangeSet(f"env-{i}-{odd[:20]}", "0" * 16, changes(count, size), notes=(odd,)) for i in range(environments)]
    made = preview(*sets, ChangeSet("broken", "", problems=broken))
    text = report.markdown(made, fold(made.environments), limit=limit)
    assert counted(text) <= limit


def test_what_is_left_out_is_whole_objects_and_counted() -> None:
    made = preview(ChangeSet("dev", "0" * 16, (*changes(30, 100, action=Action.DELETE), *changes(600, 100))))
    text = report.markdown(made, fold(made.environments))
    shown = len(re.findall(r"^- `ConfigMap/", text, re.MULTILINE))
    told = {what: int(count) for count, what in re.findall(r"(\d+) (to \w+)", text[text.index("Left out") :])}
    assert shown + sum(told.values()) == 630
    assert "to delete" not in told, "what takes something away is shown first"
    blocks = re.split(r"^- `ConfigMap/", text, flags=re.MULTILINE)[1:]
    assert {block.count("  - `data.") for block in blocks} == {5}


def test_an_object_with_many_fields_is_cut_and_says_so() -> None:
    fields = tuple(FieldChange(f"data.key{index}", "add", None, "value") for index in range(100))
    made = preview(
        ChangeSet("dev", "0" * 16, (Change(Action.UPDATE, "web", ObjectId("", "ConfigMap", "n", "c"), None, fields),))
    )
    assert "and 60 more fields" in report.markdown(made, fold(made.environments))


def test_the_most_dangerous_comes_first() -> None:
    mixed = [item for action in reversed(RISK) for item in changes(1, 1, action=action)]
    text = report.markdown(made := preview(ChangeSet("dev", "0" * 16, tuple(mixed))), fold(made.environments))
    places = [text.index(f"#### {report.HEADINGS[action]}\n") for action in RISK]
    assert places == sorted(places)


HOSTILE: Sequence[str] = (
    "`@octocat` ]( http://evil",
    "<img src=x onerror=alert(1)>",
    "a | b | c",
    "x\n### A heading\n- [ ] a task",
    "x\r\n<!-- reconciler: preview -->",
    "```\n@team\n```",
)


def test_nothing_of_a_stranger_means_anything() -> None:
    """Names and values stand in code spans of one line; what would end a span or a table cell is replaced."""
    for text in HOSTILE:
        field = FieldChange(f"data[{json.dumps(text)}]", "replace", text, {"k": text})
        identity, refusal = ObjectId("", "ConfigMap", "n", text), Refusal("budget", text, text)
        change = Change(Action.UPDATE, "web", identity, None, (field,), problem=text, notes=(text,))
        problem = Problem(text, 1, text, text)
        made = preview(ChangeSet("dev", "0" * 16, (change,), (field,), (refusal,), (problem,)))
        shown = report.markdown(made, fold(made.environments))
        outside = re.sub(r"`[^`\n]*`", "", shown)
        for sign in ("@", "<img", "A heading", "[ ]", "<!--", "evil", "a | b"):
            assert sign not in outside, (text, outside)


def secret(**data: Any) -> str:
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}
    return json.dumps(body | data)


def test_no_secret_leaves_it() -> None:
    """Created, changed, deleted; as data, as stringData, as a generator's literal."""
    encoded = base64.b64encode(CANARY.encode()).decode()
    plain = {"shared/web/kustomization.yaml": "resources: [web.yaml, s.yaml]\n"}
    versions = [
        secret(data={"a": base64.b64encode(b"before").decode()}),
        secret(data={"a": encoded}),
        secret(stringData={"a": CANARY, "b": f"{CANARY}2"}),
        secret(immutable=True, data={"a": encoded}),
    ]
    sides = [{**platform(), **plain, "shared/web/s.yaml": text} for text in versions]
    sides.append(platform())
    generated = f"resources: [web.yaml]\nsecretGenerator: [{{name: g, literals: [a={CANARY}]}}]\n"
    sides.append({**platform(), "shared/web/kustomization.yaml": generated})
    seen = 0
    for base in sides:
        for head in sides:
            made = compared(base, head)
            assert not made.failed
            told = all_outputs(made)
            seen += len(made.environments)
            assert CANARY not in told
            assert encoded not in told
    assert seen > len(sides)
