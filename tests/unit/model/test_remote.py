"""URLs of remote bases mean what they mean to Kustomize; paths from a remote base stay within it."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import remote
from reconciler.model.remote import NotRemote, RepoSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("entry", "url", "path"),
    [
        ("github.com/org/repo", "https://github.com/org/repo", ""),
        ("gitHub.com/org/repo/dir", "https://github.com/org/repo", "dir"),
        ("github.com:org/repo/dir", "https://github.com/org/repo", "dir"),
        ("http://github.com/org/repo/a/b", "https://github.com/org/repo", "a/b"),
        ("hTTps://github.com/org/repo", "https://github.com/org/repo", ""),
        ("git@github.com:org/repo", "git@github.com:org/repo", ""),
        ("git@github.com/org/repo/dir", "git@github.com:org/repo", "dir"),
        ("git::git@github.com:org/repo", "git@github.com:org/repo", ""),
        ("ssh://git@github.com/org/repo//dir", "git@github.com:org/repo", "dir"),
        ("org-12345@github.com/org/repo", "org-12345@github.com:org/repo", ""),
        ("ssh://git@ssh.github.com:443/ORG/REPO.git", "ssh://git@ssh.github.com:443/ORG/REPO.git", ""),
        ("ssh://git.example.com:7999/org/repo/dir", "ssh://git.example.com:7999/org/repo", "dir"),
        ("ssh://me@bitbucket.org/team/repo.git//path", "ssh://me@bitbucket.org/team/repo.git", "path"),
        ("git::https://gitlab.com/org/repo/dir", "https://gitlab.com/org/repo", "dir"),
        ("git::http://git.example.com/org/repo", "http://git.example.com/org/repo", ""),
        ("https://git@home.com/path/to/repo.git//path", "https://git@home.com/path/to/repo.git", "path"),
        ("https://example.org/path/to/repo//examples/dev", "https://example.org/path/to/repo", "examples/dev"),
        ("https://example.org/path/to/repo.git/examples/dev", "https://example.org/path/to/repo.git", "examples/dev"),
        ("https://example.org/org/repo/", "https://example.org/org/repo", ""),
        ("https://example.org/org/repo//a//b/../c", "https://example.org/org/repo", "a/c"),
        ("https://example.org/org/repo/%-odd", "https://example.org/org/repo", "%-odd"),
        ("git@gitlab.com:group/sub/project.git//dir", "git@gitlab.com:group/sub/project.git", "dir"),
        ("git@gitlab.example:10022/infra/x/base.git", "git@gitlab.example:10022/infra/x/base.git", ""),
        ("git@gist.github.com:bc7947cb.git", "git@gist.github.com:bc7947cb.git", ""),
        ("https://gist.github.com/bc7947cb.git", "https://gist.github.com/bc7947cb.git", ""),
        (
            "https://u@dev.azure.com/org/project/_git/repo//path/root",
            "https://u@dev.azure.com/org/project/_git/repo",
            "path/root",
        ),
        (
            "https://org.visualstudio.com/project/_git/repo/path/root",
            "https://org.visualstudio.com/project/_git/repo",
            "path/root",
        ),
        (
            "https://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo/somedir",
            "https://git-codecommit.us-east-2.amazonaws.com/someorg/somerepo",
            "somedir",
        ),
        ("file:///a/b/c/repo", "file:///a/b/c/repo", ""),
        ("file:///a/b/c/repo.git/dir", "file:///a/b/c/repo.git", "dir"),
        ("file://a/b/c/repo//dir", "file://a/b/c/repo", "dir"),
        ("file://git@home/path/to/repository.git//path", "file://git@home/path/to/repository.git", "path"),
    ],
)
@pytest.mark.parametrize("ref", ["", "v1.0", "group/version", "includes.git/odd", "includes_git/odd"])
def test_repository_and_directory_are_told_apart_as_kustomize_does(entry: str, url: str, path: str, ref: str) -> None:
    """The table is that of Kustomize's own tests of `NewRepoSpecFromURL` (api 0.21)."""
    spec = remote.parse(f"{entry}?ref={ref}" if ref else entry)
    assert (spec.url, spec.path, spec.ref) == (url, path, ref or "HEAD")
    assert remote.find(entry) is not None


