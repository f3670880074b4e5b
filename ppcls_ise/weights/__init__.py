"""Weight files of other programs: read without running what is in them, renamed, written. Knows numpy only."""
from .convert import Conversion, to_paddle, to_torch
from .files import read_state, write_state
from .mixing import mixed

__all__ = ["Conversion", "mixed", "read_state", "to_paddle", "to_torch", "write_state"]
