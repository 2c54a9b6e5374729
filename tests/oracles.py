"""Other packages as oracles: imported when a test uses them, and the test is skipped where they are not installed."""

import importlib

import pytest


class Oracle:
    """A module, or a function or object in one, by its dotted path."""

    def __init__(self, path):
        self._path = path

    def _load(self):
        pytest.importorskip(self._path.split(".")[0])
        try:
            return importlib.import_module(self._path)
        except ModuleNotFoundError:
            module, _, name = self._path.rpartition(".")
            return getattr(importlib.import_module(module), name)

    def __getattr__(self, name):
        if name.startswith(("_", "pytest")):  # pytest looks at all names of a test module
            raise AttributeError(name)
        return getattr(self._load(), name)

    def __call__(self, *args, **kwargs):
        return self._load()(*args, **kwargs)


def oracles(*paths):
    """Return an `Oracle` for each path."""
    return [Oracle(path) for path in paths]
