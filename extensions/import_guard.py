"""Run by the kernel of a build before a chapter: packages that readers do not get cannot be imported either."""

import os
import sys


class _Absent:
    """A finder that comes first and has nothing."""

    names = frozenset(os.environ.get("KEXUE_FORBIDDEN", "").split())

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Refuse a package of the book's workshop, as a kernel that lacks it would."""
        if name.partition(".")[0] in cls.names:
            raise ModuleNotFoundError(f"No module named {name!r}: requirements.txt does not hold it", name=name)


sys.meta_path.insert(0, _Absent)
