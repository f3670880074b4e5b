"""oneDNN on the processor: the library that Paddle's wheel brings along for its own static programs.

Eager Paddle computes convolutions without it, on a BLAS of 2019. Here they, and matrix products, go to oneDNN
itself, through its C interface (https://uxlfoundation.github.io/oneDNN).
"""
from .convolution import Convolution, convolution
from .library import use_threads, version
from .matmul import products

__all__ = ["Convolution", "convolution", "products", "use_threads", "version"]
