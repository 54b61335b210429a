"""Where a preview is posted: found in what the forge's own CI sets, unless it is given.

- GitHub Actions: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
- Gitea Actions sets the same and GITEA_ACTIONS: https://docs.gitea.com/usage/actions/actions-variables
- GitLab CI: https://docs.gitlab.com/ci/variables/predefined_variables/

Tokens come from the environment only: a command line is seen by everybody on the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from reconciler.errors import Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["github", "gitlab", "gitea"]

CI: Final[tuple[tuple[str, Kind], ...]] = (  # the first that is "true"; Gitea and Forgejo set GITHUB_ACTIONS too
    ("GITEA_ACTIONS", "gitea"),
    ("FORGEJO_ACTIONS", "gitea"),
    ("GITHUB_ACTIONS", "github"),
    ("GITLAB_CI", "gitlab"),
)
ROOTS: Final[dict[Kind, str]] = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
URLS: Final[dict[Kind, str]] = {"github": "GITHUB_API_URL", "gitlab": "CI_API_V4_URL", "gitea": "GITHUB_SERVER_URL"}
REPOSITORIES: Final[dict[Kind, tuple[str, ...]]] = {
    "github": ("GITHUB_REPOSITORY",),
    "gitlab": ("CI_PROJECT_ID", "CI_PROJECT_PATH"),
    "gitea": ("GITHUB_REPOSITORY",),
}
TOKENS: Final[dict[Kind, str]] = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN", "gitea": "GITEA_TOKEN"}
PULLS: Final[dict[Kind, str]] = {
    "github": "GITHUB_REF as refs/pull/N/merge",
    "gitlab": "CI_MERGE_REQUEST_IID",
    "gitea": "GITHUB_REF as refs/pull/N/head",
}

_PULL = re.compile(r"refs/pull/([1-9][0-9]*)/(?:merge|head)")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]*")
_NAME = r"(?!\.\.?(?:/|$))[\w.-]+"
_REPOSITORY: Final[dict[Kind, re.Pattern[str]]] = {
    "github": re.compile(rf"{_NAME}/{_NAME}"),
    "gitlab": re.compile(rf"[1-9][0-9]*|{_NAME}(?:/{_NAME})+"),
    "gitea": re.compile(rf"{_NAME}/{_NAME}"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """One pull request (merge request) and one commit of it, at one forge.

    `api` is the root of the forge's API, without a slash at its end; `repository` is OWNER/NAME, or the id of a GitLab
    project; `sha` is the commit that statuses are set on, in full. The token is not shown.
    """

    kind: Kind
    api: str
    repository: str
    pull: int
    sha: str
    token: str = field(repr=False)


def find(
    environ: Mapping[str, str],
    *,
    kind: Kind | None = None,
    url: str | None = None,
    repository: str | None = None,
    pull: int | None = None,
    sha: str,
) -> Target:
    """Return where to post, from what is given and, for the rest, from the environment variables of CI.

    `url` is the forge's address, as in a browser, or the root of its API. `sha` is the pull request's own last commit,
    not the merge that GITHUB_SHA names. Raises UsageError, which names all that is missing.
    """
    seen = next((name for variable, name in CI if environ.get(variable) == "true"), None)
    chosen = kind or seen
    if chosen is None:
        raise UsageError(_unknown(url, repository, pull))
    # GitHub and Gitea set the same variables, and what one says of itself is wrong for the other.
    told = {} if {seen, chosen} == {"github", "gitea"} else environ
    missing: list[Problem] = []
    target = Target(
        kind=chosen,
        api=_api(chosen, url, told, missing),
        repository=_repository(chosen, repository, told, missing),
        pull=_pull(chosen, pull, told, missing),
        sha=sha,
        token=_token(chosen, seen, environ, missing),
    )
    if not _COMMIT.fullmatch(sha):
        _note(missing, f"{sha!r} is no full commit id", "expected 40 or 64 hexadecimal digits")
    if missing:
        raise UsageError(missing)
    return target


def _unknown(url: str | None, repository: str | None, pull: int | None) -> Iterator[Problem]:
    variables = ", ".join(variable for variable, _ in CI)
    yield Problem("", 0, "the forge is not known", f"none of {variables} is true; give --forge github, gitlab or gitea")
    if url is None:
        yield Problem("", 0, "the forge's address is not known", "give --forge-url")
    if repository is None:
        yield Problem("", 0, "the repository at the forge is not known", "give --forge-repository")
    if pull is None:
        yield Problem("", 0, "the pull request is not known", "give --pull")
    yield Problem("", 0, "the token depends on the forge", f"set one of {', '.join(TOKENS.values())}")


def _note(missing: list[Problem], message: str, hint: str) -> None:
    missing.append(Problem("", 0, message, hint))


def _api(kind: Kind, url: str | None, told: Mapping[str, str], missing: list[Problem]) -> str:
    found = url or told.get(URLS[kind], "")
    if not found:
        _note(missing, "the forge's address is not known", f"set {URLS[kind]} or give --forge-url")
        return ""
    try:
        parts = urlsplit(found)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        valid = False
    if not valid or "@" in parts.netloc or parts.query or parts.fragment:
        # it is not repeated: there may be a password in it
        _note(
            missing, "the forge's address is wrong", "expected https://HOST, without user, password, query and fragment"
        )
        return ""
    return _root(kind, found.rstrip("/"), parts.hostname or "")


def _root(kind: Kind, address: str, host: str) -> str:
    """Return the API's root of a forge that has this address; github.com has it on a host of its own."""
    if kind == "github" and host in ("github.com", "www.github.com"):
        return "https://api.github.com"
    if address.endswith(ROOTS[kind]) or (kind == "github" and host.startswith("api.")):
        return address
    return address + ROOTS[kind]


