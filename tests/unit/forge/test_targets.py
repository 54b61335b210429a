"""Where a preview is posted, by what each CI sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import UsageError
from reconciler.forge import Target, find

if TYPE_CHECKING:
    from reconciler.forge import Kind

SHA = "a" * 40
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/infra",
    "GITHUB_REF": "refs/pull/12/merge",
    "GITHUB_TOKEN": "t-github",
}
GITEA = {
    "GITEA_ACTIONS": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_API_URL": "https://gitea.example/api/v1",
    "GITHUB_SERVER_URL": "https://gitea.example",
    "GITHUB_REPOSITORY": "acme/infra",
    "GITHUB_REF": "refs/pull/12/head",
    "GITHUB_TOKEN": "t-job",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_API_V4_URL": "https://gitlab.example/api/v4",
    "CI_PROJECT_ID": "77",
    "CI_PROJECT_PATH": "acme/deep/infra",
    "CI_MERGE_REQUEST_IID": "12",
    "GITLAB_TOKEN": "t-gitlab",
}


def problems(environ: dict[str, str], kind: Kind | None = None, **given: str) -> str:
    with pytest.raises(UsageError) as raised:
        find(environ, kind=kind, sha=SHA, **given)  # type: ignore[arg-type]  # repository and url
    return str(raised.value)


def test_github_actions_tells_everything() -> None:
    assert find(GITHUB, sha=SHA) == Target("github", "https://api.github.com", "acme/infra", 12, SHA, "t-github")


def test_gitea_actions_tells_everything() -> None:
    """It sets the variables of GitHub too, and calls the pull request's head differently."""
    expected = Target("gitea", "https://gitea.example/api/v1", "acme/infra", 12, SHA, "t-job")
    assert find(GITEA, sha=SHA) == expected
    assert find({**GITEA, "GITHUB_REF": "refs/pull/12/merge"}, sha=SHA) == expected


def test_gitea_prefers_its_own_token() -> None:
    assert find({**GITEA, "GITEA_TOKEN": "t-own"}, sha=SHA).token == "t-own"


def test_gitlab_ci_tells_everything() -> None:
    assert find(GITLAB, sha=SHA) == Target("gitlab", "https://gitlab.example/api/v4", "77", 12, SHA, "t-gitlab")


def test_a_gitlab_project_may_be_known_by_its_path() -> None:
    environ = {name: value for name, value in GITLAB.items() if name != "CI_PROJECT_ID"}
    assert find(environ, sha=SHA).repository == "acme/deep/infra"


def test_what_is_given_goes_before_what_ci_says() -> None:
    found = find(GITHUB, url="https://ghe.example", repository="other/repo", pull=3, sha=SHA)
    assert found == Target("github", "https://ghe.example/api/v3", "other/repo", 3, SHA, "t-github")


@pytest.mark.parametrize(
    ("kind", "url", "api"),
    [
        ("github", "https://github.com/", "https://api.github.com"),
        ("github", "https://api.github.com", "https://api.github.com"),
        ("github", "https://api.acme.ghe.com", "https://api.acme.ghe.com"),
        ("github", "https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
        ("gitlab", "https://gitlab.example/below", "https://gitlab.example/below/api/v4"),
        ("gitea", "http://127.0.0.1:3000", "http://127.0.0.1:3000/api/v1"),
        ("gitea", "http://127.0.0.1:3000/api/v1", "http://127.0.0.1:3000/api/v1"),
    ],
)
def test_an_address_may_be_that_of_the_browser(kind: Kind, url: str, api: str) -> None:
    environ = {"GITHUB_TOKEN": "t", "GITLAB_TOKEN": "t", "GITEA_TOKEN": "t"}
    assert find(environ, kind=kind, url=url, repository="acme/infra", pull=1, sha=SHA).api == api


@pytest.mark.parametrize(
    "url", ["gitea.example", "ftp://x", "https://", "https://u:hidden@x", "https://x:port", "https://x?y"]
)
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    text = problems({"GITEA_TOKEN": "t", "GITHUB_REF": "refs/pull/1/head"}, "gitea", url=url, repository="acme/infra")
    assert text == "the forge's address is wrong (expected https://HOST, without user, password, query and fragment)"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("github", ["GITHUB_API_URL", "GITHUB_REPOSITORY", "refs/pull/N/merge", "GITHUB_TOKEN"]),
        ("gitea", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "refs/pull/N/head", "GITEA_TOKEN"]),
        ("gitlab", ["CI_API_V4_URL", "CI_PROJECT_ID or CI_PROJECT_PATH", "CI_MERGE_REQUEST_IID", "GITLAB_TOKEN"]),
    ],
)
def test_all_that_is_missing_is_named_at_once(kind: Kind, names: list[str]) -> None:
    text = problems({}, kind)
    assert [name for name in [*names, "--forge-url", "--forge-repository", "--pull"] if name not in text] == []
    assert len(text.splitlines()) == 4


