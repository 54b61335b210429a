"""An environment with charts, from the repository's files to objects, by the real helm; and through the command line."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler import environment as environments
from reconciler import pipeline
from reconciler.cli.main import main
from reconciler.errors import RenderError
from reconciler.helm import Helm, program
from reconciler.helm.run import Limits
from reconciler.model.tree import origin_at
from reconciler.preview.run import Side, preview
from reconciler.render.build import build
from reconciler.source import charts
from reconciler.source.directory import DirectoryTree
from tests.helm.cases import CASES, chart
from tests.integration.test_chart_repositories import Site, packed, serving

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.origin import Origin
    from reconciler.model.resource import Desired

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
apiVersion: reconciler.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec:
  cluster: {sandbox: true}
  render: {helm: true}
  components:
    - {name: web, path: web}
"""
FILE = "environments/dev/environment.yaml"


@pytest.fixture(autouse=True)
def _surroundings(helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(program.VARIABLE, str(helm))
    monkeypatch.setenv("RECONCILER_CACHE_DIR", str(tmp_path / "cache"))


def write(root: Path, files: dict[str, str]) -> DirectoryTree:
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return DirectoryTree(root)


def rendered(tree: DirectoryTree, *, offline: bool = False) -> Desired:
    checkout = pipeline.Checkout(tree, environments.load(tree, FILE), None, offline=offline)
    return pipeline.render(checkout)


def case(name: str) -> dict[str, str]:
    return {FILE: ENVIRONMENT, **{f"environments/dev/web/{path}": text for path, text in CASES[name].items()}}


def test_fields_of_a_real_chart_name_template_and_value(tmp_path: Path) -> None:
    found = {item.id.kind: item for _, item in rendered(write(tmp_path / "repo", case("override"))).resources}
    image = origin_at(found["Deployment"].body, ("spec", "template", "spec", "containers", 0, "image"))
    assert str(image) == "environments/dev/web/charts/web/templates/deployment.yaml:22"
    assert image is not None
    assert image.shadowed is not None
    assert (image.shadowed.value, str(image.shadowed.origin)) == ("2.0", "environments/dev/web/kustomization.yaml:4")
    replicas = origin_at(found["Deployment"].body, ("spec", "replicas"))
    assert replicas is not None
    assert replicas.shadowed is not None
    assert (replicas.line, str(replicas.shadowed.origin)) == (11, "environments/dev/web/kustomization.yaml:5")
    included = origin_at(found["Deployment"].body, ("metadata", "labels", "app"))
    assert included is not None
    assert (included.line, included.shadowed) == (7, None)  # of the key above: the text is of _helpers.tpl


def test_each_claimed_line_has_the_key_that_it_is_claimed_for(tmp_path: Path) -> None:
    """The line is that of the key itself, or of an entry around it: then the key stands in no template at all."""
    tree = write(tmp_path / "repo", case("more values files"))
    checked = 0
    for _, item in rendered(tree).resources:
        for key, at in _keys(item.body):
            lines = tree.read(at.source.file).decode().replace('"', "").split("\n")[at.line - 1 : at.line + 1]
            checked += f"{key}:" in lines[0]
            assert f"{key}:" in lines[0] or any("include" in line or "toYaml" in line for line in lines), (key, str(at))
    assert checked > 60


def _keys(value: object) -> list[tuple[str, Origin]]:
    found = []
    if isinstance(value, dict):
        found += [(key, at) for key, at in value.origins.items()]  # type: ignore[attr-defined]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*found, *(pair for part in parts for pair in _keys(part))]


def test_a_pinned_chart_of_a_repository(tmp_path: Path) -> None:
    """It is fetched once, before Helm is run; a preview takes it from the cache and fetches nothing."""
    archive = packed("web", {path.removeprefix("charts/web/"): text for path, text in chart().items()})
    index = "entries: {web: [{version: 1.2.3, urls: [web.tgz]}]}\n"
    with serving(Site(pages={"/index.yaml": index.encode(), "/web.tgz": archive})) as site:
        pin = f"{{repo: '{site.address}', name: web, version: 1.2.3, digest: '{charts.digest(archive)}'}}"
        asks = f"helmCharts: [{{name: web, version: 1.2.3, repo: '{site.address}', includeCRDs: true}}]\n"
        tree = write(
            tmp_path / "repo",
            {
                FILE: ENVIRONMENT,
                "vendor.lock.yaml": f"charts: [{pin}]\n",
                "environments/dev/web/kustomization.yaml": asks,
            },
        )
        with pytest.raises(RenderError, match="not in the cache, and nothing is fetched here"):
            rendered(tree, offline=True)
        assert site.asked == []
        found = rendered(tree)
        assert [path for path, _ in site.asked] == ["/index.yaml", "/web.tgz"]
    again = rendered(tree, offline=True)
    assert [item.body for _, item in again.resources] == [item.body for _, item in found.resources]
    kinds = {item.id.kind: item for _, item in found.resources}
    assert str(kinds["Service"].origin) == f"{site.address}/web-1.2.3/templates/config.yaml:22"


def test_a_preview_sees_a_changed_template_and_a_changed_value(tmp_path: Path) -> None:
    before = write(tmp_path / "before", case("override"))
    files = case("override")
    template = "environments/dev/web/charts/web/templates/config.yaml"
    files[template] = files[template].replace("kind: Service", "kind: Service\nextra: true")
    after = write(tmp_path / "after", files)
    (changed,) = preview(Side("b" * 40, before), Side("a" * 40, after)).environments
    assert {field.path for item in changed.changes for field in item.fields} >= {"extra"}
    assert preview(Side("b" * 40, before), Side("a" * 40, before)).environments == ()


def test_the_command_line_wants_the_switch(tmp_path: Path, capsys: pytest.CaptureFixture[str], helm: Path) -> None:
    write(tmp_path / "repo", dict(CASES["released"]))
    assert main(["--repo", str(tmp_path / "repo"), "build", str(tmp_path / "repo")]) == 2
    assert "set spec.render.helm: true in environment.yaml, or build with --enable-helm" in capsys.readouterr().err
    arguments = ["--repo", str(tmp_path / "repo"), "build", str(tmp_path / "repo"), "--enable-helm"]
    assert main([*arguments, "--helm-command", str(helm)]) == 0
    assert "name: shop-web" in capsys.readouterr().out
    assert main([*arguments, "--helm-command", "/nowhere/helm"]) == 2
    assert "there is no program /nowhere/helm: install Helm 4" in capsys.readouterr().err


def test_blame_names_template_and_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "repo", case("override"))
    subprocess.run(("git", "init", "-q", str(tmp_path / "repo")), check=True)
    field = "spec.template.spec.containers[name=web].image"
    arguments = ["--repo", str(tmp_path / "repo"), "blame", "dev", "Deployment/release-name-web", field]
    assert main(arguments) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "set by environments/dev/web/charts/web/templates/deployment.yaml:22 (helm, layer environments/dev/web)" in told
    )
    assert "which was given 2.0 of environments/dev/web/kustomization.yaml:4 (values," in told


