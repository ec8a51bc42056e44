"""The few Linux calls that Python 2.7 and 3 do not offer alike: namespaces, process control, the process table."""

from __future__ import absolute_import

import ctypes
import errno
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_SIGKILL = 9

_LIBC = ctypes.CDLL(None, use_errno=True)
# Looked up now: in a forked child nothing should have to search libraries.
_PRCTL = _LIBC.prctl
_PRCTL.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_MOUNT = _LIBC.mount
_MOUNT.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_UNSHARE = getattr(_LIBC, "unshare", None)
_SETNS = getattr(_LIBC, "setns", None)


def _checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


def die_with_parent():
    """The kernel kills this process when its parent dies."""
    _checked(_PRCTL(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "prctl PR_SET_PDEATHSIG")


def adopt_orphans():
    """Descendants whose parent dies become children of this process."""
    _checked(_PRCTL(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl PR_SET_CHILD_SUBREAPER")


def no_new_privileges():
    """No program that is started from here on gains rights by its file."""
    _checked(_PRCTL(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl PR_SET_NO_NEW_PRIVS")


def unshare(flags):
    """Leave namespaces; for PIDs it counts for children from here on."""
    if _UNSHARE is None:
        raise OSError(errno.ENOSYS, "unshare is not there")
    _checked(_UNSHARE(flags), "unshare")


def enter_namespace(descriptor, kind):
    """Go (back) into the namespace that `descriptor` holds open."""
    if _SETNS is None:
        raise OSError(errno.ENOSYS, "setns is not there")
    _checked(_SETNS(descriptor, kind), "setns")


def own_proc():
    """A `/proc` of this PID namespace's own, seen only in here: other processes are out of sight."""
    unshare(CLONE_NEWNS)
    _checked(_MOUNT(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount / private")
    _checked(_MOUNT(b"proc", b"/proc", b"proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, None), "mount /proc")


def can_make_pid_namespaces(own):
    """Whether a child can be made the first process of a namespace. `own`: descriptor of `/proc/self/ns/pid`."""
    try:
        child = fork_into_namespace(own)
    except OSError:
        return False
    if child == 0:
        os._exit(0 if os.getpid() == 1 else 1)
    return os.waitpid(child, 0)[1] == 0


def fork_into_namespace(own):
    """`os.fork`, but the child is PID 1 of a new namespace. The parent stays in its own."""
    unshare(CLONE_NEWPID)
    try:
        child = os.fork()
    except OSError:
        enter_namespace(own, CLONE_NEWPID)
        raise
    if child:
        enter_namespace(own, CLONE_NEWPID)
    return child


def open_descriptors():
    """Numbers of all open descriptors of this process."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return list(range(os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 16 else 1 << 16))


def close_all_but(kept):
    """Close every descriptor that is not in `kept`."""
    for number in open_descriptors():
        if number not in kept:
            try:
                os.close(number)
            except OSError:
                # The one that listed the folder is closed already.
                pass


def descendants(root, spare=()):
    """Pids of all descendants of `root`, without the trees below the pids in `spare`. Zombies are not counted."""
    children = {}
    for pid, parent, state in _process_table():
        if pid not in spare:
            children.setdefault(parent, []).append((pid, state))
    found, ahead = [], [root]
    while ahead:
        for pid, state in children.get(ahead.pop(), ()):
            ahead.append(pid)
            if state != "Z":
                found.append(pid)
    return found


def _process_table():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as stat:
                    fields = stat.read().rpartition(b")")[2].split()
                yield int(name), int(fields[1]), fields[0].decode("ascii")
            except (IOError, OSError, IndexError, ValueError):
                # It ended between the listing and the look.
                continue


def signal_quietly(pid, number):
    """Send a signal; a process that is gone, or is not ours, is passed over."""
    try:
        os.kill(pid, number)
    except OSError:
        pass
