"""The host: finds PaddleClas, makes our names known to it and bridges the versions of PaddleClas and Paddle.

The one room that knows a version of theirs, and that puts something in the place of a name of theirs: what, where and
why is in :data:`ppcls_ise.host.table.TABLE`. Imports no other room of this package; the table names what is in them.
"""
from .find import HOME_VARIABLE, HostError, activate
from .registration import register

__all__ = ["HOME_VARIABLE", "HostError", "activate", "register"]
