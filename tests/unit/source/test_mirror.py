"""A mirror follows its branch whatever is done to the remote, and survives whatever is done to itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import ConfigError, RevisionNotFound, SourceError
from reconciler.source.mirror import Mirror, Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

IDENTITY = {f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(root: Path, *arguments: str) -> str:
    """Run git with a fixed identity; return what it prints."""
    environment = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.check_output(("git", *arguments), cwd=root, env=environment, text=True).strip()


def commit(root: Path, text: str) -> str:
    """Commit the file `a` with a text; return the commit."""
    (root / "a").write_text(text)
    git(root, "add", "a")
    git(root, "commit", "-q", "-m", text)
    return git(root, "rev-parse", "HEAD")


def reads(mirror: Mirror, revision: str) -> bytes:
    """Read the file `a` of a revision through the mirror."""
    with closing(mirror.repository()) as repository:
        return repository.tree(revision).read("a")


def leftovers(mirror: Mirror) -> list[str]:
    """Return the names of files that only a git at work has, and of repositories beside the one."""
    inside = [path.name for end in ("tmp_*", "*.lock", "*.keep") for path in mirror.path.rglob(end)]
    return inside + [path.name for path in mirror.directory.glob("repository.*") if path != mirror.path]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Return a remote repository with one commit on `main`."""
    root = tmp_path / "remote"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    commit(root, "one")
    return root


@pytest.fixture
def mirror(remote: Path, tmp_path: Path) -> Iterator[Mirror]:
    """Return a mirror of its branch `main` that has been fetched once."""
    with closing(Mirror.open(Remote(str(remote), "main"), tmp_path / "mirror")) as opened:
        opened.fetch()
        yield opened


def test_new_commits_are_fetched(mirror: Mirror, remote: Path) -> None:
    assert mirror.fetch() == git(remote, "rev-parse", "HEAD")
    second = commit(remote, "two")
    assert mirror.fetch() == second
    assert reads(mirror, second) == b"two"
    assert reads(mirror, f"{second}~1") == b"one"
    assert not leftovers(mirror)


def test_a_forced_push_is_followed(mirror: Mirror, remote: Path) -> None:
    """What it left behind is still there for who is reading it, even if the mirror is collected at once."""
    second = commit(remote, "two")
    mirror.fetch()
    git(remote, "reset", "-q", "--hard", "HEAD~1")
    third = commit(remote, "three")
    git(remote, "reflog", "expire", "--expire=now", "--all")
    git(remote, "gc", "-q", "--prune=now")
    assert mirror.fetch() == third
    git(mirror.path, "gc", "-q", "--prune=now")
    assert reads(mirror, second) == b"two"
    assert reads(mirror, "main") == b"three"


def test_a_deleted_branch_is_an_error_until_it_returns(mirror: Mirror, remote: Path) -> None:
    first = git(remote, "rev-parse", "HEAD")
    git(remote, "branch", "-m", "main", "other")
    with pytest.raises(SourceError, match=r"branch main, cannot be fetched: .*\(there is no such branch\)"):
        mirror.fetch()
    assert reads(mirror, first) == b"one"
    git(remote, "branch", "-m", "other", "main")
    second = commit(remote, "two")
    assert mirror.fetch() == second


def test_an_empty_repository_is_an_error_until_it_has_the_branch(tmp_path: Path) -> None:
    root = tmp_path / "remote"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    with closing(Mirror.open(Remote(f"file://{root}", "main"), tmp_path / "mirror")) as mirror:
        with pytest.raises(SourceError, match="no such branch"):
            mirror.fetch()
        with closing(mirror.repository()) as repository, pytest.raises(RevisionNotFound):
            repository.tree("main")
        first = commit(root, "one")
        assert mirror.fetch() == first


def test_a_remote_that_goes_away_and_comes_back(mirror: Mirror, remote: Path) -> None:
    remote.rename(remote.with_name("gone"))
    with pytest.raises(SourceError, match="does not appear to be a git repository"):
        mirror.fetch()
    assert reads(mirror, "main") == b"one"
    remote.with_name("gone").rename(remote)
    second = commit(remote, "two")
    assert mirror.fetch() == second


def test_a_damaged_remote_does_not_cost_the_mirror(mirror: Mirror, remote: Path) -> None:
    commit(remote, "two")
    for path in (remote / ".git" / "objects").glob("??/*"):
        path.chmod(0o600)
        path.write_bytes(b"")
    with pytest.raises(SourceError, match="corrupt"):
        mirror.fetch()
    assert reads(mirror, "main") == b"one"


def test_two_branches_of_a_remote(mirror: Mirror, remote: Path, tmp_path: Path) -> None:
    first = git(remote, "rev-parse", "HEAD")
    git(remote, "checkout", "-q", "-b", "team/main")
    second = commit(remote, "two")
    with closing(Mirror.open(Remote(str(remote), "team/main"), tmp_path / "other")) as other:
        assert (mirror.fetch(), other.fetch()) == (first, second)


