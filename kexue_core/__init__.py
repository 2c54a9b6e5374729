"""The numerics of the Kexue Book, numpy only: one shelf for each part of the book.

Import from the shelf, for example ``from kexue_core.positions import min_base``. Everything computes in float64
(complex128 where complex numbers are meant), whatever floating-point type comes in.
"""
