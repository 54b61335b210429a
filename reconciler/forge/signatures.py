"""Webhook deliveries: whether the forge that shares our secret sent one, and what it tells.

Nothing of a delivery is read before it is verified, and secrets are compared in constant time.

- GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
- Gitea: https://docs.gitea.com/usage/webhooks, Forgejo: https://forgejo.org/docs/latest/user/webhooks/
- GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from reconciler.errors import BadDelivery, BadSignature

if TYPE_CHECKING:
    from collections.abc import Mapping

# Gitea and Forgejo send GitHub's headers beside their own, and Forgejo sends Gitea's too: the most telling come first.
SIGNATURES: Final = (
    ("x-forgejo-signature", ""),
    ("x-gitea-signature", ""),
    ("x-hub-signature-256", "sha256="),
)
TOKEN: Final = "x-gitlab-token"  # noqa: S105 - the name of a header
EVENTS: Final = ("x-forgejo-event", "x-gitea-event", "x-github-event", "x-gitlab-event")
PUSHES: Final = ("push", "Push Hook")
BRANCH: Final = "refs/heads/"

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Push:
    """A branch was pushed: `commit` (full, lower case) is its head now; `repository` is its path, OWNER/NAME or deeper."""

    branch: str
    commit: str
    repository: str


@dataclass(frozen=True, slots=True)
class Other:
    """Something else happened, in the forge's own word; a deleted branch and a tag are among these."""

    event: str


def delivery(headers: Mapping[str, str], body: bytes, secret: str) -> Push | Other:
    """Return what a webhook delivery tells; `body` is as it came, byte by byte, `secret` what we share with the forge.

    Raises BadSignature where it is not signed with that secret (an empty secret vouches for nothing), and BadDelivery
    where it is, and makes no sense.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    _verify(lowered, body, secret)
    event = next((lowered[name] for name in EVENTS if name in lowered), "")
    if not event:
        raise BadDelivery(
            "the delivery does not name its event: expected X-GitHub-Event, X-Gitea-Event or X-Gitlab-Event"
        )
    content = _content(body)
    return _push(event, content) if event in PUSHES else Other(event)


def _verify(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    if not secret:
        raise BadSignature("no webhook secret is set, so no delivery can be believed")
    key = secret.encode(errors="surrogateescape")
    for name, prefix in SIGNATURES:
        if name in headers:
            expected = prefix + hmac.digest(key, body, "sha256").hex()
            return _same(headers[name], expected.encode(), name)
    if TOKEN in headers:
        return _same(headers[TOKEN], key, TOKEN)
    raise BadSignature("the delivery is not signed: set the same secret at the forge's webhook and here")


def _same(given: str, expected: bytes, header: str) -> None:
    """Raise BadSignature unless both are equal; how long it takes does not tell where they differ."""
    try:
        content = given.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        content = b""  # no header that came over a wire: it fits nothing
    if not hmac.compare_digest(content, expected):
        raise BadSignature(f"the delivery's {header} does not fit: the secret at the forge's webhook is not ours")


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadDelivery("the delivery is not JSON: set the webhook's content type to application/json") from None
    if not isinstance(content, dict):
        raise BadDelivery("the delivery is not a JSON object")
    return content


def _push(event: str, content: Mapping[str, Any]) -> Push | Other:
    reference, commit = content.get("ref"), content.get("after")
    if not isinstance(reference, str) or not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise BadDelivery('the push names no "ref" with its commit "after"')
    if not reference.startswith(BRANCH) or not commit.strip("0"):
        return Other(event)
    return Push(reference.removeprefix(BRANCH), commit, _repository(content))


def _repository(content: Mapping[str, Any]) -> str:
    """Return the repository's path: GitLab tells it of the project, the others of the repository."""
    for part, name in (("project", "path_with_namespace"), ("repository", "full_name")):
        told = content.get(part)
        if isinstance(told, dict) and isinstance(path := told.get(name), str):
            return path
    raise BadDelivery("the push does not name its repository")
