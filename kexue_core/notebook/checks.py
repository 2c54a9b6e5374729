"""Whether a failed check raises or is only shown."""

import os

__all__ = ["strict"]


def strict():
    """Return whether a failed check raises: in a build and in tests, where ``KEXUE_STRICT`` is 1."""
    return os.environ.get("KEXUE_STRICT") == "1"
