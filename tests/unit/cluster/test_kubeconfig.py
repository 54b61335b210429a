"""Which kubeconfig, which context, and what is said where there is none."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cluster import credentials, kubeconfig
from reconciler.errors import ConfigError, Unauthorized

if TYPE_CHECKING:
    from pathlib import Path

ONE = """
current-context: dev
clusters:
  - {name: dev, cluster: {server: "http://dev/", certificate-authority: ca.pem}}
users:
  - {name: dev, user: {token: secret}}
contexts:
  - {name: dev, context: {cluster: dev, user: dev}}
  - {name: broken, context: {cluster: gone}}
  - {name: nobody, context: {cluster: dev, user: gone}}
"""
TWO = """
current-context: prod
clusters: [{name: dev, cluster: {server: "http://other"}}, {name: prod, cluster: {server: "http://prod"}}]
users: [{name: prod, user: {username: u, password: p}}, {name: file, user: {tokenFile: token.txt}}]
contexts:
  - {name: prod, context: {cluster: prod, user: prod}}
  - {name: file, context: {cluster: prod, user: file}}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return two kubeconfigs."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(ONE)
    two.write_text(TWO)
    return one, two


def test_a_given_file_wins_over_the_variable(files: tuple[Path, Path]) -> None:
    one, two = files
    assert kubeconfig.load(str(one), None, {"KUBECONFIG": str(two)}).name == "dev"
    assert kubeconfig.load(None, None, {"KUBECONFIG": str(two)}).name == "prod"


def test_the_first_file_wins_in_a_merge(files: tuple[Path, Path]) -> None:
    environ = {"KUBECONFIG": f"{files[0]}:{files[1]}:/nowhere"}
    dev = kubeconfig.load(None, None, environ)
    assert (dev.name, dev.cluster["server"]) == ("dev", "http://dev/")
    assert kubeconfig.load(None, "prod", environ).user == {"username": "u", "password": "p"}


def test_paths_are_relative_to_their_file(files: tuple[Path, Path]) -> None:
    assert kubeconfig.load(str(files[0]), None).cluster["certificate-authority"] == str(files[0].parent / "ca.pem")


