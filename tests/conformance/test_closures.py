"""Whatever a build looks at is in the closure that the preview goes by: checked with everything that Kustomize's cases do."""

from __future__ import annotations

import pytest

from reconciler.errors import ConfigError
from reconciler.preview.closure import Closures
from reconciler.render.build import build
from reconciler.render.memory import MISSING, Memory, Whole
from tests.conformance.test_kustomize_cases import CASES, cases
from tests.fakes.files import Files


class Seen(Memory):
    """Remembers nothing, and what was read last."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        super().__init__(most=0)
        self.paths: set[str] = set()

    def keep_whole(self, key: str, whole: Whole) -> None:
        """Note what was read."""
        self.paths = {path for (what, path), seen in whole.seen.items() if what == "read" and seen != MISSING}


@pytest.mark.skipif(not CASES.exists(), reason=f"Kustomize's cases are not at {CASES}")
def test_everything_that_is_read_is_in_the_closure() -> None:
    missed: dict[str, set[str]] = {}
    built = 0
    for case in cases():
        files, seen = Files(case["files"]), Seen()
        target = case["target"].strip("/")
        target = "" if target == "." else target
        try:
            build(files, target, restrict_loads=False, memory=seen)
        except ConfigError:
            continue
        built += 1
        outside = seen.paths - Closures(files).of(target)
        if outside:
            missed[case["name"]] = outside
    assert missed == {}
    assert built > 200
