"""Plans and reports as people read them."""

from __future__ import annotations

import io
from dataclasses import replace

import orjson

from reconciler.model.graph import ComponentEdge, Graph
from reconciler.model.identity import ObjectId
from reconciler.model.origin import Origin, Source
from reconciler.model.outcome import Health, HealthState, Outcome, Report, Result
from reconciler.model.plan import Action, Change, FieldChange, Kept, Plan, Refusal
from reconciler.model.resource import Resource
from reconciler.model.tree import Map
from reconciler.report.canvas import canvas
from reconciler.report.document import plan_document, report_document
from reconciler.report.markdown import plan_markdown
from reconciler.report.text import draw_plan, draw_report, shown

GRAFANA = ObjectId("apps", "Deployment", "monitoring", "grafana")
CONFIG = ObjectId("", "ConfigMap", "monitoring", "settings")
OLD = ObjectId("", "Service", "logging", "old")
IMAGES = Origin(Source("overlays/tiers/dev/images.yaml", "overlays/tiers/dev"), 7, "images")

PLAN = Plan(
    "dev",
    None,
    "p-1",
    (
        Change(
            Action.UPDATE,
            "monitoring",
            GRAFANA,
            Resource(GRAFANA, "v1", Map()),
            (
                FieldChange(
                    "spec.template.spec.containers[name=grafana].image",
                    "replace",
                    "grafana:bad",
                    "grafana:13.2.0",
                    IMAGES,
                    "kubectl-set",
                    "2026-11-24T10:00:00Z",
                    drift=True,
                ),
            ),
            "uid-1",
        ),
        Change(Action.UNCHANGED, "monitoring", CONFIG),
        Change(Action.DELETE, "logging", OLD, uid="uid-2"),
    ),
    Graph({}, (ComponentEdge("logging", "monitoring"),), (), ("monitoring", "logging")),
    (Refusal("budget", "11 objects would be deleted, 10 are allowed", "raise policy.deletions.max", (OLD,), True),),
)
REQUESTS = {"list": 12, "dry_run": 1}


def drawn(plan: Plan) -> str:
    """Return what a plan looks like where it is piped."""
    stream = io.StringIO()
    draw_plan(canvas(stream), plan, REQUESTS)
    return stream.getvalue()


def test_each_field_tells_old_new_and_place() -> None:
    """A changed field shows both values, who set the live one, and the line of git that wants the other."""
    text = drawn(PLAN)
    assert "~ Deployment/grafana -n monitoring" in text
    assert "- grafana:bad  drift, set by kubectl-set at 2026-11-24T10:00:00Z" in text
    assert "+ grafana:13.2.0  overlays/tiers/dev/images.yaml:7 (images)" in text


def test_unchanged_objects_are_counted_not_listed() -> None:
    text = drawn(PLAN)
    assert "ConfigMap/settings" not in text
    assert "plan p-1: 1 to update, 1 to delete, 1 unchanged" in text


def test_what_stays_though_git_no_longer_has_it_is_told_in_every_form() -> None:
    """One line for a reason, however many objects; the document has each of them."""
    disks = [
        Kept("data", ObjectId("", "PersistentVolumeClaim", "shop", f"disk-{number}"), "why") for number in range(7)
    ]
    plan = replace(PLAN, kept=(*disks, Kept("logging", OLD, "another")))
    named = ", ".join(f"PersistentVolumeClaim/disk-{number} -n shop" for number in range(5))
    for text in (" ".join(drawn(plan).split()), plan_markdown(plan, REQUESTS)):
        assert f"stays though git no longer has it (why): {named} and 2 more" in text
        assert "stays though git no longer has it (another): Service/old -n logging" in text
    noted = plan_document(plan, REQUESTS, {})["noted"]
    assert [(item["id"]["name"], item["notes"]) for item in noted[6:]] == [
        ("disk-6", ["stays though git no longer has it (why)"]),
        ("old", ["stays though git no longer has it (another)"]),
    ]


def test_a_refusal_says_what_to_do() -> None:
    """Each refusal comes with its hint and, where it may be lifted, with the command that does."""
    text = drawn(PLAN)
    assert "refused: 11 objects would be deleted, 10 are allowed" in text
    assert "reconciler apply dev --acknowledge p-1" in text
    foreign = Refusal("foreign-owner", "Service/old exists and belongs to helm", "list helm in policy.adopt", (OLD,))
    both = replace(PLAN, refusals=(*PLAN.refusals, foreign))
    assert "--acknowledge" not in drawn(both), "it would not be of use"


def test_piped_text_has_no_escape_codes_and_no_wrapping() -> None:
    assert "\x1b" not in drawn(PLAN)
    assert max(len(line) for line in drawn(PLAN).splitlines()) < 200


def test_the_document_has_the_stable_keys() -> None:
    """`diff -o json` keeps its documented shape, unchanged objects only counted."""
    made = plan_document(PLAN, REQUESTS, {("overlays/tiers/dev/images.yaml", 7): "abc"})
    assert orjson.loads(orjson.dumps(made)) == made
    assert made["summary"] == {
        "create": 0,
        "update": 1,
        "replace": 0,
        "delete": 1,
        "move": 0,
        "release": 0,
        "unchanged": 1,
        "held": 0,
    }
    assert made["requests"] == {"list": 12, "get": 0, "dry_run": 1, "apply": 0, "delete": 0}
    assert [change["id"]["name"] for change in made["changes"]] == ["grafana", "old"]
    assert made["changes"][0]["fields"][0]["origin"] == {
        "file": "overlays/tiers/dev/images.yaml",
        "line": 7,
        "layer": "overlays/tiers/dev",
        "by": "images",
        "commit": "abc",
    }


def test_markdown_begins_with_what_is_lost() -> None:
    """Deletions stand before updates."""
    text = plan_markdown(PLAN, REQUESTS)
    assert text.index("**delete 1**") < text.index("**update 1**")
    assert (
        "`grafana:bad` → `grafana:13.2.0` `overlays/tiers/dev/images.yaml:7` (drift, set by kubectl-set at 2026-11-24T10:00:00Z)"
        in text
    )


def test_a_report_names_failures_and_folds_what_they_held_back() -> None:
    """One line for a failure, one for all that was skipped for the same reason."""
    outcomes = (
        Outcome(
            GRAFANA, "monitoring", Action.UPDATE, Result.FAILED, Health(HealthState.FAILED, "exit code 1"), "", 2.0
        ),
        Outcome(CONFIG, "logging", Action.CREATE, Result.SKIPPED, message="needs Deployment/grafana -n monitoring"),
        Outcome(OLD, "logging", Action.CREATE, Result.SKIPPED, message="needs Deployment/grafana -n monitoring"),
    )
    report = Report("dev", None, "p-1", outcomes, {"apply": 1}, 3.0)
    stream = io.StringIO()
    draw_report(canvas(stream), report)
    text = stream.getvalue()
    assert "failed: monitoring  Deployment/grafana -n monitoring: exit code 1" in text
    assert "skipped: logging  2 objects: needs Deployment/grafana -n monitoring" in text
    assert report.failed
    assert report_document(report, PLAN)["objects"][0]["health"] == "Failed"


def test_an_empty_value_can_be_seen() -> None:
    """A field that is there and empty is another thing than one that is not there."""
    assert shown("") == '""'
    assert shown([]) == "[]"
