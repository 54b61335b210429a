"""A real mutating webhook: an HTTPS server that the API server calls, with a patch that a test chooses."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from reconciler.sandbox import certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Patch = list[dict[str, Any]]


@contextmanager
def webhook(folder: Path, patch: Callable[[dict[str, Any]], Patch]) -> Iterator[dict[str, str]]:
    """Serve admission reviews (admission.k8s.io/v1); gives the `clientConfig` of a webhook configuration."""
    authority = certificates.authority("webhook")
    pair = certificates.server(authority, "webhook", ["127.0.0.1"], [])
    (folder / "tls.pem").write_bytes(pair.certificate_pem + pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(patch))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield {
            "url": f"https://127.0.0.1:{server.server_port}/mutate",
            "caBundle": base64.b64encode(authority.certificate_pem).decode(),
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(patch: Callable[[dict[str, Any]], Patch]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            content = base64.b64encode(json.dumps(patch(request["object"])).encode()).decode()
            answer = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": content}
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
            body = json.dumps(review).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
