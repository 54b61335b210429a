"""Plans as text pictures: each file under tests/golden/plans/cases is a scene and what its plan has to look like."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.plan.scene import picture, run

CASES = sorted((Path(__file__).parents[2] / "golden" / "plans" / "cases").glob("*.yaml"))
KEPT_BACK = ("\nrefused ", "  problem: ", "taking over")
APPLICABLE = [path for path in CASES if not any(sign in path.read_text() for sign in KEPT_BACK)]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_plan_looks_as_recorded(path: Path) -> None:
    """The picture under a scene is the plan's; what a person would read is what is compared."""
    text, _, expected = path.read_text().partition("\n---\n")
    _, plan = run(text, path.name)
    assert picture(plan) == expected


@pytest.mark.parametrize("path", APPLICABLE, ids=lambda path: path.stem)
def test_an_applied_plan_leaves_nothing_to_do(path: Path) -> None:
    """The law of the plan: applied, it is empty, and no question is needed to know it."""
    text, _, _ = path.read_text().partition("\n---\n")
    made, plan = run(text, path.name)
    asyncio.run(made.apply(plan))
    again = asyncio.run(made.plan())
    assert again.empty, picture(again)
    assert asyncio.run(made.asked()) == []