@pytest.mark.parametrize(
    ("text", "context", "message"),
    [
        (ONE, "staging", "no context staging in .*: its contexts are broken, dev, nobody"),
        (ONE, "broken", "names cluster gone, which has no entry with a server"),
        (ONE, "nobody", "names user gone, which has no entry"),
        ("{}", None, "no current context"),
        ("- a", None, "is not a mapping"),
        ("a: [", None, ":[12]: not valid YAML"),
        ("clusters: [{cluster: {}}]", None, "every entry of clusters needs a name"),
    ],
)
def test_errors_say_what_is_missing(tmp_path: Path, text: str, context: str | None, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        kubeconfig.load(str(path), context)


@pytest.mark.parametrize(
    ("given", "environ", "message"),
    [
        ("/nowhere/config", {}, "looked for /nowhere/config"),
        (None, {"KUBECONFIG": "/nowhere/a:/nowhere/b"}, r"/nowhere/a, /nowhere/b \(KUBECONFIG\)"),
    ],
)
def test_no_file_at_all_names_where_was_looked(given: str | None, environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kubeconfig.load(given, None, environ)


async def test_tokens_and_passwords_become_headers(files: tuple[Path, Path]) -> None:
    access = await credentials.of_context(kubeconfig.load(str(files[0]), "dev"))
    assert (access.server, await access.authorize(False)) == ("http://dev", "Bearer secret")
    access = await credentials.of_context(kubeconfig.load(str(files[1]), "prod"))
    assert await access.authorize(False) == "Basic dTpw"


async def test_the_proxy_comes_from_the_context_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv("no_proxy", "inside")

    async def proxy(**cluster: str) -> str | None:
        return (await credentials.of_context(kubeconfig.Context("c", "c", cluster, {}))).proxy

    assert await proxy(server="http://outside:6443") == "http://proxy:1"
    assert await proxy(server="http://inside:6443") is None
    monkeypatch.setenv("http_proxy", "proxy:1")
    assert await proxy(server="http://outside:6443") == "http://proxy:1"
    assert await proxy(**{"server": "http://inside", "proxy-url": "http://own"}) == "http://own"


@pytest.mark.parametrize(
    "url", ["foo://x", "socks5://x:1080", "proxy:3128", "http://", "http://x:99999", "http://[::1"]
)
async def test_a_proxy_that_cannot_be_used_is_named(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text(ONE.replace('server: "http://dev/"', f'server: "http://dev/", proxy-url: "{url}"'))
    with pytest.raises(ConfigError) as caught:
        kubeconfig.load(str(path), "dev")
    assert str(caught.value).startswith(f"{path}: proxy-url of cluster dev is {url}: expected http://HOST:PORT")
    if "://" not in url:
        return  # which the environment may leave out
    monkeypatch.setenv("http_proxy", url)
    with pytest.raises(ConfigError, match="the environment's proxy for http is "):
        await credentials.of_context(kubeconfig.Context("c", "c", {"server": "http://dev"}, {}))


def test_the_password_of_a_proxy_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(ONE.replace('server: "http://dev/"', 'server: "http://dev/", proxy-url: "socks5://ada:secret@x:1"'))
    with pytest.raises(ConfigError, match=r"dev is socks5://…@x:1: "):
        kubeconfig.load(str(path), "dev")


async def test_a_token_file_is_read_anew_when_refused(files: tuple[Path, Path]) -> None:
    token = files[1].with_name("token.txt")
    token.write_text("first\n")
    access = await credentials.of_context(kubeconfig.load(str(files[1]), "file"))
    assert await access.authorize(False) == "Bearer first"
    token.write_text("second\n")
    assert await access.authorize(False) == "Bearer first"
    assert await access.authorize(True) == "Bearer second"


def plugged(folder: Path, expires: str = "") -> kubeconfig.Context:
    """Return a context whose exec plugin numbers its tokens."""
    plugin, counter = folder / "plugin", folder / "count"
    expiry = f', "expirationTimestamp": "{expires}"' if expires else ""
    head = '"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"'
    lines = [f"echo x >> {counter}", f"n=$(wc -l < {counter} | tr -d ' ')"]
    lines.append(f'echo \'{{{head}, "status": {{"token": "\'$n\'"{expiry}}}}}\'')
    plugin.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}}
    return kubeconfig.Context("c", "c", {"server": "http://x"}, user)


async def test_an_exec_plugin_is_asked_once_and_again_when_refused(tmp_path: Path) -> None:
    access = await credentials.of_context(plugged(tmp_path))
    answers = [await access.authorize(refresh) for refresh in (False, False, True, False)]
    assert answers == ["Bearer 1", "Bearer 1", "Bearer 2", "Bearer 2"]


async def test_an_exec_plugin_is_asked_again_before_its_credential_expires(tmp_path: Path) -> None:
    access = await credentials.of_context(plugged(tmp_path, "2020-01-01T00:00:00Z"))
    assert await access.authorize(False) == "Bearer 2"


BETA = "client.authentication.k8s.io/v1beta1"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["echo 'log in first: é' >&2", "echo >&2", "echo '  (see the wiki)' >&2", "exit 3"], "gave no credentials: it ended with 3: log in first: é; (see the wiki)"),
        (["exit 1"], "gave no credentials: it ended with 1: without a word"),
        (["echo hello"], "wrote no ExecCredential to stdout"),
        (["echo '[]'"], "wrote no ExecCredential to stdout"),
        ([f"""echo '{{"apiVersion": "{BETA}", "status": {{"token": "x"}}}}'"""], f"answered as {BETA}, and the kubeconfig says client.authentication.k8s.io/v1"),
        (["""echo '{"apiVersion": "client.authentication.k8s.io/v1", "status": {}}'"""], "answered with neither a token nor a certificate and key"),
    ],
)  # fmt: skip
async def test_an_exec_plugin_that_gives_nothing_is_a_login_that_failed(
    tmp_path: Path, lines: list[str], told: str
) -> None:
    context = plugged(tmp_path)
    (tmp_path / "plugin").write_text("\n".join(["#!/bin/sh", *lines, ""]))
    with pytest.raises(Unauthorized, match=f"^context c: {re.escape(f'{tmp_path}/plugin {told}')}$"):
        await credentials.of_context(context)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            {"apiVersion": BETA, "command": "/nowhere/plugin"},
            "/nowhere/plugin cannot be run: No such file or directory",
        ),
        ({"command": "plugin"}, "exec of its user needs a command and an apiVersion"),
        ({"apiVersion": BETA, "command": "true", "env": [{"name": "A"}]}, "true: every entry of its env needs a name"),
    ],
)
async def test_an_exec_plugin_that_is_none_is_a_wrong_kubeconfig(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=f"context c: {told}"):
        await credentials.of_context(kubeconfig.Context("c", "c", {"server": "http://x"}, {"exec": entry}))


async def test_an_exec_plugin_gets_its_arguments_and_its_environment(tmp_path: Path) -> None:
    context = plugged(tmp_path)
    head = '"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"'
    script = f"""#!/bin/sh\necho "{{{head.replace('"', chr(92) + '"')}, \\"status\\": {{\\"token\\": \\"$1-$PLACE\\"}}}}"\n"""
    (tmp_path / "plugin").write_text(script)
    context.user["exec"] |= {"args": [1], "env": [{"name": "PLACE", "value": "b"}]}
    access = await credentials.of_context(context)
    assert await access.authorize(False) == "Bearer 1-b"


