"""The layer between numerics and notebook: derivation, agreement, explorer, claims and figure style.

A chapter imports what it needs from here; the numerics never do.
"""

from kexue_core.notebook.agreement import agreement
from kexue_core.notebook.bounds import Jensen, Tangent
from kexue_core.notebook.checks import check, estimate
from kexue_core.notebook.claims import erratum, reproduce
from kexue_core.notebook.controls import Choice, Linear, Logarithmic, Powers, Text
from kexue_core.notebook.derivation import Derivation, StepError
from kexue_core.notebook.explorer import Explorer
from kexue_core.notebook.figures import set_style
from kexue_core.notebook.laws import Bernoulli, Exponential, Moments, Normal, Rademacher, Uncorrelated, Uniform
from kexue_core.notebook.table import table

__all__ = [
    "Bernoulli",
    "Choice",
    "Derivation",
    "Explorer",
    "Exponential",
    "Jensen",
    "Linear",
    "Logarithmic",
    "Moments",
    "Normal",
    "Powers",
    "Rademacher",
    "StepError",
    "Tangent",
    "Text",
    "Uncorrelated",
    "Uniform",
    "agreement",
    "check",
    "erratum",
    "estimate",
    "reproduce",
    "set_style",
    "table",
]
