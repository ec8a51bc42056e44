"""What a run can reach of the file system: the system and its interpreter to read, its own folders to write.

Two means that complete each other. In a mount namespace it gets a `/tmp` and a `/dev/shm` of its own; Landlock refuses
everything that is not allowed here, the rack's token and the folders of other runs first of all.
"""

from __future__ import absolute_import

import glob
import os
import sys

from stormtest import _landlock, _linux, _text

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store", "/sys")
# By name: that folder holds keys and passwords, too.
_SETTINGS = ("alternatives", "ca-certificates*", "bash.bashrc", "debian_version", "fonts", "gai.conf", "group",
             "host.conf", "hostname", "hosts", "inputrc", "java*", "ld.so.*", "locale*", "localtime", "login.defs",
             "magic", "mailcap", "mime.types", "networks", "nsswitch.conf", "os-release", "passwd", "pki/ca-trust",
             "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf", "profile", "profile.d", "protocols",
             "python*", "resolv.conf", "rpc", "services", "shells", "ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf",
             "terminfo", "timezone", "*-release")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts")
_SHARED_MEMORY = "/dev/shm"
_SHARED_MEMORY_LIMIT = b"size=256m,nr_inodes=10000,mode=1777"
_TEMPORARY = "/tmp"


class Base(object):
    """What is the same for every run of this interpreter: looked up once, by the zygote."""

    def __init__(self, hidden):
        """`hidden`: folders that no run may look into, though they lie in one that runs may read."""
        self.version = _landlock.version()
        self._rules = []
        if self.version:
            known = _landlock.known_rights(self.version)
            wanted = [(path, _landlock.READ) for path in self._readable(hidden)]
            wanted += [(path, _landlock.WRITE & known) for path in _DEVICES]
            held = [(_landlock.hold(path), rights) for path, rights in wanted]
            self._rules = [(file, rights) for file, rights in held if file is not None]

    @staticmethod
    def _readable(hidden):
        hidden = [os.path.realpath(path) for path in hidden]
        found = set(os.path.realpath(path) for path in _SYSTEM)
        for name in _SETTINGS:
            found.update(os.path.realpath(path) for path in glob.glob(os.path.join("/etc", name)))
        found.update(os.path.realpath(path) for path in _interpreter())
        return [part for path in sorted(found) if path != "/" for part in around(path, hidden)]

    def rules(self, sandbox):
        """The rules for one run, as a descriptor; `None` when the kernel has none. Call it after `own_files`."""
        if not self.version:
            return None
        rules, known = _landlock.create(self.version), _landlock.known_rights(self.version)
        for held, rights in self._rules:
            _landlock.allow(rules, held, rights)
        # Of this very namespace's mounts, so they cannot be held beforehand.
        self._allow(rules, ["/proc"] + sandbox["read"], _landlock.READ)
        self._allow(rules, [_SHARED_MEMORY] + sandbox["write"], _landlock.WRITE & known)
        if sandbox.get("own_tmp"):
            self._allow(rules, [_TEMPORARY], _landlock.WRITE & known)
        return rules

    @staticmethod
    def _allow(rules, paths, rights):
        for path in paths:
            held = _landlock.hold(native(path))
            if held is not None:
                _landlock.allow(rules, held, rights)
                os.close(held[0])


def native(text):
    """A wire text as this Python has it in paths."""
    return text.encode("utf-8") if _text.PY2 and isinstance(text, _text.TEXT) else text


def _interpreter():
    folders = [sys.prefix, sys.exec_prefix, getattr(sys, "base_prefix", ""), os.path.dirname(os.path.abspath(__file__))]
    folders += [path for path in sys.path if os.path.isabs(path)]
    folders += [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if os.path.isabs(path)]
    return [path for path in folders if path]


def around(path, hidden):
    """`path`, or if a hidden folder lies in it what else is in there."""
    if any(_is_in(path, folder) for folder in hidden):
        return []
    if not any(_is_in(folder, path) for folder in hidden):
        return [path]
    try:
        names = os.listdir(path)
    except OSError:
        return []
    # A link leads wherever it likes: to what is hidden, too.
    inside = [os.path.join(path, name) for name in sorted(names)]
    return [part for one in inside if not os.path.islink(one) for part in around(one, hidden)]


def _is_in(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def own_files(sandbox):
    """In a mount namespace of one's own: a `/tmp` and a `/dev/shm` that nobody else sees.

    What the run needs below the real `/tmp` stays where it is, and nothing else of it.
    """
    try:
        _linux.mount_memory(_SHARED_MEMORY, _SHARED_MEMORY_LIMIT)
    except OSError:
        # No such folder: nobody will miss it.
        pass
    temporary = os.path.realpath(_TEMPORARY)
    paths = [native(path) for path in sandbox["read"] + sandbox["write"]] + _interpreter()
    kept = sorted(set(path for path in map(os.path.realpath, paths) if _is_in(path, temporary) and path != temporary))
    held = [(path, _landlock.hold(path)) for path in kept]
    _linux.bind(native(sandbox["tmp"]), temporary)
    for path, file in held:
        if file is not None:
            _keep(path, *file)
    sandbox["own_tmp"] = True


def _keep(path, descriptor, is_folder):
    folder = path if is_folder else os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    if not is_folder and not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    _linux.bind("/proc/self/fd/%d" % descriptor, path)
    os.close(descriptor)