@pytest.mark.parametrize(
    ("entry", "host", "place"),
    [
        ("https://Git.Example.com:443/org/repo.git", "git.example.com", "https://git.example.com/org/repo"),
        ("https://git.example.com:8443/org/repo", "git.example.com:8443", "https://git.example.com:8443/org/repo"),
        ("http://git.example.com:80/org/repo", "git.example.com", "http://git.example.com/org/repo"),
        ("https://ghp_secret@git.example.com/org/repo", "git.example.com", "https://git.example.com/org/repo"),
        ("git@git.example.com:org/repo.git", "git.example.com", "ssh://git.example.com/org/repo"),
        ("ssh://git@git.example.com:22/org/repo", "git.example.com", "ssh://git.example.com/org/repo"),
        ("https://[::1]:8443/org/repo", "[::1]:8443", "https://[::1]:8443/org/repo"),
        ("file:///srv/repo.git", "file://", "file:///srv/repo"),
        ("https://evil.example/github.com/x", "evil.example", "https://evil.example/github.com/x"),
        ("https://github.com@evil.example/org/repo", "evil.example", "https://evil.example/org/repo"),
    ],
)
def test_the_host_is_what_git_would_talk_to(entry: str, host: str, place: str) -> None:
    spec = remote.parse(entry)
    assert (spec.host, spec.place) == (host, place)


@pytest.mark.parametrize(
    ("query", "ref", "timeout", "submodules"),
    [
        ("", "HEAD", None, True),
        ("ref=v1", "v1", None, True),
        ("version=master", "master", None, True),
        ("version=master&ref=v1", "v1", None, True),
        ("ref=v1&submodules=", "v1", None, True),
        ("ref=v1&submodules=maybe", "v1", None, True),
        ("ref=v1&submodules=false", "v1", None, False),
        ("ref=v1&timeout=jiffy", "v1", None, True),
        ("ref=v1&timeout=0s", "v1", None, True),
        ("ref=v1&timeout=0", "v1", None, True),
        ("ref=v1&timeout=61", "v1", 61.0, True),
        ("ref=v1&timeout=1m1s&submodules=0", "v1", 61.0, False),
        ("ref=kustomize%2Fv4", "kustomize/v4", None, True),
    ],
)
def test_the_query_is_read_as_kustomize_does(query: str, ref: str, timeout: float | None, submodules: bool) -> None:
    spec = remote.parse(f"https://github.com/org/repo?{query}")
    assert (spec.ref, spec.timeout, spec.submodules) == (ref, timeout, submodules)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("/srv/base", "absolute path"),
        ("base", "no scheme"),
        ("htxxxtp://github.com/", "no scheme"),
        ("gitlab.com/org/repo", "no scheme"),
        ("ssh://git.example.com", "fewer than 2 parts"),
        ("https://example.com/repo", "fewer than 2 parts"),
        ("https:///org/repo", "no host"),
        ("https://github.com/org/repo//../../etc", "leads out of the repository"),
        ("https://example.com///x", "no repository"),
        ("https://me:secret@example.com/org/repo", "holds a password"),
        ("https://-oProxyCommand=x/org/repo", "no name of a host"),
        ("https://example.com:x/org/repo", "no name of a host"),
        ("https://evil.example#@github.com/org/repo", "holds a #"),
        ("https://evil.example\\@github.com/org/repo", "a backslash"),
        ("https://a@evil.example@github.com/org/repo", "no name of a user"),
        ("ssh://-oProxyCommand=x@github.example/org/repo", "no name of a user"),
        ("https://github.com%2f.evil.example/org/repo", "no name of a host"),
        ("git@gitlab.com/user/repo.git", "neither a scheme nor a colon"),
        ("https://github.com/org/repo?ref=--upload-pack=x", "no name of a branch"),
        ("https://github.com/org/repo?ref=a..b", "no name of a branch"),
        ("https://github.com/org/repo?ref=%zz", "cannot be read"),
        ("https://github.com/org/re po", "white space"),
        ("https://github.com/org/repo\n", "white space"),
    ],
)
def test_what_is_no_url_of_a_repository(entry: str, why: str) -> None:
    with pytest.raises(NotRemote, match=why):
        remote.parse(entry)
    assert remote.find(entry) is None


