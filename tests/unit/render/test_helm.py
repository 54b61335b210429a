"""Charts in a build: what Helm is asked, where what it prints comes from, and what is refused. Helm is a stand-in."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import RenderError
from reconciler.model.tree import origin_at
from reconciler.render.build import build
from tests.fakes.charts import FakeCharts
from tests.unit.preview.trees import Files

if TYPE_CHECKING:
    from reconciler.model.origin import Origin
    from reconciler.render.build import Build

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  # a comment
data:
  word: {{ .Values.word }}
  text: "say {{ .Values.word }} to {{ .Values.other }}"
  number: "{{ .Values.number }}"
  own: {{ .Values.own }}
"""
CHART = {
    "charts/web/Chart.yaml": "name: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "word: hello\nother: world\nnumber: 1\nown: mine\n",
    "charts/web/templates/a.yaml": TEMPLATE,
}
INLINE = """\
helmCharts:
  - name: web
    valuesInline:
      word: bye
      other: moon
      number: 7
"""


def made(kustomization: str, charts: FakeCharts | None = None, more: dict[str, str] | None = None) -> Build:
    files = {**CHART, "kustomization.yaml": kustomization, **(more or {})}
    return build(Files(files), "", charts=charts or FakeCharts())


def origin(found: Build, *steps: str | int) -> Origin:
    place = origin_at(found.resources[0].body, steps)
    assert place is not None
    return place


def behind(place: Origin) -> list[tuple[Any, str]]:
    found = []
    shadow = place.shadowed
    while shadow is not None:
        found.append((shadow.value, str(shadow.origin)))
        shadow = shadow.origin.shadowed if shadow.origin else None
    return found


def refused(kustomization: str, charts: FakeCharts | None = None, more: dict[str, str] | None = None) -> str:
    with pytest.raises(RenderError) as caught:
        made(kustomization, charts, more)
    return str(caught.value)


def archive(*members: tuple[str, bytes], link: str = "") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if link:
                info.type, info.linkname, info.size = tarfile.SYMTYPE, link, 0
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def lock(content: bytes, version: str = "1.0.0") -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return f"charts:\n  - {{repo: https://charts.example, name: far, version: {version}, digest: '{digest}'}}\n"


def test_each_entry_is_of_the_line_of_its_template() -> None:
    found = made(INLINE)
    assert str(found.resources[0].origin) == "charts/web/templates/a.yaml:1"
    assert str(origin(found, "metadata", "name")) == "charts/web/templates/a.yaml:4"
    assert str(origin(found, "data", "own")) == "charts/web/templates/a.yaml:10"
    assert origin(found, "data", "own").by == "helm"


def test_a_leaf_names_the_values_that_went_into_it() -> None:
    found = made(INLINE)
    assert behind(origin(found, "data", "word")) == [("bye", "kustomization.yaml:4")]
    assert str(origin(found, "data", "word").given) == "kustomization.yaml:4"
    assert origin(found, "data", "own").given is None
    assert behind(origin(found, "data", "text")) == [("bye", "kustomization.yaml:4"), ("moon", "kustomization.yaml:5")]
    assert behind(origin(found, "data", "number")) == [(7, "kustomization.yaml:6")]


def test_what_the_chart_sets_itself_is_no_value_of_the_kustomization() -> None:
    assert behind(origin(made(INLINE), "data", "own")) == []


def test_a_value_that_the_chart_changes_is_not_claimed() -> None:
    charts = FakeCharts(change=lambda _, output: output.replace("bye", "BYE"))
    found = made(INLINE, charts)
    assert found.resources[0].body["data"]["word"] == "BYE"
    assert behind(origin(found, "data", "number")) == [(7, "kustomization.yaml:6")]


def test_lines_are_not_claimed_where_marks_change_the_output() -> None:
    """A chart whose output has another number of lines for another input: the first line of its template is honest."""
    charts = FakeCharts(change=lambda request, output: output.replace("# a comment", "\n" * len(request.files[1][1])))
    found = made(INLINE, charts)
    assert str(origin(found, "data", "own")) == "charts/web/templates/a.yaml:1"


def test_a_chart_that_renders_differently_each_time_is_told() -> None:
    charts = FakeCharts()
    charts.change = lambda _, output: output.replace("mine", f"random-{len(charts.asked)}")
    (warning,) = made("helmCharts: [{name: web}]\n", charts).warnings
    assert str(warning).startswith("kustomization.yaml:1: the chart web renders differently each time (give the chart")


def test_a_chart_without_values_of_the_kustomization_is_rendered_twice() -> None:
    """Once for the output, once for its lines; that also shows that it is the same each time."""
    charts = FakeCharts()
    made("helmCharts: [{name: web}]\n", charts)
    assert len(charts.asked) == 2


