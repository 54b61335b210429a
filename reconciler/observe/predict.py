"""Asking the server what an apply would do, for the objects that a plan wants to know about."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from reconciler.errors import ClusterError
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.observation import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.cluster.port import Cluster
    from reconciler.model.identity import ObjectId
    from reconciler.model.observation import Predictions, Question
    from reconciler.observe.memory import Memory


async def ask(cluster: Cluster, questions: Iterable[Question], memory: Memory) -> Predictions:
    """Return the answer to each question; what the memory knows to change nothing is not asked again."""
    questions = tuple(questions)
    answers = await asyncio.gather(*(_ask(cluster, question, memory) for question in questions))
    return dict(answers)


async def _ask(cluster: Cluster, question: Question, memory: Memory) -> tuple[ObjectId, Prediction]:
    if memory.knows(question) or memory.accepts(question):
        return question.id, Prediction()
    applied = memory.applied(question)
    try:
        body = await cluster.apply(
            question.resource, question.body, field_manager=FIELD_MANAGER, force=question.force, dry_run=True
        )
    except ClusterError as error:
        return question.id, Prediction(error=error, applied=applied, forced=question.force)
    memory.keep_accepted(question)
    return question.id, Prediction(body, applied=applied, forced=question.force)
