"""StormTest client for Headend: the calls of a test script, on Python 2.7 and 3.6 or newer, standard library only.

Scripts meet `stormtest.ClientAPI` first. The other public modules are `Imaging`, `WarningCenter`, `JobConfigurator`
and `stormtest_client`. Names with a leading underscore are the package's own.

How a call travels: `ClientAPI.PressButton` -> `_remote` -> `_state.STATE` -> `_session.Session` -> one JSON line on the
Unix socket that the rack names in the environment. Nothing here opens a socket until `ClientAPI` is imported.
"""

__version__ = "0.1.0"
