"""environment.yaml: one live cluster and the components it runs.

The models are the file's schema: `schema` makes the JSON Schema of them, and `strict` reads a document by them and reports
all of its errors in one go, each with file and line. What keys have to do with each other (`__post_init__`) is looked at once
each of them is right by itself; `check` is asked of one key alone.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotation
from dataclasses import dataclass
from dataclasses import field as plain
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta, Struct, field

NAME_PATTERN = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def matching(pattern: str, expected: str, **told: Any) -> Meta:
    """Return what a whole text is held against; `expected` is the pattern in words.

    For Python `$` alone also stands before a line break that ends the text.
    """
    return Meta(pattern=rf"^{pattern}$(?!\n)", extra={"expected": expected}, **told)


Name = Annotated[
    str,
    matching(
        NAME_PATTERN,
        "lower case letters, digits and dashes",
        description="lower case letters, digits and dashes (RFC 1123 label)",
    ),
]
Duration = Annotated[
    str,
    matching(
        r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+",
        "a duration such as 90s, 5m or 1h30m",
        description="a Go duration, e.g. 90s, 5m, 1h30m",
    ),
]
Host = Annotated[
    str,
    matching(
        r"(file://|([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]+)?)",
        "a host's name in lower case, without a scheme, e.g. github.com or git.example.com:8443",
        description="a host's name, with :port where it is no usual one",
    ),
]
Manager = Annotated[
    str,
    matching(
        rf"(kubectl|helm|argocd|flux|applyset|harbor|environment:{NAME_PATTERN})",
        "kubectl, helm, argocd, flux, applyset, harbor or environment:NAME",
        description="kubectl, helm, argocd, flux, applyset, harbor or environment:NAME",
        examples=["kubectl", "helm", "argocd", "flux", "applyset", "harbor", "environment:shop"],
    ),
]
Text = Annotated[str, Meta(min_length=1)]
Objects = Annotated[int, Meta(ge=0)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Stance = Literal["fail", "force", "yield"]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What all parts share: immutable, no unknown keys, no guessing of types, camelCase in the file."""


class Unfit(ValueError):
    """Keys that do not fit each other; `key` is the one to tell the line of, where one is to blame."""

    def __init__(self, message: str, key: str = "") -> None:
        """Say what was expected."""
        super().__init__(message)
        self.key = key


def require_zone(name: str) -> None:
    """Raise ValueError where there is no such time zone."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}: expected an IANA name such as Europe/Berlin") from error


class SecretRef(Strict, frozen=True):
    """A Secret that holds a kubeconfig, as agents of a hub cluster use it."""

    namespace: Name
    name: Name
    key: str = "kubeconfig"


class ClusterRef(Strict, frozen=True):
    """How the cluster is reached: exactly one of `context`, `inCluster`, `secretRef`, `sandbox`."""

    context: Annotated[str | None, Meta(description="a context of the kubeconfig")] = None
    kubeconfig: Annotated[str | None, Meta(description="path of a kubeconfig; only beside `context`")] = None
    in_cluster: Annotated[bool | None, Meta(description="the ServiceAccount of the Pod that the agent runs in")] = None
    secret_ref: SecretRef | None = None
    sandbox: Annotated[bool | None, Meta(description="the local control plane of `reconciler sandbox`")] = None
    request_timeout: Annotated[Duration, Meta(description="how long the server may be silent during one request")] = (
        "60s"
    )
    in_flight: Annotated[int, Meta(ge=1, le=256, description="how many requests are under way at a time")] = 16

    def __post_init__(self) -> None:
        """Check that there is one way to the cluster."""
        given = (self.context is not None, bool(self.in_cluster), self.secret_ref is not None, bool(self.sandbox))
        if sum(given) != 1:
            raise Unfit("expected exactly one of context, inCluster, secretRef, sandbox")
        if self.kubeconfig is not None and self.context is None:
            raise Unfit("kubeconfig is only allowed beside context", "kubeconfig")

    @property
    def request_seconds(self) -> float:
        """How long the server may be silent during one request, in seconds."""
        return seconds(self.request_timeout)


class HealthCheck(Strict, frozen=True):
    """A CEL expression that says when objects of a kind are healthy; `self` is the object."""

    kind: str
    current: Annotated[
        str, Meta(description="CEL over the object's fields, true when healthy, e.g. status.phase == 'Ready'")
    ]
    group: str = ""
    failed: Annotated[str | None, Meta(description="CEL, true when waiting longer is of no use")] = None


class Component(Strict, frozen=True):
    """A unit of reconciliation: one Kustomize directory with a place in the dependency graph."""

    name: Name
    path: Annotated[Text, Meta(description="a Kustomize directory, relative to environment.yaml")]
    depends_on: tuple[Name, ...] = ()
    timeout: Duration = "5m"
    suspend: Annotated[bool, Meta(description="leave everything of it as it is in the cluster")] = False
    wait: bool = True
    prune: bool = True
    health_checks: tuple[HealthCheck, ...] = ()

    @property
    def timeout_seconds(self) -> float:
        """How long the component's objects may take to become healthy, in seconds."""
        return seconds(self.timeout)


