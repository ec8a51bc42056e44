"""The few Linux calls that Python 2.7 and 3 do not offer alike: namespaces, process control, the process table."""

from __future__ import absolute_import

import ctypes
import errno
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
# The same numbers on every kind of processor.
_CLONE3, _CLOSE_RANGE = 435, 436
_LAST_DESCRIPTOR = (1 << 31) - 1
_CAPABILITIES_3 = 0x20080522
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_SIGKILL = 9

_LIBC = ctypes.CDLL(None, use_errno=True)
# Looked up now: in a forked child nothing should have to search libraries.
_PRCTL = _LIBC.prctl
_PRCTL.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_MOUNT = _LIBC.mount
_MOUNT.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_UNSHARE = getattr(_LIBC, "unshare", None)
_SETNS = getattr(_LIBC, "setns", None)
_CAPSET = _LIBC.capset
_SYSCALL_3 = _LIBC.syscall
_SYSCALL_3.restype = ctypes.c_long
_SYSCALL_3.argtypes = [ctypes.c_long] * 4
# Holds the interpreter's lock during the call: in the child of a fork nobody could give it back.
_FORKING_SYSCALL = ctypes.PyDLL(None, use_errno=True).syscall
_FORKING_SYSCALL.restype = ctypes.c_long
_FORKING_SYSCALL.argtypes = [ctypes.c_long, ctypes.c_void_p, ctypes.c_size_t]


def _of_interpreter(name):
    """A function of the C API without arguments and result; nothing where this version has none of that name."""
    function = getattr(ctypes.pythonapi, name, None)
    if function is None:
        return lambda: None
    function.restype, function.argtypes = None, []
    return function


# Before 3.7 there is one call for the child, and none for the parent.
_BEFORE_FORK, _AFTER_FORK_PARENT = _of_interpreter("PyOS_BeforeFork"), _of_interpreter("PyOS_AfterFork_Parent")
_AFTER_FORK_CHILD = _of_interpreter("PyOS_AfterFork_Child" if hasattr(ctypes.pythonapi, "PyOS_AfterFork_Child")
                                    else "PyOS_AfterFork")


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


def give_up_capabilities():
    """What root may beyond its own files, or the first process of a user namespace in there, is gone for good."""
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    _checked(_CAPSET(ctypes.byref(header), ctypes.byref(none)), "capset")


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


def bind(source, target):
    """Show the folder or file `source` at `target`, which must be there."""
    _checked(_MOUNT(_bytes(source), _bytes(target), None, _MS_BIND | _MS_REC, None), "mount %s" % target)


def mount_memory(target, limit):
    """An empty file system in memory at `target`. `limit`: options of tmpfs."""
    _checked(_MOUNT(b"tmpfs", _bytes(target), b"tmpfs", _MS_NOSUID | _MS_NODEV, limit), "mount %s" % target)


def _bytes(path):
    return path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")


class Namespaces(object):
    """How this system lets us make PID namespaces. `kind`: `"root"`, `"user"` or `None`; `mounts`: and own mounts."""

    def __init__(self, kinds=("root", "user")):
        self.kind, self.mounts, self._own = None, False, None
        for kind in kinds:
            self.kind = kind
            if self._works():
                return
        self.kind, self.mounts = None, False

    def _works(self):
        try:
            if self._own is None:
                self._own = os.open("/proc/self/ns/pid", os.O_RDONLY)
            child = self.fork()
        except OSError:
            return False
        if child == 0:
            os._exit(_look_around())
        code = os.waitpid(child, 0)[1]
        self.mounts = code == 0
        return code in (0, _NO_MOUNTS << 8)

    def fork(self):
        """`os.fork`; where it can be, the child is PID 1 of a new namespace. The parent stays in its own."""
        if self.kind is None:
            return os.fork()
        return _fork_into_pid_namespace(self._own) if self.kind == "root" else _fork_into_user_namespace()


_NO_MOUNTS = 2


def _look_around():
    """In a child that should be process 1: 0, `_NO_MOUNTS`, or 1 when it is not."""
    try:
        if os.getpid() != 1:
            return 1
        own_proc()
        return 0
    except OSError:
        return _NO_MOUNTS
    except Exception:  # nothing may unwind into the parent's code
        return 1


def _fork_into_pid_namespace(own):
    unshare(CLONE_NEWPID)
    try:
        child = os.fork()
    except OSError:
        enter_namespace(own, CLONE_NEWPID)
        raise
    if child:
        enter_namespace(own, CLONE_NEWPID)
    return child


def _fork_into_user_namespace():
    """Needs no rights. One cannot go back out of a user namespace, so the fork itself must make it (not `unshare`).

    The C library does not hear of this fork; a process with one thread gets along, and forks again properly. The
    interpreter must hear of it, or it ignores signals.
    """
    user, group = os.geteuid(), os.getegid()
    arguments = (ctypes.c_uint64 * 8)(CLONE_NEWUSER | CLONE_NEWPID, 0, 0, 0, signal.SIGCHLD)
    where, length = ctypes.addressof(arguments), ctypes.sizeof(arguments)
    _BEFORE_FORK()
    child = _FORKING_SYSCALL(_CLONE3, where, length)
    number = ctypes.get_errno()
    (_AFTER_FORK_CHILD if child == 0 else _AFTER_FORK_PARENT)()
    if child < 0:
        raise OSError(number, "clone3 with a user namespace: %s" % os.strerror(number))
    if child == 0:
        try:
            _keep_identity(user, group)
        except (IOError, OSError):
            # Without a map nothing can be written: the parent hears of a keeper that died.
            os._exit(1)
    return child


def _keep_identity(user, group):
    """This user and group stay who they are; nobody else is known in here."""
    for name, text in (("setgroups", b"deny"), ("uid_map", b"%d %d 1" % (user, user)),
                       ("gid_map", b"%d %d 1" % (group, group))):
        descriptor = os.open("/proc/self/" + name, os.O_WRONLY)
        try:
            os.write(descriptor, text)
        finally:
            os.close(descriptor)


def open_descriptors():
    """Numbers of all open descriptors of this process."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return list(range(os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 16 else 1 << 16))


def close_all_but(kept):
    """Close every descriptor that is not in `kept`; `None` in there means nothing."""
    first = 0
    for number in sorted(number for number in kept if number is not None) + [_LAST_DESCRIPTOR + 1]:
        if first < number and _SYSCALL_3(_CLOSE_RANGE, first, number - 1, 0) != 0:
            return _close_one_by_one(kept)
        first = number + 1
    return None


def _close_one_by_one(kept):
    """For kernels before 5.9."""
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
