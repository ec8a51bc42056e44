"""Landlock, the kernel's list of what a process may do to which files: its three system calls, for 2.7 and 3.

The numbers are the same on every kind of processor. A rule names a folder or file by an open descriptor, so a later
rename or mount does not change what it means.
"""

from __future__ import absolute_import

import ctypes
import errno
import os
import stat
import struct

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
# Version 1 cannot allow a rename from one folder to another, which would break scripts: it counts as none.
_OLDEST = 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
READ = _EXECUTE | _READ_FILE | _READ_DIR
# Everything that there is; cut to what the running kernel knows.
WRITE = (1 << 16) - 1
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# Abstract sockets of others and signals to others.
_SCOPES = 1 | 2

_O_PATH = getattr(os, "O_PATH", 0o10000000)
_O_CLOEXEC = getattr(os, "O_CLOEXEC", 0o2000000)

_SYSCALL = ctypes.CDLL(None, use_errno=True).syscall
_SYSCALL.restype = ctypes.c_long
_SYSCALL.argtypes = [ctypes.c_long, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]
_SYSCALL_ADD = ctypes.CDLL(None, use_errno=True)["syscall"]
_SYSCALL_ADD.restype = ctypes.c_long
_SYSCALL_ADD.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_long]


def _checked(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))
    return result


def version():
    """What the kernel offers; 0: nothing that is of use."""
    known = _SYSCALL(_CREATE, None, 0, _ASK_VERSION)
    return known if known >= _OLDEST else 0


def known_rights(offered):
    """All rights over files that a kernel of this version looks after."""
    return (1 << (14 if offered < 3 else 15 if offered < 5 else 16)) - 1


def create(offered):
    """A new set of rules, as a descriptor; nothing is allowed yet."""
    attributes = struct.pack("=QQQ", known_rights(offered), 0, _SCOPES)
    length = 8 if offered < 4 else 16 if offered < 6 else 24
    text = ctypes.create_string_buffer(attributes, len(attributes))
    return _checked(_SYSCALL(_CREATE, ctypes.addressof(text), length, 0), "landlock_create_ruleset")


def hold(path):
    """`(descriptor, is a folder)` for a rule, or `None` when there is no such file."""
    try:
        descriptor = os.open(path, _O_PATH | _O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return None
        raise
    return descriptor, stat.S_ISDIR(os.fstat(descriptor).st_mode)


def allow(rules, held, rights):
    """Adds a rule: `rights` over the file, or over the folder and all below it. `rights`: of the running kernel."""
    descriptor, is_folder = held
    rule = struct.pack("=Qi", rights if is_folder else rights & _OF_FILES, descriptor)
    _checked(_SYSCALL_ADD(_ADD, rules, _PATH_BENEATH, rule, 0), "landlock_add_rule")


def restrict(rules):
    """From here on this process and its children can do what the rules allow. Needs no_new_privs."""
    _checked(_SYSCALL(_RESTRICT, rules, 0, 0), "landlock_restrict_self")