def _repository(kind: Kind, given: str | None, told: Mapping[str, str], missing: list[Problem]) -> str:
    names = REPOSITORIES[kind]
    found = given or next((told[name] for name in names if told.get(name)), "")
    if not found:
        _note(
            missing, "the repository at the forge is not known", f"set {' or '.join(names)}, or give --forge-repository"
        )
    elif not _REPOSITORY[kind].fullmatch(found):
        _note(
            missing,
            f"{found!r} is no repository at the forge",
            "expected OWNER/NAME" + " or an id" * (kind == "gitlab"),
        )
    return found


def _pull(kind: Kind, given: int | None, told: Mapping[str, str], missing: list[Problem]) -> int:
    if given is not None and given > 0:
        return given
    if kind == "gitlab":
        number = _NUMBER.fullmatch(told.get("CI_MERGE_REQUEST_IID", ""))
    else:
        number = _PULL.fullmatch(told.get("GITHUB_REF", ""))
    if number is None or given is not None:
        _note(
            missing,
            "the pull request is not known",
            f"run for a pull request, which sets {PULLS[kind]}, or give --pull N",
        )
        return 0
    return int(number[number.re.groups])


def _token(kind: Kind, seen: Kind | None, environ: Mapping[str, str], missing: list[Problem]) -> str:
    """Return the token, without line breaks around it.

    GITHUB_TOKEN is Gitea's own where Gitea Actions runs, and GitHub's elsewhere.
    """
    names = [TOKENS[kind]]
    if kind == "gitea" and seen == "gitea":
        names.append("GITHUB_TOKEN")
    if kind == "github" and seen == "gitea":
        names = []
    found = next((value for name in names if (value := environ.get(name, "").strip())), "")
    if not found and not names:
        _note(
            missing, "no token for GitHub: GITHUB_TOKEN is that of Gitea here", "run it where GITHUB_TOKEN is GitHub's"
        )
    elif not found:
        _note(missing, "there is no token", f"set {' or '.join(names)}; a token is not taken from the command line")
    elif not (found.isascii() and found.isprintable() and " " not in found):
        _note(
            missing,
            f"the token in {' or '.join(names)} holds characters that no token has",
            "is it the file's name or a whole file?",
        )
        return ""
    return found
