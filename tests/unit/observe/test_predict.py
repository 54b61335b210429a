"""Dry-runs asked for, and what is remembered of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import Conflict, Unavailable
from reconciler.model.identity import ObjectId
from reconciler.model.observation import Question
from reconciler.observe.memory import Memory
from reconciler.observe.predict import ask
from tests.fakes.cluster import FakeCluster

if TYPE_CHECKING:
    from pathlib import Path


def question(cluster: FakeCluster, name: str, value: str = "1", version: str = "", *, force: bool = False) -> Question:
    """Return a question about a ConfigMap."""
    metadata = {"name": name, "namespace": "default"}
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}}
    return Question(ObjectId.of(body), cluster.resource("ConfigMap"), body, force, version)


async def test_answers_come_by_object_and_nothing_is_written(tmp_path: Path) -> None:
    cluster = FakeCluster()
    questions = [question(cluster, f"c{number}") for number in range(3)]
    answers = await ask(cluster, questions, Memory.open(tmp_path, "c", "dev"))
    assert {name: (answer.body or {})["data"] for name, answer in answers.items()} == {
        item.id: {"a": "1"} for item in questions
    }
    assert cluster.requests.snapshot() == {"dry_run": 3}
    assert cluster.find("ConfigMap", "default", "c0") is None


async def test_a_refusal_is_an_answer_too(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.seed_apply(question(cluster, "c", "2").body, "bob")
    cluster.fail("dry_run", name="busy", error=Unavailable("busy"))
    asked = [question(cluster, "c"), question(cluster, "busy"), question(cluster, "fine")]
    answers = await ask(cluster, asked, Memory.open(tmp_path, "c", "dev"))
    assert [type(answers[item.id].error) for item in asked] == [Conflict, Unavailable, type(None)]


async def test_force_is_asked_as_such(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.seed_apply(question(cluster, "c", "2").body, "bob")
    asked = question(cluster, "c", force=True)
    answers = await ask(cluster, [asked], Memory.open(tmp_path, "c", "dev"))
    assert (answers[asked.id].body or {})["data"] == {"a": "1"}


async def test_what_changed_nothing_is_not_asked_again(tmp_path: Path) -> None:
    cluster = FakeCluster()
    asked = question(cluster, "c", version="7")
    Memory.open(tmp_path, "c", "dev").keep([asked])
    answers = await ask(cluster, [asked], Memory.open(tmp_path, "c", "dev"))
    assert (answers[asked.id].body, answers[asked.id].error) == (None, None)
    assert not cluster.calls


async def test_a_new_object_that_would_be_taken_is_asked_about_once_in_a_process(tmp_path: Path) -> None:
    """What was refused is asked about again, and what has changed is another question."""
    cluster, memory = FakeCluster(), Memory.open(tmp_path, "c", "dev")
    cluster.fail("dry_run", name="busy", error=Unavailable("busy"))
    asked = [question(cluster, "fine"), question(cluster, "busy")]
    for _ in range(2):
        await ask(cluster, asked, memory)
    assert [call.name for call in cluster.sent("dry_run")] == ["fine", "busy", "busy"]
    await ask(cluster, [question(cluster, "fine", "2")], memory)
    assert len(cluster.sent("dry_run")) == 4


@pytest.mark.parametrize(
    "other",
    [{"value": "2"}, {"version": "8"}, {"force": True}, {"name": "d"}],
    ids=["body", "version", "force", "name"],
)
def test_another_question_is_not_known(tmp_path: Path, other: dict[str, Any]) -> None:
    cluster = FakeCluster()
    memory = Memory.open(tmp_path, "c", "dev")
    memory.keep([question(cluster, "c", version="7")])
    assert memory.knows(question(cluster, "c", version="7"))
    assert not memory.knows(question(cluster, **({"name": "c", "version": "7"} | other)))


def test_what_is_not_there_yet_is_not_remembered(tmp_path: Path) -> None:
    memory = Memory.open(tmp_path, "c", "dev")
    memory.keep([question(FakeCluster(), "c")])
    assert not memory.knows(question(FakeCluster(), "c"))
    assert not list(tmp_path.iterdir())


def test_each_cluster_and_environment_has_its_own(tmp_path: Path) -> None:
    asked = question(FakeCluster(), "c", version="7")
    Memory.open(tmp_path, "c", "dev").keep([asked])
    for cluster, environment in (("other", "dev"), ("c", "prod")):
        assert not Memory.open(tmp_path, cluster, environment).knows(asked)


@pytest.mark.parametrize("content", ["{", "[]", '{"/ConfigMap/default/c": 1}'])
def test_a_damaged_file_is_an_empty_memory(tmp_path: Path, content: str) -> None:
    asked = question(FakeCluster(), "c", version="7")
    memory = Memory.open(tmp_path, "c", "dev")
    memory.keep([asked])
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    memory = Memory.open(tmp_path, "c", "dev")
    assert not memory.knows(asked)
    memory.keep([asked])
    assert Memory.open(tmp_path, "c", "dev").knows(asked)


def test_a_directory_that_cannot_be_written_costs_the_memory_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    asked = question(FakeCluster(), "c", version="7")
    memory = Memory.open(blocked, "c", "dev")
    memory.keep([asked])
    assert memory.knows(asked)
    assert not Memory.open(blocked, "c", "dev").knows(asked)
