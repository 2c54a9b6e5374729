"""The layer between numerics and notebook: derivation, agreement, explorer, claims and figure style.

A chapter imports what it needs from here; the numerics never do.
"""

from kexue_core.notebook.claims import reproduce
from kexue_core.notebook.controls import Choice, Linear, Logarithmic, Powers, Text
from kexue_core.notebook.derivation import Derivation, StepError, agreement
from kexue_core.notebook.explorer import Explorer
from kexue_core.notebook.figures import set_style

__all__ = [
    "Choice",
    "Derivation",
    "Explorer",
    "Linear",
    "Logarithmic",
    "Powers",
    "StepError",
    "Text",
    "agreement",
    "reproduce",
    "set_style",
]
