"""The numerics of the Kexue Book, numpy only: one shelf for each part of the book.

Import from the shelf, for example ``from kexue_core.positions import min_base``. Everything computes in float64
(complex128 where complex numbers are meant), whatever real type comes in; what else holds for all functions, for NaN,
infinity, empty batches and numbers, is said once in `kexue_core._checks`.
"""

from importlib import metadata

__all__ = ["__version__"]

try:
    __version__ = metadata.version("kexue-core")
except metadata.PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"
