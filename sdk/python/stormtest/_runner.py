"""The script's own process: limits, environment, descriptors, and then `__main__` as `python script.py` has it."""

from __future__ import absolute_import

import binascii
import gc
import io
import os
import random
import resource
import signal
import sys
import types

from stormtest import _ending, _landlock, _linux, _printed, _sandbox, _text

# Modules that a bare interpreter has loaded before it looks at its script: set by the zygote. All others give way to
# a file of the same name beside the script, as they would in a fresh interpreter.
BARE = frozenset()
OWN = os.path.dirname(os.path.abspath(__file__))
native = _sandbox.native


class Plan(object):
    """What the script's process has to do; made right after its fork."""

    def __init__(self, order, output, status, parent):
        """`parent`: the keeper's pid as seen from here, and the rules over files that it has made."""
        self.order = order
        self.output = output
        self.status = status
        self.keeper, self.rules = parent

    def run(self):
        """Prepare, tell the keeper, run the script, and end the process."""
        try:
            self._prepare()
        except BaseException as error:  # told to the keeper, which reports it
            os.write(self.status, ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "replace")[:4096])
            os._exit(1)
        os.close(self.status)
        _ending.finish(_run_main(native(self.order["script"])))

    def _prepare(self):
        os.setsid()
        _linux.die_with_parent()
        if os.getppid() != self.keeper:
            raise OSError("the keeper is gone")
        _default_signals()
        for folder in [self.order.get("cgroup")] + self.order.get("limit_groups", []):
            _enter_cgroup(folder)
        # Every script has its own chance, not the zygote's. (Python 2 keeps /dev/urandom open: before the closing.)
        random.seed(binascii.hexlify(os.urandom(32)))
        self._descriptors()
        _environment(self.order["env"])
        os.chdir(native(self.order["cwd"]))
        _readable(native(self.order["script"]))
        sys.argv = [native(self.order["script"])] + [native(arg) for arg in self.order["args"]]
        _search_path(os.path.dirname(native(self.order["script"])))
        _standard_streams()
        gc.enable()
        _linux.no_new_privileges()
        _limits(self.order)
        self._shut_in()

    def _descriptors(self):
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(self.output, 1)
        os.dup2(self.output, 2)
        _printed.keep()
        _linux.close_all_but((0, 1, 2, self.status, self.rules))

    def _shut_in(self):
        if self.order.get("sandbox") is None:
            return
        _linux.give_up_capabilities()
        if self.rules is not None:
            _landlock.restrict(self.rules)
            os.close(self.rules)


def _default_signals():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _enter_cgroup(folder):
    if folder:
        with open(os.path.join(folder, "cgroup.procs"), "w") as processes:
            # 0 means the writer, whatever namespace it is in.
            processes.write("0")


def _environment(wanted):
    os.environ.clear()
    for name, value in wanted.items():
        os.environ[native(name)] = native(value)


def _readable(script):
    with open(script, "rb"):
        pass


def _search_path(folder):
    sys.path[:0] = [folder]
    # What a fresh interpreter would find beside the script must not be hidden by what was loaded ahead.
    try:
        beside = set(name.split(".")[0] for name in os.listdir(folder or "."))
    except OSError:
        beside = set()
    for name in list(sys.modules):
        top = name.split(".")[0]
        if top in beside and top not in BARE and top != "stormtest" and _would_be_found(folder, top):
            del sys.modules[name]


def _would_be_found(folder, top):
    path = os.path.join(folder, top)
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, "__init__.py"))
    return any(os.path.isfile(path + ending) for ending in (".py", ".pyc", ".so"))


def _standard_streams():
    # Python 2 keeps its own, which are bound to descriptors 0, 1 and 2 already; the zygote set their buffering.
    if _text.PY2:
        return
    sys.stdin = sys.__stdin__ = io.open(0, "r", encoding="utf-8", errors="surrogateescape", closefd=False)
    # Line by line: a script that is killed has said what it has said.
    sys.stdout = sys.__stdout__ = _stream(1, "<stdout>", "surrogateescape")
    sys.stderr = sys.__stderr__ = _stream(2, "<stderr>", "backslashreplace")


def _stream(descriptor, name, errors):
    raw = io.FileIO(descriptor, "w", closefd=False)
    raw.name = name
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors=errors, line_buffering=True)


def _limits(order):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit(resource.RLIMIT_NPROC, order.get("processes", 0), 0)
    # The soft limit sends SIGXCPU, the hard one kills a script that ignores it.
    _limit(resource.RLIMIT_CPU, order.get("cpu_seconds", 0), 5)
    _limit(resource.RLIMIT_AS, order.get("memory_bytes", 0), 0)
    # A file that was unlinked while it is open is seen by nobody who measures folders.
    _limit(resource.RLIMIT_FSIZE, order.get("file_bytes", 0), 0)


def _limit(which, most, slack):
    if most:
        hard = resource.getrlimit(which)[1]
        allowed = [most, most + slack] if hard == resource.RLIM_INFINITY else [min(most, hard), min(most + slack, hard)]
        resource.setrlimit(which, tuple(allowed))


def _run_main(script):
    """Run `script` as `__main__`; gives its exit code.

    An uncaught exception goes to `sys.excepthook` without this package's frames.
    """
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=script, __builtins__=__import__("builtins" if not _text.PY2 else "__builtin__"))
    _KEPT.append(sys.modules["__main__"])
    sys.modules["__main__"] = main
    try:
        if _text.PY2:
            _PYTHON_2_EXEC(script, main.__dict__)
        else:
            _run_3(script, main)
        return 0
    except SystemExit as ending:
        return _ending.exit_code(ending)
    except BaseException:
        kind, value, trace = sys.exc_info()
        _report(kind, value, _script_part(trace))
        return 1


_KEPT = []
# Of this very module: the class that loads source files, without an import that every script would pay for.
_SOURCE_LOADER = type(globals().get("__loader__"))
# Compiled without this module's __future__ flags: execfile hands those of its caller on to the script.
_PYTHON_2_EXEC = eval(compile("lambda script, names: execfile(script, names)", __file__, "eval", 0, True))


def _run_3(script, main):
    main.__dict__.update(__loader__=_SOURCE_LOADER("__main__", script), __cached__=None, __annotations__={})
    with open(script, "rb") as source:
        text = source.read()
    exec(compile(text, script, "exec", 0, True), main.__dict__)


def _script_part(trace):
    while trace is not None and os.path.dirname(os.path.abspath(trace.tb_frame.f_code.co_filename)) == OWN:
        trace = trace.tb_next
    return trace


def _report(kind, value, trace):
    if not _text.PY2:
        value = value.with_traceback(trace)
    sys.last_type, sys.last_value, sys.last_traceback = kind, value, trace
    try:
        sys.stdout.flush()
    except Exception:  # the script may have put anything in its place
        pass
    sys.excepthook(kind, value, trace)
    if issubclass(kind, KeyboardInterrupt) and sys.version_info >= (3, 8):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