def test_a_chart_that_goes_on_for_ever_is_ended(tmp_path: Path, helm: Path) -> None:
    endless = '{{- range until 100000 }}{{ range until 100000 }}{{ sha256sum "x" | trunc 0 }}{{ end }}{{ end }}\n'
    tree = write(
        tmp_path / "repo",
        {**chart(**{"templates/config.yaml": endless}), "kustomization.yaml": "helmCharts: [{name: web}]\n"},
    )
    with pytest.raises(RenderError, match=r"kustomization\.yaml:1: helmCharts\[0\] web: helm did not end within 1 s"):
        build(tree, "", charts=Helm(tmp_path / "cache", limits=Limits(1)))


def test_random_values_are_warned_of(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: {{ randAlphaNum 20 }}}\n"
    tree = write(
        tmp_path / "repo",
        {**chart(**{"templates/secret.yaml": text}), "kustomization.yaml": "helmCharts: [{name: web}]\n"},
    )
    helm = Helm(tmp_path / "cache")
    first, second = (build(tree, "", charts=helm) for _ in range(2))
    assert [str(item) for item in first.warnings] == [str(item) for item in second.warnings]
    assert "kustomization.yaml:1: the chart web renders differently each time" in str(first.warnings[0])
    assert [item.body for item in first.resources] == [item.body for item in second.resources]