class ManagerStance(Strict, frozen=True):
    """What to do where one field manager owns a field that git sets too."""

    manager: Annotated[Text, Meta(description="the field manager's name; * matches any run of characters")]
    do: Stance


class Deletions(Strict, frozen=True):
    """How much a plan may delete without being acknowledged, and what it may never delete unasked."""

    max: Annotated[Objects | None, Meta(description="objects; 10 where neither max nor percent is given")] = None
    percent: Annotated[Percent | None, Meta(description="of the objects in the inventory")] = None
    shrink: Annotated[
        Percent, Meta(description="percent of a component's objects; a plan that deletes more of them is refused")
    ] = 50
    protect: tuple[str, ...] = ("Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "StorageClass")

    def __post_init__(self) -> None:
        """Check that there is one budget."""
        if self.max is not None and self.percent is not None:
            raise Unfit("expected max or percent, not both", "percent")

    def budget(self, owned: int) -> int:
        """Return how many objects may be deleted when the inventory holds `owned`."""
        if self.percent is not None:
            return owned * self.percent // 100
        return 10 if self.max is None else self.max


class Ignore(Strict, frozen=True):
    """A field that git leaves to others."""

    kind: str
    path: Annotated[str, Meta(description="a field path, e.g. spec.replicas or spec.containers[name=web].image")]
    group: str | None = None
    namespace: str | None = None
    name: str | None = None
    when: Annotated[
        Literal["HorizontalPodAutoscaler"] | None,
        Meta(description="only where such an object of the same environment targets this one"),
    ] = None


class Window(Strict, frozen=True):
    """A time in which changes may be made, or may not."""

    schedule: Annotated[str, Meta(description="when it begins: a cron expression of five fields, e.g. 0 22 * * 1-5")]
    duration: Annotated[Duration, Meta(description="how long it is open, e.g. 4h")]
    do: Literal["allow", "deny"]
    time_zone: Annotated[
        str, Meta(description="of the schedule, by its IANA name, e.g. Europe/Berlin", extra={"check": require_zone})
    ] = "UTC"
    components: Annotated[
        tuple[Name, ...], Meta(description="what it is about; the whole environment where none is named")
    ] = ()

    def __post_init__(self) -> None:
        """Check that it is a time."""
        require_zone(self.time_zone)
        try:
            cron(self)
        except ValueError as error:
            raise Unfit(f"schedule {self.schedule!r} is no cron expression: {error}", "schedule") from error
        if not seconds(self.duration):
            raise Unfit("duration is nothing: expected how long the window is open, e.g. 4h", "duration")


class Policy(Strict, frozen=True):
    """What a run may do to what it does not own, how much it may take away, and when."""

    conflicts: Stance | tuple[ManagerStance, ...] = "fail"
    adopt: Annotated[
        tuple[Manager, ...],
        Meta(
            description="whose objects are taken over: kubectl, helm, argocd, flux, applyset, harbor, environment:NAME"
        ),
    ] = ("kubectl",)
    deletions: Deletions = Deletions()
    ignore: tuple[Ignore, ...] = ()
    windows: tuple[Window, ...] = ()


class Render(Strict, frozen=True):
    """What rendering may do beyond plain Kustomize, and use that is not in the repository."""

    helm: Annotated[bool, Meta(description="render Helm charts (`helmCharts`), with the `helm` of this machine")] = (
        False
    )
    remotes: Annotated[
        tuple[Host, ...],
        Meta(description="hosts that remote bases may come from; file:// stands for repositories of this machine"),
    ] = ()
    sops: Annotated[bool, Meta(description="open Secrets that SOPS has encrypted, with the `sops` of this machine")] = (
        False
    )


class Metadata(Strict, frozen=True):
    """The name, which is that of the environment's directory, and labels that rules ask for."""

    name: Name
    labels: Annotated[Mapping[str, str], Meta(description="e.g. tier: prod, target: eks")] = field(default_factory=dict)


class Spec(Strict, frozen=True):
    """What the environment is."""

    cluster: ClusterRef
    components: Annotated[tuple[Component, ...], Meta(min_length=1)]
    interval: Duration = "5m"
    suspend: Annotated[bool, Meta(description="plans are shown, and none is carried out unasked")] = False
    policy: Policy = Policy()
    render: Render = Render()
    rules: Annotated[
        tuple[str, ...],
        Meta(description="files of rules (kind: RuleSet), or directories of them, relative to environment.yaml"),
    ] = ()


class EnvironmentFile(Strict, frozen=True):
    """One environment.yaml."""

    api_version: Literal["reconciler.dev/v1alpha1"]
    kind: Literal["Environment"]
    metadata: Metadata
    spec: Spec


class NamedKind(NamedTuple):
    """A kind that an environment.yaml names, the place of it in words, and its line."""

    kind: str
    at: str
    line: int


@dataclass(frozen=True, slots=True)
class Environment:
    """What an environment.yaml says, with the line of each `dependsOn`, by component and what it needs.

    `kinds` are those that its policy names.
    """

    metadata: Metadata
    spec: Spec
    lines: Mapping[tuple[str, str], int] = plain(default_factory=dict, compare=False, repr=False)
    kinds: tuple[NamedKind, ...] = plain(default=(), compare=False, repr=False)

    @property
    def file(self) -> str:
        """The environment.yaml."""
        return f"environments/{self.name}/environment.yaml"

    def place_of(self, component: str, needs: str) -> str:
        """Return `file:line` of a component's need; without the line where that is not known."""
        line = self.lines.get((component, needs))
        return self.file if line is None else f"{self.file}:{line}"

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.metadata.name

    @property
    def policy(self) -> Policy:
        """The environment's policy."""
        return self.spec.policy

    def component(self, name: str) -> Component | None:
        """Return a component by name; None where environment.yaml does not list it."""
        return next((item for item in self.spec.components if item.name == name), None)


def cron(window: Window) -> Any:
    """Return APScheduler's trigger for a window's schedule; raises ValueError.

    In cron 0 and 7 are Sunday (crontab(5)), in APScheduler 0 is Monday, so weekdays are given to it by name.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = window.schedule.split()
    if len(fields) != 5:
        raise ValueError("expected five fields: minute, hour, day of month, month, day of week")
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError(
            "a day of the month and a day of the week together mean either of both in cron: give one of them"
        )
    return CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=window.time_zone
    )


def _weekdays(field: str) -> str:
    """Return a cron field of weekdays as a list of names."""
    import re

    names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    day = "|".join((*names, "[0-7]"))
    days: list[str] = []
    for part in field.lower().split(","):
        match = re.fullmatch(rf"(\*|{day})(?:-({day}))?(?:/([1-7]))?", part)
        if match is None or (match[1] == "*" and match[2]):
            raise ValueError(f"{part!r} is no day of the week")
        if part == "*":
            return "*"
        first, last = ("0", "6") if match[1] == "*" else (match[1], match[2] or ("6" if match[3] else match[1]))
        begin, end = (names.index(item) if item in names else int(item) for item in (first, last))
        if begin > end:
            raise ValueError(f"{part!r} ends before it begins")
        days.extend(names[number % 7] for number in range(begin, end + 1, int(match[3] or 1)))
    return ",".join(dict.fromkeys(days))


def seconds(duration: str) -> float:
    """Return a Go duration in seconds."""
    import re

    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", duration))
