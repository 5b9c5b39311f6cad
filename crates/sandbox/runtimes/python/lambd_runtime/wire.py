"""HTTP/1.1 towards the Runtime API over one kept-alive socket.

An answer and the poll for the next event leave in one write. Never here: what an event means.
"""

import sys
import time

import _socket

_API = "/2018-06-01/runtime"
_TCP_NODELAY = 1
# An answer above this size is refused (413) by the Runtime API, and the client ends then as the
# official one does. So it must not have asked for another event in the same write.
_ANSWER_BYTES_MAX = 6 * 1024 * 1024 + 100
# Parts above this size are written by themselves rather than copied together.
_JOIN_BYTES_MAX = 64 * 1024


class Response(object):
    """One response of the Runtime API; header names are in lower case."""

    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def is_success(self):
        return 200 <= self.status <= 299


class Client(object):
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._host_line = "host: {}\r\n".format(address)
        self._next_request = self._request("GET", "/invocation/next")
        self._socket = None
        self._unread = b""
        self._answers_open = 0
        self._next_sent = False

    def next(self):
        """Waits for the next event. Raises RuntimeError where the official client does."""
        while self._answers_open:
            self._answers_open -= 1
            self._check_answer(self._receive())
        if not self._next_sent:
            self._send(self._next_request)
        response = self._receive()
        self._next_sent = False
        if not response.is_success():
            _report(
                "Failed to get next invocation. Http Response code: {}".format(response.status)
            )
            raise RuntimeError("Failed to get next")
        return response

    def post_result(self, request_id, body, content_type):
        self._answer(request_id, "response", body, "content-type: {}\r\n".format(content_type))

    def post_error(self, request_id, body, xray_cause):
        lines = "content-type: application/json\r\n"
        if xray_cause:
            lines += "lambda-runtime-function-xray-error-cause: {}\r\n".format(xray_cause)
        self._answer(request_id, "error", body, lines)

    def post_init_error(self, body, error_type):
        lines = "lambda-runtime-function-error-type: {}\r\n".format(
            error_type.replace("\r", " ").replace("\n", " ")
        )
        self._send(self._request("POST", "/init/error", lines, len(body)), body)
        response = self._receive()
        if response.status != 202:
            raise RuntimeError(
                "Request to Lambda Runtime '{}/init/error' endpoint failed. "
                "Reason: '{}'. Response body: '{}'".format(_API, response.status, response.body)
            )

    def _answer(self, request_id, kind, body, lines):
        path = "/invocation/{}/{}".format(request_id, kind)
        head = self._request("POST", path, lines, len(body))
        self._answers_open += 1
        if len(body) > _ANSWER_BYTES_MAX:
            self._send(head, body)
        else:
            self._send(head, body, self._next_request)
            self._next_sent = True

    def _check_answer(self, response):
        if not response.is_success():
            _report(
                "Failed to post handler success response. Http response code: {}. {}".format(
                    response.status, response.body.decode("utf-8", "replace")
                )
            )
            raise RuntimeError("Failed to post invocation response")

    def _request(self, method, path, lines="", length=None):
        if length is not None:
            lines += "content-length: {}\r\n".format(length)
        text = "{} {}{} HTTP/1.1\r\n{}{}\r\n".format(method, _API, path, self._host_line, lines)
        return text.encode("utf-8", "surrogatepass")

    def _connect(self):
        self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self._socket.connect(self._address)
        self._socket.setsockopt(_socket.IPPROTO_TCP, _TCP_NODELAY, 1)

    def _send(self, *parts):
        if self._socket is None:
            self._connect()
        if sum(len(part) for part in parts) <= _JOIN_BYTES_MAX:
            self._socket.sendall(b"".join(parts))
        else:
            for part in parts:
                self._socket.sendall(part)

    def _receive(self):
        unread = self._unread
        end = unread.find(b"\r\n\r\n")
        while end < 0:
            unread += self._read()
            end = unread.find(b"\r\n\r\n")
        lines = unread[:end].decode("utf-8", "replace").split("\r\n")
        self._unread = unread[end + 4 :]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        status = int(lines[0].split(" ", 2)[1])
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._read_chunks()
        else:
            body = self._read_exactly(int(headers.get("content-length", "0")))
        return Response(status, headers, body)

    def _read(self):
        data = self._socket.recv(_JOIN_BYTES_MAX)
        if not data:
            _report("Failed to get next invocation. No Response from endpoint")
            raise RuntimeError("Failed to get next")
        return data

    def _read_exactly(self, length):
        unread = self._unread
        if len(unread) >= length:
            self._unread = unread[length:]
            return unread[:length]
        body = bytearray(length)
        view = memoryview(body)
        filled = len(unread)
        view[:filled] = unread
        self._unread = b""
        while filled < length:
            count = self._socket.recv_into(view[filled:])
            if not count:
                self._read()
            filled += count
        return bytes(body)

    def _read_chunks(self):
        chunks = []
        while True:
            size = int(self._read_line().split(b";")[0], 16)
            if size == 0:
                while self._read_line():
                    pass
                return b"".join(chunks)
            chunks.append(self._read_exactly(size))
            self._read_line()

    def _read_line(self):
        end = self._unread.find(b"\r\n")
        while end < 0:
            self._unread += self._read()
            end = self._unread.find(b"\r\n")
        line = self._unread[:end]
        self._unread = self._unread[end + 2 :]
        return line


def _report(text):
    # The official client's native part writes this line to standard output.
    sys.stdout.write("[ERROR] [{}] LAMBDA_RUNTIME {}\n".format(int(time.time() * 1000), text))
    sys.stdout.flush()
