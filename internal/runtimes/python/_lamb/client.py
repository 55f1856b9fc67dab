"""The Runtime API over one kept-alive connection.

http.client would cost more to import than the rest of the runtime together
(email.parser, ssl, ...), and the API needs a small part of HTTP/1.1.
"""

import _socket
import sys

# Largest head of an answer; Lambda's own headers stay far below it.
_MAX_HEAD = 1 << 20
# Bodies up to this size go out in one segment with the head.
_JOIN = 1 << 16
# The largest buffered response that the API takes.
MAX_PAYLOAD = 6 * 1024 * 1024 + 100

_PREFIX = "/2018-06-01/runtime/"


class Closed(OSError):
    """The connection ended before the first byte of an answer."""


class Client:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._v6 = host.startswith("[")
        self._target = (host.strip("[]"), int(port))
        version = "%d.%d.%d" % sys.version_info[:3]
        self._common = " HTTP/1.1\r\nHost: %s\r\nUser-Agent: lamb-python/%s\r\n" % (address, version)
        self._next = self._head("GET", "invocation/next", ()) + b"\r\n"
        self._sock = None
        self._rest = b""

    def next(self):
        """Waits for the next event; returns (status, headers, body)."""
        return self._exchange(self._next, b"")

    def restore_next(self):
        """Waits to be resumed and returns the status of the answer."""
        return self._exchange(self._head("GET", "restore/next", ()) + b"\r\n", b"")[0]

    def post(self, path, body, headers):
        """Posts body and returns the status of the answer."""
        head = self._head("POST", path, headers) + b"Content-Length: %d\r\n\r\n" % len(body)
        try:
            return self._exchange(head, body)[0]
        except OSError:
            # A server may close on a body far over the limit instead of
            # reading all of it; the environment goes on as after a 413.
            if len(body) > MAX_PAYLOAD:
                self._close()
                return 413
            raise

    def _head(self, method, path, headers):
        lines = [method, " ", _PREFIX, path, self._common]
        for name, value in headers:
            lines += (name, ": ", value, "\r\n")
        return "".join(lines).encode("latin-1")

    def _exchange(self, head, body):
        reused = self._sock is not None
        try:
            return self._once(head, body)
        except OSError:
            self._close()
            # A kept-alive connection may have been closed while it was idle.
            if not reused:
                raise
        return self._once(head, body)

    def _once(self, head, body):
        if self._sock is None:
            self._connect()
        send_error = None
        try:
            if len(body) <= _JOIN:
                self._sock.sendall(head + body)
            else:
                self._sock.sendall(head)
                self._sock.sendall(body)
        except OSError as e:
            send_error = e  # there may be an answer that says why
        try:
            return self._answer()
        except OSError:
            raise send_error or sys.exc_info()[1]

    def _connect(self):
        sock = _socket.socket(_socket.AF_INET6 if self._v6 else _socket.AF_INET, _socket.SOCK_STREAM)
        sock.connect(self._target)
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._sock = sock
        self._rest = b""

    def _close(self):
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _answer(self):
        while True:
            status, headers = self._answer_head()
            if status >= 200:
                break
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunked()
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        elif status in (204, 304):
            body = b""
        else:
            body = self._until_eof()
            headers["connection"] = "close"
        if headers.get("connection", "").lower() == "close":
            self._close()
        return status, headers, body

    def _answer_head(self):
        data = self._rest
        end = data.find(b"\r\n\r\n")
        while end < 0:
            if len(data) > _MAX_HEAD:
                raise OSError("the Runtime API's answer has too long a head")
            chunk = self._sock.recv(65536)
            if not chunk:
                raise Closed("the Runtime API closed the connection")
            data += chunk
            end = data.find(b"\r\n\r\n")
        self._rest = data[end + 4 :]
        lines = data[:end].decode("utf-8", "replace").split("\r\n")
        status = lines[0].split(" ", 2)
        if len(status) < 2 or not lines[0].startswith("HTTP/1."):
            raise OSError("the Runtime API's answer is not HTTP/1.1")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(status[1]), headers

    def _exactly(self, size):
        if size <= len(self._rest):
            body, self._rest = self._rest[:size], self._rest[size:]
            return body
        body = bytearray(size)
        have = len(self._rest)
        body[:have] = self._rest
        self._rest = b""
        view = memoryview(body)
        while have < size:
            n = self._sock.recv_into(view[have:])
            if n == 0:
                raise OSError("the Runtime API cut its answer short")
            have += n
        return body

    def _more(self):
        chunk = self._sock.recv(65536)
        if not chunk:
            raise OSError("the Runtime API cut its answer short")
        self._rest += chunk

    def _line(self):
        while True:
            end = self._rest.find(b"\r\n")
            if end >= 0:
                line, self._rest = self._rest[:end], self._rest[end + 2 :]
                return line
            self._more()

    def _chunked(self):
        parts = []
        while True:
            size = int(self._line().split(b";")[0], 16)
            if size == 0:
                break
            parts.append(bytes(self._exactly(size)))
            self._line()
        while self._line():  # trailers
            pass
        return b"".join(parts)

    def _until_eof(self):
        parts = [self._rest]
        self._rest = b""
        while True:
            chunk = self._sock.recv(65536)
            if not chunk:
                return b"".join(parts)
            parts.append(chunk)
