"""The agent's HTTP server: `/healthz`, `/readyz`, `/metrics`, and `POST /webhook` for pushes of GitHub, GitLab and Gitea."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.errors import BadDelivery, BadSignature, ConfigError
from reconciler.forge.signatures import Push, delivery
from reconciler.https import aiohttp  # noqa: F401 - before aiohttp.web, which loads it in its own way
from reconciler.telemetry import logger

# isort: split
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LIMIT: Final = 5 << 20  # bytes of a delivery; nothing of it but the branch is of interest
READ_SECONDS: Final = 30.0  # that a delivery may take to come in
CLOSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Site:
    """What the server shows and where it hands on what it is told.

    `unready` returns why the agent is not ready, "" where it is. `on_push` is given the branch of a push and says
    whether it is the one that is followed. `count` is told what each delivery was.
    """

    metrics: Callable[[], bytes]
    metrics_type: str
    unready: Callable[[], str]
    on_push: Callable[[str], bool]
    count: Callable[[str], None]
    secret: str = field(default="", repr=False)


@asynccontextmanager
async def served(site: Site, host: str, port: int) -> AsyncIterator[int]:
    """Serve until left; gives the port. Raises ConfigError where the address cannot be listened on."""
    runner = web.AppRunner(application(site), access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, host, port)
        try:
            await listener.start()
        except OSError as error:
            raise ConfigError(
                f"{host}:{port} cannot be listened on: {error.strerror}: choose another --listen"
            ) from error
        addresses = runner.addresses
        yield int(addresses[0][1])
    finally:
        await runner.cleanup()


def application(site: Site) -> web.Application:
    """Return the server's routes."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = site.unready()
        return web.Response(text=f"{reason}\n", status=503) if reason else web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=site.metrics(), headers={"Content-Type": site.metrics_type})

    async def webhook(request: web.Request) -> web.Response:
        return await _webhook(site, request)

    made = web.Application(client_max_size=LIMIT)
    made.router.add_get("/healthz", healthz)
    made.router.add_get("/readyz", readyz)
    made.router.add_get("/metrics", metrics)
    made.router.add_post("/webhook", webhook)
    return made


async def _webhook(site: Site, request: web.Request) -> web.Response:
    try:
        if not site.secret:
            raise web.HTTPForbidden(text="no webhook secret is set: start the agent with RECONCILER_WEBHOOK_SECRET")
        told = delivery(request.headers, await _body(request), site.secret)
    except web.HTTPException as refusal:
        site.count("refused")
        return _told(refusal.status, refusal.text or refusal.reason)
    except (BadSignature, BadDelivery) as error:
        site.count("refused")
        logger().warning("webhook.refused", remote=request.remote, error=str(error))
        return _told(401 if isinstance(error, BadSignature) else 400, str(error))
    if not isinstance(told, Push):
        site.count("other")
        return _told(200, f"{told.event}: nothing to do")
    if not site.on_push(told.branch):
        site.count("other")
        return _told(200, f"branch {told.branch} is not followed")
    site.count("push")
    logger().info("webhook.push", branch=told.branch, commit=told.commit)
    return _told(202, "fetching")


async def _body(request: web.Request) -> bytes:
    """Return all of a delivery; one that is too large is not read, one that takes too long not waited for."""
    if (request.content_length or 0) > LIMIT:
        raise web.HTTPRequestEntityTooLarge(LIMIT, request.content_length or 0)
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the delivery took longer than {READ_SECONDS:g} s") from None


def _told(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
