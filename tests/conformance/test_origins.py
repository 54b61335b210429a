"""Every leaf of every object names the line that its value stands in, or the line of what made it.

Told by `oracle` from the text of the files, over Kustomize's own cases and over the shipped platform.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.environment.load import load
from reconciler.errors import ConfigError
from reconciler.model.tree import Map, Seq, origin_at
from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree
from tests.conformance.oracle import leaves, wrong
from tests.conformance.test_kustomize_cases import CASES, cases
from tests.fakes.files import Files

if TYPE_CHECKING:
    from typing import Any

    from reconciler.render.build import Build

ROOT = Path(__file__).parent.parent.parent
SHIPPED = sorted(str(path.parent.relative_to(ROOT)) for path in (ROOT / "environments").glob("*/*/kustomization.yaml"))
SHARP = 0.8  # of the leaves must be seen to be wrong, when all lines are off by some


def rendered(case: dict[str, Any]) -> tuple[Files, Build] | None:
    """Return the files and the build of a case; None where it is refused."""
    files, target = Files(case["files"]), case["target"].strip("/")
    restrict = not any("LoadRestrictionsNone" in flag for flag in case["flags"])
    try:
        return files, build(files, "" if target == "." else target, restrict_loads=restrict)
    except ConfigError:
        return None


@pytest.mark.skipif(not CASES.exists(), reason=f"Kustomize's cases are not at {CASES}")
def test_kustomizes_own_cases() -> None:
    """No leaf of any case has an origin that the text of its files does not bear out."""
    built = {case["name"]: made for case in cases() if (made := rendered(case)) is not None}
    assert len(built) > 200
    found = {name: told for name, (files, made) in built.items() if (told := list(wrong(files, made.resources)))}
    assert found == {}


@pytest.mark.parametrize("directory", SHIPPED)
def test_the_shipped_platform(directory: str) -> None:
    """The same of what is shipped."""
    files = DirectoryTree(ROOT)
    assert list(wrong(files, build(files, directory).resources)) == []


def test_the_shipped_platform_is_all_there() -> None:
    """The directories that are tested are those of the environments."""
    files = DirectoryTree(ROOT)
    named = {
        f"environments/{path.parent.name}/{component.path}"
        for path in (ROOT / "environments").glob("*/environment.yaml")
        for component in load(files, str(path.relative_to(ROOT))).spec.components
    }
    assert named == set(SHIPPED)


@pytest.mark.parametrize("off", [-3, 2, 5])
def test_the_oracle_sees_lines_that_are_off(off: int) -> None:
    """With every line off by some, nearly all leaves of the shipped platform are seen to be wrong."""
    files = DirectoryTree(ROOT)
    total = seen = 0
    for directory in SHIPPED:
        resources = build(files, directory).resources
        for resource in resources:
            move(resource.body, off)
            total += sum(origin_at(resource.body, steps) is not None for steps, _ in leaves(resource.body))
        seen += sum(" which shadows " not in line for line in wrong(files, resources))
    assert total > 1000
    assert seen > SHARP * total


def move(value: Any, off: int) -> None:
    """Move all lines of a tree."""
    if isinstance(value, Map):
        value.origins = {key: at._replace(line=max(at.line + off, 1)) for key, at in value.origins.items()}
        for item in value.values():
            move(item, off)
    elif isinstance(value, Seq):
        value.origins = [at and at._replace(line=max(at.line + off, 1)) for at in value.origins]
        for item in value:
            move(item, off)