async def test_an_exec_plugin_is_told_of_its_cluster_where_it_asks(tmp_path: Path) -> None:
    """As GKE's does; paths of the kubeconfig are read, and names of other things are not passed on."""
    context = plugged(tmp_path)
    (tmp_path / "ca").write_text("CA")
    script = (
        (tmp_path / "plugin")
        .read_text()
        .replace("#!/bin/sh", f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" > {tmp_path}/asked')
    )
    (tmp_path / "plugin").write_text(script)
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    context.cluster.update({"certificate-authority": str(tmp_path / "ca"), "extensions": [extension]})
    await credentials.of_context(context)
    assert json.loads((tmp_path / "asked").read_text())["spec"] == {"interactive": False}
    context.user["exec"]["provideClusterInfo"] = True
    await credentials.of_context(context)
    assert json.loads((tmp_path / "asked").read_text())["spec"]["cluster"] == {
        "server": "http://x",
        "certificate-authority-data": base64.b64encode(b"CA").decode(),
        "config": {"audience": "a"},
    }


async def test_an_exec_plugin_that_has_to_ask_somebody_needs_a_terminal(tmp_path: Path) -> None:
    context = plugged(tmp_path)
    context.user["exec"]["interactiveMode"] = "Always"
    with pytest.raises(Unauthorized, match=r"has to ask somebody .interactiveMode: Always., and stdin is no terminal"):
        await credentials.of_context(context)


async def test_an_exec_plugin_is_looked_for_beside_the_kubeconfig_and_its_hint_is_told(tmp_path: Path) -> None:
    text = ONE.replace(
        "user: {", 'user: {exec: {apiVersion: v, command: ./bin/plugin, installHint: "get it from there"}, '
    )
    assert text != ONE
    (tmp_path / "config").write_text(text)
    context = kubeconfig.load(str(tmp_path / "config"), "dev")
    with pytest.raises(
        ConfigError, match=f"{tmp_path}/bin/plugin cannot be run: No such file or directory; get it from there"
    ):
        await credentials.of_context(context)


async def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    for cluster in ({"certificate-authority-data": "!"}, {"certificate-authority": str(tmp_path / "no")}):
        context = kubeconfig.Context("c", "c", {"server": "https://x", **cluster}, {})
        with pytest.raises(ConfigError, match="context c: "):
            await credentials.of_context(context)


def id_token(expires: datetime) -> str:
    """Return a token without a signature, which is the API server's to look at."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(expires.timestamp())}).encode()).decode().rstrip("=")
    return f"e30.{claims}.x"


def oidc(token: str) -> kubeconfig.Context:
    settings = {"idp-issuer-url": "https://login.example.com", "client-id": "a", "client-secret": "b"}
    provider = {"name": "oidc", "config": {**settings, "id-token": token, "refresh-token": "once"}}
    return kubeconfig.Context("dev", "dev", {"server": "http://dev"}, {"auth-provider": provider})


@pytest.mark.parametrize("left", [timedelta(seconds=20), timedelta(hours=1)])
async def test_an_oidc_token_is_used_while_it_lasts(left: timedelta) -> None:
    token = id_token(datetime.now(UTC) + left)
    access = await credentials.of_context(oidc(token))
    assert await access.authorize(False) == f"Bearer {token}"


async def test_an_oidc_token_is_never_renewed_behind_kubectls_back() -> None:
    """A refresh token that was used is void, and the kubeconfig that holds it is not ours to write."""
    with pytest.raises(ConfigError, match=r"context dev: .* has expired: let kubectl renew it"):
        await credentials.of_context(oidc(id_token(datetime.now(UTC) - timedelta(hours=1))))


async def test_an_oidc_token_that_kubectl_has_renewed_is_taken_up() -> None:
    old, new = (id_token(datetime.now(UTC) + timedelta(minutes=minutes)) for minutes in (1, 60))
    access = await credentials.of_context(oidc(old), lambda: oidc(new))
    assert [await access.authorize(refresh) for refresh in (False, True, False)] == [
        f"Bearer {old}",
        f"Bearer {new}",
        f"Bearer {new}",
    ]


@pytest.mark.parametrize(
    ("token", "told"), [("", "has no id-token"), ("x", "no JSON Web Token"), ("a.!!.c", "no JSON Web Token")]
)
async def test_an_oidc_token_that_is_none_is_told(token: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"context dev: .* {told}"):
        await credentials.of_context(oidc(token))


async def test_compression_is_left_out_where_the_cluster_says_so() -> None:
    """`disable-compression`, as kubectl knows it."""
    user = {"token": "secret"}
    for cluster, compressed in (({}, True), ({"disable-compression": True}, False)):
        context = kubeconfig.Context("dev", "dev", {"server": "http://dev", **cluster}, user)
        assert (await credentials.of_context(context)).compressed is compressed
