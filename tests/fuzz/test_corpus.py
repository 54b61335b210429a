"""The seeds of the fuzzer, and what it once found, on every run of the tests."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.targets import TARGETS, divided

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).parent / "corpus"
SEEDS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
SLOWEST = 20  # seconds: so much is a hang


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """End a test that hangs."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("hangs"))
    signal.alarm(SLOWEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_seed(seed: Path) -> None:
    """Each file is read or refused as its target promises; whatever it is meant for, the others take it, too."""
    for target in TARGETS.values():
        target(seed.read_bytes())


def test_every_target_has_seeds() -> None:
    assert {path.parent.name for path in SEEDS} == set(TARGETS)


def test_a_seed_may_hold_several_files() -> None:
    text = b"a: b\n=== x/y.yaml\nc: d\n"
    assert divided(text) == {"kustomization.yaml": b"a: b\n", "x/y.yaml": b"c: d\n"}
