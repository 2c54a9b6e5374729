"""Which module may import what, and where the chapters lie."""

import ast
import subprocess
import sys

import pytest

from extensions import chapters

PACKAGE = chapters.ROOT / "kexue_core"
NUMERICS = sorted(path for path in PACKAGE.rglob("*.py") if "notebook" not in path.parts)
LIBRARY = {"numpy", "kexue_core"}
NOTEBOOK = {
    "agreement.py": {"sympy", "mpmath", "numpy"},
    "bounds.py": {"sympy", "mpmath"},
    "checks.py": set(),
    "conditions.py": {"sympy"},
    "derivation.py": {"sympy"},
    "equations.py": {"sympy", "mpmath"},
    "laws.py": {"sympy"},
    "limits.py": {"sympy"},
    "means.py": {"sympy"},
    "points.py": {"sympy", "mpmath"},
    "refusal.py": {"sympy", "mpmath"},
    "signs.py": {"sympy"},
    "solutions.py": {"sympy", "mpmath"},
    "wellformed.py": {"sympy"},
    "matrices.py": {"sympy"},
    "premises.py": {"sympy"},
    "proof.py": {"sympy", "mpmath"},
    "sums.py": {"sympy"},
    "typeset.py": {"sympy"},
    "zero.py": {"sympy", "mpmath"},
    "explorer.py": {"matplotlib", "ipywidgets", "numpy"},
    "figures.py": {"matplotlib", "matplotlib_inline"},
    "player.py": {"numpy"},
    "claims.py": {"numpy"},
    "formats.py": {"numpy"},
    "controls.py": set(),
    "corpus.py": set(),
    "__init__.py": set(),
}


def imported(path):
    """Return the top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", NUMERICS, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_numerics_import_numpy_and_each_other_only(path):
    assert imported(path) <= LIBRARY
    assert "kexue_core.notebook" not in path.read_text()


@pytest.mark.parametrize("path", sorted((PACKAGE / "notebook").glob("*.py")), ids=lambda path: path.name)
def test_the_notebook_layer_imports_what_its_face_needs(path):
    assert imported(path) - {"kexue_core"} <= NOTEBOOK[path.name]


def test_importing_a_numeric_module_loads_numpy_only():
    heavy = "[m for m in ('sympy', 'matplotlib', 'ipywidgets', 'scipy', 'IPython') if m in sys.modules]"
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in NUMERICS]
    code = f"import sys, {', '.join(names)}; assert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_numeric_module_is_short_and_lists_its_public_names_in_the_order_of_the_file():
    for path in NUMERICS:
        if path.name.startswith("_"):
            continue
        source = path.read_text()
        tree = ast.parse(source)
        assignments = (node for node in tree.body if isinstance(node, ast.Assign))
        listed = next(ast.literal_eval(node.value) for node in assignments if node.targets[0].id == "__all__")
        defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name[0] != "_"]
        functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
        assert [name for name in defined if name in listed] == [name for name in listed if name in defined], path.name
        assert set(functions) <= set(listed), path.name
        assert 1 <= len(listed) <= 9, path.name
        assert len(source.splitlines()) <= 400, path.name


def test_the_table_of_contents_and_the_folder_hold_the_same_chapters():
    assert {path.stem for path in (chapters.ROOT / "chapters").glob("*.ipynb")} == set(chapters.slugs())
