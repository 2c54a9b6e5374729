"""Which code is folded, in the page and in JupyterLab: one rule, read from the cell itself.

Folded is what only draws, declares an explorer, proves or checks, and what is long. The algorithm box of a chapter (a
cell with the tag `algorithm`) and short calls that a reader would type stay open. A solution is folded whole.
"""

import ast

__all__ = ["ALGORITHM", "SOLUTION", "code_lines", "folds", "import_lines", "mark", "summary"]

ALGORITHM, SOLUTION, FOLDED = "algorithm", "hide-cell", "hide-input"
SHORT = 6
# drawing, exploring, proving, comparing: one of these names is enough
SCENE = {"plt", "Explorer", "Derivation", "agreement", "sp", "reproduce", "erratum"}


def code_lines(source):
    """Return how many lines of a cell are neither empty nor comments."""
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in source.splitlines())


def import_lines(source):
    """Return how many lines of a cell import something."""
    imports = [part for part in ast.parse(source).body if isinstance(part, ast.Import | ast.ImportFrom)]
    return sum(part.end_lineno - part.lineno + 1 for part in imports)


def folds(cell):
    """Tell whether the code of a cell is folded while its output stays.

    Parameters
    ----------
    cell : NotebookNode
        A code cell.
    """
    tags = cell.get("metadata", {}).get("tags", [])
    if ALGORITHM in tags or SOLUTION in tags:
        return False
    source = cell["source"]
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # magic; the form test refuses it
        return False
    names = {node.id for node in ast.walk(ast.Module(statements, [])) if isinstance(node, ast.Name)}
    if code_lines(source) > SHORT or names & SCENE:
        return True
    if any(isinstance(part, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef) for part in statements):
        return True
    return all(map(_only_checks, statements))


def _only_checks(statement):
    if isinstance(statement, ast.For | ast.With):
        return all(map(_only_checks, statement.body))
    call = statement.value if isinstance(statement, ast.Expr) else None
    is_check = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"
    return isinstance(statement, ast.Assert) or is_check


def summary(cell):
    """Return what the reader opens: ``Solution``, or ``Code (14 lines)``."""
    if SOLUTION in cell.get("metadata", {}).get("tags", []):
        return "Solution"
    count = code_lines(cell["source"])
    return f"Code ({count} line{'s' if count > 1 else ''})"


def mark(notebook):
    """Write the rule into the metadata that JupyterLab and nbconvert obey; the argument is changed and returned."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        solution = SOLUTION in cell.metadata.get("tags", [])
        hidden = solution or folds(cell)
        _set(cell.metadata, "jupyter", {"source_hidden": True} | ({"outputs_hidden": True} if solution else {}), hidden)
        tags = [tag for tag in cell.metadata.get("tags", []) if tag != FOLDED]
        _set(cell.metadata, "tags", [*tags, FOLDED] if hidden and not solution else tags, True)
        cell.metadata.pop("collapsed", None)
    return notebook


def _set(metadata, key, value, wanted):
    if wanted and value:
        metadata[key] = value
    else:
        metadata.pop(key, None)