def test_flags_and_names_are_handed_on() -> None:
    charts = FakeCharts()
    made(
        "namespace: shop\nhelmCharts:\n  - {name: web, releaseName: mine, includeCRDs: true, skipTests: true,"
        " skipHooks: true, kubeVersion: '1.30', apiVersions: [a/v1], debug: true, devel: true}\n",
        charts,
    )
    asked = charts.asked[0]
    assert (asked.release, asked.namespace, asked.kube_version, asked.api_versions) == (
        "mine",
        "shop",
        "1.30",
        ("a/v1",),
    )
    assert (asked.include_crds, asked.skip_tests, asked.skip_hooks) == (True, True, True)
    assert [path for path, _ in asked.files] == ["Chart.yaml", "templates/a.yaml", "values.yaml"]


def test_objects_of_charts_keep_their_namespace() -> None:
    found = made(
        "namespace: shop\nresources: [more.yaml]\nhelmCharts: [{name: web}]\n",
        more={"more.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"},
    )
    assert [(item.id.kind, item.id.namespace) for item in found.resources] == [("ConfigMap", ""), ("Secret", "shop")]


def test_a_patch_keeps_the_template_and_the_value_that_it_replaced() -> None:
    patch = "patches:\n  - target: {kind: ConfigMap}\n    patch: '[{op: replace, path: /data/word, value: patched}]'\n"
    place = origin(made(INLINE + patch), "data", "word")
    assert place.by == "json6902"
    assert behind(place) == [("bye", "charts/web/templates/a.yaml:7"), ("bye", "kustomization.yaml:4")]


def test_what_helm_says_is_told_at_the_line_of_the_template() -> None:
    broken = TEMPLATE.replace("Values.word", "Values.word.deep")
    told = refused("helmCharts: [{name: web}]\n", more={"charts/web/templates/a.yaml": broken})
    assert told.startswith("charts/web/templates/a.yaml:3: ")
    assert "nil pointer" in told
    assert told.endswith("(rendered for kustomization.yaml:1)")


def test_output_that_is_no_yaml_is_told_with_its_line() -> None:
    told = refused(INLINE, FakeCharts(change=lambda _, output: output.replace("word: bye", "word: [bye")))
    assert told.startswith(
        "kustomization.yaml:2: helmCharts[0] web: web/templates/a.yaml renders to what is not valid YAML"
    )


