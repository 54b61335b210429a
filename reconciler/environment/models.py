"""environment.yaml: one live cluster and the components it runs.

The models are the file's schema: `json_schema` is made from them and shipped, and `load` reports every error of a file
in one go, each with file and line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotation
from typing import Annotated, Any, Literal

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # or it looks through every installed package for some

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from pydantic.alias_generators import to_camel

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
HOST_PATTERN = r"^(file://|([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]+)?)$"
DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, description="lower case letters, digits and dashes (RFC 1123 label)")]
Duration = Annotated[str, Field(pattern=DURATION_PATTERN, description="a Go duration, e.g. 90s, 5m, 1h30m")]
Host = Annotated[str, Field(pattern=HOST_PATTERN, description="a host's name, with :port where it is no usual one")]
Manager = (
    Literal["kubectl", "helm", "argocd", "flux", "applyset", "harbor"]
    | Annotated[str, Field(pattern=r"^environment:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", description="environment:NAME")]
)
Stance = Literal["fail", "force", "yield"]


class Strict(BaseModel):
    """What all parts share: immutable, no unknown keys, no guessing of types, camelCase in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)


class SecretRef(Strict):
    """A Secret that holds a kubeconfig, as agents of a hub cluster use it."""

    namespace: Name
    name: Name
    key: str = "kubeconfig"


