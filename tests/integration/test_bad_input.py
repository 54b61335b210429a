"""Whatever is wrong with the input: a clear message, the right exit code, no traceback, nothing half-done."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRONMENT = """\
apiVersion: reconciler.dev/v1alpha1
kind: Environment
metadata:
  name: dev
spec:
  cluster:
    context: test
    kubeconfig: {kubeconfig}
  components:
    - name: web
      path: web
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\ndata: {a: b}\n"
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
clusters: [{{name: test, cluster: {{server: "{server}"}}}}]
users: [{{name: test, user: {{token: t}}}}]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with one environment of one component; commands run in it."""
    root = tmp_path / "repository"
    web = root / "environments" / "dev" / "web"
    web.mkdir(parents=True)
    (web / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (web / "a.yaml").write_text(CONFIG_MAP)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(server="http://127.0.0.1:1"))
    (root / "environments" / "dev" / "environment.yaml").write_text(ENVIRONMENT.format(kubeconfig=kubeconfig))
    monkeypatch.chdir(root)
    monkeypatch.setenv("RECONCILER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("reconciler.cluster.requests.TRIES", 1)
    return root


def edit(path: Path, old: str, new: str) -> None:
    """Change a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def git(root: Path, *arguments: str) -> None:
    """Run git with a fixed identity."""
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.com")
    subprocess.run(("git", *identity, *arguments), cwd=root, check=True)


def commit(root: Path, message: str) -> None:
    """Commit what is in a directory, which becomes a repository."""
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)


def run(capsys: pytest.CaptureFixture[str], expected: int, *arguments: str) -> str:
    """Run a command that has to end with this exit code; return what it said."""
    code = main(list(arguments))
    told = capsys.readouterr()
    assert code == expected, told.out + told.err
    assert "Traceback" not in told.err
    return told.out + told.err


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("environment.yaml", "components:", "componets:", "environment.yaml:9: unknown key spec.componets (did you mean components?)"),
        ("environment.yaml", "kind: Environment", "kind: Environment\nkind: Environment", "environment.yaml:3: the key kind is given twice"),
        ("environment.yaml", "path: web", "path: wob", "environment.yaml:11: component web: path wob is no directory"),
        ("environment.yaml", "path: web", "path: web\n      dependsOn: [web]", "components need each other in a circle"),
        ("web/kustomization.yaml", "a.yaml", "b.yaml", "web/kustomization.yaml:1: resources[0]: there is no environments/dev/web/b.yaml"),
        ("web/kustomization.yaml", "resources", "resource", "unknown field resource (did you mean resources?)"),
        ("web/a.yaml", "kind: ConfigMap", "kind: ConfigMop", "web/a.yaml:2: ConfigMop/a -n default: the kind ConfigMop is not known [unknown-kind] (did you mean ConfigMap?)"),
        ("web/a.yaml", CONFIG_MAP, f"{CONFIG_MAP}---\n{CONFIG_MAP}", "is there 2 times"),
        ("web/a.yaml", "data: {a: b}", "data: {a: b", "web/a.yaml:5: not valid YAML"),
        ("web/a.yaml", "namespace: default", "namespace: shop", "its namespace shop does not exist"),
    ],
)  # fmt: skip
def test_validate_names_the_place(
    root: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, expected: str
) -> None:
    edit(root / "environments" / "dev" / file, old, new)
    assert expected in run(capsys, 2, "validate")


