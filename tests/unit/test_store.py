"""The cache of outputs: bounded, whole, and safe to lose."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.store import EVERY, Store

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_put_is_there_for_another_process(tmp_path: Path) -> None:
    Store(tmp_path / "a").put("key", b"content")
    assert Store(tmp_path / "a").get("key") == b"content"
    assert Store(tmp_path / "a").get("other") is None
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["key"]


def test_the_longest_unused_make_room(tmp_path: Path) -> None:
    store = Store(tmp_path, limit=50)
    for number in range(10):
        store.put(f"k{number}", b"0123456789")
        os.utime(tmp_path / f"k{number}", (number, number))
    assert store.get("k0") is not None  # used now
    for number in range(EVERY):
        store.put("again", b"%d" % number)
    kept = {path.name for path in tmp_path.iterdir()}
    assert "k0" in kept
    assert "k1" not in kept
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 60


def test_a_directory_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "below")
    store.put("key", b"content")
    assert store.get("key") is None