def test_without_ci_the_forge_itself_is_missing_too() -> None:
    text = problems({})
    for name in ("--forge ", "--forge-url", "--forge-repository", "--pull", "GITHUB_TOKEN, GITLAB_TOKEN, GITEA_TOKEN"):
        assert name in text


def test_without_ci_what_is_given_is_not_missing() -> None:
    with pytest.raises(UsageError) as raised:
        find({}, url="https://forge.example", repository="acme/infra", pull=1, sha=SHA)
    assert len(str(raised.value).splitlines()) == 2
    assert "--forge " in str(raised.value)


def test_a_push_has_no_pull_request() -> None:
    assert "run for a pull request" in problems({**GITHUB, "GITHUB_REF": "refs/heads/main"})
    assert "run for a pull request" in problems({**GITLAB, "CI_MERGE_REQUEST_IID": ""})


def test_a_pull_request_has_a_number() -> None:
    for number in (0, -1):
        with pytest.raises(UsageError, match="pull request is not known"):
            find(GITHUB, pull=number, sha=SHA)


def test_a_commit_is_named_in_full() -> None:
    for bad in ("", "abc", "HEAD", "../" * 14):
        with pytest.raises(UsageError, match="no full commit id"):
            find(GITHUB, sha=bad)


@pytest.mark.parametrize(
    "repository", ["infra", "../user", "acme/..", "a/b/c", "acme/infra?x", "acme/infra/", "acme/in fra"]
)
def test_a_repository_cannot_lead_elsewhere(repository: str) -> None:
    assert f"{repository!r} is no repository" in problems(GITHUB, repository=repository)


def test_a_repository_may_begin_with_a_dot() -> None:
    assert find(GITHUB, repository="acme/.github", sha=SHA).repository == "acme/.github"


def test_a_token_of_another_forge_is_not_taken() -> None:
    """Whoever posts from one forge's CI to another forge has to say which token is meant for it."""
    elsewhere = {"url": "https://gitea.example", "repository": "acme/infra"}
    assert "set GITEA_TOKEN" in problems(GITHUB, "gitea", **elsewhere)
    assert "that of Gitea here" in problems(GITEA, "github", **elsewhere)
    assert "set GITLAB_TOKEN" in problems(GITHUB, "gitlab", **elsewhere)


def test_what_github_says_of_itself_is_wrong_for_gitea() -> None:
    assert "set GITHUB_SERVER_URL" in problems({**GITHUB, "GITEA_TOKEN": "t"}, "gitea")


def test_a_token_read_from_a_file_may_end_with_its_line() -> None:
    assert find({**GITHUB, "GITHUB_TOKEN": " t-github\n"}, sha=SHA).token == "t-github"


@pytest.mark.parametrize("token", ["two\nlines", "two words", "schlüssel"])
def test_a_token_that_is_none_is_refused_and_not_repeated(token: str) -> None:
    text = problems({**GITHUB, "GITHUB_TOKEN": token})
    assert "no token has" in text
    assert token not in text


def test_a_target_does_not_show_its_token() -> None:
    assert "t-github" not in f"{find(GITHUB, sha=SHA)!r} {find(GITHUB, sha=SHA)}"