def test_a_mark_that_nothing_reads_is_told_beside_what_else_is_wrong(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = root / "environments" / "dev" / "web" / "a.yaml"
    edit(file, "namespace: default}", "namespace: shop, annotations: {reconciler.dev/prune: disable}}")
    expected = "web/a.yaml:3: ConfigMap/a -n shop: reconciler.dev/prune is 'disable' (did you mean disabled?"
    told = run(capsys, 2, "validate")
    assert expected in told
    assert "its namespace shop does not exist" in told
    assert expected in run(capsys, 2, "graph", "dev")
    assert expected in run(capsys, 2, "diff", "dev")


def test_kinds_of_the_policy_that_nothing_has_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = root / "environments" / "dev" / "environment.yaml"
    policy = """\
  policy:
    deletions: {protect: [PersistentVolumeClaims, Namespace]}
    ignore:
      - {kind: deployment, path: spec.replicas}
      - {kind: HelmRelease, path: spec.values}
"""
    file.write_text(file.read_text() + policy)
    expected = "environment.yaml:13: policy.deletions.protect names PersistentVolumeClaims, which is no kind"
    told = run(capsys, 2, "validate")
    assert f"{expected} (did you mean PersistentVolumeClaim?)" in told
    assert "environment.yaml:15: policy.ignore[0].kind names deployment, which is no kind (did you mean Dep" in told
    assert (
        "warning: environments/dev/environment.yaml:16: policy.ignore[1].kind names HelmRelease, which is no kind of"
        in told
    )
    assert "dev: 2 problems\n" in told
    edit(
        root / "environments" / "dev" / "web" / "a.yaml",
        "namespace: default}",
        "namespace: default, annotations: {reconciler.dev/prun: x}}",
    )
    told = run(capsys, 2, "diff", "dev")
    assert expected in told
    assert "unknown annotation reconciler.dev/prun" in told
    assert "HelmRelease" not in told


def test_one_object_in_two_components_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(root / "environments" / "dev" / "environment.yaml", "path: web", "path: web\n    - {name: again, path: web}")
    expected = "web/a.yaml:1: ConfigMap/a -n default is rendered by component again and by component web"
    for command in (("validate",), ("render", "dev"), ("diff", "dev")):
        assert expected in run(capsys, 2, *command)


def test_no_cluster_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "http://127.0.0.1:1" in run(capsys, 1, "diff", "dev")
    assert "http://127.0.0.1:1" in run(capsys, 1, "apply", "dev", "--yes")


def test_a_wrong_context_lists_the_right_ones(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(root / "environments" / "dev" / "environment.yaml", "context: test", "context: tast")
    told = run(capsys, 2, "diff", "dev")
    assert "tast" in told
    assert "test" in told.replace("tast", "")


def test_a_missing_kubeconfig_is_named(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kubeconfig").unlink()
    assert str(tmp_path / "kubeconfig") in run(capsys, 2, "diff", "dev")


class Patient(http.server.ThreadingHTTPServer):
    """Says nothing of clients that hang up."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell errors, but not that a connection ended."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Forbidding(http.server.BaseHTTPRequestHandler):
    """An API server that lets nobody do anything."""

    def do_GET(self) -> None:
        """Refuse."""
        body = b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"forbidden: you may not list"}'
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def forbidding(root: Path, tmp_path: Path) -> Iterator[None]:
    """Serve refusals at the address of the kubeconfig."""
    server = Patient(("127.0.0.1", 0), Forbidding)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(server=f"http://127.0.0.1:{server.server_port}"))
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("forbidding")
def test_missing_rights_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "may not" in run(capsys, 1, "diff", "dev")


def test_without_a_terminal_apply_does_not_ask(root: Path) -> None:
    """Nobody can answer, so it says which options decide, and ends with a usage error."""
    command = [sys.executable, "-m", "reconciler.cli.main", "apply", "dev"]
    done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, "pass --yes" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("diff",),
        ("diff", "dev", "--nothing"),
        ("diff", "dev", "-o", "xml"),
        ("build", "a", "b"),
        ("--repo", "/none", "validate"),
    ],
)
def test_wrong_usage_is_exit_code_2(root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert run(capsys, 2, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("blame", "dev", "ConfigMap/a"),
        ("--revision", "main", "diff", "dev"),
        ("preview", "--base", "main", "--head", "main"),
    ],
)
def test_a_repository_of_another_user_is_exit_code_2(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    commit(root, "first")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    told = run(capsys, 2, *arguments)
    assert f"git config --global --add safe.directory {root}" in told
    assert run(capsys, 0, "validate")  # which asks nothing of git


def test_where_a_shallow_clone_ends_is_not_taken_for_the_last_change(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(root, "first")
    commit(root, "second")
    git(tmp_path, "clone", "-q", "--depth", "1", root.as_uri(), "shallow")
    command = ("--repo", str(tmp_path / "shallow"), "blame", "dev", "ConfigMap/a", "data.a")
    assert "second (or an earlier commit: the clone is shallow, `git fetch --unshallow`" in run(capsys, 0, *command)
    told = run(capsys, 0, *command, "-o", "json")
    assert '"commit": null' in told
    assert "warning: the clone is shallow: the commits of some lines are not known" in told


def test_a_plan_file_that_is_none_is_refused(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be read" in run(capsys, 2, "apply", "dev", "--plan", str(tmp_path / "none.json"))


def test_a_good_directory_is_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`build` and `render` need neither git nor a cluster."""
    assert "kind: ConfigMap" in run(capsys, 0, "build", "environments/dev/web")
    assert "# environments/dev/web/a.yaml:4 (resource)" in run(capsys, 0, "render", "dev", "--origins")
    assert run(capsys, 0, "validate").endswith("dev: 0 problems\n")
    assert "web (1 objects)" in run(capsys, 0, "graph", "dev")