class ClusterRef(Strict):
    """How the cluster is reached: exactly one of `context`, `inCluster`, `secretRef`, `sandbox`."""

    context: str | None = Field(None, description="a context of the kubeconfig")
    kubeconfig: str | None = Field(None, description="path of a kubeconfig; only beside `context`")
    in_cluster: Literal[True] | None = Field(None, description="the ServiceAccount of the Pod that the agent runs in")
    secret_ref: SecretRef | None = None
    sandbox: Literal[True] | None = Field(None, description="the local control plane of `reconciler sandbox`")
    request_timeout: Duration = Field("60s", description="how long the server may be silent during one request")
    in_flight: int = Field(16, ge=1, le=256, description="how many requests are under way at a time")

    @property
    def request_seconds(self) -> float:
        """How long the server may be silent during one request, in seconds."""
        return seconds(self.request_timeout)

    @model_validator(mode="after")
    def _exactly_one(self) -> ClusterRef:
        given = [key for key in ("context", "in_cluster", "secret_ref", "sandbox") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("expected exactly one of context, inCluster, secretRef, sandbox")
        if self.kubeconfig is not None and self.context is None:
            raise ValueError("kubeconfig is only allowed beside context")
        return self


class HealthCheck(Strict):
    """A CEL expression that says when objects of a kind are healthy; `self` is the object."""

    group: str = ""
    kind: str
    current: str = Field(description="CEL over the object's fields, true when healthy, e.g. status.phase == 'Ready'")
    failed: str | None = Field(None, description="CEL, true when waiting longer is of no use")


class Component(Strict):
    """A unit of reconciliation: one Kustomize directory with a place in the dependency graph."""

    name: Name
    path: str = Field(min_length=1, description="a Kustomize directory, relative to environment.yaml")
    depends_on: tuple[Name, ...] = ()
    timeout: Duration = "5m"
    suspend: bool = Field(False, description="leave everything of it as it is in the cluster")
    wait: bool = True
    prune: bool = True
    health_checks: tuple[HealthCheck, ...] = ()

    @field_validator("depends_on", "health_checks", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @property
    def timeout_seconds(self) -> float:
        """How long the component's objects may take to become healthy, in seconds."""
        return seconds(self.timeout)


class ManagerStance(Strict):
    """What to do where one field manager owns a field that git sets too."""

    manager: str = Field(min_length=1, description="the field manager's name; * matches any run of characters")
    do: Stance


class Deletions(Strict):
    """How much a plan may delete without being acknowledged, and what it may never delete unasked."""

    max: int | None = Field(None, ge=0, description="objects; 10 where neither max nor percent is given")
    percent: int | None = Field(None, ge=0, le=100, description="of the objects in the inventory")
    shrink: int = Field(
        50, ge=0, le=100, description="percent of a component's objects; a plan that deletes more of them is refused"
    )
    protect: tuple[str, ...] = ("Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "StorageClass")

    @field_validator("protect", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_budget(self) -> Deletions:
        if self.max is not None and self.percent is not None:
            raise ValueError("expected max or percent, not both")
        return self

    def budget(self, owned: int) -> int:
        """Return how many objects may be deleted when the inventory holds `owned`."""
        if self.percent is not None:
            return owned * self.percent // 100
        return 10 if self.max is None else self.max


class Ignore(Strict):
    """A field that git leaves to others."""

    group: str | None = None
    kind: str
    namespace: str | None = None
    name: str | None = None
    path: str = Field(description="a field path, e.g. spec.replicas or spec.containers[name=web].image")
    when: Literal["HorizontalPodAutoscaler"] | None = Field(
        None, description="only where such an object of the same environment targets this one"
    )


class Window(Strict):
    """A time in which changes may be made, or may not."""

    schedule: str = Field(description="when it begins: a cron expression of five fields, e.g. 0 22 * * 1-5")
    time_zone: str = Field("UTC", description="of the schedule, by its IANA name, e.g. Europe/Berlin")
    duration: Duration = Field(description="how long it is open, e.g. 4h")
    do: Literal["allow", "deny"]
    components: tuple[Name, ...] = Field((), description="what it is about; the whole environment where none is named")

    @field_validator("components", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {value!r}: expected an IANA name such as Europe/Berlin") from error
        return value

    @model_validator(mode="after")
    def _readable(self) -> Window:
        try:
            cron(self)
        except ValueError as error:
            raise ValueError(f"schedule {self.schedule!r} is no cron expression: {error}") from error
        if not seconds(self.duration):
            raise ValueError("duration is nothing: expected how long the window is open, e.g. 4h")
        return self


class Policy(Strict):
    """What a run may do to what it does not own, how much it may take away, and when."""

    conflicts: Stance | tuple[ManagerStance, ...] = "fail"
    adopt: tuple[Manager, ...] = ("kubectl",)
    deletions: Deletions = Deletions()
    ignore: tuple[Ignore, ...] = ()
    windows: tuple[Window, ...] = ()

    @field_validator("conflicts", "adopt", "ignore", "windows", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class Render(Strict):
    """What rendering may do beyond plain Kustomize, and use that is not in the repository."""

    helm: bool = Field(False, description="render Helm charts (`helmCharts`), with the `helm` of this machine")
    remotes: tuple[Host, ...] = Field(
        (), description="hosts that remote bases may come from; file:// stands for repositories of this machine"
    )

    sops: bool = Field(False, description="open Secrets that SOPS has encrypted, with the `sops` of this machine")

    @field_validator("remotes", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class Metadata(Strict):
    """The name, which is that of the environment's directory, and labels that rules ask for."""

    name: Name
    labels: Mapping[str, str] = Field(default_factory=dict, description="e.g. tier: prod, target: eks")


class Spec(Strict):
    """What the environment is."""

    cluster: ClusterRef
    interval: Duration = "5m"
    suspend: bool = Field(False, description="plans are shown, and none is carried out unasked")
    components: tuple[Component, ...] = Field(min_length=1)
    policy: Policy = Policy()
    render: Render = Render()
    rules: tuple[str, ...] = Field(
        (), description="files of rules (kind: RuleSet), or directories of them, relative to environment.yaml"
    )

    @field_validator("components", "rules", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class Environment(Strict):
    """One environment.yaml."""

    api_version: Literal["reconciler.dev/v1alpha1"]
    kind: Literal["Environment"]
    metadata: Metadata
    spec: Spec
    _lines: Mapping[tuple[str, str], int] = PrivateAttr(default_factory=dict)

    def with_lines(self, lines: Mapping[tuple[str, str], int]) -> Environment:
        """Return the environment with the line of each `dependsOn`, by component and what it needs."""
        found = self.model_copy()
        found._lines = lines  # noqa: SLF001 - its own
        return found

    def place_of(self, component: str, needs: str) -> str:
        """Return `file:line` of a component's need; without the line where that is not known."""
        place = f"environments/{self.name}/environment.yaml"
        line = self._lines.get((component, needs))
        return place if line is None else f"{place}:{line}"

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
