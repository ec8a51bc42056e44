"""A configuration server for tests: takes the calls of a job configurator, and says what was wrong with them.

Uploads follow `engine/design/0012-uploads-without-blake3.md`: bytes are checked against their digests, sizes against
the bounds. What the calls of the document answer is up to the test.
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xmlrpc import client as xmlrpc

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_CHUNK = 1 << 16


class Problem(Exception):
    """An answer that is a problem document: status, code, detail, fields."""

    def __init__(self, status, code, detail="", fields=(), **more):
        Exception.__init__(self, detail)
        self.status = status
        self.body = dict({"type": "/problems/" + code, "title": "Title of " + code, "status": status, "code": code,
                          "detail": detail}, **more)
        if fields:
            self.body["fields"] = list(fields)


class Cut(Exception):
    """The connection ends without an answer."""


class Served(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.farm.connections += 1

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def do_PUT(self):
        self._serve()

    def _serve(self):
        farm = self.server.farm
        try:
            kind, body = farm.answer(self)
        except Problem as problem:
            self._send(problem.status, "application/problem+json", json.dumps(problem.body).encode("utf-8"))
        except Cut:
            self.close_connection = True
        else:
            self._send(200, kind, body)

    def _send(self, status, kind, body):
        if self.server.farm.left_unread(self):
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection or self.server.farm.hang_up:
            self.close_connection = True
            if not self.server.farm.hang_up:
                self.send_header("Connection", "close")
        self.end_headers()
        if self.server.farm.halve:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)


class ConfigServer:
    """`calls`: (method, arguments, headers) by XML-RPC; `requests`: (verb, path) of all; `faults`: what was wrong.

    `answers`: value, exception or function by method. `commits`: (area, user, {path: digest}). `blobs`: digest to
    bytes, or to `None` if `keep` is off. Knobs: `token` (needed unless `None`), `refused` (path: (code, detail)),
    `refused_late` (only by the commit), `cut_after` (bytes of uploads, one cut each), `lose` (commits that miss all),
    `before` (method or path: function), `cut` (methods whose answer is lost, once each), `hang_up` (after each answer),
    `halve` (answers end in their middle), `raw` (kind, body).
    """

    def __init__(self, keep=True):
        self.calls, self.requests, self.faults, self.commits = [], [], [], []
        self.answers, self.before, self.refused, self.refused_late = {}, {}, {}, {}
        # What REST addresses answer, by path below `/api/v1`: a value, or a function of the body.
        self.rest = {}
        self.blobs, self.partials = {}, {}
        self.cut_after, self.cut = [], []
        self.received = self.connections = self.lose = 0
        self.token, self.raw, self.hang_up, self.halve, self.keep = None, None, False, False, keep
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Served)
        self._http.daemon_threads = True
        self._http.farm = self
        self.port = self._http.server_address[1]
        self.address = "127.0.0.1:%d" % self.port
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- one request

    def answer(self, request):
        url = urlsplit(request.path)
        with self._lock:
            self.requests.append((request.command, url.path))
        request.unread = int(request.headers.get("Content-Length", "0"))
        if "Transfer-Encoding" in request.headers or request.headers.get("Content-Length") is None:
            self.faults.append("%s %s has no Content-Length" % (request.command, url.path))
        if self.token is not None and request.headers.get("Authorization") != "Bearer " + self.token:
            raise Problem(401, "unauthenticated", "no token was given")
        if self.raw is not None:
            self._body(request)
            return self.raw
        parts = url.path.strip("/").split("/")
        if parts == [""]:
            return "text/xml", self._call(request)
        if parts[:2] != ["api", "v1"]:
            raise Problem(404, "not_found", url.path)
        with_query = {key: values[0] for key, values in parse_qs(url.query).items()}
        return "application/json", json.dumps(self._rest(request, parts[2:], with_query)).encode("utf-8")

    def left_unread(self, request):
        return getattr(request, "unread", 0) > 0

    def _body(self, request, most=1 << 26):
        if request.unread > most:
            raise Problem(413, "too_large", "%d bytes" % request.unread)
        body = request.rfile.read(request.unread)
        request.unread = 0
        return body

    def _call(self, request):
        if request.headers.get("Content-Type") != "text/xml":
            self.faults.append("a call of type %r" % request.headers.get("Content-Type"))
        args, method = xmlrpc.loads(self._body(request))
        with self._lock:
            self.calls.append((method, list(args), request.headers))
        self.before.get(method, lambda: None)()
        if method in self.cut:
            self.cut.remove(method)
            raise Cut()
        value = self.answers.get(method, [0, "OK"])
        if callable(value):
            value = value(*args)
        if isinstance(value, Exception) and not isinstance(value, xmlrpc.Fault):
            raise value
        whole = value if isinstance(value, xmlrpc.Fault) else (value,)
        return xmlrpc.dumps(whole, methodresponse=True, allow_none=True).encode("utf-8")

    def _rest(self, request, parts, query):
        self.before.get("/" + "/".join(parts), lambda: None)()
        if "/".join(parts) in self.rest:
            value = self.rest["/".join(parts)]
            return value(json.loads(self._body(request))) if callable(value) else value
        if parts == ["server"]:
            return {"version": "1.2.3", "started": "2026-11-22T20:38:46.123456Z", "user": "bob"}
        if parts[0] == "files" and parts[1] in ("public", "private"):
            body = json.loads(self._body(request))
            user = request.headers.get("X-Headend-User")
            return {"missing": self._missing, "commit": self._commit}[parts[2]](parts[1], user, body)
        if parts == ["blobs"]:
            return self._pack(request)
        if parts[0] == "uploads":
            return self._upload(request, parts[1].replace("%3A", ":"), int(query["size"]), query.get("offset"))
        raise Problem(404, "not_found", request.path)

    # ---- files

    def _missing(self, _area, _user, body):
        self._expect(set(body) == {"hashes", "paths", "sizes"} and len(body["sizes"]) == len(body["paths"]), "missing: %r" % sorted(body))
        self._expect(len(body["hashes"]) <= 10000 and len(body["paths"]) <= 10000, "too many at once")
        self._expect(all(_DIGEST.match(digest) for digest in body["hashes"]), "digests")
        self._expect(not any("\\" in path or path.startswith("/") for path in body["paths"]), "paths")
        return {"missing": [digest for digest in body["hashes"] if digest not in self.blobs],
                "refused": [{"path": path, "code": self.refused[path][0], "detail": self.refused[path][1]}
                            for path in body["paths"] if path in self.refused]}

    def _commit(self, area, user, body):
        self._expect(set(body) == {"put", "delete"} and body["delete"] == [], "commit: %r" % sorted(body))
        put = body["put"]
        self._expect(all(set(row) == {"path", "hash", "size"} for row in put), "rows of the commit")
        late = [at for at, row in enumerate(put) if row["path"] in self.refused_late]
        if late:
            code, detail = self.refused_late[put[late[0]]["path"]]
            raise Problem(422, code, detail, ["/put/%d/path" % at for at in late])
        if self.lose:
            self.lose -= 1
            for row in put:
                self.blobs.pop(row["hash"], None)
        gone = [at for at, row in enumerate(put) if row["hash"] not in self.blobs]
        if gone:
            raise Problem(422, "missing_blobs", "no blobs", ["/put/%d/hash" % at for at in gone])
        if self.keep:
            self._expect(all(len(self.blobs[row["hash"]]) == row["size"] for row in put), "sizes")
        self.commits.append((area, user, {row["path"]: row["hash"] for row in put}))
        return {"revision": len(self.commits), "tree": "00" * 32}

    def _pack(self, request):
        self._expect(request.headers.get("Content-Type") == "application/x-headend-pack", "type of a pack")
        body, at, stored = self._body(request, 8 << 20), 0, 0
        self.received += len(body)
        while at < len(body):
            end = body.index(b"\n", at)
            digest, size = body[at:end].decode("ascii").split(" ")
            data = body[end + 1 : end + 1 + int(size)]
            at = end + 1 + int(size)
            if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
                raise Problem(422, "invalid", "record %d" % stored, ["/%d" % stored])
            self.blobs[digest] = data if self.keep else None
            stored += 1
        self._expect(at == len(body) and stored <= 1000, "%d records" % stored)
        return {"stored": stored}

    def _upload(self, request, digest, size, offset):
        self._expect(_DIGEST.match(digest), "digest %r" % digest)
        with self._lock:
            part = self.partials.setdefault((digest, size), {"bytes": 0, "hash": hashlib.sha256(), "data": bytearray()})
        if request.command == "PUT":
            if int(offset) != part["bytes"]:
                raise Problem(409, "conflict", "%d bytes are here" % part["bytes"])
            if part["bytes"] + request.unread > size:
                raise Problem(413, "too_large", "beyond the size")
            self._append(request, part)
            if part["bytes"] == size:
                del self.partials[digest, size]
                if "sha256:" + part["hash"].hexdigest() != digest:
                    raise Problem(422, "invalid", "the bytes do not have this digest")
                self.blobs[digest] = bytes(part["data"]) if self.keep else None
        done = digest in self.blobs
        return {"received": size if done else part["bytes"], "complete": done}

    def _append(self, request, part):
        left = self.cut_after[0] if self.cut_after else None
        while request.unread:
            data = request.rfile.read(min(_CHUNK, request.unread))
            if not data:
                raise Cut()
            request.unread -= len(data)
            self.received += len(data)
            part["bytes"] += len(data)
            part["hash"].update(data)
            if self.keep:
                part["data"] += data
            if left is not None:
                left -= len(data)
                if left <= 0:
                    del self.cut_after[0]
                    raise Cut()

    def _expect(self, holds, what):
        if not holds:
            self.faults.append(what)

    def sent_to(self, path):
        """How many requests went to paths that begin with this."""
        return sum(1 for _, one in self.requests if one.startswith(path))
