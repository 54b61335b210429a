"""What a preview must not miss, must not invent and must not print."""

from __future__ import annotations

import io

import pytest

from reconciler import environment as environments
from reconciler.errors import RenderError
from reconciler.model.identity import ObjectId
from reconciler.model.plan import FieldChange
from reconciler.preview import immutable
from reconciler.preview.fold import fold
from reconciler.report import preview as report
from reconciler.report.canvas import canvas
from tests.unit.preview.test_preview_run import only
from tests.unit.preview.trees import WEB, Files, compared, platform

CANARY = "canary-77b1"
PATCH = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 7}\n"
PLUGINS = {
    "shared/web/kustomization.yaml": (
        "resources: [web.yaml]\ntransformers: [t.yaml, more]\n"
        "generators:\n- g.yaml\n- |\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: inline}\n"
        "  files: [y.txt]\n"
    ),
    "shared/web/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: p.yaml\n",
    "shared/web/p.yaml": PATCH,
    "shared/web/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: file}\nfiles: [x.txt]\n",
    "shared/web/more/kustomization.yaml": "resources: [u.yaml]\n",
    "shared/web/more/u.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: u}\npath: q.yaml\n",
    "shared/web/q.yaml": PATCH.replace("replicas: 7", "paused: true"),
    "shared/web/x.txt": "x",
    "shared/web/y.txt": "y",
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("shared/web/p.yaml", PATCH.replace("7", "8")),
        ("shared/web/q.yaml", PATCH.replace("replicas: 7", "paused: false")),
        ("shared/web/x.txt", "other"),
        ("shared/web/y.txt", "other"),
    ],
)
def test_files_that_plugins_name_are_looked_at(path: str, text: str) -> None:
    base = {**platform(), **PLUGINS}
    assert only(base, {**base, path: text})


def test_a_head_that_cannot_be_rendered_is_told_though_the_base_could_not_be_either() -> None:
    base = {**platform(), "shared/web/kustomization.yaml": "resources: [web.yaml\n"}
    made = compared(base, {**base, "shared/web/web.yaml": WEB + "# more\n"})
    assert [item.environment for item in made.environments] == ["dev"]
    assert made.failed
    assert not compared(base, {**base, "README.md": "text"}).environments


def test_an_environment_that_was_invalid_before_is_not_blamed_on_a_change_elsewhere() -> None:
    base = {**platform(), "environments/dev/environment.yaml": "kind: Environment\nunknown: 1\n"}
    assert not compared(base, {**base, "README.md": "text"}).failed
    assert compared(base, {**base, "environments/dev/environment.yaml": "kind: Environment\nother: 1\n"}).failed


def test_no_change_id_is_stated_where_the_base_cannot_be_rendered() -> None:
    """Nobody would ever name it: the agent compares with what it rendered last."""
    made = compared({**platform(), "shared/web/kustomization.yaml": "resources: [no.yaml]\n"}, platform())
    assert [item.id for item in made.environments] == [""]


class Leading(Files):
    """Files with an environment that is a link out of the repository."""

    def entries(self, path: str) -> list[str]:
        """Return the names, the link among them."""
        return sorted({*super().entries(path), *(["foo"] if path == "environments" else [])})

    def is_file(self, path: str) -> bool:
        """Refuse the link."""
        if path.startswith("environments/foo"):
            raise RenderError("leads out of the repository")
        return super().is_file(path)


def test_an_environment_that_leads_out_is_one_that_cannot_be_read() -> None:
    files = Leading(platform())
    assert environments.discover(files) == ("dev", "foo")
    with pytest.raises(RenderError):
        environments.load(files, "environments/foo/environment.yaml")
    assert environments.load(files, "environments/dev/environment.yaml").name == "dev"


@pytest.mark.parametrize(
    ("kustomization", "more"),
    [
        (f"secretGenerator: [{{name: s, literals: [{CANARY}]}}]\n", {}),
        (f"secretGenerator: [{{name: s, literals: [{{a: {CANARY}}}]}}]\n", {}),
        ("secretGenerator: [{name: s, envs: [e.env]}]\n", {"shared/web/e.env": CANARY}),
        (
            (
                "resources: [s.yaml]\nreplacements:\n- source: {kind: Secret, fieldPath: stringData.a, options: {delimiter: x, index: 9}}\n"
                "  targets: [{select: {kind: Secret}, fieldPaths: [metadata.name]}]\n"
            ),
            {},
        ),
        ("resources: [s.yaml]\npatches: [{path: p.yaml}]\n", {"shared/web/p.yaml": "stringData: {a: {b: c}}\n"}),
        ("resources: [s.yaml]\npatches: [{path: p.yaml}]\n", {"shared/web/p.yaml": f"stringData: {CANARY}\n"}),
    ],
)
def test_no_secret_is_in_an_error(kustomization: str, more: dict[str, str]) -> None:
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {CANARY}}}\n"
    head = {**platform(), "shared/web/kustomization.yaml": kustomization, "shared/web/s.yaml": secret}
    named = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    head |= {path: (named if path.endswith("p.yaml") else "") + text for path, text in more.items()}
    made = compared(platform(), head)
    assert made.failed
    assert CANARY not in report.markdown(made, fold(made.environments))


@pytest.mark.parametrize(
    ("kind", "path", "old", "new", "rejected"),
    [
        (("", "Secret"), "type", None, "Opaque", False),
        (("", "Secret"), "type", None, "kubernetes.io/tls", True),
        (("", "PersistentVolumeClaim"), "spec.volumeMode", None, "Filesystem", False),
        (("", "PersistentVolumeClaim"), "spec.volumeMode", "Block", None, True),
        (("apps", "StatefulSet"), "spec.podManagementPolicy", "OrderedReady", None, False),
        (("scheduling.k8s.io", "PriorityClass"), "value", 10, 20, True),
        (("storage.k8s.io", "StorageClass"), "reclaimPolicy", None, "Delete", False),
        (("apps", "Deployment"), "spec.selector.matchLabels.app", "a", "b", True),
        (("apps", "Deployment"), "spec.replicas", 1, 2, False),
    ],
)
def test_what_the_server_takes_for_granted_is_no_change(
    kind: tuple[str, str], path: str, old: object, new: object, rejected: bool
) -> None:
    field = FieldChange(path, "replace", old, new)
    found = immutable.changed(ObjectId(*kind, "shop", "a"), [field], frozen=False)
    assert bool(found) is rejected


def test_control_characters_do_not_reach_the_terminal() -> None:
    config = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "one\\ntwo"}\ndata: {a: "\\e[31mred\\e]0;x\\a", "k\\rk": v}\n'
    head = {**platform(), "shared/web/c.yaml": config}
    head["shared/web/kustomization.yaml"] = "resources: [web.yaml, c.yaml]\n"
    made, stream = compared(platform(), head), io.StringIO()
    report.draw(canvas(stream), made, fold(made.environments))
    for told in (stream.getvalue(), report.markdown(made, fold(made.environments))):
        assert "\x1b" not in told
        assert "\r" not in told
        assert "one\ntwo" not in told
