"""Remote bases as users meet them: real git over HTTP, the command line, one repository that names others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.agent.run import rendered
from reconciler.cli import main
from reconciler.errors import SourceError
from reconciler.model.remote import parse
from reconciler.source.clones import Clones
from reconciler.source.mirror import Mirror, Remote
from tests.integration.gitserver import GitServer, Upstream, git, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENVIRONMENT = """\
apiVersion: reconciler.dev/v1alpha1
kind: Environment
metadata: {{name: dev}}
spec:
  cluster: {{sandbox: true}}
  components:
    - {{name: web, path: web}}
  render:
    remotes: [{hosts}]
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: shop}}
data:
  value: {value}
"""
LOCK = "vendor.lock.yaml"
SECTIONS = "charts:\n- digest: sha256:00\n  name: x\n"


@dataclass(slots=True)
class Here:
    """The repository of a user, who calls the command line."""

    root: Path
    server: GitServer
    capsys: pytest.CaptureFixture[str]

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def names(self, *entries: str, hosts: str | None = None) -> None:
        """Let the environment dev name remote bases."""
        allowed = f'"{self.server.host}"' if hosts is None else hosts
        listed = "".join(f'- "{entry}"\n' for entry in entries)
        self.write(
            {
                "environments/dev/environment.yaml": ENVIRONMENT.format(hosts=allowed),
                "environments/dev/web/kustomization.yaml": f"resources:\n{listed}",
            }
        )

    def commit(self) -> str:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "-m", "Change")
        return git(self.root, "rev-parse", "HEAD")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return the exit code and what is written to stdout and stderr."""
        code = main.main(["--repo", str(self.root), *arguments])
        out, err = self.capsys.readouterr()
        return code, out, err

    def document(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Return what a command says as JSON."""
        ended, out, err = self.run(*arguments, "-o", "json")
        assert ended == code, err
        found: dict[str, Any] = json.loads(out)
        return found

    @property
    def cache(self) -> Path:
        return self.root.parent / "cache" / "bases"

    @property
    def lock(self) -> str:
        return (self.root / LOCK).read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    root = tmp_path / "served"
    root.mkdir()
    with serving(root) as running:
        yield running


@pytest.fixture
def upstream(server: GitServer) -> Upstream:
    """Return a repository with a base in `base`, tagged v1."""
    made = server.repository("org/repo")
    made.commit({"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": config("a", "one")}, tag="v1")
    return made


@pytest.fixture
def here(
    tmp_path: Path, server: GitServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Here:
    monkeypatch.setenv("RECONCILER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    root = tmp_path / "mine"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return Here(root, server, capsys)


def config(name: str, value: str) -> str:
    """Return a ConfigMap."""
    return CONFIG.format(name=name, value=value)


def test_a_tag_is_pinned_once_and_rendered_from_the_cache(here: Here, upstream: Upstream, server: GitServer) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    code, out, _ = here.run("vendor")
    pin = git(upstream.root, "rev-parse", "HEAD")
    assert code == 0
    assert out == (
        f"+ {upstream.url} at v1: {pin}  (environments/dev/web/kustomization.yaml:2)\n{LOCK}: 1 pinned, written\n"
    )
    assert here.lock == (
        "# Written by `reconciler vendor`; --update resolves branches and tags anew.\n"
        f"bases:\n- commit: {pin}\n  ref: v1\n  url: {upstream.url}\n"
    )
    server.requests.clear()
    code, out, _ = here.run("render", "dev")
    assert (code, out) == (
        0,
        "apiVersion: v1\ndata:\n  value: one\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: shop\n",
    )
    assert here.run("vendor", "--check")[0] == 0
    assert server.requests == [], "what is in the cache is asked of nobody"


def test_a_moved_tag_changes_nothing_until_it_is_updated(here: Here, upstream: Upstream, server: GitServer) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    here.run("vendor")
    first = here.lock
    second = upstream.commit({"base/a.yaml": config("a", "two")}, tag="v1")
    shutil.rmtree(here.cache)
    code, out, _ = here.run("render", "dev")
    assert code == 0
    assert "value: one" in out, "also fetched anew: the old commit is on the branch still"
    assert here.run("vendor")[0] == 0
    assert here.lock == first
    made = here.document("vendor", "--check", "--update", code=2)
    assert [(item["change"], item["commit"]) for item in made["bases"]] == [("updated", second)]
    assert (made["stale"], made["written"]) == (True, False)
    assert here.lock == first
    assert here.document("vendor", "--update")["written"] is True
    assert "value: two" in here.run("render", "dev")[1]


def test_branches_the_default_branch_and_full_commits(here: Here, upstream: Upstream) -> None:
    """A branch is told from a tag that ends like it, HEAD is what the server says, a commit needs no lock file."""
    first = git(upstream.root, "rev-parse", "HEAD")
    git(upstream.root, "checkout", "-q", "-b", "team/v1")
    second = upstream.commit({"base/a.yaml": config("a", "two")})
    here.names(f"{upstream.url}/base?ref=team/v1")
    here.run("vendor")
    assert f"commit: {second}" in here.lock
    here.names(f"{upstream.url}/base?ref=v1", f"{upstream.url}/base")
    made = here.document("vendor")
    assert {(item["ref"], item["change"]): item["commit"] for item in made["bases"]} == {
        ("HEAD", "added"): second,
        ("team/v1", "removed"): None,
        ("v1", "added"): first,
    }
    here.names(f"{upstream.url}/base?ref={first}")
    assert "value: one" in here.run("render", "dev")[1]
    assert here.document("vendor")["stale"] is True
    assert not (here.root / LOCK).exists(), "nothing is left to pin"


def test_without_a_pin_or_a_host_on_the_list_nothing_is_asked(here: Here, upstream: Upstream) -> None:
    entry = f"{upstream.url}/base?ref=v1"
    where = f"environments/dev/web/kustomization.yaml:2: resources[0]: remote base {upstream.url} at v1:"
    here.names(entry, hosts="")
    for command in (("render", "dev"), ("vendor",)):
        code, _, err = here.run(*command)
        assert code == 2
        assert f"{where} the host {here.server.host} is not allowed (name the host under spec.render.remotes" in err
    here.names(entry, hosts="example.com")
    assert here.run("vendor")[0] == 2
    here.names(entry)
    code, _, err = here.run("render", "dev")
    assert code == 2
    assert f"{where} vendor.lock.yaml does not say which commit that is (run `reconciler vendor`" in err
    assert here.server.requests == []
    assert not (here.root / LOCK).exists()


def test_a_list_of_hosts_takes_hosts_only(here: Here, upstream: Upstream) -> None:
    here.names(f"{upstream.url}/base", hosts='"https://github.com"')
    code, _, err = here.run("vendor")
    assert code == 2
    assert "environment.yaml:9: spec.render.remotes[0] is 'https://github.com' (expected a host's name" in err


def test_nested_bases_are_found_pinned_and_told_by_origin(here: Here, upstream: Upstream, server: GitServer) -> None:
    """Their files say where they come from; the lock file names them as if the repository did."""
    other = server.repository("team/other")
    other.commit({"kustomization.yaml": f"resources: ['{upstream.url}//base?ref=v1']\nnamePrefix: other-\n"}, tag="v2")
    here.names(f"{other.url}.git?ref=v2")
    other.root.rename(other.root.with_name("other.git"))
    made = here.document("vendor")
    assert [(item["url"], item["ref"]) for item in made["bases"]] == [(upstream.url, "v1"), (other.url, "v2")]
    pin = git(upstream.root, "rev-parse", "HEAD")
    (found,) = json.loads(here.run("render", "dev", "--origins", "-o", "json")[1])
    assert found["object"]["metadata"]["name"] == "other-a"
    places = found["origins"]
    assert places["data.value"]["file"] == f"{upstream.url}@{pin[:12]}/base/a.yaml"
    assert places["data.value"]["layer"] == f"{upstream.url}@{pin[:12]}/base"
    assert places["metadata.name"]["file"].startswith(f"{other.url}@")
    code, out, _ = here.run("blame", "dev", "ConfigMap/other-a", "-n", "shop")
    assert code == 0
    assert f"{upstream.url}@{pin[:12]}/base/a.yaml:5" in out
    assert "of another repository, at the commit after the @" in out
    assert "not committed" not in out


def test_a_circle_of_repositories_is_an_error(here: Here, server: GitServer) -> None:
    one, two = server.repository("org/one"), server.repository("org/two")
    one.commit({"kustomization.yaml": f"resources: ['{two.url}']\n"})
    two.commit({"kustomization.yaml": f"resources: ['{one.url}']\n"})
    here.names(one.url)
    assert here.run("vendor")[0] == 0
    code, _, err = here.run("render", "dev")
    assert code == 2
    assert "the directories include each other in a circle: " in err
    assert err.count(f"{one.url}@") >= 2


def test_a_base_keeps_to_its_repository(here: Here, upstream: Upstream) -> None:
    """Neither paths nor links lead out of it, to the files of whoever names it or of this machine."""
    (here.root / "secret.yaml").write_text(config("secret", "canary"))
    outside = here.root / "secret.yaml"
    upstream.commit(
        {
            "paths/kustomization.yaml": "resources: [../../../../secret.yaml]\n",
            "links/kustomization.yaml": "resources: [link.yaml]\n",
            "links/link.yaml": outside,
            "files/kustomization.yaml": "configMapGenerator: [{name: x, files: [../base/a.yaml]}]\n",
            "whole/kustomization.yaml": "resources: [link]\n",
            "whole/link": Path("../../.."),
        }
    )
    for directory, expected in {
        "paths": "paths/kustomization.yaml:1: resources[0]: ../../../../secret.yaml leads out of the repository",
        "links": "leads out of the repository (links must stay within it)",
        "whole": "leads out of the repository (links must stay within it)",
        "files": "../base/a.yaml is not in or below http://",
        "none": "it has no directory none",
    }.items():
        here.names(f"{upstream.url}/{directory}")
        here.run("vendor", "--update")
        code, out, err = here.run("build", "environments/dev/web", "--allow-remote", here.server.host)
        assert code == 2, directory
        assert expected in err
        assert "canary" not in out + err


def test_a_server_that_is_not_there_is_told_and_nothing_is_written(here: Here, upstream: Upstream) -> None:
    here.names(
        f"{upstream.url}/base?ref=v1", "http://127.0.0.1:1/org/repo", hosts=f'"{here.server.host}", "127.0.0.1:1"'
    )
    code, _, err = here.run("vendor")
    assert code == 1
    assert "kustomization.yaml:3: remote base http://127.0.0.1:1/org/repo at HEAD: " in err
    assert "cannot be asked what HEAD is: " in err
    assert not (here.root / LOCK).exists()


def test_what_is_not_there_is_told(here: Here, upstream: Upstream, server: GitServer) -> None:
    here.names(f"{upstream.url}/base?ref=v9")
    code, _, err = here.run("vendor")
    assert code == 1
    assert f"{upstream.url} has no branch or tag v9; a commit has to be given in full, with 40 digits" in err
    missing = "0123456789abcdef0123456789abcdef01234567"
    here.names(f"{upstream.url}/base?ref={missing}")
    code, _, err = here.run("render", "dev")
    assert code == 1
    assert f"{upstream.url} has no commit {missing}, or it is on no branch or tag (any more)" in err
    server.remove(upstream)
    here.names(f"{upstream.url}/base")
    code, _, err = here.run("vendor")
    assert code == 1
    assert "not found" in err


def test_a_credential_is_in_no_message_and_not_in_the_lock_file(here: Here, upstream: Upstream) -> None:
    here.server.token = "canary-token"
    with_user = upstream.url.replace("http://", "http://ghp_canary@")
    here.names(f"{with_user}/base?ref=v1")
    code, out, err = here.run("vendor")
    assert code == 1
    assert "canary" not in out + err
    here.names(f"{upstream.url.replace('http://', 'http://me:canary@')}/base?ref=v1")
    code, out, err = here.run("vendor")
    assert code == 2
    assert "it holds a password, which others can see" in err
    assert "canary" not in out + err
    here.server.token = ""
    here.names(f"{with_user}/base?ref=v1")
    assert here.run("vendor")[0] == 0
    assert "canary" not in here.lock


def test_an_old_server_gives_everything_where_it_gives_no_single_commit(here: Here, upstream: Upstream) -> None:
    """Before version 2 of the protocol, only tips could be asked for."""
    here.server.protocol = 0
    first = git(upstream.root, "rev-parse", "HEAD")
    upstream.commit({"base/a.yaml": config("a", "two")}, tag="v1")
    here.names(f"{upstream.url}/base?ref={first}")
    code, out, err = here.run("render", "dev")
    assert code == 0, err
    assert "value: one" in out
    assert not list(here.cache.rglob("shallow"))
    here.server.protocol = 2
    here.names(f"{upstream.url}/base?ref=v1")
    here.run("vendor")
    assert list(here.cache.rglob("shallow")), "a newer one gives the commit alone"


def test_a_fetch_that_takes_too_long_is_given_up_and_leaves_nothing(here: Here, upstream: Upstream) -> None:
    here.server.stalled = threading.Event()
    entry = f"{upstream.url}/base?ref={git(upstream.root, 'rev-parse', 'HEAD')}&timeout=1"
    here.names(entry)
    code, _, err = here.run("render", "dev")
    assert code == 1
    assert f"{upstream.url}: git fetch was given up after 1 s" in err
    here.server.stalled.set()
    here.server.stalled = None
    assert here.run("render", "dev")[0] == 0
    assert not list(here.cache.rglob("*.new"))


def test_what_a_killed_fetch_left_is_swept_away(here: Here, upstream: Upstream) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    here.run("vendor")
    (whole,) = here.cache.glob("*/*.git")
    whole.rename(whole.with_suffix(".new"))
    (whole.with_suffix(".new") / "shallow.lock").touch()
    assert here.run("render", "dev")[0] == 0
    assert [path.name for path in whole.parent.iterdir() if path.name != "lock"] == [whole.name]


def test_a_damaged_cache_says_what_to_remove(here: Here, upstream: Upstream) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    here.run("vendor")
    (whole,) = here.cache.glob("*/*.git")
    for pack in (whole / "objects" / "pack").glob("*"):
        pack.unlink()
    code, _, err = here.run("render", "dev")
    assert code == 2
    assert f"{whole} is damaged: remove it, and it is fetched again" in err
    shutil.rmtree(whole)
    assert here.run("render", "dev")[0] == 0


def test_two_processes_fetch_the_same_once(here: Here, upstream: Upstream, server: GitServer) -> None:
    here.names(f"{upstream.url}/base?ref={git(upstream.root, 'rev-parse', 'HEAD')}")
    command = (sys.executable, "-m", "reconciler.cli.main", "--repo", str(here.root), "render", "dev")
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    outputs = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(outputs) == 1
    assert sum("git-upload-pack" in path and "service=" in path for path in server.requests) == 1


def test_other_sections_of_the_lock_file_stay(here: Here, upstream: Upstream) -> None:
    (here.root / LOCK).write_text(SECTIONS)
    here.names(f"{upstream.url}/base?ref=v1")
    assert here.run("vendor")[0] == 0
    assert here.lock.endswith(SECTIONS)
    assert "bases:\n- commit: " in here.lock
    here.names()
    here.run("vendor")
    assert here.lock.endswith(SECTIONS)
    assert "bases" not in here.lock


def test_a_stale_lock_file_is_told_by_check(here: Here, upstream: Upstream) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    code, out, _ = here.run("vendor", "--check")
    assert code == 2
    assert out.endswith(f"{LOCK}: 1 pinned, not up to date: run `reconciler vendor`\n")
    assert not (here.root / LOCK).exists()
    here.run("vendor")
    revision = here.commit()
    here.names()
    assert here.run("vendor", "--check")[0] == 2, "it names what nobody uses"
    git(here.root, "checkout", "-q", ".")
    code, _, err = here.run("--revision", revision, "vendor")
    assert code == 2
    assert "a commit cannot be written to" in err
    assert here.run("--revision", revision, "vendor", "--check")[0] == 0


def test_a_directory_allows_hosts_by_option_and_keeps_the_pins_of_others(here: Here, upstream: Upstream) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    here.run("vendor")
    here.write({"try/kustomization.yaml": f"resources: ['{upstream.url}//base?ref=main']\n"})
    assert here.run("vendor", "try")[0] == 2
    made = here.document("vendor", "try", "--allow-remote", here.server.host)
    assert [(item["ref"], item["change"]) for item in made["bases"]] == [("main", "added"), ("v1", "unchanged")]
    assert here.run("build", "try")[0] == 2
    assert "value: one" in here.run("build", "try", "--allow-remote", here.server.host)[1]
    code, _, err = here.run("vendor", "elsewhere")
    assert code == 2
    assert "elsewhere is neither an environment nor a directory of this repository" in err


def test_a_lock_file_that_was_spoilt_says_where(here: Here, upstream: Upstream) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    (here.root / LOCK).write_text(f"bases:\n- url: {upstream.url}\n  ref: v1\n  commit: v1\n")
    code, _, err = here.run("render", "dev")
    assert code == 2
    assert f"{LOCK}:4: 'v1' is no commit: expected 40 digits from 0 to f (mend it by hand, or remove it" in err


def test_a_preview_uses_the_cache_alone(here: Here, upstream: Upstream, server: GitServer) -> None:
    """A pin that moves is a change; what is not in the cache is told in the preview and not fetched."""
    here.names(f"{upstream.url}/base?ref=v1")
    here.run("vendor")
    base = here.commit()
    upstream.commit({"base/a.yaml": config("a", "two")}, tag="v1")
    here.run("vendor", "--update")
    head = here.commit()
    server.requests.clear()
    command = ("preview", "--base", base, "--head", head)
    (change,) = here.document(*command)["changes"]
    assert [(item["old"], item["new"]) for item in change["fields"]] == [("one", "two")]
    shutil.rmtree(here.cache)
    code, out, _ = here.run(*command, "-o", "markdown")
    assert code == 2
    assert "is not in the cache, and nothing is fetched now" in out
    assert "reconciler vendor" in out
    assert server.requests == []


def test_allowing_a_host_is_a_change_of_what_it_makes_possible(here: Here, upstream: Upstream) -> None:
    here.names(f"{upstream.url}/base?ref=v1")
    here.run("vendor")
    here.names(f"{upstream.url}/base?ref=v1", hosts="")
    base = here.commit()
    here.names(f"{upstream.url}/base?ref=v1")
    head = here.commit()
    made = here.document("preview", "--base", base, "--head", head)
    assert [item["action"] for item in made["changes"]] == ["create"]


def test_an_agent_reaches_bases_beside_its_repository_with_its_token(
    here: Here, upstream: Upstream, server: GitServer, tmp_path: Path
) -> None:
    """Its token goes to its own server alone; a base elsewhere is asked for without."""
    mine = server.repository("org/platform")
    mine.commit(
        {
            "environments/dev/environment.yaml": ENVIRONMENT.format(hosts=f'"{server.host}"'),
            "environments/dev/web/kustomization.yaml": f"resources: ['{upstream.url}//base?ref=v1']\n",
            LOCK: f"bases: [{{url: '{upstream.url}', ref: v1, commit: {git(upstream.root, 'rev-parse', 'HEAD')}}}]\n",
        }
    )
    server.token = "canary-token"
    remote = Remote(mine.url, "main", server.token)
    with closing(Mirror.open(remote, tmp_path / "mirror")) as mirror:
        revision = mirror.fetch()
        with pytest.raises(SourceError, match=r"cannot be fetched: .*is the token or the key right"):
            rendered(mirror, revision, "dev", Clones(tmp_path / "none"))
        assert rendered(mirror, revision, "dev", Clones(tmp_path / "bases", remote))
        server.requests.clear()
        assert rendered(mirror, revision, "dev", Clones(tmp_path / "bases", remote))
    assert server.requests == []
    assert "canary" not in "".join(path.read_text() for path in (tmp_path / "bases").rglob("config"))
    (tmp_path / "elsewhere").mkdir()
    with serving(tmp_path / "elsewhere") as other:
        other.token = server.token
        spec = parse(f"{other.repository('org/repo').url}?ref=main")
        with pytest.raises(SourceError, match="is the token or the key right"):
            Clones(tmp_path / "bases", remote).resolve(spec)


@pytest.mark.cluster
@pytest.mark.parametrize("metadata", ["[]", "[originAnnotations, transformerAnnotations]"])
def test_the_output_is_that_of_kubectl(
    here: Here, upstream: Upstream, kubectl: Callable[..., str], metadata: str
) -> None:
    other = here.server.repository("team/other.git")
    other.commit(
        {
            "a/kustomization.yaml": f"resources: ['{upstream.url}//base?ref=v1', ../b]\nnamePrefix: other-\n"
            "configMapGenerator: [{name: made, literals: [x=y]}]\n",
            "b/kustomization.yaml": "resources: [b.yaml]\ncommonLabels: {team: other}\n",
            "b/b.yaml": config("b", "two"),
        }
    )
    here.names(f"{other.url}/a?ref=main", f"{upstream.url}/base?ref=v1&timeout=20s")
    directory = here.root / "environments/dev/web"
    with (directory / "kustomization.yaml").open("a") as file:
        file.write(f"namespace: shop\ncommonLabels: {{app: x}}\nbuildMetadata: {metadata}\n")
    assert here.run("vendor")[0] == 0
    code, out, _ = here.run("build", str(directory), "--allow-remote", here.server.host)
    assert code == 0
    assert out == kubectl("kustomize", str(directory))
