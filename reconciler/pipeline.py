"""The flow for one environment: source → render → observe → plan.

Applying is the caller's next step (`apply.run`), with the plan that this made; nothing here writes to a cluster.
"""

from __future__ import annotations

import asyncio
import posixpath
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler import environment as environments
from reconciler import generated, sops, vendor
from reconciler.clock import SystemClock
from reconciler.environment import windows
from reconciler.environment.load import FILE, ROOT
from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.model.outcome import Result
from reconciler.model.plan import Action
from reconciler.model.resource import Desired
from reconciler.observe import predict, read
from reconciler.plan import cases, graph, mark, planner, questions
from reconciler.render import build
from reconciler.render.memory import Memory as Builds
from reconciler.shelf import BuildShelf
from reconciler.source.bases import Bases
from reconciler.store import Store, cache_dir
from reconciler.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from reconciler.clock import Clock
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Component, Environment
    from reconciler.helm import Helm
    from reconciler.model.files import FileTree
    from reconciler.model.graph import Graph
    from reconciler.model.identity import ObjectId
    from reconciler.model.observation import Observation, Prediction, Question
    from reconciler.model.outcome import Report
    from reconciler.model.plan import Plan
    from reconciler.model.resource import Resource
    from reconciler.observe.memory import Memory
    from reconciler.source.clones import Clones

SYSTEM_CLOCK: Final = SystemClock()
MAX_ROUNDS = 3  # unforced, forced, and one more where fields are yielded


@dataclass(frozen=True, slots=True)
class Checkout:
    """One environment at one revision (None: the working tree).

    `offline`: archives of charts are taken from the cache, and none is fetched. `bases` None: no remote base can be used.
    """

    files: FileTree
    environment: Environment
    revision: str | None
    offline: bool = False
    bases: Bases | None = None

    def close(self) -> None:
        """End the git processes that read remote bases; they are begun again where something is read."""
        if self.bases is not None:
            self.bases.close()

    @property
    def directory(self) -> str:
        """The directory that holds environment.yaml."""
        return f"environments/{self.environment.name}"

    def directory_of(self, component: Component) -> str:
        """The directory that a component is built from."""
        return posixpath.normpath(posixpath.join(self.directory, component.path))


@dataclass(frozen=True, slots=True, repr=False)
class Planned:
    """A plan with what it was made from.

    `desired` is as git has it: values that are made in the cluster are pending, and encrypted ones encrypted; `sent` has
    those opened, and `edges` is its order.
    Without a repr: asyncio writes the one of what a coroutine returned when it ends (in `signal`, Python 3.11), and that
    of 20,000 objects takes longer than the run.
    """

    plan: Plan
    desired: Desired
    sent: Desired
    edges: Graph
    observation: Observation
    opens: datetime | None = None  # when the first sync window opens of those that keep changes back
    spent: Mapping[str, float] = field(default_factory=dict)  # seconds of render, observe, plan


def helm(*, offline: bool = False, command: str | None = None) -> Helm:
    """Return Helm; pinned archives that are not in the cache are fetched before it is run, unless `offline`."""
    from reconciler.helm import Helm
    from reconciler.source import charts as archives

    cache = cache_dir()
    return Helm(cache, command=command, fetch=None if offline else lambda pin: archives.fetch(pin, cache))


def builds(most: int = 0) -> Builds:
    """Return what was built by earlier processes, and by this one up to some number of objects."""
    return Builds(BuildShelf(Store(cache_dir() / "builds")), most)


def open_checkout(
    files: FileTree, name: str, revision: str | None, clones: Clones | None = None, *, offline: bool = False
) -> Checkout:
    """Read an environment; raises ConfigError with everything that is wrong with its file or with the lock file.

    Remote bases come from `clones`, and what is not there from their servers unless `offline`.
    """
    loaded = environments.load(files, f"{ROOT}/{name}/{FILE}")
    hosts = loaded.spec.render.remotes
    bases = Bases.open(clones, files, hosts, fetches=not offline) if clones is not None else None
    return Checkout(files, loaded, revision, offline, bases)


def render(
    checkout: Checkout,
    only: Collection[str] | None = None,
    memory: Builds | None = None,
    *,
    thorough: bool = False,
) -> Desired:
    """Build every component, or only some; the errors of all of them are raised at once.

    Remote bases are fetched before; raises SourceError where one cannot be. `thorough`: warnings also tell of patches
    and replacements that change nothing.
    """
    memory = memory or builds()
    components: dict[str, tuple[Resource, ...]] = {}
    problems: list[Problem] = []
    warnings: list[str] = []
    charts = helm(offline=checkout.offline) if checkout.environment.spec.render.helm else None
    chosen = [item for item in checkout.environment.spec.components if only is None or item.name in only]
    with closing(checkout):
        vendor.fetch(checkout.files, map(checkout.directory_of, chosen), checkout.bases)
        for component in chosen:
            try:
                built = build.build(
                    checkout.files,
                    checkout.directory_of(component),
                    charts=charts,
                    remotes=checkout.bases,
                    settled=True,
                    thorough=thorough,
                    memory=memory,
                )
            except RenderError as error:
                problems.extend(error.problems)
            else:
                components[component.name] = built.resources
                warnings.extend(str(warning) for warning in built.warnings)
    problems.extend(_owned_twice(components))
    if not checkout.environment.spec.render.sops:
        problems.extend(_encrypted(components))
    if problems:
        raise RenderError(dict.fromkeys(problems))
    desired = Desired(checkout.environment.name, checkout.revision, components, tuple(dict.fromkeys(warnings)))
    logger().info("render.finished", environment=desired.environment, objects=len(desired.resources))
    return desired


