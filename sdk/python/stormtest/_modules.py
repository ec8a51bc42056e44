"""Modules and constants that name what they do not have: a plain `AttributeError` would leave a script's author to guess.

A class for the module works on every Python from 2.7 on; a function `__getattr__` in the module only from 3.7 on.
"""

from __future__ import absolute_import

import difflib
import sys
import types

_KEPT = []


def unknown(kind, owner, name, known):
    """The `AttributeError` for a missing `name`, with the nearest known one."""
    near = difflib.get_close_matches(name, known, 1, 0.5)
    if not near:
        near = [one for one in known if one.lower() == name.lower()]
    hint = "; the nearest name is %s" % near[0] if near else ""
    return AttributeError("%s has no %s %r%s" % (owner, kind, name, hint))


class _Telling(types.ModuleType):
    def __getattr__(self, name):
        # Python itself asks modules for __all__, __path__ and the like: that is no mistake of the script's.
        if name.startswith("__"):
            raise AttributeError(name)
        known = sorted(one for one in self.__dict__ if not one.startswith("_"))
        raise unknown("call or name", self.__name__, name, known)


class _TellingType(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        known = sorted(one for one in vars(cls) if not one.startswith("_"))
        raise unknown("member", cls.__name__, name, known)


# Classes of constants that name what they do not have. (The two Pythons write metaclasses differently; calling one works on both.)
Constants = _TellingType("Constants", (object,), {})


def tell_unknown_names(module_name):
    """Make the module answer unknown names with the nearest known one."""
    module = sys.modules[module_name]
    if sys.version_info[0] >= 3:
        module.__class__ = _Telling
        return
    telling = _Telling(module_name, module.__doc__)
    telling.__dict__.update(module.__dict__)
    # Python 2 clears the names of a module that nobody holds, under the feet of its functions.
    _KEPT.append(module)
    sys.modules[module_name] = telling
