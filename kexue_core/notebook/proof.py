"""How a step is verified."""

RELATIONS = {"<=": (r"\le", 1), ">=": (r"\ge", -1)}


class StepError(AssertionError):
    """A step of a derivation that does not follow from the line before."""


def verify(old, step):
    """Raise `StepError` unless ``step`` follows from the line ``old``; return what the proof found, to be shown."""
    return ()