def test_only_a_full_commit_is_a_pin() -> None:
    assert remote.parse(f"https://github.com/org/repo?ref={COMMIT.upper()}").pinned == COMMIT
    assert remote.parse(f"https://github.com/org/repo?ref={COMMIT[:39]}").pinned == ""
    assert remote.parse("https://github.com/org/repo").pinned == ""


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("https://example.com/x.yaml", True),
        ("https://raw.example.com/org/repo/main/x.yml?token=1", True),
        ("https://github.com/org/repo//x.yaml", False),
        ("https://github.com/org/repo.git/x.yaml", False),
        ("https://github.com/org/repo/dir", False),
        ("ssh://git@example.com/org/x.yaml", False),
    ],
)
def test_urls_of_single_files(entry: str, expected: bool) -> None:
    assert remote.is_file(entry) is expected


@given(st.text(max_size=60))
def test_any_text_is_a_whole_specification_or_none(text: str) -> None:
    try:
        spec = remote.parse(text)
    except NotRemote:
        return
    assert not spec.path.startswith(("/", "../"))
    assert not spec.url.startswith("-")
    assert spec.host


_SEGMENT = st.text("abcXYZ019-_", min_size=1, max_size=8).filter(
    lambda text: not text.startswith("-") and "_git" not in text
)


@given(
    st.sampled_from(
        ("https://git.example.com/", "ssh://git@git.example.com:7999/", "git@git.example.com:", "file:///")
    ),
    st.lists(_SEGMENT, min_size=2, max_size=4),
    st.lists(_SEGMENT, max_size=3),
    st.sampled_from(("//", ".git//", ".git/")),
)
def test_a_marked_end_is_where_the_repository_ends(
    prefix: str, repository: list[str], path: list[str], end: str
) -> None:
    spec = remote.parse(f"{prefix}{'/'.join(repository)}{end}{'/'.join(path)}?ref=main")
    assert spec.url == prefix + "/".join(repository) + end.strip("/")
    assert spec.path == "/".join(path)


@given(st.lists(st.sampled_from(("a", "b", "..", ".", "")), max_size=8), st.sampled_from(("", "a", "a/b")))
def test_no_path_leads_out_of_a_remote_base(steps: list[str], inner: str) -> None:
    """What leads out of it is refused; the rest is what the file system would make of it."""
    name = remote.mount(RepoSpec("u", "h", "https://h/org/repo"), COMMIT)
    path = "/".join(steps).lstrip("/")
    directory = f"{name}/{inner}" if inner else name
    found = remote.joined(directory, path)
    expected = posixpath.normpath(posixpath.join("/root", inner, path))
    if not (expected + "/").startswith("/root/"):
        assert found is None
    elif found is not None:  # a path may leave and return, which is refused as well
        assert found == name + expected.removeprefix("/root")
        assert remote.split(found) == (name, expected.removeprefix("/root").lstrip("/"))


@pytest.mark.parametrize(
    ("directory", "path", "expected"),
    [
        ("", "a", "a"),
        ("a/b", "../c", "a/c"),
        ("a", "..", ""),
        ("a", "../..", None),
        ("", "/etc", None),
        ("https://h/r@0123456789ab", "a", "https://h/r@0123456789ab/a"),
        ("https://h/r@0123456789ab/a", "..", "https://h/r@0123456789ab"),
        ("https://h/r@0123456789ab", "..", None),
        ("https://h/r@0123456789ab/a", "../../base", None),
        ("https://h/r@0123456789ab/a", "/etc/passwd", None),
    ],
)
def test_paths_are_joined_within_their_tree(directory: str, path: str, expected: str | None) -> None:
    assert remote.joined(directory, path) == expected
