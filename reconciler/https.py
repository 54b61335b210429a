"""aiohttp, loaded without the certificates of the system; who needs those asks for `system_trust`.

On import aiohttp makes two TLS contexts of its own and reads all certificates of the system into both, which takes a third of
its time to load (https://github.com/python/cpython/issues/95031). Every session here is given a context, so both stay empty:
one that was forgotten would trust nobody.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["aiohttp", "system_trust"]

_NOWHERE: Final = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}


@contextmanager
def _no_certificates() -> Iterator[None]:
    """Lead OpenSSL's search for the certificates of the system to nowhere, by the variables that it knows for that."""
    before = {name: os.environ.get(name) for name in _NOWHERE}
    os.environ.update(_NOWHERE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


with _no_certificates():
    import aiohttp


@cache
def system_trust() -> ssl.SSLContext:
    """Return a context that trusts whom this system trusts, or whom SSL_CERT_FILE and SSL_CERT_DIR name."""
    trusted = ssl.create_default_context()
    trusted.set_alpn_protocols(("http/1.1",))
    return trusted
