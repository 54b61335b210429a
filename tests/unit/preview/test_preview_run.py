"""What a change does to environments: which are touched, what is told of each, and how it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import pipeline
from reconciler.model.plan import Action
from reconciler.preview import run
from reconciler.preview.fold import fold
from tests.unit.preview.trees import ENVIRONMENT, WEB, compared, platform

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.plan import Change
    from reconciler.model.resource import Desired
    from reconciler.pipeline import Checkout
    from reconciler.render.memory import Memory

WEB_FILE = "shared/web/web.yaml"
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n"


def with_web(text: str, *names: str) -> dict[str, str]:
    return {**platform(*names), WEB_FILE: text}


def only(base: dict[str, str], head: dict[str, str]) -> tuple[Change, ...]:
    made = compared(base, head)
    assert [item.environment for item in made.environments] == ["dev"]
    assert not made.failed, made.environments
    return made.environments[0].changes


def test_a_changed_field_names_the_line_of_the_head() -> None:
    changes = only(platform(), with_web(WEB.replace("example.com/web:1", "example.com/web:2")))
    assert [(item.action, str(item.id), item.component) for item in changes] == [
        (Action.UPDATE, "Deployment/web -n shop", "web")
    ]
    (field,) = changes[0].fields
    assert field.path == "spec.template.spec.containers[name=web].image"
    assert (field.op, field.old, field.new) == ("replace", "example.com/web:1", "example.com/web:2")
    assert str(field.origin) == f"{WEB_FILE}:12"


def test_lists_are_compared_by_their_keys() -> None:
    """Another order is no change; a port is known by number and protocol."""
    containers = WEB[WEB.index("        - name: web") :]
    first, second = containers.split("        - name: side")
    turned = WEB.replace(containers, f"        - name: side{second}{first}")
    assert only(platform(), with_web(turned)) == ()
    changed = WEB.replace("{containerPort: 80}", "{containerPort: 80, name: http}, {containerPort: 80, protocol: UDP}")
    paths = {field.path for field in only(platform(), with_web(changed))[0].fields}
    prefix = "spec.template.spec.containers[name=web].ports"
    assert paths == {
        f"{prefix}[containerPort=80,protocol=TCP].name",
        f"{prefix}[containerPort=80,protocol=UDP]",
    }


def test_nothing_but_comments_is_no_change() -> None:
    made = compared(platform(), with_web(f"# why\n{WEB}\n\n"))
    assert (made.environments[0].changes, made.environments[0].id) == ((), "")


def test_deletes_come_first_then_what_is_made_anew() -> None:
    base = {**platform(), "shared/web/kustomization.yaml": "resources: [web.yaml, other.yaml]\n"}
    base["shared/web/other.yaml"] = OTHER
    selector = WEB.replace("{app: web}", "{app: new}").replace("name: web, namespace: shop", _ALLOWED)
    head = {**with_web(selector), "shared/web/kustomization.yaml": "resources: [web.yaml, new.yaml]\n"}
    head["shared/web/new.yaml"] = OTHER.replace("other", "new")
    changes = only(base, head)
    assert [item.action for item in changes] == [Action.DELETE, Action.REPLACE, Action.CREATE]
    assert str(changes[0].resource.origin if changes[0].resource else "") == "shared/web/other.yaml:1"
    assert "spec.selector.matchLabels.app cannot change" in changes[1].notes[0]


_ALLOWED = "name: web, namespace: shop, annotations: {reconciler.dev/replace: allowed}"


def test_an_immutable_field_is_told_before_the_server_rejects_it() -> None:
    changes = only(platform(), with_web(WEB.replace("{app: web}", "{app: new}")))
    assert changes[0].action is Action.UPDATE
    assert changes[0].problem.startswith("spec.selector.matchLabels.app cannot change")


def test_a_move_is_no_delete() -> None:
    """The object goes from one component to another: it stays, and the change id counts it."""
    base = {**platform(), "shared/base/kustomization.yaml": "resources: [base.yaml, other.yaml]\n"}
    base["shared/base/other.yaml"] = OTHER
    head = {**platform(), "shared/web/kustomization.yaml": "resources: [web.yaml, other.yaml]\n"}
    head["shared/web/other.yaml"] = OTHER
    moved = next(item for item in only(base, head) if item.id.name == "other")
    assert (moved.action, moved.moved_from, moved.component) == (Action.MOVE, "base", "web")


def test_the_same_change_in_several_environments_is_one() -> None:
    names = ("dev", "prod", "staging")
    made = compared(platform(*names), with_web(WEB.replace("replicas: 1", "replicas: 2"), *names))
    folded = fold(made.environments)
    assert [item.environments for item in folded] == [names]
    assert len({item.id for item in made.environments}) == len(names), "ids are an environment's own"


def test_untouched_environments_and_components_are_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[tuple[str, Collection[str] | None]] = []
    real = pipeline.render

    def spy(checkout: Checkout, only: Collection[str] | None = None, memory: Memory | None = None) -> Desired:
        rendered.append((checkout.environment.name, only))
        return real(checkout, only, memory)

    monkeypatch.setattr(pipeline, "render", spy)
    base = platform("dev", "prod")
    head = {**base, "environments/prod/web/kustomization.yaml": "resources: [../../../shared/web]\nnamePrefix: a-\n"}
    made = compared(base, head)
    assert made.untouched == ("dev",)
    assert rendered == [("prod", None), ("prod", frozenset({"web"}))]
    assert compared(base, dict(base)).untouched == ("dev", "prod")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("shared/web/data.txt", "other text"),
        ("shared/web/kustomization.yaml", "resources: [web.yaml]\n"),
        ("environments/dev/web/kustomization.yaml", "resources: [../../../shared/web]\nnamespace: else\n"),
    ],
)
def test_whatever_a_build_reads_touches_it(path: str, text: str) -> None:
    assert only(platform(), {**platform(), path: text})


def test_errors_of_the_head_have_file_and_line() -> None:
    made = compared(platform("dev", "prod"), with_web(WEB + "  : bad\n", "dev", "prod"))
    assert made.failed
    for item in made.environments:
        assert [(problem.file, problem.line) for problem in item.problems] == [(WEB_FILE, 16)]
        assert item.id == ""


def test_an_environment_that_cannot_be_read_is_an_error_of_its_own() -> None:
    head = {**platform("dev", "prod"), "environments/prod/environment.yaml": ENVIRONMENT.format(name="else")}
    made = compared(platform("dev", "prod"), head)
    (item,) = made.environments
    assert item.environment == "prod"
    assert item.problems[0].file == "environments/prod/environment.yaml"
    assert made.untouched == ("dev",)


def test_a_file_of_another_name_is_an_error_once_and_no_change_afterwards() -> None:
    renamed = platform("dev", "prod")
    renamed["environments/prod/environment.yml"] = renamed.pop("environments/prod/environment.yaml")
    made = compared(platform("dev", "prod"), renamed)
    (item,) = made.environments
    assert str(item.problems[0]).startswith("environments/prod/environment.yml: is not read (rename it")
    assert compared(renamed, renamed).untouched == ("dev", "prod")


def test_new_and_vanished_environments_are_told() -> None:
    made = compared(platform("dev"), platform("prod"))
    by_name = {item.environment: item for item in made.environments}
    assert "no longer defined" in by_name["dev"].notes[0]
    assert by_name["prod"].notes == (run.NEW,)
    assert by_name["prod"].summary["create"] == 3


def test_a_broken_base_does_not_hide_the_head() -> None:
    made = compared(with_web("broken: ["), platform())
    (item,) = made.environments
    assert not item.problems
    assert "could not be rendered before" in item.notes[0]


def test_settings_are_told_too() -> None:
    extra = ENVIRONMENT.format(name="dev") + "  policy: {deletions: {max: 3}}\n"
    made = compared(platform(), {**platform(), "environments/dev/environment.yaml": extra})
    (item,) = made.environments
    (field,) = item.settings
    assert (field.path, field.op, field.new) == ("spec.policy.deletions.max", "add", 3)
    assert str(field.origin) == "environments/dev/environment.yaml:9"


def test_what_the_policy_will_refuse_is_told_before() -> None:
    """A protected kind and the budget."""
    base = platform()
    head = {**base, "shared/base/base.yaml": OTHER}
    (item,) = compared(base, head).environments
    assert [refusal.rule for refusal in item.expected] == ["protected"]
    tight = ENVIRONMENT.format(name="dev") + "  policy: {deletions: {max: 0}}\n"
    head = {
        **base,
        "shared/web/kustomization.yaml": "resources: [web.yaml]\n",
        "environments/dev/environment.yaml": tight,
    }
    (item,) = compared(base, head).environments
    assert [refusal.rule for refusal in item.expected] == ["budget"]


@given(st.lists(st.sampled_from(["replicas: 1", "replicas: 2", "replicas: 3", "replicas: 4"]), min_size=1, max_size=6))
def test_the_change_id_is_that_of_content(steps: list[str]) -> None:
    """However many commits lead from one content to another, the id is the same; there and back is none."""
    last = with_web(WEB.replace("replicas: 1", steps[-1]))
    squashed = compared(platform(), last).environments
    moved = {**last, WEB_FILE: "# a comment\n" + last[WEB_FILE]}
    again = compared(platform(), moved).environments
    assert [item.id for item in again if item.id] == [item.id for item in squashed if item.id]
    if steps[-1] == "replicas: 1":
        assert not any(item.id for item in squashed)
    else:
        assert squashed[0].id
        assert squashed[0].id != compared(last, platform()).environments[0].id


def test_there_and_back_create_what_the_other_deletes() -> None:
    base, head = platform(), {**platform(), "shared/web/kustomization.yaml": "resources: [web.yaml]\n"}
    there, back = only(base, head), only(head, base)
    assert [item.id for item in there if item.action is Action.DELETE] == [
        item.id for item in back if item.action is Action.CREATE
    ]
