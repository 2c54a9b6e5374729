"""What the library offers: its shelves, their public names, and for each its signature and its place in the source."""

import ast
import functools
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import kexue_core
from extensions import chapters

__all__ = ["imported", "names", "shelves", "summary"]

WIDTH = 84  # columns of a signature
TOP = Path(kexue_core.__file__).resolve().parent.parent


@functools.cache
def shelves():
    """Return the shelves by name, each with its module, its public names and where they are defined."""
    found = {}
    for entry in pkgutil.iter_modules(kexue_core.__path__):
        module = importlib.import_module(f"kexue_core.{entry.name}")
        if not entry.name.startswith("_") and getattr(module, "__all__", None):
            objects = {name: described(name, getattr(module, name), entry.name) for name in module.__all__}
            found[entry.name] = SimpleNamespace(name=entry.name, module=module, objects=objects)
    return found


def names(shelf):
    """Return the public names of a shelf: name -> what is known of it."""
    return shelves()[shelf].objects


def described(name, thing, shelf):
    """Return what a page says of a public name."""
    try:
        lines, start = inspect.getsourcelines(thing)
        path = Path(inspect.getsourcefile(thing)).resolve()
    except (TypeError, OSError):  # a constant, which cannot say where it stands
        doc = f"One of {', '.join(f'``{value!r}``' for value in thing)}." if isinstance(thing, Iterable) else ""
        return SimpleNamespace(
            name=name, shelf=shelf, module=None, signature=name, doc=doc, path=None, lines=None, methods=[]
        )
    node = ast.parse(textwrap.dedent("".join(lines))).body[0]
    is_class = isinstance(node, ast.ClassDef)
    methods = [
        described(f"{name}.{part.name}", getattr(thing, part.name), shelf)
        for part in (node.body if is_class else ())
        if isinstance(part, ast.FunctionDef) and not part.name.startswith("_") and callable(getattr(thing, part.name))
    ]
    return SimpleNamespace(
        name=name,
        shelf=shelf,
        module=thing.__module__,
        signature=signature(name, node),
        doc=(inspect.cleandoc(thing.__dict__.get("__doc__") or "") if is_class else inspect.getdoc(thing)) or "",
        path=path.relative_to(TOP).as_posix() if path.is_relative_to(TOP) else None,
        lines=(start, start + len(lines) - 1),
        methods=methods,
    )


def signature(name, node):
    """Return a call as it is written in the source, one argument a line if it is long."""
    if isinstance(node, ast.ClassDef):
        init = next((part for part in node.body if getattr(part, "name", "") == "__init__"), None)
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)]
        pieces = arguments(init.args)[1:] if init else [ast.unparse(field) for field in fields]
        after = ""
    else:
        pieces, after = arguments(node.args), f" -> {ast.unparse(node.returns)}" if node.returns else ""
        if "." in name and pieces[:1] == ["self"]:
            pieces = pieces[1:]
    short = f"{name}({', '.join(pieces)}){after}"
    return (
        short if len(short) <= WIDTH else "\n".join([f"{name}(", *(f"    {piece}," for piece in pieces), f"){after}"])
    )


def arguments(args):
    """Return the arguments of a definition, each as it is written."""
    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + list(args.defaults)
    written = [one(argument, default) for argument, default in zip(plain, defaults)]
    if args.posonlyargs:
        written.insert(len(args.posonlyargs), "/")
    if args.vararg:
        written.append("*" + one(args.vararg, None))
    elif args.kwonlyargs:
        written.append("*")
    written += [one(argument, default) for argument, default in zip(args.kwonlyargs, args.kw_defaults)]
    return written + (["**" + one(args.kwarg, None)] if args.kwarg else [])


def one(argument, default):
    """Return one argument with its annotation and default."""
    text = argument.arg + (f": {ast.unparse(argument.annotation)}" if argument.annotation else "")
    equals = " = " if argument.annotation else "="
    return text if default is None else f"{text}{equals}{ast.unparse(default)}"


def summary(thing):
    """Return the first paragraph of the documentation, without marks."""
    return " ".join(thing.doc.split("\n\n")[0].split()).replace("`", "")


@functools.lru_cache(maxsize=256)
def _imported(source):
    found = {}
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        shelf = (node.module or "").split(".")[1:2] if isinstance(node, ast.ImportFrom) else []
        if not shelf or not node.module.startswith("kexue_core.") or shelf[0] not in shelves():
            continue
        objects = names(shelf[0])
        for alias in node.names:
            called = alias.asname or alias.name
            if alias.name in objects:
                found[called] = objects[alias.name]
            else:  # a module of the shelf
                home = f"{node.module}.{alias.name}"
                found |= {f"{called}.{name}": thing for name, thing in objects.items() if thing.module == home}
    return found


def imported(slug):
    """Return the public names that the code of a chapter imports, as it calls them: ``min_base``, ``rope.rotate``."""
    found = {}
    for cell in chapters.cells(slug):
        if cell.cell_type == "code":
            found |= _imported(cell.source)
    return found