def test_an_archive_is_used_as_its_pin_says() -> None:
    content = archive(*((f"far/{path.removeprefix('charts/web/')}", text.encode()) for path, text in CHART.items()))
    pinned = lock(content)
    charts = FakeCharts(archives={f"sha256:{hashlib.sha256(content).hexdigest()}": content})
    asked = "helmCharts: [{name: far, version: 1.0.0, repo: 'https://charts.example/'}]\n"
    found = made(asked, charts, more={"vendor.lock.yaml": pinned})
    assert str(origin(found, "data", "own")) == "https://charts.example/far-1.0.0/templates/a.yaml:10"
    assert "pinned by version and digest" in refused(asked, charts)
    assert "pinned by version and digest" in refused(asked, charts, more={"vendor.lock.yaml": lock(content, "1.0.1")})
    assert refused(asked, FakeCharts(), more={"vendor.lock.yaml": pinned}) == (
        "kustomization.yaml:1: helmCharts[0] far: the archive of https://charts.example/far 1.0.0: it is not in the cache"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (archive(("far/../../etc/passwd", b"")), "expected files in the directory far"),
        (archive(("/far/Chart.yaml", b"")), "expected files in the directory far"),
        (archive(("other/Chart.yaml", b"")), "expected files in the directory far"),
        (archive(("far/Chart.yaml", b""), link="/etc/passwd"), "expected files in the directory far"),
        (b"no archive", "the archive cannot be read"),
        (archive(("far/a", b"x" * 100))[:-30], "the archive cannot be read"),
        (archive(("far/values.yaml", b"")), "is no chart: it has no Chart.yaml"),
        (archive(("far/values.yaml", b""), ("far/Chart.yaml", b"a: b")), "is no chart: its Chart.yaml has no name"),
    ],
)
def test_an_archive_that_no_chart_should_be_is_refused(content: bytes, told: str) -> None:
    charts = FakeCharts(archives={f"sha256:{hashlib.sha256(content).hexdigest()}": content})
    asked = "helmCharts: [{name: far, version: 1.0.0, repo: 'https://charts.example'}]\n"
    assert told in refused(asked, charts, more={"vendor.lock.yaml": lock(content)})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("charts: {}\nother: 1", None),
        ("charts: x\n", "vendor.lock.yaml:1: charts has to be a list"),
        (
            "charts:\n  - {repo: a, name: b, version: c}\n",
            "vendor.lock.yaml:2: an entry of charts has the strings repo, ",
        ),
        ("charts:\n  - {repo: a, name: b, version: 1, digest: c}\n", "vendor.lock.yaml:2: an entry of charts has"),
        ("charts:\n  - {repo: a, name: b, version: c, digest: md5:1}\n", "vendor.lock.yaml:2: the digest is md5:1"),
    ],
)
def test_mistakes_in_the_lock_file_are_told(text: str, told: str | None) -> None:
    asked = "helmCharts: [{name: far, version: 1.0.0, repo: 'https://charts.example'}]\n"
    assert (told or "has to be pinned") in refused(asked, more={"vendor.lock.yaml": text})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("helmCharts: [{version: '1'}]\n", "kustomization.yaml:1: helmCharts[0]: a chart needs a name"),
        ("helmCharts: [{name: web, includeCRDs: 'yes'}]\n", "web: includeCRDs has to be true or false"),
        ("helmCharts: [{name: web, apiVersions: a}]\n", "web: apiVersions has to be a list of strings"),
        ("helmCharts: [{name: web, version: 1}]\n", "web: version has to be a string"),
        ("helmCharts: [{name: web, valuesInline: []}]\n", "web: valuesInline has to be a mapping"),
        ("helmCharts: [{name: ../../web}]\n", "web: charts leads out of the repository"),
        ("helmGlobals: {chartHome: /abs}\nhelmCharts: [{name: web}]\n", "web: /abs leads out of the repository"),
        ("helmGlobals: {home: x}\nhelmCharts: [{name: web}]\n", "helmGlobals knows chartHome and configHome"),
        ("helmChartInflationGenerator: [{name: web}]\n", "helmChartInflationGenerator[0] has an unknown key name"),
        ("helmCharts: [{name: web, valuesFile: no.yaml}]\n", "kustomization.yaml:1: there is no file no.yaml"),
        (
            "helmCharts: [{name: web, valuesFile: kustomization.yaml, additionalValuesFiles: [../x]}]\n",
            "../x is not in",
        ),
    ],
)
def test_mistakes_in_the_fields_are_told(text: str, told: str) -> None:
    assert told in refused(text)


def test_without_the_switch_nothing_is_rendered() -> None:
    with pytest.raises(RenderError, match=r"kustomization\.yaml:1: helmCharts: rendering Helm charts is not enabled"):
        build(Files({**CHART, "kustomization.yaml": "helmCharts: [{name: web}]\n"}), "")
    plugin = "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: web\n"
    files = {**CHART, "kustomization.yaml": "generators: [p.yaml]\n", "p.yaml": plugin}
    with pytest.raises(RenderError, match=r"HelmChartInflationGenerator web: rendering Helm charts is not enabled"):
        build(Files(files), "")
    assert build(Files({"kustomization.yaml": "helmCharts: []\n"}), "").resources == ()


CUSTOM = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Thing}}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: a}
---
apiVersion: example.com/v1
kind: Unknown
metadata: {name: a}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: a}
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {name: a}
---
apiVersion: v1
kind: Secret
metadata: {name: a, namespace: its-own}
"""


@pytest.mark.parametrize(
    ("kustomization", "space", "line"),
    [
        ("helmCharts:\n  - name: web\n    namespace: theirs\n", "theirs", "kustomization.yaml:3"),
        ("helmCharts:\n  - name: web\nnamespace: ours\n", "ours", "kustomization.yaml:3"),
    ],
)
def test_what_has_no_namespace_gets_that_of_its_release_where_it_is_applied(
    kustomization: str, space: str, line: str
) -> None:
    """As Helm does when it installs; only where the kind is sure to have one. Kustomize leaves it out."""
    files = {**CHART, "charts/web/templates/b.yaml": CUSTOM, "kustomization.yaml": kustomization}
    found = {item.id.kind: item for item in build(Files(files), "", charts=FakeCharts(), settled=True).resources}
    assert {kind: item.id.namespace for kind, item in found.items()} == {
        "ConfigMap": space,
        "Thing": space,
        "CustomResourceDefinition": "",
        "Unknown": "",
        "ClusterRole": "",
        "VolumeSnapshotClass": "",
        "Secret": "its-own",
    }
    assert str(origin_at(found["ConfigMap"].body, ("metadata", "namespace"))) == line
    plain = {item.id.kind: item.id.namespace for item in build(Files(files), "", charts=FakeCharts()).resources}
    assert (plain["ConfigMap"], plain["Secret"]) == ("", "its-own")
