"""What is fuzzed: any bytes are read, or refused with one of the project's own errors.

`hack/fuzz` gives these functions bytes that libFuzzer makes up; `test_corpus` gives them the seeds and what was once
found. Anything that a target raises is a mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.environment.load import load
from reconciler.errors import ConfigError
from reconciler.model.origin import Source
from reconciler.model.tree import Map, Seq
from reconciler.render.build import build
from reconciler.yaml import block, reader
from reconciler.yaml.scalars import resolve, resolve11
from tests.fakes.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE: Final = Source("a.yaml", "")
SEPARATOR: Final = "=== "  # begins the line that names the file of the lines below it
AROUND: Final = {
    "deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: main, image: "example.com/web:1.0", env: [{name: A, value: $(NAME)}]}
      volumes: [{name: all, configMap: {name: settings}}]
""",
    "service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n",
    "role.yaml": """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: default, namespace: a}]
""",
    "base/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: base-\n",
    "base/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n",
    "part/kustomization.yaml": "kind: Component\nnamespace: part\n",
    "patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n",
    "operations.yaml": "- {op: replace, path: /spec/replicas, value: 3}\n",
    "settings.env": "A=1\nB=2\n",
    "settings.txt": "text\n",
}


def of_yaml(data: bytes) -> None:
    """Whatever the quick reader reads is what libyaml reads; both refuse with a ConfigError."""
    for dialect in yaml.Dialect:
        meaning = resolve11 if dialect is yaml.Dialect.KUSTOMIZATION else resolve
        try:
            slow: list[Any] | None = reader.read(data, SOURCE, dialect)
        except ConfigError:
            slow = None
        try:
            quick = block.read(data, SOURCE, meaning)
        except block.Unusual:
            quick = None
        if quick is not None:
            assert slow is not None, "the quick reader reads what libyaml refuses"
            assert told(quick) == told(slow), "the quick reader reads something else"
        for document in slow or ():
            yaml.dump(document)


def of_environment(data: bytes) -> None:
    """An environment.yaml is loaded, or refused with file and line."""
    path = "environments/dev/environment.yaml"
    tree = Files({path: data, "environments/dev/web/kustomization.yaml": "resources: []\n"})
    refusable(lambda: load(tree, path))


def of_kustomization(data: bytes) -> None:
    """A directory is built, or refused with a ConfigError; lines of `=== name` begin files beside it."""
    tree = Files({**AROUND, **divided(data)})
    refusable(lambda: build(tree, "", restrict_loads=False))


def refusable(call: Callable[[], object]) -> None:
    """Call something that may raise the project's errors of wrong input; each of them has to say something."""
    try:
        call()
    except ConfigError as error:
        told = [problem.message for problem in error.problems]
        if not all(told) or not told:
            raise AssertionError("an error that says nothing") from error


def divided(data: bytes) -> dict[str, bytes]:
    """Return the files that a text holds; the first needs no name."""
    found: dict[str, bytes] = {}
    name, lines = "kustomization.yaml", list[bytes]()
    for line in data.splitlines(keepends=True):
        if line.startswith(SEPARATOR.encode()):
            found[name] = b"".join(lines)
            name, lines = line[len(SEPARATOR) :].decode(errors="replace").strip().replace("\0", "") or "unnamed", []
        else:
            lines.append(line)
    found[name] = b"".join(lines)
    return found


def told(value: Any) -> Any:
    """Return a tree with the lines and texts of its entries, to be compared."""
    if isinstance(value, Map):
        return {key: (value.origins[key].line, value.origins[key].text, told(item)) for key, item in value.items()}
    if isinstance(value, Seq):
        return [(at and (at.line, at.text), told(item)) for at, item in zip(value.origins, value, strict=True)]
    return [told(item) for item in value] if isinstance(value, list) else repr(value)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "yaml": of_yaml,
    "environment": of_environment,
    "kustomization": of_kustomization,
}