@pytest.mark.parametrize("branch", ["main/b", "team"])
def test_a_directory_can_be_used_for_another_branch(mirror: Mirror, remote: Path, branch: str) -> None:
    """Also where the names cannot be beside each other."""
    mirror.close()
    git(remote, "checkout", "-q", "--detach")
    git(remote, "branch", "-D", "main", "-q")
    git(remote, "branch", branch)
    with closing(Mirror.open(Remote(str(remote), branch), mirror.directory)) as other:
        assert other.fetch() == git(remote, "rev-parse", "HEAD")
        assert git(other.path, "for-each-ref", "--format=%(refname:short)") == branch


def truncate_packs(path: Path) -> None:
    """Cut every pack short, as a machine that lost its power would."""
    for pack in path.rglob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-30])


def flip_a_byte(path: Path) -> None:
    """Change what is in a pack, as a bad disk would."""
    for pack in path.rglob("*.pack"):
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        content[-30] ^= 0xFF
        pack.write_bytes(bytes(content))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no HEAD": lambda path: (path / "HEAD").unlink(),
    "empty HEAD": lambda path: (path / "HEAD").write_text(""),
    "empty branch": lambda path: (path / "refs/heads/main").write_text(""),
    "no branch": lambda path: (path / "refs/heads/main").unlink(),
    "a branch that leads nowhere": lambda path: (path / "refs/heads/main").write_text("f" * 40 + "\n"),
    "garbage in packed-refs": lambda path: (path / "packed-refs").write_text("garbage\n"),
    "garbage in the settings": lambda path: (path / "config").write_text("[[["),
    "no refs": lambda path: shutil.rmtree(path / "refs"),
    "no objects": lambda path: shutil.rmtree(path / "objects"),
    "truncated packs": truncate_packs,
    "nothing": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_mended_by_the_next_fetch(mirror: Mirror, damage: Callable[[Path], object]) -> None:
    damage(mirror.path)
    revision = mirror.fetch()
    assert reads(mirror, revision) == b"one"
    assert not leftovers(mirror)


@pytest.mark.parametrize("damage", [*DAMAGES.values(), flip_a_byte], ids=[*DAMAGES, "a flipped byte"])
def test_damage_is_mended_after_a_restart(mirror: Mirror, damage: Callable[[Path], object]) -> None:
    """What no fetch would notice is found by looking at everything once."""
    mirror.close()
    damage(mirror.path)
    with closing(Mirror.open(mirror.remote, mirror.directory)) as again:
        assert reads(again, again.fetch()) == b"one"


def test_a_damaged_mirror_of_a_remote_that_is_away_stays_an_error(mirror: Mirror, remote: Path) -> None:
    (mirror.path / "HEAD").unlink()
    with pytest.raises(SourceError, match="has to be fetched again"):
        mirror.repository()
    remote.rename(remote.with_name("gone"))
    with pytest.raises(SourceError, match="does not appear to be a git repository"):
        mirror.fetch()
    remote.with_name("gone").rename(remote)
    assert reads(mirror, mirror.fetch()) == b"one"


def test_stale_locks_and_unfinished_packs_are_removed(mirror: Mirror, remote: Path) -> None:
    second = commit(remote, "two")
    for name in ("packed-refs.lock", "config.lock", "shallow.lock", "refs/heads/main.lock"):
        (mirror.path / name).write_text("")
    for name in ("pack/tmp_pack_abc", "pack/pack-1.keep", "pack/pack-2.pack", "ab/tmp_obj_1"):
        (mirror.path / "objects" / name).parent.mkdir(exist_ok=True)
        (mirror.path / "objects" / name).write_text("")
    assert mirror.fetch() == second
    mirror.close()
    with closing(Mirror.open(mirror.remote, mirror.directory)) as again:
        assert again.fetch() == second
        assert not leftovers(again)
        assert not list(again.path.rglob("pack-2.pack"))


def test_a_second_process_is_refused(mirror: Mirror, remote: Path) -> None:
    program = "import sys; from pathlib import Path; from reconciler.source.mirror import Mirror, Remote\n"
    program += "Mirror.open(Remote(sys.argv[1], 'main'), Path(sys.argv[2]))"
    command = (sys.executable, "-c", program, str(remote), str(mirror.directory))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "is used by another process: give each agent a --mirror of its own" in done.stderr
    mirror.close()
    assert subprocess.run(command, check=False).returncode == 0


