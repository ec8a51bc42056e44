# -*- coding: utf-8 -*-
"""The job configurator: files, jobs, schedules and devices of a configuration server.

    from stormtest.JobConfigurator import CJobConfigurator
    cfg = CJobConfigurator("server:8001")
    print(cfg.ServerVersion)

This one file is all that a machine needs: Python 2.7 or 3.6 and newer, nothing beside the standard library.

Every call gives a list `[code, text, ...]`: code 0 is OK, negative codes are warnings, positive ones errors; the text
says what exactly is wrong. No call raises for what the server or the network does.

    call ─► checked arguments ─► XML-RPC, POST / ────────────────────────────► [code, text, ...]
    uploadFiles ─► names and SHA-256 ─► what is missing? ─► those bytes ─► one commit

The token is that of the address (`http://USER:TOKEN@host:8001`), else of `HEADEND_TOKEN`, else of the credentials file
that `headend up` writes.

An address that begins `https://` is spoken to by TLS, and its certificate must be good for it. Who vouches for it is the
system's matter, or that of `HEADEND_CA`: a file of certificates in PEM, or a folder of them as OpenSSL hashes it.
"""

from __future__ import absolute_import

import contextlib
import datetime
import difflib
import errno
import functools
import getpass
import hashlib
import io
import json
import numbers
import os
import re
import select
import socket
import stat
import sys
import threading
import time
import uuid

try:
    from http import client as httplib
    from urllib.parse import quote, unquote, urlsplit
    from xmlrpc import client as xmlrpclib
except ImportError:  # Python 2
    import httplib
    from urllib import quote, unquote
    from urlparse import urlsplit
    import xmlrpclib
try:
    import ssl
except ImportError:  # a Python without TLS
    ssl = None
HTTPConnection, HTTPException = httplib.HTTPConnection, httplib.HTTPException
CertificateError = ssl.CertificateError if ssl else HTTPException

__version__ = "0.1.0"

NOT_CONNECTED = "Not Connected"
DEFAULT_PORT = 8001
DEFAULT_SERVER = "127.0.0.1:8001"
CONNECT_TIMEOUT_S = 10
# A server that stores much flushes its disk before it answers.
ANSWER_TIMEOUT_S = 120
MAX_ANSWER_BYTES = 256 << 20

PY2 = sys.version_info[0] == 2
BYTES = bytes
TEXT = type(u"")


# ---- Codes -----------------------------------------------------------------------------------------------------------

# The rows of the server's table that this side needs by itself; all others come with the server's answers.
CODES = {
    "ok": (0, "OK"),
    "not_uploaded": (-7, "Some files were not uploaded"),
    "bad_request": (1, "The request cannot be read"),
    "invalid": (2, "A field is not valid"),
    "unauthenticated": (3, "No valid token"),
    "forbidden": (4, "Not allowed for this token"),
    "not_found": (5, "Not found"),
    "conflict": (6, "In conflict with what is there"),
    "too_large": (7, "Too large"),
    "storage_full": (8, "The server's disk is full"),
    "unavailable": (9, "The server cannot answer now"),
    "internal": (10, "A fault of the server"),
    "wrong_host": (11, "Host or Origin is not on the allow-list"),
    "too_many": (16, "Too many at once"),
    "over_quota": (17, "The area of files would be over its quota"),
    "bad_path": (29, "The path is not allowed"),
    "missing_blobs": (37, "Some files have not been uploaded"),
    "case_clash": (38, "The name clashes with another"),
}
_OF_STATUS = {400: "bad_request", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 409: "conflict",
              413: "too_large", 421: "wrong_host", 422: "invalid", 429: "too_many", 500: "internal",
              507: "storage_full"}


class Refusal(Exception):
    """Inside this file only: becomes `[number, text]`."""

    def __init__(self, name, detail, number=None, title=None, fields=()):
        Exception.__init__(self, detail)
        known, text = CODES.get(name, (CODES["unavailable"][0], title))
        self.name = name
        self.detail = detail
        self.fields = list(fields)
        self.number = known if number is None else number
        self.text = "%s: %s" % (text, detail) if text else detail

    def answer(self):
        return [self.number, self.text]


def _answering(method):
    """Calls give an answer for whatever goes wrong between here and the server."""

    @functools.wraps(method)
    def call(self, *args, **named):
        try:
            return method(self, *args, **named)
        except Refusal as refusal:
            return refusal.answer()

    return call


# ---- Text and arguments ----------------------------------------------------------------------------------------------

