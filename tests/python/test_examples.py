"""The examples run as they stand."""


class Cases:
    pass