def fetch(checkout: Checkout) -> None:
    """Fetch the remote bases of every component; raises SourceError where one cannot be had."""
    with closing(checkout):
        directories = map(checkout.directory_of, checkout.environment.spec.components)
        vendor.fetch(checkout.files, directories, checkout.bases)


def _encrypted(components: Mapping[str, tuple[Resource, ...]]) -> Iterator[Problem]:
    for resources in components.values():
        for resource in resources:
            if sops.encrypted(resource):
                place = (resource.origin.source.file, resource.origin.line) if resource.origin else ("", 0)
                yield Problem(*place, f"{resource.id} is encrypted by SOPS", "allow it with spec.render.sops: true")


def _owned_twice(components: Mapping[str, tuple[Resource, ...]]) -> Iterator[Problem]:
    """Yield each object that a second component renders, too: only one of them could own it."""
    first: dict[ObjectId, tuple[str, Resource]] = {}
    for name, resources in components.items():
        for resource in resources:
            owner, other = first.setdefault(resource.id, (name, resource))
            if owner != name:
                place = resource.origin
                message = f"{resource.id} is rendered by component {name} and by component {owner} ({other.origin})"
                yield Problem(
                    place.source.file if place else "",
                    place.line if place else 0,
                    message,
                    "take it out of one of them",
                )


def order(desired: Desired, environment: Environment) -> Graph:
    """Infer the dependency graph; raises DependencyCycle, and ConfigError where marks or kinds of the policy are wrong."""
    misnamed = _misnamed(desired, environment)
    try:
        made = graph.build(desired, environment)
    except ConfigError as error:
        if misnamed:
            raise ConfigError((*misnamed, *error.problems)) from error
        raise
    if misnamed:
        raise ConfigError(misnamed)
    return made


def _misnamed(desired: Desired, environment: Environment) -> tuple[Problem, ...]:
    if not environment.kinds:
        return ()
    from reconciler.check import misnamed

    return misnamed(environment, desired)[0]


def wanted(checkout: Checkout, only: Collection[str] | None = None, memory: Builds | None = None) -> Desired:
    """Render what git wants: with the labels of inventories, and pending values under the keys that are made.

    What SOPS has encrypted stays so.
    """
    return _prepared(sops.sealed(render(checkout, only, memory)))


def _prepared(desired: Desired) -> Desired:
    return mark.marked(generated.expanded(desired))


def _opened(rendered: Desired, checkout: Checkout) -> Desired:
    from reconciler.sops.open import opened
    from reconciler.sops.program import Sops

    return opened(rendered, checkout.files, Sops.find().decrypt)


def _ordered(checkout: Checkout) -> tuple[Desired, Desired, Graph]:
    """Return what git wants, the same as it is to be sent, and the graph."""
    rendered = render(checkout)
    desired = _prepared(sops.sealed(rendered))
    closed = any(sops.encrypted(item) for _, item in rendered.resources)
    sent = _prepared(_opened(rendered, checkout)) if closed else desired
    return desired, sent, order(desired, checkout.environment)


async def plan(
    checkout: Checkout, cluster: Cluster, memory: Memory, clock: Clock = SYSTEM_CLOCK, again: Planned | None = None
) -> Planned:
    """Render, read the cluster, ask it about what differs, and decide; `clock` tells which sync windows are open.

    What `again` was made from is not rendered a second time: it is a plan of the same checkout, to be made anew.
    What takes the processor for long runs in a thread, so that whoever shares the event loop goes on: a Lease is
    renewed while five thousand objects are rendered.
    """
    environment, begun = checkout.environment, clock.monotonic()
    beginning = asyncio.create_task(read.begin(cluster, environment.name))
    try:
        if again is None:
            desired, sent, edges = await asyncio.to_thread(_ordered, checkout)
        else:
            desired, sent, edges = again.desired, again.sent, again.edges
    except BaseException:
        await _given_up(beginning)
        raise
    rendered = clock.monotonic()
    observation = await read.observe(cluster, desired, environment.name, await beginning)
    settled = generated.settled(sent, observation.live, clock.now())
    observed = clock.monotonic()
    studied = await asyncio.to_thread(cases.study, settled, observation, environment)
    closed = windows.look(environment, clock.now())
    predictions: Mapping[ObjectId, Prediction] = {}
    questioned: dict[ObjectId, Question] = {}
    for _ in range(MAX_ROUNDS):
        asked = questions.questions(settled, observation, environment, predictions, studied=studied)
        if not asked:
            break
        questioned |= {question.id: question for question in asked}
        predictions = {**predictions, **await predict.ask(cluster, asked, memory)}
    made = await asyncio.to_thread(
        planner.make, settled, observation, environment, predictions, edges, studied=studied, closed=closed
    )
    memory.keep(
        questioned[change.id]
        for change in made.changes
        if change.action is Action.UNCHANGED and change.settles and not change.problem and change.id in questioned
    )
    logger().info("plan.made", environment=environment.name, plan=made.id, **made.summary)
    spent = {
        "render": again.spent["render"] if again else rendered - begun,
        "observe": observed - rendered,
        "plan": clock.monotonic() - observed,
    }
    return Planned(made, desired, sent, edges, observation, closed.opens, spent)


async def _given_up(beginning: asyncio.Task[read.Begun]) -> None:
    """End a look at the cluster that nobody needs any more; whatever it met does not matter."""
    beginning.cancel()
    (found,) = await asyncio.gather(beginning, return_exceptions=True)
    if isinstance(found, read.Begun):
        await found.cancel()


def remember(memory: Memory, plan: Plan, report: Report) -> None:
    """Remember what was applied and will not be kept by the server, so that the next plan does not show it again."""
    done = {outcome.id for outcome in report.outcomes if outcome.result is Result.APPLIED}
    memory.keep_applied(change for change in plan.changes if not change.settles and change.id in done)
