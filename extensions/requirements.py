"""What a reader's kernel has: the packages that `requirements.txt` pins."""

import re
from importlib import metadata

from extensions import chapters

__all__ = ["forbidden", "pinned"]


def pinned(name="requirements.txt"):
    """Return the names of the distributions that a file pins, normalized."""
    lines = (chapters.ROOT / name).read_text(encoding="utf-8").splitlines()
    return {_normal(line.split("==")[0]) for line in lines if "==" in line}


def forbidden():
    """Return the importable names that only packages outside `requirements.txt` bring."""
    allowed = pinned() | {"kexue-core", "pip", "setuptools"}
    found = metadata.packages_distributions()
    return {name for name, owners in found.items() if not {_normal(owner) for owner in owners} & allowed}


def _normal(name):
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
