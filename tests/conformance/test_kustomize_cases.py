"""Kustomize's own cases: the same output, or an error where it has one.

The cases are other people's work and not part of this repository. They are read from where RECONCILER_CONFORMANCE says, or
from `../shared/conformance` beside the checkout; without them this says so and skips.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reconciler import yaml
from reconciler.errors import ConfigError
from reconciler.render.build import build
from tests.fakes.files import Files

ROOT = Path(__file__).parent.parent.parent
CASES = Path(os.environ.get("RECONCILER_CONFORMANCE", ROOT.parent / "shared" / "conformance" / "kustomize_cases.json"))
EXPECTED_FAILURES = Path(__file__).with_name("known_differences.txt")


def cases() -> list[dict[str, Any]]:
    """Return all cases."""
    found: list[dict[str, Any]] = json.loads(CASES.read_text())
    return found


def known() -> dict[str, str]:
    """Return the cases that are known to differ, each with its reason."""
    lines = EXPECTED_FAILURES.read_text().splitlines()
    return dict(line.split("  ", 1) for line in lines if line and not line.startswith("#"))


def outcome(case: dict[str, Any]) -> str:
    """Return "" where a case passes, else what is different."""
    target = case["target"].strip("/")
    restrict = not any("LoadRestrictionsNone" in flag for flag in case["flags"])
    try:
        built = build(Files(case["files"]), "" if target == "." else target, restrict_loads=restrict)
    except ConfigError as error:
        return "" if case["error"] else f"error: {str(error).splitlines()[0]}"
    if case["error"]:
        return "builds, and Kustomize refuses"
    text = "---\n".join(yaml.dump(item.body) for item in built.resources)
    return "" if text == case["expected"] else "another output"


@pytest.mark.skipif(not CASES.exists(), reason=f"Kustomize's cases are not at {CASES}")
def test_conformance() -> None:
    """Every case passes but the known ones, and every known one still differs: the list only shrinks."""
    found = {case["name"]: outcome(case) for case in cases()}
    expected = known()
    fresh = {name: what for name, what in found.items() if what and name not in expected}
    assert fresh == {}
    mended = [name for name in expected if not found.get(name, "gone")]
    assert mended == [], "these pass now: take them out of known_differences.txt"
    print(f"\n{sum(not what for what in found.values())} of {len(found)} cases pass")  # noqa: T201 - the figure of this test
