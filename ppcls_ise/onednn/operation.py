"""One operation on dense arrays, in whatever layout of memory it is fastest in."""
from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Any

from .library import Handle, attributes, call, library, new, session

__all__ = ["DIFF_DST", "DIFF_SRC", "DIFF_WEIGHTS", "DST", "SRC", "WEIGHTS", "Operation", "any_layout", "dims", "plain"]

# Arguments of a primitive (DNNL_ARG_*), and what asks for their layout (dnnl_query_*_md).
SRC, DST, WEIGHTS, _SCRATCHPAD, DIFF_SRC, DIFF_DST, DIFF_WEIGHTS = 1, 17, 33, 80, 129, 145, 161
_QUERIES = {SRC: 129, DIFF_SRC: 130, WEIGHTS: 131, DIFF_WEIGHTS: 132, DST: 133, DIFF_DST: 134, _SCRATCHPAD: 136}
_FLOAT32, _ANY = ctypes.c_int(3), ctypes.c_int(1)


class _Argument(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_int), ("memory", ctypes.c_void_p)]


def dims(values: Sequence[int]) -> Any:
    """A ``dnnl_dims_t``."""
    return (ctypes.c_int64 * 12)(*values)


def plain(shape: Sequence[int]) -> Handle:
    """Descriptor of a dense float32 array, the last index running fastest."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 1, 0, -1):
        strides[axis - 1] = strides[axis] * shape[axis]
    return new("memory_desc", "dnnl_memory_desc_create_with_strides", ctypes.c_int(len(shape)), dims(shape), _FLOAT32,
               dims(strides))


def any_layout(shape: Sequence[int]) -> Handle:
    """Descriptor of a float32 array whose layout the operation may choose."""
    return new("memory_desc", "dnnl_memory_desc_create_with_tag", ctypes.c_int(len(shape)), dims(shape), _FLOAT32,
               _ANY)


class _Primitive:
    """Runs on the memory at given addresses; the stream is done when it returns."""

    def __init__(self, described: Handle, layouts: dict[int, Any]):
        engine, self._stream = session()
        layouts = {**layouts, _SCRATCHPAD: _layout(described, _SCRATCHPAD)}
        self._scratchpad = _size(layouts[_SCRATCHPAD])
        self._primitive = new("primitive", "dnnl_primitive_create", described)
        self._memories = [new("memory", "dnnl_memory_create", layout, engine, None) for layout in layouts.values()]
        self._arguments = (_Argument * len(layouts))(*(
            _Argument(argument, memory._as_parameter_) for argument, memory in zip(layouts, self._memories)))

    def __call__(self, addresses: Sequence[int], empty: Callable[[int], Any]) -> None:
        scratchpad = empty(self._scratchpad) if self._scratchpad else None
        own = 0 if scratchpad is None else scratchpad.data_ptr()
        for memory, address in zip(self._memories, (*addresses, own)):
            call("dnnl_memory_set_data_handle", memory, ctypes.c_void_p(address))
        call("dnnl_primitive_execute", self._primitive, self._stream, ctypes.c_int(len(self._memories)),
             self._arguments)
        call("dnnl_stream_wait", self._stream)


class Operation:
    """A primitive on plain arrays, which are reordered to its layouts and back where these differ.

    Args:
        described: its primitive descriptor.
        inputs: argument -> descriptor of the plain array.
        output: argument and descriptor likewise.
    """

    def __init__(self, described: Handle, inputs: dict[int, Handle], output: tuple[int, Handle]):
        layouts = {argument: _layout(described, argument) for argument in (*inputs, output[0])}
        self._described = described  # owns the layouts
        self._primitive = _Primitive(described, layouts)
        self._sizes = [_size(layout) for layout in layouts.values()]
        self._reorders = [_reorder(array, layouts[argument]) for argument, array in inputs.items()]
        self._reorder_output = _reorder(layouts[output[0]], output[1])
        # The addresses are state of the primitive's memory objects.
        self._lock = threading.Lock()

    def __call__(self, inputs: Sequence[Any], output: Any, empty: Callable[[int], Any]) -> None:
        """Args: float32 tensors with ``data_ptr()``, dense; ``empty`` makes one of so many numbers, to work in."""
        with self._lock:
            arrays = []
            for array, reorder, size in zip(inputs, self._reorders, self._sizes):
                if reorder is not None:
                    plain_array, array = array, empty(size)
                    reorder([plain_array.data_ptr(), array.data_ptr()], empty)
                arrays.append(array)
            result = output if self._reorder_output is None else empty(self._sizes[-1])
            self._primitive([array.data_ptr() for array in (*arrays, result)], empty)
            if self._reorder_output is not None:
                self._reorder_output([result.data_ptr(), output.data_ptr()], empty)


def _reorder(given: Any, wanted: Any) -> _Primitive | None:
    if library().dnnl_memory_desc_equal(given, wanted):  # type: ignore[union-attr]
        return None
    engine, _ = session()
    described = new("primitive_desc", "dnnl_reorder_primitive_desc_create", given, engine, wanted, engine, attributes())
    return _Primitive(described, {SRC: given, DST: wanted})


def _layout(described: Handle, argument: int) -> ctypes.c_void_p:
    """Descriptor of an argument, owned by ``described``."""
    return ctypes.c_void_p(library().dnnl_primitive_desc_query_md(  # type: ignore[union-attr]
        described, ctypes.c_int(_QUERIES[argument]), ctypes.c_int(0)))


def _size(layout: Any) -> int:
    """How many float32 numbers it takes."""
    return -(-library().dnnl_memory_desc_get_size(layout) // 4)  # type: ignore[union-attr]
