"""The end of a script's process: what an interpreter does at its end, without tearing down what was loaded ahead.

A full teardown touches, and so copies, every page that the fork shared with the zygote: most of a short run's cost.
So only what the script brought is taken down: threads are waited for, `atexit` runs, its modules are cleared (files
left open are flushed, `__del__` is called), streams are flushed. A script that loaded compiled modules of others gets
the full end, since those may count on it.
"""

from __future__ import absolute_import

import atexit
import ctypes
import gc
import os
import resource
import sys
import threading

from stormtest import _text

# Names of modules that were loaded ahead: set by the zygote.
AHEAD = frozenset()
_FLUSH_FAILED = 120
_SHORT_RUN_S = 0.01
_FFLUSH = ctypes.CDLL(None).fflush
_STDLIB = os.path.dirname(os.path.abspath(os.__file__))


def exit_code(ending):
    """The code of a `SystemExit`, as the interpreter has it; a text goes to standard error and counts as 1."""
    code = ending.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    _flush(sys.stdout)
    try:
        sys.stderr.write(code if isinstance(code, (str, _text.TEXT)) else str(code))
        sys.stderr.write("\n")
    except Exception:  # no place left to say it
        pass
    return 1


def finish(code):
    """End this process with `code`, after its threads, `atexit` and the script's own modules."""
    if _has_foreign_code():
        sys.exit(code)
    _run_quietly(threading._shutdown)
    _run_quietly(getattr(sys, "exitfunc", None) if _text.PY2 else atexit._run_exitfuncs)
    flushed = _flush(sys.stdout)
    _flush(sys.stderr)
    _clear_modules()
    _collect()
    flushed = _flush(sys.stdout) and flushed
    _flush(sys.stderr)
    _FFLUSH(None)
    os._exit(code if flushed or code or _text.PY2 else _FLUSH_FAILED)


def _collect():
    """Collect cycles of the script's; a short run's are all in the young generations, apart from what was shared."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    young = gc.get_count()[2] == 0 and used.ru_utime + used.ru_stime < _SHORT_RUN_S
    gc.collect(1 if young else 2)


def _own_modules():
    # The set is taken before anything is cleared: a module's end may import.
    return [(name, module) for name, module in list(sys.modules.items())
            if name not in AHEAD and module is not None or name == "__main__"]


def _has_foreign_code():
    for _, module in _own_modules():
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".so") and not path.startswith(_STDLIB + os.sep + "lib-dynload"):
            return True
    return False


def _run_quietly(call):
    """`atexit` and threads print their own errors; what comes out besides changes nothing any more."""
    try:
        if call is not None:
            call()
    except BaseException:  # see above
        pass


def _flush(stream):
    try:
        stream.flush()
        return True
    except Exception:  # closed, broken, or of the script's own making
        return stream is None or getattr(stream, "closed", False) is True


def _clear_modules():
    """The script's module first, then its siblings; private names before the others, as the interpreter does."""
    own = _own_modules()
    own.sort(key=lambda item: item[0] != "__main__")
    for _, module in own:
        path = getattr(module, "__file__", None) or ""
        if path.startswith(_STDLIB + os.sep) and "site-packages" not in path:
            # The standard library's modules hold no data of the script's that atexit has not dealt with.
            continue
        names = getattr(module, "__dict__", {})
        for private in (True, False):
            for name in list(names):
                if name != "__builtins__" and (name.startswith("_") and not name.startswith("__")) is private:
                    names[name] = None
