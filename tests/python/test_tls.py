"""TLS: a server behind a terminator, whose certificate somebody has made at home."""

import os
import select
import shutil
import socket
import ssl
import subprocess
import threading

from support import DEADLINE_S
from test_configurator import Player

_OPENSSL = shutil.which("openssl")


class Terminator:
    """Takes TLS, and passes what is in it to a plain server. `accepted`: connections that came to the end of their
    handshake."""

    def __init__(self, port, certificate, key):
        self._target, self.accepted = port, 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        plain.settimeout(DEADLINE_S)
        try:
            outer = self._context.wrap_socket(plain, server_side=True)
        except OSError:  # the client did not like the certificate
            plain.close()
            return
        self.accepted += 1
        with outer, socket.create_connection(("127.0.0.1", self._target), DEADLINE_S) as inner:
            try:
                self._carry(outer, inner)
            except OSError:
                pass

    @staticmethod
    def _carry(outer, inner):
        """Both ways in one thread: two must not use one TLS connection at the same time."""
        ready = True
        while ready:
            ready = [outer] if outer.pending() else select.select([outer, inner], [], [], DEADLINE_S)[0]
            for source in ready:
                data = source.recv(1 << 16)
                if not data:
                    return
                (inner if source is outer else outer).sendall(data)


class Cases(Player):
    """For one interpreter, `self.python`."""

    def setUp(self):
        super().setUp()
        if _OPENSSL is None:
            self.skipTest("there is no `openssl` to make certificates with")
        self.certificate, self.key = self.made("server", "IP:127.0.0.1,DNS:localhost")
        self.tls = self.terminator(self.certificate, self.key)

    def made(self, name, names):
        """A certificate that vouches for itself, and its key."""
        certificate, key = (os.path.join(self.folder, name + end) for end in (".pem", ".key"))
        subprocess.run([_OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=headend test",
                        "-addext", "subjectAltName=" + names], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return certificate, key

    def terminator(self, certificate, key):
        tls = Terminator(self.farm.port, certificate, key)
        self.addCleanup(tls.close)
        return tls

    def refused(self, address, **env):
        """What four calls of all kinds say when there is no way to the server. No traceback: `play` would tell."""
        self.put = self.write("one.txt", "x")
        out = self.play(u"""
out["answers"] = [cfg.showSchedules(), cfg.submitBatchJob("j", [("r", 1)], None, [("a.py", True, 1, 1, "")])]
up = cfg.uploadFiles(%r, "x")
out["up"] = [up[0], up[1], len(up[4])]
out["version"] = cfg.ServerVersion
""" % self.put, address=address, **env)
        self.assertEqual(out["version"], "Not Connected")
        self.assertEqual(out["up"], out["answers"][0] + [1])
        self.assertEqual(out["answers"][0], out["answers"][1])
        self.assertEqual(self.farm.requests, [])
        return out["answers"][0]

    def test_calls_and_uploads_go_through_tls_on_one_connection(self):
        path = self.write("big.bin", "0123456789" * 60000)
        for host in ("127.0.0.1", "localhost"):
            out = self.play(u"""
out["up"] = cfg.uploadFiles(%r, "big")[:2]
out["calls"] = [cfg.showSchedules()[:2] for _ in range(3)]
""" % path, address="https://%s:%d" % (host, self.tls.port), HEADEND_CA=self.certificate)
            self.assertEqual(out, {"up": [0, "OK"], "calls": [[0, "OK"]] * 3})
        # One each: a session ticket that lies in the socket is no end of the connection.
        self.assertEqual(self.tls.accepted, 2)
        self.assertEqual(set(self.farm.commits[0][2]), {"big/big.bin"})

    def test_the_certificates_may_lie_in_a_folder(self):
        folder = os.path.join(self.folder, "trusted")
        os.mkdir(folder)
        shutil.copy(self.certificate, folder)
        subprocess.run([_OPENSSL, "rehash", folder], check=True, stdout=subprocess.DEVNULL)
        out = self.play(u"out['code'] = cfg.showSchedules()[:2]", address="https://127.0.0.1:%d" % self.tls.port,
                        HEADEND_CA=folder)
        self.assertEqual(out, {"code": [0, "OK"]})

    def test_a_certificate_that_nobody_vouches_for_is_a_code(self):
        stranger, _ = self.made("stranger", "IP:127.0.0.1")
        for env in ({}, {"HEADEND_CA": stranger}):
            code, text = self.refused("https://127.0.0.1:%d" % self.tls.port, **env)
            self.assertEqual(code, 9)
            self.assertRegex(text, "certificate")
            self.assertIn("HEADEND_CA", text)
        self.assertEqual(self.tls.accepted, 0)

    def test_a_certificate_for_another_name_is_a_code(self):
        certificate, key = self.made("elsewhere", "DNS:elsewhere.example")
        other = self.terminator(certificate, key)
        code, text = self.refused("https://127.0.0.1:%d" % other.port, HEADEND_CA=certificate)
        self.assertEqual(code, 9)
        self.assertRegex(text, "127.0.0.1")

    def test_what_cannot_be_read_as_certificates_is_a_code(self):
        empty = self.write("empty.pem", "no certificate\n")
        for path in (empty, os.path.join(self.folder, "nothing.pem")):
            code, text = self.refused("https://127.0.0.1:%d" % self.tls.port, HEADEND_CA=path)
            self.assertEqual(code, 2)
            self.assertIn(path, text)

    def test_tls_to_a_plain_port_and_plain_to_a_tls_port_are_codes(self):
        code, text = self.refused("https://127.0.0.1:%d" % self.farm.port, HEADEND_CA=self.certificate)
        self.assertEqual(code, 9)
        self.assertIn("http://", text)
        code, _ = self.refused("http://127.0.0.1:%d" % self.tls.port)
        self.assertEqual(code, 9)

    def test_a_python_without_tls_says_so(self):
        prelude = u"""# -*- coding: utf-8 -*-
from __future__ import print_function
import json, os, sys
sys.modules["ssl"] = sys.modules["_ssl"] = None
from JobConfigurator import CJobConfigurator
cfg = CJobConfigurator(os.environ["ADDRESS"])
out = {}
"""
        out = self.play(u"out['got'] = cfg.showSchedules()", prelude=prelude,
                        address="https://127.0.0.1:%d" % self.tls.port)
        self.assertEqual(out["got"][0], 2)
        self.assertIn("has no TLS", out["got"][1])
        self.assertEqual(self.play(u"out['got'] = cfg.showSchedules()[:2]", prelude=prelude), {"got": [0, "OK"]})
