"""Files that commands write."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from reconciler.cli.files import write
from reconciler.errors import UsageError


def test_a_file_is_there_whole_and_alone(tmp_path: Path) -> None:
    write(tmp_path / "plan", "new\n")
    assert (tmp_path / "plan").read_text() == "new\n"
    assert [*tmp_path.iterdir()] == [tmp_path / "plan"]


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    path.write_text("old")
    path.chmod(0o640)
    write(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    link, target = tmp_path / "link", tmp_path / "kept" / "plan"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    link.symlink_to(Path("kept", "plan"))
    write(link, "new")
    assert (link.readlink(), target.read_text()) == (Path("kept", "plan"), "new")


def test_what_is_no_file_is_written_into(tmp_path: Path) -> None:
    path, read = tmp_path / "fifo", []
    os.mkfifo(path)
    reader = Thread(target=lambda: read.append(path.read_text()), daemon=True)
    reader.start()
    write(path, "new")
    reader.join(30)
    assert (path.is_fifo(), read) == (True, ["new"])


@pytest.mark.parametrize(
    ("name", "why"),
    [("", "Is a directory"), ("missing/plan", "No such file or directory"), ("loop", "Too many levels")],
)
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match=f"{tmp_path / name} cannot be written: {why}"):
        write(tmp_path / name, "new")
    assert [*tmp_path.iterdir()] == [tmp_path / "loop"]
