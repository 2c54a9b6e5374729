"""What the modules on flows and descent share: the door for functions that are passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def function(name: str, value: Any) -> Callable[..., Any]:
    """Return ``value`` if it can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r:.60}")
    return value
