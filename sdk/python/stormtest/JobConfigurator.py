"""The job configurator: a client of the configuration server. So far it tells the server's version and start time.

The calls that upload files and submit jobs are not here yet; asking for one raises `AttributeError` with its name.
`headend submit`, `headend status` and the REST interface do the same work meanwhile.
"""

from __future__ import absolute_import

import json
import os

from stormtest._text import to_native
from stormtest.errors import StormTestError

NOT_CONNECTED = "Not Connected"
DEFAULT_PORT = 8001
_TIMEOUT_S = 10
_MAX_ANSWER_BYTES = 1 << 20


class CJobConfigurator(object):
    """A configuration server at `"host:port"`; port 8001 unless given. Nothing is sent before a property is read."""

    def __init__(self, server):
        self._host, self._port = _address(server)

    @property
    def ServerVersion(self):
        """Version of the server, or `"Not Connected"`."""
        return self._info().get("version", NOT_CONNECTED)

    @property
    def ServerStartTime(self):
        """Start of the server in UTC, `YYYY-MM-DD HH:MM:SSZ`, or `"Not Connected"`."""
        started = self._info().get("started")
        return started[:19].replace("T", " ") + "Z" if started else NOT_CONNECTED

    def _info(self):
        """The server's own words; empty when it does not answer, refuses, or is no configuration server."""
        try:
            return self._get("/api/v1/server")
        except (OSError, IOError, ValueError, StormTestError):
            return {}

    def _get(self, path):
        # Heavy, and of no use to a script that only drives boxes.
        try:
            from http.client import HTTPConnection, HTTPException
        except ImportError:
            from httplib import HTTPConnection, HTTPException

        token = os.environ.get("HEADEND_TOKEN")
        link = HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            link.request("GET", path, headers={"Authorization": "Bearer " + token} if token else {})
            answer = link.getresponse()
            body = json.loads(answer.read(_MAX_ANSWER_BYTES).decode("utf-8"))
        except HTTPException as error:
            raise StormTestError("%s:%d does not speak HTTP: %r" % (self._host, self._port, error))
        finally:
            link.close()
        if answer.status != 200 or not isinstance(body, dict):
            raise StormTestError("%s:%d answered %d" % (self._host, self._port, answer.status))
        return to_native(body)

    def __getattr__(self, name):
        raise AttributeError("CJobConfigurator has no call %r yet; it knows ServerVersion and ServerStartTime. "
                             "Use `headend submit`, `headend status` and the like for the rest" % name)


def _address(server):
    """`(host, port)` of `host`, `host:port` or `[v6]:port`. Raises `ValueError` for a port that is no number."""
    host, colon, port = server.rpartition(":")
    if not colon or port.endswith("]") or ":" in host.strip("[]") and not host.endswith("]"):
        return server.strip("[]"), DEFAULT_PORT
    if not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ValueError("%r is no server address: the port must be 1 to 65535, as in rack1:8001" % server)
    return host.strip("[]"), int(port)