def test_a_directory_that_cannot_be_used_is_an_error(remote: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be used"):
        Mirror.open(Remote(str(remote), "main"), tmp_path / "file")


def test_a_closed_mirror_fetches_no_more(mirror: Mirror) -> None:
    mirror.close()
    mirror.close()
    with pytest.raises(SourceError, match="is closed"):
        mirror.fetch()


def test_a_caller_in_a_hook_keeps_its_own_repository(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git tells hooks by the environment where their repository is; a fetch must not go there."""
    victim = tmp_path / "victim"
    victim.mkdir()
    git(victim, "init", "-q", "-b", "main")
    theirs = commit(victim, "theirs")
    monkeypatch.setenv("GIT_DIR", str(victim / ".git"))
    with closing(Mirror.open(Remote(str(remote), "main"), tmp_path / "mirror")) as mirror:
        assert mirror.fetch() != theirs
    monkeypatch.delenv("GIT_DIR")
    assert git(victim, "rev-parse", "main") == theirs


def test_hooks_of_the_user_are_not_run(remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = tmp_path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    (tmp_path / "settings").write_text(f"[core]\n\thooksPath = {hook.parent}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    with closing(Mirror.open(Remote(str(remote), "main"), tmp_path / "mirror")) as mirror:
        mirror.fetch()
    assert not (tmp_path / "ran").exists()


def test_without_git_it_says_so(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceError, match="git is not there"):
        mirror.fetch()


def test_old_revisions_are_read_while_it_fetches_and_collects(mirror: Mirror, remote: Path) -> None:
    """What is read stays, though history is rewritten all the time.

    Such a gc takes the unfinished packs of others too: the fetch that loses its own fails, and the next one works.
    """
    first = mirror.fetch()
    old = [commit(remote, "0")]
    assert mirror.fetch() == old[0]
    done, faults = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                found = (reads(mirror, first), reads(mirror, old[0]))
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
                faults.append(repr(error))
                return
            if found != (b"one", b"0"):
                faults.append(repr(found))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, 6):
            git(remote, "reset", "-q", "--hard", first)
            newest = commit(remote, str(number))
            command = ("git", "-C", str(mirror.path), "gc", "-q", "--prune=now")
            with subprocess.Popen(command, stderr=subprocess.DEVNULL), suppress(SourceError):
                mirror.fetch()
            assert mirror.fetch() == newest
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not faults


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch /tmp/x'",
        "https::x",
        "fd::3",
        "-oProxyCommand=x",
        "-oProxyCommand=x@host:path",
        "-u@host:path",
        "git@-oProxyCommand=x:path",
        "git@host:-x",
        "ssh://-oProxyCommand=x/path",
        "ssh://-x@host/path",
        "ssh://host:port/path",
        "https://",
        "https://host/a\nb",
        "https://[host/a",
        "ftp://host/path",
        "relative/path",
        "",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a repository"):
        Remote(url, "main").require_valid()


@pytest.mark.parametrize(
    "url",
    ["https://h/a", "http://h:80/a", "ssh://git@h:22/a", "git@h:a/b.git", "file:///a b", "/a@b:c", "https://me@h/a"],
)
def test_addresses(url: str) -> None:
    Remote(url, "main").require_valid()


@pytest.mark.parametrize(
    "branch",
    ["", "-x", "--upload-pack=x", "a:b", "a b", "*", "^a", "a~1", "a..b", "a.lock", ".a", "a/", "/a", "a//b", "@{-1}"],
)
def test_what_is_no_branch_is_refused(branch: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a branch"):
        Remote("https://host/path", branch).require_valid()


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match=r"^https://host/path: the address holds a password, which others can see"):
        Remote("https://me:hunter2@host/path", "main").require_valid()


@pytest.mark.parametrize("url", ["http://host/path", "http://10.0.0.1/path", "http://127.0.0.1.example.com/path"])
def test_a_token_is_not_sent_over_plain_http(url: str) -> None:
    with pytest.raises(ConfigError, match="a token is not sent over plain http"):
        Remote(url, "main", "secret").require_valid()


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/p", "http://localhost/p", "http://[::1]:80/p", "https://h/p"])
def test_a_token_is_sent_to_this_machine_and_over_https(url: str) -> None:
    Remote(url, "main", "secret\n").require_valid()


def test_a_token_with_a_line_break_is_refused() -> None:
    with pytest.raises(ConfigError, match="line break"):
        Remote("https://host/path", "main", "sec\nret").require_valid()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"the SSH key {tmp_path}/key is not there"):
        Remote("git@host:path", "main", ssh_key=tmp_path / "key").require_valid()


def test_a_remote_does_not_show_its_token() -> None:
    assert "hunter2" not in repr(Remote("https://host/path", "main", "hunter2"))


@pytest.mark.parametrize("url", ["git@host:path", "ssh://host/path", "/path", "file:///path"])
def test_a_token_is_for_http_alone(url: str) -> None:
    assert "hunter2" not in Remote(url, "main", "hunter2").environment().values()
