"""A line to a server that can be cut and mended: a port of this machine that passes on what comes."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from contextlib import suppress


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


class CutLine:
    """Passes connections on to `target`, until it is cut."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, 0
        self._open: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        """Take connections, again at the same port."""
        line = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, ValueError), socket.create_connection(("127.0.0.1", line.target)) as there:
                    line._open += [self.request, there]
                    while True:
                        for ready in select.select([self.request, there], [], [])[0]:
                            if not (data := ready.recv(65536)):
                                return
                            (there if ready is self.request else self.request).sendall(data)

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def cut(self) -> None:
        """End all connections, and refuse further ones."""
        self._server.shutdown()
        self._server.server_close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()
