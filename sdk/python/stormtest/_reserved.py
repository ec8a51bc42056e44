"""Which server has the slot that `HEADEND_SLOT` names, when the script names a server, too.

Legacy scripts name servers of the labs that they come from, and must run unchanged. So a name chooses a server only if there is a
token that is meant for it; else the session is where it would be without the name, and a warning says both.
"""

from __future__ import absolute_import

import os
import re

from stormtest import _text

_WITH_TOKEN = re.compile(u"^([A-Za-z][A-Za-z0-9+.-]*://)?[^/]*@")


def without_token(name):
    """A server's name as it may be shown: `http://anna:TOKEN@lab:8001` is `http://lab:8001`."""
    return _WITH_TOKEN.sub(lambda found: found.group(1) or u"", _text.to_text(name))


def choose(name):
    """`(environment, warning)` of the program that serves the session.

    `environment`: what it must have besides its own to find the server, `{}` for the usual one. `warning`: a line for people, or `None`.
    """
    # HTTP is heavy, and only needed on a reserved slot.
    from stormtest.JobConfigurator import Address

    shown = without_token(name)
    if name is None or not shown.strip() or _is_rack(shown):
        return {}, None
    try:
        wanted = Address(name)
    except ValueError:
        return {}, warning(name, u"that is no address of a server")
    try:
        if wanted.same_as(Address(_usual())):
            return {}, None
    except ValueError:
        # The program says what is wrong with it.
        pass
    if os.environ.get("HEADEND_SERVER", "").strip():
        return {}, warning(name, u"HEADEND_SERVER goes before it")
    token = wanted.token or _loose_token(shown)
    if not token:
        return {}, warning(name, u"there is no token that is meant for it")
    url = "%s://%s%s" % (wanted.scheme, wanted, wanted.prefix)
    return {"HEADEND_SERVER": url, "HEADEND_TOKEN": token}, None


def warning(name, why):
    """What people are told when the session is not on the server that the script names."""
    return u"ConnectToServer(%s): %s; the session is on %s of %s" % (
        without_token(name), why, _text.to_text(os.environ.get("HEADEND_SLOT", "")), without_token(_usual()))


def _usual():
    from stormtest.JobConfigurator import default_server
    return default_server()


def _is_rack(shown):
    """Scripts name the rack as often as a server, as `GetPhysicalAllocations` gives it: `rack1:8001`."""
    rack = re.split(u"[/:]", _text.to_text(os.environ.get("HEADEND_SLOT", "")))[0]
    return re.sub(u":\\d+$", u"", shown.strip()).lower() == rack.strip().lower()


def _loose_token(shown):
    """The token of the environment, unless the credentials file names the server that it is for.

    Only for what is written as an address, `lab:8001` or `http://lab`: a bare name may be any machine of another lab.
    """
    from stormtest.JobConfigurator import DEFAULT_SERVER
    written = u"://" in shown or re.search(u":\\d+$", shown.strip())
    return os.environ.get("HEADEND_TOKEN", "").strip() if written and _usual() == DEFAULT_SERVER else None
