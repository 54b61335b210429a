"""Every error that the reconciler raises on purpose, as one small tree.

    ReconcilerError
    ├── ConfigError               the user's input is wrong                         exit 2
    │   ├── UsageError            a command line that cannot be carried out
    │   ├── InvalidEnvironment    environment.yaml
    │   ├── RenderError           a Kustomize directory
    │   └── DependencyCycle       things need each other in a circle
    ├── SourceError               git
    │   ├── RevisionNotFound      exit 2
    │   └── GitUnusable           no git, or one that does not read the repository        exit 2
    ├── PlanError
    │   └── UnsafePlan            refused as a whole, before the first write        exit 4
    ├── ClusterError              the API server's answer, or its silence           exit 1
    │   ├── NotFound  AlreadyExists  Conflict  Forbidden  Unauthorized  Invalid
    │   ├── Unavailable           worth another try
    │   └── LeaseLost             a write that was not sent, because the Lease is no longer ours
    ├── ForgeError                GitHub's, GitLab's or Gitea's answer, or its silence
    │   ├── BadSignature          a webhook delivery that its secret does not vouch for
    │   └── BadDelivery           a webhook delivery that is vouched for, and makes no sense
    ├── LeaseHeld                 another holder kept it longer than we were to wait
    ├── ChartError                a Helm chart cannot be fetched, or helm cannot render it
    └── SandboxError              the local control plane

A bad input raises. What happens to one object of a run is recorded as an outcome and never raised past the applier.
Messages are lower case, name the file or the object, and say what was expected and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


_DENIALS: Final = ("admission webhook", "denied request")  # the server's words for webhooks, and for admission policies


class ReconcilerError(Exception):
    """The root of the tree; its text is fit to be shown to a person."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with the input, at one place.

    `file` is relative to the repository root, `line` counts from 1; either may be unknown ("" and 0). `via` are the lines
    that led to the file, the nearest first; one problem on two ways is one problem.
    """

    file: str
    line: int
    message: str
    hint: str = ""
    via: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        """Return the problem as `file:line: message (hint) [by way of file:line]`."""
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}" + (f" [by way of {', '.join(self.via)}]" if self.via else "")


class ConfigError(ReconcilerError):
    """The user's input is wrong; `problems` lists all that was found in one go."""

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        """Accept the problems, or one message that has no place."""
        self.problems = (Problem("", 0, problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(ConfigError):
    """A command line that cannot be carried out."""


class InvalidEnvironment(ConfigError):
    """An environment.yaml is wrong."""


class RenderError(ConfigError):
    """A Kustomize directory cannot be built."""


class DependencyCycle(ConfigError):
    """Things need each other in a circle; the message names every edge and its file."""


class SourceError(ReconcilerError):
    """Something is wrong with git or with the repository."""


class RevisionNotFound(SourceError):
    """The repository has no such revision."""


class GitUnusable(SourceError):
    """There is no git, or git does not read the repository for this user; the text says the way out."""


class PlanError(ReconcilerError):
    """No plan can be made, or none may be carried out."""


class UnsafePlan(PlanError):
    """The policy refuses the plan as a whole; nothing was written."""


class ClusterError(ReconcilerError):
    """The API server answered with an error.

    `status` is the HTTP code (0 where there was no answer), `reason` the Kubernetes reason (`metav1.StatusReason`),
    `details` the `metav1.Status` details as they came, `retry_after` seconds where the server asked for a pause.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        details: dict[str, object] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Keep the parts of the answer beside its message."""
        super().__init__(message)
        self.status, self.reason, self.details, self.retry_after = status, reason, details or {}, retry_after

    @property
    def denied(self) -> bool:
        """Whether an admission webhook or a ValidatingAdmissionPolicy refuses the object, and not the server itself."""
        return any(sign in str(self) for sign in _DENIALS)


class NotFound(ClusterError):
    """404: no such object, kind or namespace."""


class Conflict(ClusterError):
    """409: a field manager conflict, or a precondition that no longer holds."""


class AlreadyExists(Conflict):
    """409 with the reason AlreadyExists."""


class Forbidden(ClusterError):
    """403: no right, a quota, or an admission refusal."""


class Unauthorized(ClusterError):
    """401: the credentials are not accepted."""


class Invalid(ClusterError):
    """400 or 422: the object is not acceptable as it stands."""


class Unavailable(ClusterError):
    """No answer, 429 or 5xx: worth another try."""

    retryable = True


class NotJson(ClusterError):
    """An answer that is no JSON document, such as an empty one."""


class Silent(Unavailable):
    """A connection that stays open without an answer, for as long as one request may take."""


class LeaseLost(ClusterError):
    """A write was not sent, because the environment's Lease is no longer ours."""


class ForgeError(ReconcilerError):
    """A forge answered with an error, or not at all; `status` is the HTTP code, 0 where there was no answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        """Keep the code of the answer beside its message."""
        super().__init__(message)
        self.status = status


class BadSignature(ForgeError):
    """A webhook delivery is not signed, or not with our secret; nothing in it may be believed."""


class BadDelivery(ForgeError):
    """A webhook delivery is signed as it should be, and its content is not what the forges send."""


class LeaseHeld(ReconcilerError):
    """Another holder kept the environment's Lease for longer than we were to wait."""


class ChartError(ReconcilerError):
    """A Helm chart cannot be fetched, or helm cannot be run or cannot render it; the text is what it said."""


class SandboxError(ReconcilerError):
    """The local control plane cannot be found, built, started or stopped."""
