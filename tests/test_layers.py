"""Which module may import what."""

import ast
import importlib
import inspect
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
import zipfile

import pytest

from extensions import chapters

PACKAGE = chapters.ROOT / "kexue_core"
NUMERICS = sorted(path for path in PACKAGE.rglob("*.py") if "notebook" not in path.parts)
SHELVES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py") if path.parent.name != "notebook")
BELOW = {"experts": ("attention",), "optimization": ("attention", "matrices")}  # the shelves that stand on others
SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
LIBRARY = {"numpy", "kexue_core"}
NOTEBOOK = {
    "__init__.py": set(),
    "agreement.py": {"mpmath", "numpy", "sympy"},
    "alt.py": set(),
    "asymptotics.py": {"mpmath", "sympy"},
    "axes_reuse.py": {"matplotlib", "numpy"},
    "bounds.py": {"mpmath", "sympy"},
    "checks.py": {"IPython", "numpy", "sympy"},
    "claims.py": {"numpy"},
    "conditions.py": {"sympy"},
    "controls.py": set(),
    "convergence.py": {"sympy"},
    "corpus.py": set(),
    "derivation.py": {"sympy"},
    "drag.py": {"numpy"},
    "equations.py": {"mpmath", "sympy"},
    "explorer.py": set(),
    "figures.py": {"IPython", "matplotlib", "matplotlib_inline"},
    "formats.py": {"numpy"},
    "laws.py": {"sympy"},
    "limits.py": {"sympy"},
    "live.py": {"ipywidgets"},
    "matrices.py": {"sympy"},
    "means.py": {"sympy"},
    "packing.py": {"numpy"},
    "pictures.py": {"matplotlib"},
    "player.py": set(),
    "points.py": {"mpmath", "sympy"},
    "premises.py": {"sympy"},
    "proof.py": {"sympy"},
    "quadrature.py": {"mpmath", "sympy"},
    "refusal.py": {"mpmath", "sympy"},
    "signs.py": {"sympy"},
    "solutions.py": {"mpmath", "sympy"},
    "sums.py": {"sympy"},
    "table.py": set(),
    "ties.py": {"sympy"},
    "typeset.py": {"sympy"},
    "wellformed.py": {"sympy"},
    "zero.py": {"mpmath", "sympy"},
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


def kexue_imports(path):
    """Return (module, name) for all that a file takes from the package, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "kexue_core":
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("kexue_core") for alias in node.names), path


every_numeric_file = pytest.mark.parametrize("path", NUMERICS, ids=lambda path: path.relative_to(PACKAGE).as_posix())


@every_numeric_file
def test_numerics_import_numpy_and_each_other_only(path):
    assert imported(path) <= LIBRARY


@every_numeric_file
def test_a_shelf_stands_on_the_checks_the_special_functions_itself_and_public_names_of_shelves_below(path):
    place = path.relative_to(PACKAGE).parts
    shelf = f"kexue_core.{place[0]}" if len(place) > 1 else None
    for module, name in kexue_imports(path):
        assert name[0] != "_" or (module, name) == ("kexue_core", "_checks"), f"{path}: {module}.{name}"
        if module == "kexue_core":
            assert name == "_checks"
            assert place != ("_checks.py",)
        elif module == "kexue_core.special":
            assert shelf, "special stands on nothing but the checks"
        elif module != shelf and not module.startswith(f"{shelf}."):
            assert module.removeprefix("kexue_core.") in BELOW.get(place[0], ()), f"{path}: {module}"
            assert name in importlib.import_module(module).__all__, f"{path}: {module}.{name}"


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_offers_what_its_modules_list(shelf):
    package = importlib.import_module(f"kexue_core.{shelf}")
    modules = [path.stem for path in (PACKAGE / shelf).glob("*.py") if path.name[0] != "_"]
    listed = [name for m in modules for name in importlib.import_module(f"kexue_core.{shelf}.{m}").__all__]
    assert len(package.__all__) == len(set(package.__all__))
    assert set(package.__all__) == set(listed)
    assert all(hasattr(package, name) for name in listed)


@pytest.mark.parametrize("path", sorted((PACKAGE / "notebook").glob("*.py")), ids=lambda path: path.name)
def test_the_notebook_layer_imports_what_its_face_needs(path):
    assert imported(path) - {"kexue_core"} <= NOTEBOOK[path.name]


def test_importing_a_numeric_module_loads_numpy_only():
    heavy = "[m for m in ('sympy', 'matplotlib', 'ipywidgets', 'scipy', 'IPython') if m in sys.modules]"
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in NUMERICS]
    code = f"import sys, {', '.join(names)}; assert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=chapters.ROOT)


def code_lines(source):
    """Return how many lines hold code: no docstring, comment or blank line."""
    held = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            held |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            held -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(held)


@every_numeric_file
def test_every_numeric_module_has_at_most_150_lines_of_code(path):
    assert code_lines(path.read_text()) <= (200 if path.name == "_checks.py" else 150)


def test_lines_of_code_are_counted_without_words():
    assert (
        code_lines('"""Doc.\n\nMore.\n"""\n\n# why\ndef f(x):\n    """Doc."""\n    return (\n        x\n    )\n') == 4
    )


def test_every_numeric_module_lists_its_public_names_in_the_order_of_the_file():
    for path in NUMERICS:
        if path.name.startswith("_"):
            continue
        tree = ast.parse(path.read_text())
        assignments = (node for node in tree.body if isinstance(node, ast.Assign))
        listed = next(ast.literal_eval(node.value) for node in assignments if node.targets[0].id == "__all__")
        defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name[0] != "_"]
        assert [name for name in defined if name in listed] == [name for name in listed if name in defined], path.name
        assert set(defined) <= set(listed), path.name
        assert 1 <= len(listed) <= 9, path.name


PUBLIC = {
    f"{home}.{name}": getattr(importlib.import_module(f"kexue_core.{home}"), name)
    for home in [*SHELVES, "special"]
    for name in importlib.import_module(f"kexue_core.{home}").__all__
}
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_docstring_has_all_its_sections_and_the_parameters_of_the_signature(name):
    function = FUNCTIONS[name]
    doc, parameters = inspect.getdoc(function), inspect.signature(function).parameters
    sections = dict(re.findall(r"^([A-Z]\w+)\n-+\n(.*?)(?=^[A-Z]\w+\n-+\n|\Z)", doc, re.M | re.S))
    assert set(sections) == {"Parameters", "Returns", "Raises", "References", "Examples"} - (
        set() if parameters else {"Parameters"}
    )
    assert list(sections) == [s for s in ("Parameters", "Returns", "Raises", "References", "Examples") if s in sections]
    assert doc.splitlines()[0].endswith((".", ":", ";")) or "``" in doc.splitlines()[0]
    heads = [line.split(" : ")[0] for line in sections["Parameters"].splitlines() if line and line[0] != " "]
    documented = [word.lstrip("*") for head in heads for word in head.split(", ")]
    assert sorted(documented) == sorted(parameters)
    assert ">>> " in sections["Examples"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_signature_is_annotated(name):
    signature = inspect.signature(FUNCTIONS[name])
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


def test_every_other_public_name_says_what_it_is():
    for name, thing in PUBLIC.items():
        assert inspect.isfunction(thing) or not inspect.isclass(thing) or inspect.getdoc(thing), name


def test_the_wheel_holds_every_module_and_the_mark_of_types(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(chapters.ROOT / name, source)
    shutil.copytree(PACKAGE, source / "kexue_core", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "."]
    subprocess.run([*command, "-w", tmp_path], check=True, cwd=source)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        metadata = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("METADATA"))
    files = [p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert held == {path.relative_to(chapters.ROOT).as_posix() for path in files}
    assert "kexue_core/py.typed" in held
    for field in (
        "Author",
        "Project-URL",
        "Description-Content-Type: text/markdown",
        'mpmath>=1.3; extra == "notebook"',
    ):
        assert field in metadata


def test_the_tests_of_the_shelves_run_with_numpy_and_pytest_alone():
    """All of them are collected, and those of two shelves are run."""
    blocked = ("scipy", "mpmath", "sympy", "matplotlib", "playwright", "nbformat", "nbclient", "yaml", "sphinx")
    folders = [f"tests/{name}" for name in SHELVES]
    assert len(folders) == 9
    for options, least in (
        (["--collect-only", *folders, "tests/test_special.py"], 2000),
        (["tests/experts", "tests/matrices"], 150),
    ):
        code = (
            f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import pytest; "
            f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', *{options!r}]))"
        )
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=chapters.ROOT, env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert int(re.search(r"(\d+) (?:passed|tests collected)", run.stdout)[1]) > least
