"""What can go wrong between a script and its rack.

`StormTestError` is a `RuntimeError`, so that old scripts which catch `Exception` or `RuntimeError` go on to work. Only
`ConnectToServer` raises `SystemExit`, as scripts expect of it.
"""


class StormTestError(RuntimeError):
    """Any failure of the client that is not an answer of a device."""


class SessionLost(StormTestError):
    """The rack has gone away, or spoke nonsense: no later call can work."""


class WrongProcess(StormTestError):
    """A forked child called; the session belongs to the process that imported `stormtest.ClientAPI`."""


class CallRefused(StormTestError):
    """The rack refused one call; the session goes on.

    `code`: stable name (`not_connected`, `no_slot`, `bad_result`, `bad_call`, `lease_lost`, `limit`, `device`,
    `analyser`).
    """

    def __init__(self, code, message):
        StormTestError.__init__(self, message)
        self.code = code