# What XML cannot say: control characters, halves of surrogate pairs, two non-characters.
_UNSAYABLE = re.compile(u"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
                        u"|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
_MOST_INT = 1 << 63


def _text(name, value):
    """Text that can be sent. `name` is the argument's, for the refusal."""
    if isinstance(value, BYTES):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal("invalid", "%s is %r, which is not UTF-8" % (name, value))
    if not isinstance(value, TEXT):
        raise Refusal("invalid", "%s is %s; give text" % (name, _shown(value)))
    bad = _UNSAYABLE.search(value)
    if bad:
        raise Refusal("invalid", "%s has the character %r, which cannot be sent" % (name, bad.group()))
    return value


def _native(text):
    """Text as the script's own `str`: UTF-8 bytes on Python 2."""
    return text.encode("utf-8") if PY2 and isinstance(text, TEXT) else text


def _shown(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(name, value):
    """A whole number, given as one or as its digits."""
    number = value
    if isinstance(value, (BYTES, TEXT)):
        digits = value.decode("ascii", "replace") if isinstance(value, BYTES) else value
        number = int(digits) if re.match(u"\\s*[+-]?[0-9]{1,19}\\s*\\Z", digits) else None
    elif isinstance(value, bool) or not isinstance(value, numbers.Integral):
        number = None
    if number is None or not -_MOST_INT <= number < _MOST_INT:
        raise Refusal("invalid", "%s is %s; give a number, or text of digits" % (name, _shown(value)))
    return int(number)


def _flag(name, value):
    if isinstance(value, (bool, numbers.Integral)):
        return bool(value)
    raise Refusal("invalid", "%s is %s; give True or False" % (name, _shown(value)))


def _rows(name, value, width, wanted):
    """A list of tuples of that width, or of `width` None: a list of anything."""
    if not isinstance(value, (list, tuple)):
        raise Refusal("invalid", "%s is %s; give a list of %s" % (name, _shown(value), wanted))
    for at, row in enumerate(value):
        if width and not (isinstance(row, (list, tuple)) and len(row) == width):
            raise Refusal("invalid", "%s[%d] is %s; give %s" % (name, at, _shown(row), wanted))
    return value


def _slots(slots):
    if slots is None:
        return None
    return [[_text("slots[%d]: the server" % at, server), _whole("slots[%d]: the slot" % at, number)]
            for at, (server, number) in enumerate(_rows("slots", slots, 2, "(server, slot)"))]


def _duts(duts):
    if duts is None:
        return None
    return [_whole("duts[%d]" % at, dut) for at, dut in enumerate(_rows("duts", duts, None, "DUT ids"))]


def _tests(tests):
    rows = _rows("tests", tests, 5, "(script, public, slots needed, mode, arguments)")
    return [[_text("tests[%d]: the script" % at, script), _flag("tests[%d]: public" % at, public),
             _whole("tests[%d]: the slots needed" % at, needed), _mode("tests[%d]: the mode" % at, mode),
             _text("tests[%d]: the arguments" % at, args)]
            for at, (script, public, needed, mode, args) in enumerate(rows)]


def _mode(name, mode):
    """0, 1, 2, or the name of a policy. The document says "0 or non-zero", so True and False are taken too."""
    if isinstance(mode, bool):
        return int(mode)
    return mode if isinstance(mode, (BYTES, TEXT)) and not mode.isdigit() else _whole(name, mode)


def _conditions(filters):
    if isinstance(filters, (BYTES, TEXT)):
        filters = [filters]
    for at, one in enumerate(_rows("filters", filters, None, "texts such as \"Name==TP*\"")):
        if isinstance(one, bool):
            # `"Name"=="TP*"` is a comparison, and Python has made it before this call began.
            raise Refusal("invalid", "filters[%d] is %r: a comparison outside of the quotes? "
                                     "Write it as one text, \"Name==TP*\"" % (at, one))
    return [_text("filters[%d]" % at, one) for at, one in enumerate(filters)]


def _date(name, value):
    """ISO text of a date."""
    if isinstance(value, datetime.datetime):
        value = value.date()
    if isinstance(value, datetime.date):
        return "%04d-%02d-%02d" % (value.year, value.month, value.day)
    if value is None or isinstance(value, (BYTES, TEXT)):
        return value
    raise Refusal("invalid", "%s is %s; give a datetime.date" % (name, _shown(value)))


def _time(name, value):
    """ISO text of a time of day: `10:00:00`, `10:00:00+02:00` or `10:00:00[Europe/Berlin]`."""
    if isinstance(value, datetime.datetime):
        value = value.timetz()
    if value is None or isinstance(value, (BYTES, TEXT)):
        return value
    if not isinstance(value, datetime.time):
        raise Refusal("invalid", "%s is %s; give a datetime.time" % (name, _shown(value)))
    fraction = ".%06d" % value.microsecond if value.microsecond else ""
    return "%02d:%02d:%02d%s%s" % (value.hour, value.minute, value.second, fraction, _zone(name, value))


def _zone(name, value):
    if value.tzinfo is None:
        return ""
    # The name first: a time of day alone has no offset in a zone with summer time, and pytz makes one up.
    key = getattr(value.tzinfo, "key", None) or getattr(value.tzinfo, "zone", None)
    if key:
        return "[%s]" % key
    offset = value.utcoffset()
    if offset is None:
        raise Refusal("invalid", "%s has a time zone that tells neither its name nor its offset; use zoneinfo.ZoneInfo"
                      % name)
    minutes = (offset.days * 86400 + offset.seconds) // 60
    return "%s%02d:%02d" % ("-" if minutes < 0 else "+", abs(minutes) // 60, abs(minutes) % 60)


def _days(days):
    if days is None:
        return None
    if isinstance(days, (BYTES, TEXT)):
        days = [days]
    return [_text("repeatDays[%d]" % at, day) for at, day in
            enumerate(_rows("repeatDays", days, None, "days such as \"Mon\""))]


# ---- Values on the wire ----------------------------------------------------------------------------------------------


def _xml(name, value):
    """A value as XML-RPC text."""
    if value is None:
        inside = u"<nil/>"
    elif isinstance(value, bool):
        inside = u"<boolean>%d</boolean>" % value
    elif isinstance(value, numbers.Integral):
        kind = u"int" if -(1 << 31) <= value < 1 << 31 else u"i8"
        inside = u"<%s>%d</%s>" % (kind, value, kind)
    elif isinstance(value, (list, tuple)):
        inside = u"<array><data>%s</data></array>" % u"".join(_xml(name, item) for item in value)
    else:
        text = _text(name, value).replace(u"&", u"&amp;").replace(u"<", u"&lt;").replace(u">", u"&gt;")
        inside = u"<string>%s</string>" % text.replace(u"\r", u"&#13;")
    return u"<value>%s</value>" % inside


def _call_text(method, args):
    """The body of a call; `args` are (name, value)."""
    params = u"".join(u"<param>%s</param>" % _xml(name, value) for name, value in args)
    text = (u"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodCall><methodName>%s</methodName><params>%s</params>"
            u"</methodCall>\n" % (method, params))
    return text.encode("utf-8")


def _plain(value):
    """An answer with native strings and plain lists, however deep."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return dict((_plain(key), _plain(item)) for key, item in value.items())
    if PY2 and isinstance(value, long):  # noqa: F821
        return int(value)
    return _native(value)


_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z")
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\Z")


def _as_date(value):
    found = _DATE.match(value) if isinstance(value, str) else None
    return datetime.date(*[int(part) for part in found.groups()]) if found else value


def _as_time(value):
    found = _TIME.match(value) if isinstance(value, str) else None
    if not found:
        return value
    hour, minute, second, fraction = found.groups()
    return datetime.time(int(hour), int(minute), int(second), int((fraction or "").ljust(6, "0")))


def _as_moment(value):
    if isinstance(value, str) and len(value) >= 19 and value[10] in "T ":
        date, clock = _as_date(value[:10]), _as_time(value[11:])
        if isinstance(date, datetime.date) and isinstance(clock, datetime.time):
            return datetime.datetime.combine(date, clock)
    return value


def _dated(answer, columns):
    """Makes objects of the dates in the rows of an answer; what is no date, such as `'NULL'`, stays."""
    if len(answer) > 2 and isinstance(answer[2], list):
        for row in answer[2]:
            for column, make in columns:
                if isinstance(row, list) and column < len(row):
                    row[column] = make(row[column])
    return answer


_SCHEDULE_COLUMNS = [(2, _as_moment), (4, _as_date), (5, _as_date), (6, _as_time), (7, _as_time), (11, _as_moment),
                     (12, _as_moment)]
_JOB_COLUMNS = [(3, _as_moment)]


# ---- The server's address and the token ------------------------------------------------------------------------------


class Address(object):
    """`host`, `host:port` or `[v6]:port`; with or without `http://` or `https://`, a user, a path before the server's.

    Raises `ValueError` for what is no address.
    """

    def __init__(self, server):
        given = _native(server) if isinstance(server, (BYTES, TEXT)) else None
        if given is not None and not PY2 and isinstance(given, BYTES):
            given = given.decode("utf-8")
        if not given or not given.strip() or re.search(r"[\s\x00-\x1f]", given.strip()):
            raise ValueError("%r is no server address; give it as rack1:8001" % (server,))
        given = given.strip()
        full = given if "://" in given else "http://" + self._bracketed(given)
        try:
            parts = urlsplit(full)
        except ValueError:
            parts = urlsplit("http://:0")
        # Not `parts.port`, which Python 2 leaves out when it is out of range.
        found = re.match(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::(\d{1,5}))?\Z", parts.netloc.rpartition("@")[2])
        port = int(found.group(1) or (443 if parts.scheme == "https" else DEFAULT_PORT)) if found else 0
        if not 0 < port < 1 << 16:
            raise ValueError("%r is no server address: the port must be 1 to 65535, as in rack1:8001" % (server,))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("%r is no server address; give it as rack1:8001 or https://rack1" % (server,))
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, port
        self.prefix = parts.path.rstrip("/")
        self.token = unquote(parts.password) if parts.password else None

    @staticmethod
    def _bracketed(given):
        return "[%s]" % given if given.count(":") > 1 and "[" not in given else given

    def __str__(self):
        return "%s:%d" % ("[%s]" % self.host if ":" in self.host else self.host, self.port)

    def same_as(self, other):
        """Whether a token for `other` may be shown here."""
        def key(of):
            host = "localhost" if of.host in ("127.0.0.1", "::1") else of.host
            return of.scheme, host, of.port, of.prefix
        return key(self) == key(other)


def _config_path():
    """`(path, whether somebody named it)` of the credentials file."""
    named = os.environ.get("HEADEND_CONFIG")
    if named:
        return named, True
    if os.name == "nt":
        folder = os.environ.get("APPDATA") or os.path.expanduser("~\\AppData\\Roaming")
    else:
        folder = os.environ.get("XDG_CONFIG_HOME") or ""
        folder = folder if os.path.isabs(folder) else os.path.expanduser("~/.config")
    return os.path.join(folder, "headend", "credentials.toml"), False


_ENTRY = re.compile(u"^[ \\t]*(server|token)[ \\t]*=[ \\t]*(?:\"((?:[^\"\\\\\\n]|\\\\.)*)\"|'([^'\\n]*)')", re.M)


def _credentials():
    """`(server, token, why not)` of the credentials file; `None` for what it does not tell."""
    path, named = _config_path()
    try:
        with io.open(path, "rb") as source:
            mode = stat.S_IMODE(os.fstat(source.fileno()).st_mode)
            text = source.read(1 << 16).decode("utf-8")
    except (EnvironmentError, UnicodeDecodeError) as error:
        absent = getattr(error, "errno", None) == errno.ENOENT
        return None, None, None if absent and not named else "cannot read %s: %s" % (path, _reason(error))
    if os.name == "posix" and mode & 0o077:
        return None, None, "others can read %s (mode %03o); chmod 600 it" % (path, mode)
    found = {}
    for key, basic, literal in _ENTRY.findall(text):
        found[key] = _native(re.sub(u"\\\\([\"\\\\])", u"\\1", basic) or literal)
    return found.get(u"server"), found.get(u"token"), None


def default_server():
    """`HEADEND_SERVER`, else the server of the credentials file, else this machine."""
    return os.environ.get("HEADEND_SERVER") or _credentials()[0] or DEFAULT_SERVER


def _find_token(address):
    """`(token, why there is none)`."""
    token = (address.token or os.environ.get("HEADEND_TOKEN") or "").strip()
    if token and not re.match(r"[\x21-\x7e]+\Z", token):
        return None, "the token in the address or in HEADEND_TOKEN has a character that no token has"
    if token:
        return token, None
    server, token, why = _credentials()
    if server and token:
        try:
            # The token of one server is not shown to another.
            if address.same_as(Address(server)):
                return token, None
        except ValueError:
            why = "%s names no server" % _config_path()[0]
    return None, why


# ---- HTTP ------------------------------------------------------------------------------------------------------------

_NETWORK = (EnvironmentError, socket.error, HTTPException, CertificateError, UnicodeError)


class LocalFault(Exception):
    """A file of this machine gave out while it was sent. The message says why."""


def _reason(error):
    """An error of the system in words."""
    if isinstance(error, socket.timeout):
        return "no answer in time"
    if getattr(error, "winerror", None) in (32, 33):
        return "another program has locked it"
    if ssl is not None and isinstance(error, (ssl.SSLError, ssl.CertificateError)):
        return _tls_reason(error)
    words = {errno.EACCES: "permission denied", errno.EPERM: "permission denied", errno.ENOENT: "it is not there",
             errno.ECONNREFUSED: "nothing listens there", errno.ECONNRESET: "the connection was cut",
             errno.EPIPE: "the connection was cut", errno.ELOOP: "it is a symbolic link",
             errno.ETIMEDOUT: "no answer in time"}
    text = words.get(getattr(error, "errno", None))
    return text or str(getattr(error, "strerror", None) or error) or type(error).__name__


def _tls_reason(error):
    reason = getattr(error, "reason", None)
    if isinstance(error, ssl.CertificateError) or reason == "CERTIFICATE_VERIFY_FAILED":
        why = getattr(error, "verify_message", None) or str(error)
        return ("its certificate is not good for it here: %s; name the file of who vouches for it in HEADEND_CA, or "
                "use the name that stands in it" % why)
    if reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"):
        return "it does not speak TLS; use an address that begins http://"
    return "TLS gave out: %s" % (getattr(error, "strerror", None) or error)


def _trusted():
    """How certificates are checked: as always, by those of `HEADEND_CA` in place of the system's."""
    if ssl is None:
        raise Refusal("invalid", "this Python has no TLS; use another one, or an address that begins http://")
    named = os.environ.get("HEADEND_CA")
    try:
        if not named:
            return ssl.create_default_context()
        folder = os.path.isdir(named)
        return ssl.create_default_context(cafile=None if folder else named, capath=named if folder else None)
    except (EnvironmentError, ValueError) as error:
        # The system gives the reason in the number, OpenSSL in the text.
        raise Refusal("invalid", "HEADEND_CA names %s, which has no certificates that can be read: %s; name a PEM file"
                      % (named, _reason(error)))


def _packed(address):
    """The bytes of an IP address; `None` for what is none."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, address.strip())
        except (EnvironmentError, AttributeError):  # no `inet_pton` on old Windows
            continue
    return None


def _require_ip(certificate, host):
    names = [name for kind, name in certificate.get("subjectAltName", ()) if kind == "IP Address"]
    if _packed(host) not in [_packed(name) for name in names]:
        raise CertificateError("the address %s does not stand in it" % host)


class Link(object):
    """One kept connection to a server; usable from several threads, one after the other."""

    def __init__(self, address):
        self.address = address
        self.user = None
        self._token, self._no_token = None, None
        self._lock = threading.RLock()
        self._plug = None
        self._pid = None
        self._trust, self._names_ip = None, False

    def call(self, method, path, body=b"", headers=(), again=False):
        """`(status, content type, bytes)` of an answer. `again`: the request may be sent a second time."""
        for left in ((1, 0) if again else (0,)):
            try:
                return self.stream(method, path, [body], len(body), headers)
            except _NETWORK as error:
                if not left:
                    raise Refusal("unavailable", "%s: %s" % (self.address, _reason(error)))

    def json(self, method, path, body=None, again=True):
        """The object that a REST address answers. Refusals of the server are raised as such."""
        data = b"" if body is None else json.dumps(body).encode("utf-8")
        headers = [("Content-Type", "application/json")]
        return self.understood(*self.call(method, "/api/v1" + path, data, headers, again))

    def understood(self, status, kind, data):
        """The object in an answer, or the refusal that it is."""
        if status != 200:
            raise self.refusal(status, kind, data)
        try:
            value = json.loads(data.decode("utf-8"))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Refusal("unavailable", "%s is no configuration server: it does not answer in JSON" % self.address)
        return value

    def refusal(self, status, kind, data):
        """What a status other than 200 says."""
        if 300 <= status < 400:
            return Refusal("unavailable", "%s sends elsewhere (HTTP %d); use the server's own address"
                           % (self.address, status))
        name = _OF_STATUS.get(status, "unavailable")
        try:
            problem = json.loads(data.decode("utf-8")) if "json" in kind else {}
            detail = _native(problem.get("detail") or problem.get("title") or "")
            name = _native(problem.get("code") or name)
            title = _native(problem.get("title"))
            number, fields = problem.get("number"), problem.get("fields") or []
        except (ValueError, AttributeError):
            detail, title, number, fields = "", None, None, []
        detail = detail or "%s answered HTTP %d" % (self.address, status)
        if status == 401 and self._no_token:
            detail += " (%s)" % self._no_token
        if number is None and name not in CODES:
            number = CODES[_OF_STATUS.get(status, "unavailable")][0]
        return Refusal(name, detail, number, title, fields)

    def stream(self, method, path, chunks, length, headers=()):
        """As `call`, the body in pieces. Raises what the network raises; sends once."""
        with self._lock:
            plug = self._connected()
            try:
                return self._exchange(plug, method, path, chunks, length, headers)
            except BaseException:
                # Also for Ctrl-C: half a request must not stand before the next one.
                self.close()
                raise

    def close(self):
        plug, self._plug = self._plug, None
        if plug is not None:
            plug.close()

    def _connected(self):
        # A forked child must not speak on its parent's connection, and one that the server has closed is of no use.
        if self._plug is not None and (self._pid != os.getpid() or self._has_ended()):
            self.close()
        if self._plug is None:
            plug = self._new_plug()
            try:
                plug.connect()
                if self._names_ip:
                    _require_ip(plug.sock.getpeercert(), self.address.host)
                plug.sock.settimeout(ANSWER_TIMEOUT_S)
            except BaseException:
                plug.close()
                raise
            self._plug, self._pid = plug, os.getpid()
        return self._plug

    def _new_plug(self):
        where, port = self.address.host, self.address.port
        if self.address.scheme != "https":
            return HTTPConnection(where, port, timeout=CONNECT_TIMEOUT_S)
        if self._trust is None:
            self._trust = _trusted()
            self._names_ip = PY2 and _packed(where) is not None
            if self._names_ip:
                # Python 2 looks for names of hosts alone.
                self._trust.check_hostname = False
        return httplib.HTTPSConnection(where, port, timeout=CONNECT_TIMEOUT_S, context=self._trust)

    def _has_ended(self):
        plug = self._plug.sock
        try:
            return plug is None or bool(select.select([plug], [], [], 0)[0])
        except (ValueError, EnvironmentError, select.error):
            return True

    def _exchange(self, plug, method, path, chunks, length, headers):
        plug.putrequest(method, self.address.prefix + path, skip_accept_encoding=True)
        for name, value in list(headers) + self._identity():
            plug.putheader(name, value)
        plug.putheader("User-Agent", "stormtest/%s" % __version__)
        plug.putheader("Content-Length", str(length))
        broken = None
        try:
            pieces = iter(chunks)
            plug.endheaders(next(pieces, b""))
            for chunk in pieces:
                plug.send(chunk)
        except (socket.error, EnvironmentError) as error:
            # A server that refuses may say so and close before it has read everything.
            broken = error
        try:
            answer = plug.getresponse()
            data = _whole_body(answer)
        except _NETWORK:
            raise broken or sys.exc_info()[1]
        if broken or answer.will_close:
            self.close()
        return answer.status, answer.getheader("Content-Type") or "", data

    def _identity(self):
        if self._token is None:
            self._token, self._no_token = _find_token(self.address)
        found = [("Authorization", "Bearer " + self._token)] if self._token else []
        user = self.user or (None if self._token else _login_name())
        return found + ([("X-Headend-User", user)] if user else [])


def _whole_body(answer):
    """All bytes of an answer. In pieces: old Pythons allocate at once all that they are allowed to read."""
    pieces, size = [], 0
    while True:
        piece = answer.read(1 << 16)
        if not piece:
            if answer.length:
                raise HTTPException("the connection was cut in the middle of the answer")
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise HTTPException("the answer is larger than %d bytes" % MAX_ANSWER_BYTES)


def _login_name():
    """Who is logged on here, as the document has it; for servers that ask for no token.

    What no user name of a server has becomes `_`: without that, all whose names have a space would be one user.
    """
    try:
        name = getpass.getuser()
    except Exception:  # no user in the environment, and none in the system's list
        return None
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("._-")[:64] or None


# ---- Uploads ---------------------------------------------------------------------------------------------------------

MAX_FILES = 100000
_ASKED_AT_ONCE = 5000
_SMALL_BYTES = 256 << 10
_PACK_BYTES = 4 << 20
_PACK_RECORDS = 1000
_PART_BYTES = 16 << 20
_CHUNK_BYTES = 256 << 10
# Pauses before an upload that was cut goes on; each part that arrives starts them anew.
_PAUSES_S = (0.2, 1, 3, 10)
_PACK_TYPE = "application/x-headend-pack"


class FailedFile(str):
    """The local name of a file that was not uploaded; `reason` says why."""

    reason = ""

    @classmethod
    def because(cls, local, reason):
        failed = cls(local)
        failed.reason = reason
        return failed


class _Entry(object):
    """A file to upload. `stamp` is what its size and times were when it was hashed."""

    __slots__ = ("disk", "local", "remote", "stamp", "size", "digest")

    def __init__(self, disk, local, remote):
        self.disk, self.local, self.remote = disk, local, remote
        self.stamp = self.size = self.digest = None


def _disk(path):
    """A path as the system takes it whatever the locale is: bytes where names are bytes, else text."""
    if hasattr(path, "__fspath__"):
        path = path.__fspath__()
    if not isinstance(path, (BYTES, TEXT)) or not path:
        raise Refusal("invalid", "localPath is %s; give the name of a file or folder" % _shown(path))
    if os.name == "nt":
        path = path.decode(sys.getfilesystemencoding() or "utf-8") if isinstance(path, BYTES) else path
    elif PY2:
        path = path.encode("utf-8") if isinstance(path, TEXT) else path
    else:
        path = os.fsencode(path)
    if (b"\0" if isinstance(path, BYTES) else u"\0") in path:
        raise Refusal("invalid", "localPath is %s; a name has no NUL" % _shown(path))
    bare = path.rstrip(u"\\/" if os.name == "nt" else "/" if isinstance(path, str) else b"/")
    # Not so for `/` and `C:\`, which end in their slash.
    return bare if os.path.dirname(path) != path and bare else path


def _local(disk):
    """A path as the script's own `str`."""
    if PY2:
        return disk if isinstance(disk, BYTES) else disk.encode(sys.getfilesystemencoding() or "utf-8", "replace")
    return os.fsdecode(disk)


def _remote_parts(name, path):
    """The components of a path in an area; both slashes are taken. The server judges them."""
    return [part for part in re.split(u"[\\\\/]+", _text(name, path)) if part]


def _stamp(meta):
    return meta.st_size, getattr(meta, "st_mtime_ns", meta.st_mtime), meta.st_ino


def _opened(entry):
    """The file, if it is a plain one, not by way of a link that appeared meanwhile. Raises `LocalFault`."""
    flags = os.O_RDONLY
    for name in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_NOINHERIT"):
        flags |= getattr(os, name, 0)
    try:
        number = os.open(entry.disk, flags)
        try:
            meta = os.fstat(number)
            if not stat.S_ISREG(meta.st_mode):
                raise LocalFault("it is no plain file")
            return io.open(number, "rb", buffering=0), _stamp(meta)
        except Exception:
            os.close(number)
            raise
    except EnvironmentError as error:
        raise LocalFault(_reason(error))


def _read(source, most):
    try:
        return source.read(most)
    except EnvironmentError as error:
        raise LocalFault(_reason(error))


CHANGED = "it changed while it was read; upload it again"


def _hash(entry, progress):
    """Fills in digest and size."""
    source, before = _opened(entry)
    with source:
        digest, size = hashlib.sha256(), 0
        while True:
            chunk = _read(source, _CHUNK_BYTES)
            if not chunk:
                break
            digest.update(chunk)
            size += len(chunk)
            progress.read(len(chunk))
        if _stamp(os.fstat(source.fileno())) != before or size != before[0]:
            raise LocalFault(CHANGED)
    entry.digest, entry.size, entry.stamp = "sha256:" + digest.hexdigest(), size, before


class _Walk(object):
    """What lies below a local path: `entries`, and `failed` for what cannot be taken."""

    def __init__(self, root, parts, with_folders):
        self.entries, self.failed = [], []
        self._with_folders = with_folders
        try:
            # The script named it, so a link is followed here, and only here.
            meta = os.stat(root)
        except EnvironmentError as error:
            raise Refusal("not_found", "localPath %s: %s" % (_local(root), _reason(error)))
        if stat.S_ISDIR(meta.st_mode):
            self._folder(root, parts)
        else:
            self._single(root, meta, parts)

    def _single(self, root, meta, parts):
        real = os.path.realpath(root)
        name = self._name(root, os.path.basename(root))
        if name is not None and not self._is_odd(root, meta):
            # A remote path that ends in the file's own name is that file; any other is a folder.
            whole = parts if parts and parts[-1] == name else parts + [name]
            self.entries.append(_Entry(real, _local(root), whole))

    def _folder(self, root, parts):
        waiting = [(root, parts)]
        while waiting:
            folder, inside = waiting.pop()
            try:
                names = sorted(os.listdir(folder))
            except EnvironmentError as error:
                self._fail(folder, _reason(error))
                continue
            for name in names:
                self._one(waiting, os.path.join(folder, name), name, inside)

    def _one(self, waiting, disk, name, inside):
        try:
            meta = os.lstat(disk)
        except EnvironmentError as error:
            return self._fail(disk, _reason(error))
        is_folder = stat.S_ISDIR(meta.st_mode)
        if is_folder and not self._with_folders:
            return None
        plain = self._name(disk, name)
        if plain is None or not is_folder and self._is_odd(disk, meta):
            return None
        if is_folder:
            return waiting.append((disk, inside + [plain]))
        return self.entries.append(_Entry(disk, _local(disk), inside + [plain]))

    def _is_odd(self, disk, meta):
        if stat.S_ISLNK(meta.st_mode):
            self._fail(disk, "it is a symbolic link, and links are not followed; put the file in its place")
        elif not stat.S_ISREG(meta.st_mode):
            self._fail(disk, "it is no plain file")
        return not stat.S_ISREG(meta.st_mode)

    def _name(self, disk, name):
        try:
            text = name.decode("utf-8") if isinstance(name, BYTES) else name
            if _UNSAYABLE.search(text):
                self._fail(disk, "its name has a character that cannot be sent")
            elif u"\\" in text:
                # The server takes both slashes: the file would land in a folder, perhaps on top of another.
                self._fail(disk, "its name has a backslash, which parts folders on the server; rename it")
            else:
                return text
        except UnicodeDecodeError:
            self._fail(disk, "its name is not UTF-8")
        return None

    def _fail(self, disk, reason):
        self.failed.append(FailedFile.because(_local(disk), reason))


class _Progress(object):
    """One line on a terminal; nothing elsewhere."""

    def __init__(self, out):
        try:
            self._out = out if out is not None and out.isatty() else None
        except Exception:  # whatever a script has put in the place of stderr
            self._out = None
        self._is_dirty = False
        self._shown = 0.0
        self._started = time.time()
        self._read = self._done = self._total = 0

    def read(self, count):
        self._read += count
        self._show("reading   %s" % _bytes(self._read))

    def send(self, total):
        # The first line of this part is not to be left out.
        self._total, self._done, self._started, self._shown = total, 0, time.time(), 0.0

    def sent(self, count):
        self._done += count
        rate = self._done / max(time.time() - self._started, 0.001)
        self._show("uploading %s of %s, %d %%, %s/s" % (_bytes(self._done), _bytes(self._total),
                                                        100 * self._done // max(self._total, 1), _bytes(rate)))

    def end(self):
        if self._out and self._is_dirty:
            self._write("\r" + " " * 78 + "\r")

    def _show(self, text):
        if self._out and abs(time.time() - self._shown) > 0.1:
            self._shown, self._is_dirty = time.time(), True
            self._write("\r" + text[:78].ljust(78))

    def _write(self, text):
        try:
            self._out.write(text)
            self._out.flush()
        except Exception:  # a terminal that went away is no reason to stop
            self._out = None


def _bytes(count):
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            break
        count /= 1024.0
    else:
        unit = "GiB"
    return "%.*f %s" % (0 if unit == "B" else 1, count, unit)


class Upload(object):
    """One `uploadFiles`: hash, ask, send, commit."""

    def __init__(self, link, area, entries, failed, progress):
        self._link, self._area, self._progress = link, area, progress
        self._entries = entries
        self.failed = failed
        # The first file that the server refused, and how.
        self.first_refused = None

    def run(self):
        """Gives the entries that are on the server now. Raises `Refusal` when none can be."""
        self._entries = [entry for entry in self._entries if self._tried(entry, _hash, entry, self._progress)]
        missing = self._ask()
        for _ in range(3):
            self._send(missing)
            missing = self._commit()
            if not missing:
                return self._entries
        raise Refusal("missing_blobs", "the server loses what it is sent; try again in a moment")

    def _tried(self, entry, do, *args):
        try:
            do(*args)
            return True
        except LocalFault as fault:
            self._fail(entry, str(fault))
        except Refusal as refusal:
            if refusal.name not in ("invalid", "too_large", "too_many"):
                raise
            self._fail(entry, refusal.detail, refusal)
        return False

    def _fail(self, entry, reason, refusal=None):
        self.failed.append(FailedFile.because(entry.local, reason))
        if refusal is not None and self.first_refused is None:
            self.first_refused = entry.local, refusal

    def _drop(self, bad):
        """Takes out the entries of `bad`: a dict from entry to (code, detail)."""
        for entry in self._entries:
            if entry not in bad:
                continue
            code, detail = bad[entry]
            self._fail(entry, detail, Refusal(code if code in CODES else "bad_path", detail))
        self._entries = [entry for entry in self._entries if entry not in bad]

    def _ask(self):
        """Digests that the server lacks. Entries whose names it refuses are taken out."""
        missing, bad = set(), {}
        for start in range(0, len(self._entries), _ASKED_AT_ONCE):
            part = self._entries[start : start + _ASKED_AT_ONCE]
            names = dict((u"/".join(entry.remote), entry) for entry in part)
            answer = self._link.json("POST", "/files/%s/missing" % self._area, {
                "hashes": sorted(set(entry.digest for entry in part)), "paths": sorted(names),
                "sizes": [names[name].size for name in sorted(names)]})
            missing.update(_native(digest) for digest in answer.get("missing", []))
            for row in answer.get("refused", []):
                if row.get("path") in names:
                    bad[names[row["path"]]] = _native(row.get("code")), _native(row.get("detail") or "")
        self._drop(bad)
        return missing

    def _commit(self):
        """One new revision. Gives digests that the server turned out to lack; refused names are taken out first."""
        while self._entries:
            put = [{"path": u"/".join(entry.remote), "hash": entry.digest, "size": entry.size}
                   for entry in self._entries]
            try:
                self._link.json("POST", "/files/%s/commit" % self._area, {"put": put, "delete": []})
                return set()
            except Refusal as refusal:
                at_fault = [self._entries[int(found.group(1))] for found in
                            (re.match(r"/put/(\d+)/", field) for field in refusal.fields)
                            if found and int(found.group(1)) < len(self._entries)]
                if refusal.name == "missing_blobs":
                    return set(entry.digest for entry in at_fault or self._entries)
                if not at_fault:
                    raise
                self._drop(dict((entry, (refusal.name, refusal.detail)) for entry in at_fault))
        return set()

    def _send(self, missing):
        same = {}
        for entry in self._entries:
            if entry.digest in missing:
                same.setdefault(entry.digest, []).append(entry)
        self._progress.send(sum(entries[0].size for entries in same.values()))
        small = [entries for entries in same.values() if entries[0].size <= _SMALL_BYTES]
        gone = set(self._packs(small))
        for entries in same.values():
            if entries and entries[0].size > _SMALL_BYTES:
                # Any of the files with these bytes will do.
                while entries and not self._tried(entries[0], self._parts, entries[0]):
                    gone.add(entries.pop(0))
        self._entries = [entry for entry in self._entries if entry not in gone]

    def _packs(self, small):
        """Sends small files, many at once. Gives the entries that failed."""
        gone, pack, size = [], [], 0
        for entries in small:
            while entries:
                held = []
                if self._tried(entries[0], lambda: held.append(_small(entries[0]))):
                    pack.append((entries[0].digest, held[0]))
                    size += len(held[0]) + 96
                    break
                gone.append(entries.pop(0))
            if size >= _PACK_BYTES or len(pack) >= _PACK_RECORDS:
                self._pack(pack)
                pack, size = [], 0
        if pack:
            self._pack(pack)
        return gone

    def _pack(self, pack):
        body = b"".join(("%s %d\n" % (digest, len(data))).encode("ascii") + data for digest, data in pack)
        status = self._link.call("POST", "/api/v1/blobs", body, [("Content-Type", _PACK_TYPE)], again=True)
        self._link.understood(*status)
        self._progress.sent(sum(len(data) for _, data in pack))

    def _parts(self, entry):
        """Sends a large file, from where a former try stopped."""
        where = "/uploads/%s?size=%d" % (quote(entry.digest, ""), entry.size)
        at, tries = self._received(where), 0
        self._progress.sent(at)
        while at is not None and at < entry.size:
            try:
                now = self._part(entry, where, at)
            except (Refusal,) + _NETWORK as error:
                if isinstance(error, Refusal) and error.name not in ("conflict", "unavailable"):
                    raise
                if tries >= len(_PAUSES_S):
                    raise error if isinstance(error, Refusal) else Refusal(
                        "unavailable", "%s: %s" % (self._link.address, _reason(error)))
                time.sleep(_PAUSES_S[tries])
                tries += 1
                now = self._patient(where, tries)
            if now > at:
                tries = 0
            self._progress.sent(now - at)
            at = now

    def _patient(self, where, tries):
        """How far an upload has come, asked while the server may still be away."""
        for pause in _PAUSES_S[tries:]:
            try:
                return self._received(where)
            except Refusal as refusal:
                if refusal.name != "unavailable":
                    raise
            time.sleep(pause)
        return self._received(where)

    def _received(self, where):
        return _count(self._link.json("GET", where))

    def _part(self, entry, where, at):
        length = min(_PART_BYTES, entry.size - at)
        source, stamp = _opened(entry)
        with contextlib.closing(source):
            if stamp != entry.stamp:
                raise LocalFault(CHANGED)
            source.seek(at)
            answer = self._link.stream("PUT", "/api/v1%s&offset=%d" % (where, at), _pieces(source, length), length,
                                       [("Content-Type", "application/octet-stream")])
        try:
            return _count(self._link.understood(*answer))
        except Refusal as refusal:
            # All was well when it was hashed, so it is the file that is different now.
            raise LocalFault(CHANGED) if refusal.name == "invalid" else refusal


def _count(answer):
    received = answer.get("received")
    if isinstance(received, bool) or not isinstance(received, numbers.Integral):
        raise Refusal("unavailable", "the server does not say how much it has of a file")
    return received


def _pieces(source, length):
    while length:
        chunk = _read(source, min(_CHUNK_BYTES, length))
        if not chunk:
            raise LocalFault(CHANGED)
        length -= len(chunk)
        yield chunk


def _small(entry):
    """All bytes of a small file, the same as were hashed."""
    source, _ = _opened(entry)
    with contextlib.closing(source):
        data = b""
        while len(data) <= entry.size:
            chunk = _read(source, entry.size + 1 - len(data))
            if not chunk:
                break
            data += chunk
    if "sha256:" + hashlib.sha256(data).hexdigest() != entry.digest:
        raise LocalFault(CHANGED)
    return data


def _shown_remote(parts):
    """The document's form: backslashes, one in front."""
    return _native(u"\\" + u"\\".join(parts))


def _names_on_server(entries):
    """Files and the folders they are in, each folder before what is in it."""
    names = set()
    for entry in entries:
        names.update(tuple(entry.remote[:depth]) for depth in range(1, len(entry.remote) + 1))
    return [_shown_remote(parts) for parts in sorted(names)]


# ---- The configurator ------------------------------------------------------------------------------------------------


class CJobConfigurator(object):
    """A configuration server at `"host:port"`; port 8001 unless given. Nothing is sent before the first call.

    Also taken: `http://host:port`, `https://host`. Raises `ValueError` for what is no address, and nothing later.
    Where the document numbers its columns from 1, Python's lists count from 0.
    """

    def __init__(self, server):
        self._link = Link(Address(server))

    def __repr__(self):
        return "<CJobConfigurator %s>" % self._link.address

    # ---- the server

    @property
    def ServerVersion(self):
        """Version of the server, or `"Not Connected"`."""
        return self._info().get("version") or NOT_CONNECTED

    @property
    def ServerStartTime(self):
        """Start of the server in UTC, `YYYY-MM-DD HH:MM:SSZ`, or `"Not Connected"`."""
        started = self._info().get("started")
        return started[:19].replace("T", " ") + "Z" if started else NOT_CONNECTED

    def _info(self):
        try:
            return _plain(self._link.json("GET", "/server"))
        except Refusal:
            return {}

    @_answering
    def setUser(self, userName=""):
        """Act as this user from now on; `""`: as the token's own again (chapter 4.11, 7.1.21). Gives `[0, 'OK']`.

        The server allows it for tokens that may act for others, and for anybody in open mode; the next call tells.
        """
        name = _text("userName", userName)
        if name and not re.match(u"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\\Z", name):
            raise Refusal("invalid", "userName is %s; use 1 to 64 letters, digits, `-`, `_` or `.`, starting with a "
                                     "letter or digit" % _shown(userName))
        self._link.user = str(name) or None
        return _ok()

    # ---- files

    @_answering
    def uploadFiles(self, localPath, remotePath, makePublic=False, includeSubDirs=False):
        """Upload a file, or the files of a folder, to `remotePath` of an area (chapter 4.3).

        Gives `[code, text, names on the server, local names, local names that failed]`; each of the last has a
        `reason`. Code -7: some failed, the others are there. All that are there appear at once.
        """
        area = "public" if _flag("makePublic", makePublic) else "private"
        with_folders, parts = _flag("includeSubDirs", includeSubDirs), _remote_parts("remotePath", remotePath)
        root = _disk(localPath)
        try:
            found = _Walk(root, parts, with_folders)
        except Refusal as refusal:
            return refusal.answer() + [[], [], [FailedFile.because(_local(root), refusal.detail)]]
        return self._upload(area, found)

    def _upload(self, area, found):
        failed = found.failed
        progress = _Progress(sys.stderr)
        upload = Upload(self._link, area, found.entries, failed, progress)
        try:
            if len(found.entries) > MAX_FILES:
                raise Refusal("too_large", "%d files; at most %d are taken at once" % (len(found.entries), MAX_FILES))
            done = upload.run() if found.entries else []
        except Refusal as refusal:
            rest = [FailedFile.because(entry.local, refusal.detail) for entry in found.entries]
            known = set(failed)
            return refusal.answer() + [[], [], failed + [one for one in rest if one not in known]]
        finally:
            progress.end()
        done.sort(key=lambda entry: entry.remote)
        return _upload_answer(done, failed, upload.first_refused)

    @_answering
    def convertFilesToPublic(self, privatePath, publicPath, includeSubDirs=False):
        """Copy private files to the public area (chapter 4.10). `*` stands for any text in the last component."""
        return self._call("convertFilesToPublic", [
            ("privatePath", _text("privatePath", privatePath)), ("publicPath", _text("publicPath", publicPath)),
            ("includeSubDirs", _flag("includeSubDirs", includeSubDirs))], again=True)

    @_answering
    def deletePublicFiles(self, file):
        """Delete a file or a whole folder of the public area (chapter 7.1.10). No wildcards."""
        return self._call("deletePublicFiles", [("file", _text("file", file))])

    @_answering
    def deletePrivateFiles(self, file):
        """Delete a file or a whole folder of the user's own area (chapter 7.1.11). No wildcards."""
        return self._call("deletePrivateFiles", [("file", _text("file", file))])

    @_answering
    def listPublicFiles(self, remotePath, includeDirs=False):
        """`[0, 'OK', [[name, last change in Unix time, bytes, 'File' or 'Dir'], ...]]` (chapter 7.1.19)."""
        return self._call("listPublicFiles", [("remotePath", _text("remotePath", remotePath)),
                                              ("includeDirs", _flag("includeDirs", includeDirs))], again=True)

    @_answering
    def listPrivateFiles(self, remotePath, includeDirs=False, userName=""):
        """As `listPublicFiles`, of a user's own area (chapter 7.1.20)."""
        return self._call("listPrivateFiles", [
            ("remotePath", _text("remotePath", remotePath)), ("includeDirs", _flag("includeDirs", includeDirs)),
            ("userName", _text("userName", userName))], again=True)

    # ---- jobs

    @_answering
    def submitBatchJob(self, name, slots, duts, tests, failOnWarning=False):
        """Run tests as soon as possible (chapter 4.4). Gives `[code, text, handle, warnings]`.

        `slots`: `(server, number)`; `duts`: ids; one of both may be None. `tests`: (script, public, slots needed,
        mode, arguments). Sent again with the same key if the answer is lost, so that there is one job.
        """
        args = [("name", _text("name", name)), ("slots", _slots(slots)), ("duts", _duts(duts)),
                ("tests", _tests(tests)), ("failOnWarning", _flag("failOnWarning", failOnWarning))]
        return self._call("submitBatchJob", args, again=True, key=str(uuid.uuid4()))

    @_answering
    def getBatchStatus(self, jobId):
        """State of a job and of each of its tests (chapter 5.1)."""
        return self._call("getBatchStatus", [("jobId", _whole("jobId", jobId))], again=True)

    @_answering
    def killBatchJob(self, jobId):
        """Stop a job (chapter 4.7). Gives `[0, 'OK', jobId]`."""
        return self._call("killBatchJob", [("jobId", _whole("jobId", jobId))], again=True)

    @_answering
    def findStb(self, filters):
        """Devices for which all conditions hold, such as `["Name==TP*", "Manufacturer==*"]` (chapter 4.5).

        Gives rows of 20: the id is `row[16]`, the slot `row[18]`, the server `row[19]`.
        """
        return self._call("findStb", [("filters", _conditions(filters))], again=True)

    # ---- schedules

    @_answering
    def createSchedule(self, name, scheduleType, startDate, endDate, startTime, endTime, repeatCount=0, repeatRate=1,
                       repeatDays=None):
        """A new schedule (chapter 7.1.1). Gives `[0, 'OK', id]`, the id as text.

        `scheduleType`: Loop, OneOff, Daily, Weekly, Weekdays or Weekends; dates and times are `datetime` objects.
        """
        args = _schedule(scheduleType, startDate, endDate, startTime, endTime, repeatCount, repeatRate, repeatDays)
        return self._call("createSchedule", [("name", _text("name", name))] + args)

    @_answering
    def modifySchedule(self, scheduleId, scheduleType, startDate, endDate, startTime, endTime, repeatCount=0,
                       repeatRate=1, repeatDays=None):
        """Change a schedule (chapter 7.1.3). Gives `[0, 'OK', id]`, the id as text."""
        args = _schedule(scheduleType, startDate, endDate, startTime, endTime, repeatCount, repeatRate, repeatDays)
        return self._call("modifySchedule", [_schedule_id(scheduleId)] + args, again=True)

    @_answering
    def renameSchedule(self, scheduleId, newName):
        """Chapter 7.1.2."""
        return self._call("renameSchedule", [_schedule_id(scheduleId), ("newName", _text("newName", newName))],
                          again=True)

    @_answering
    def deleteSchedule(self, scheduleId):
        """Chapter 7.1.4."""
        return self._call("deleteSchedule", [_schedule_id(scheduleId)])

    @_answering
    def getScheduleIdFromName(self, name, userName=""):
        """`[0, 'OK', id]`, the id as a number (chapter 7.1.5)."""
        return self._call("getScheduleIdFromName", [("name", _text("name", name)),
                                                    ("userName", _text("userName", userName))], again=True)

    @_answering
    def addSlotToSchedule(self, scheduleId, serverName, slotId):
        """Chapter 7.1.6."""
        return self._call("addSlotToSchedule", _place(scheduleId, serverName, slotId))

    @_answering
    def removeSlotFromSchedule(self, scheduleId, serverName, slotId):
        """Chapter 7.1.7."""
        return self._call("removeSlotFromSchedule", _place(scheduleId, serverName, slotId))

    @_answering
    def addStbToSchedule(self, scheduleId, dutId):
        """Chapter 7.1.8."""
        return self._call("addStbToSchedule", [_schedule_id(scheduleId), ("dutId", _whole("dutId", dutId))])

    @_answering
    def removeStbFromSchedule(self, scheduleId, dutId):
        """Chapter 7.1.9."""
        return self._call("removeStbFromSchedule", [_schedule_id(scheduleId), ("dutId", _whole("dutId", dutId))])

    @_answering
    def addTestToSchedule(self, scheduleId, testPath, publicJob, slotsNeeded, priority=1, schedulingMode=0,
                          overrideArgs=""):
        """Add a test, also known as a job (chapter 7.1.12). Gives `[0, 'OK', id]`, the id as text."""
        return self._call("addTestToSchedule", [
            _schedule_id(scheduleId), ("testPath", _text("testPath", testPath)),
            ("publicJob", _flag("publicJob", publicJob)), ("slotsNeeded", _whole("slotsNeeded", slotsNeeded)),
            ("priority", _whole("priority", priority)), ("schedulingMode", _mode("schedulingMode", schedulingMode)),
            ("overrideArgs", _text("overrideArgs", overrideArgs))])

    @_answering
    def updateJob(self, jobId, publicJob, slotsNeeded, priority, expectedDuration, schedulingMode, overrideArgs):
        """Change a test of a schedule (chapter 7.1.13). `expectedDuration` is ignored. Gives `[0, 'OK', id]`."""
        duration = 0 if expectedDuration is None else _whole("expectedDuration", expectedDuration)
        return self._call("updateJob", [
            ("jobId", _whole("jobId", jobId)), ("publicJob", _flag("publicJob", publicJob)),
            ("slotsNeeded", _whole("slotsNeeded", slotsNeeded)), ("priority", _whole("priority", priority)),
            ("expectedDuration", duration), ("schedulingMode", _mode("schedulingMode", schedulingMode)),
            ("overrideArgs", _text("overrideArgs", overrideArgs))], again=True)

    @_answering
    def deleteJob(self, jobId):
        """Chapter 7.1.14. Gives `[0, 'OK', '1 records deleted']`."""
        return self._call("deleteJob", [("jobId", _whole("jobId", jobId))])

    @_answering
    def showSchedules(self, userName=""):
        """A user's schedules, 13 columns each, with `date`, `time` and `datetime` objects (chapter 7.1.15)."""
        answer = self._call("showSchedules", [("userName", _text("userName", userName))], again=True)
        return _dated(answer, _SCHEDULE_COLUMNS)

    @_answering
    def showSlotsOnSchedule(self, scheduleId):
        """`[0, 'OK', [[server, slot], ...]]` (chapter 7.1.16)."""
        return self._call("showSlotsOnSchedule", [_schedule_id(scheduleId)], again=True)

    @_answering
    def showStbsOnSchedule(self, scheduleId):
        """`[0, 'OK', [[id, name, description, model], ...]]` (chapter 7.1.17)."""
        return self._call("showStbsOnSchedule", [_schedule_id(scheduleId)], again=True)

    @_answering
    def showJobsOnSchedule(self, scheduleId):
        """The tests of a schedule, 15 columns each (chapter 7.1.18)."""
        return _dated(self._call("showJobsOnSchedule", [_schedule_id(scheduleId)], again=True), _JOB_COLUMNS)

    # ---- the wire

    def _call(self, method, args, again=False, key=None):
        """One call by XML-RPC. `again`: a second try does no harm."""
        headers = [("Content-Type", "text/xml")] + ([("Idempotency-Key", key)] if key else [])
        status, kind, data = self._link.call("POST", "/", _call_text(method, args), headers, again)
        if status != 200:
            raise self._link.refusal(status, kind, data)
        try:
            values, _ = xmlrpclib.loads(data, use_datetime=True)
        except xmlrpclib.Fault as fault:
            code = fault.faultCode if isinstance(fault.faultCode, int) and fault.faultCode > 0 else 1
            return [code, _native(fault.faultString)]
        except Exception:  # text of another kind of server; the parser raises whatever it stumbles over
            values = ()
        answer = _plain(values[0]) if len(values) == 1 else None
        if not isinstance(answer, list) or len(answer) < 2 or not isinstance(answer[0], int):
            raise Refusal("unavailable", "%s is no configuration server: it does not answer in XML-RPC"
                          % self._link.address)
        return answer

    def __getattr__(self, name):
        known = [one for one in dir(type(self)) if not one.startswith("_")]
        near = difflib.get_close_matches(name, known, 1, 0.5)
        raise AttributeError("CJobConfigurator has no call %r%s"
                             % (name, "; the nearest name is %s" % near[0] if near else ""))


def _ok():
    return list(CODES["ok"])


def _schedule_id(value):
    return "scheduleId", _whole("scheduleId", value)


def _place(schedule, server, slot):
    return [_schedule_id(schedule), ("serverName", _text("serverName", server)), ("slotId", _whole("slotId", slot))]


def _schedule(kind, start_date, end_date, start_time, end_time, count, rate, days):
    return [("scheduleType", _text("scheduleType", kind)),
            ("startDate", _date("startDate", start_date)), ("endDate", _date("endDate", end_date)),
            ("startTime", _time("startTime", start_time)), ("endTime", _time("endTime", end_time)),
            ("repeatCount", _whole("repeatCount", count)), ("repeatRate", _whole("repeatRate", rate)),
            ("repeatDays", _days(days))]


def _upload_answer(done, failed, refused):
    names = [_names_on_server(done), [entry.local for entry in done], failed]
    if not failed:
        return _ok() + names
    first = "%s: %s" % (failed[0], failed[0].reason)
    if done:
        counts = len(failed), len(failed) + len(done)
        return Refusal("not_uploaded", "%d of %d, first %s" % (counts + (first,))).answer() + names
    if refused is not None:
        return [refused[1].number, "%s: %s" % (refused[0], refused[1].text)] + names
    return Refusal("invalid", "localPath has nothing that can be uploaded, first %s" % first).answer() + names
