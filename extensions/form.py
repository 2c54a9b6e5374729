"""The form of a chapter, as the chapter guide states it: what can be counted in the notebook.

`page_form` measures the rest in the built page. Every problem is one line: chapter, cell as JupyterLab numbers it, what
to do.
"""

import re
import statistics
from itertools import zip_longest

from extensions import chapters, folding

__all__ = ["BOX", "HEADINGS", "notebook_problems"]

HEADINGS = [
    "The question",
    "Derivation",
    "Numerics",
    "Explore",
    "Reproduced results",
    "Limits and beyond",
    "Exercises",
    "Sources",
]
BOX = ["Original", "Papers", "Insight", "After this chapter", "Builds on"]
ORIGINAL = r"\*\*Original\.\*\* \[《.+》\]\(https://kexue\.fm/archives/\d+\), Su Jianlin, \d{4}-\d\d-\d\d"
QUESTION_WORDS, PROSE_WORDS = 150, 3500
COLUMNS, LINES, ALGORITHM_LINES = 84, 20, (6, 15)
MEDIAN = (4, 12)  # of all cells; at 84 columns a formatted call takes a line for each argument
PICTURES = (4, 9)
BARE = re.compile(r"\{|\[[A-Za-z]|array\(")  # what Python shows of dicts, sets, arrays and lists of objects
ROLE = re.compile(r"\{[a-z]+(?::[a-z]+)*\}`|^\([\w-]+\)=\s*$|^(?:```+|:::+) *\{|\$\$ *\([\w-]+\)\s*$", re.M)


def notebook_problems(slug):
    """Return one line for each thing that keeps the notebook of a chapter from the form of the guide."""
    notebook = chapters.read(slug)
    cells = list(numbered(notebook))
    code = [(number, cell) for number, cell in cells if cell.cell_type == "code"]
    found = []

    def say(where, words):
        found.append(f"{slug}, {where}: {words}")

    _title_and_headings(slug, notebook, say)
    _question(cells, say)
    _prose(cells, say)
    _code(code, say)
    _show(code, say)
    _exercises(code, cells, say)
    sources = "\n".join(cell.source for _, cell in section(cells, "Sources"))
    if not re.search(r"\]\(\w+\.ipynb(#[^)]*)?\)", sources):
        say("Sources", "must end with what to read next: a link to another chapter, [its title](slug.ipynb)")
    return found


def numbered(notebook):
    """Yield each cell with the number of the code cell that it is, or that comes next."""
    number = 1
    for cell in notebook.cells:
        yield number, cell
        number += cell.cell_type == "code"


def section(cells, name):
    """Return the numbered cells of one section, those of its heading first."""
    inside, members = False, []
    for number, cell in cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^## (.+?)\s*$", cell.source, re.M):
                inside = heading == name
        if inside:
            members.append((number, cell))
    return members


def _title_and_headings(slug, notebook, say):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^## (.+?)\s*$", text, re.M)
    if headings != HEADINGS:
        pairs = zip_longest(HEADINGS, headings, fillvalue="nothing")
        place, (wanted, got) = next((i, pair) for i, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
        say("headings", f"heading {place} must be '## {wanted}', got '## {got}'")
    if len(re.findall(r"^# ", text, re.M)) != 1 or not re.match(r"# ", notebook.cells[0].source):
        say("cell 1", "must begin with the title '# …', the only one")
    box = notebook.cells[0].source
    for field in BOX:
        if f"**{field}" not in box:
            say("cell 1", f"the box must hold '**{field}.** …'")
    if not re.search(ORIGINAL, box):
        say("cell 1", "write '**Original.** [《Chinese title》](https://kexue.fm/archives/N), Su Jianlin, YYYY-MM-DD'")
    if len(re.split(r"(?<=[.?!]) ", re.sub(r"[*>\n]", " ", chapters.insight(slug)).strip())) > 1:
        say("cell 1", "the insight must be one sentence")


def _question(cells, say):
    question = section(cells, "The question")
    first = next((place for place, (_, cell) in enumerate(question) if "Explorer(" in cell.source), None)
    if first is None:
        say("The question", "must hold the first explorer, before the table of symbols")
        return
    before = [cell for _, cell in question[:first] if cell.cell_type == "markdown"]
    after = [cell for _, cell in question[first:] if cell.cell_type == "markdown"]
    puzzle = before[0].source if before else ""
    if chapters.words(puzzle) > QUESTION_WORDS:
        say(
            "The question",
            f"state the puzzle in at most {QUESTION_WORDS} words before the first code; {chapters.words(puzzle)} now",
        )
    table = re.compile(r"^\|[ -:|]+\|\s*$", re.M)
    if any(table.search(cell.source) for cell in before) or not any(table.search(cell.source) for cell in after):
        say("The question", "the table of symbols must follow the first explorer")


def _prose(cells, say):
    total = sum(chapters.words(cell.source) for _, cell in cells if cell.cell_type == "markdown")
    if total > PROSE_WORDS:
        say("prose", f"at most {PROSE_WORDS} words; {total} now")
    before = None
    for number, cell in cells:
        if cell.cell_type == "markdown":
            for raw in ROLE.findall(cell.source):
                say(f"before cell [{number}]", f"plain Markdown only, a link in place of {raw.strip()!r}")
        elif before is None or before.cell_type != "markdown" or re.match("#", before.source.strip().splitlines()[-1]):
            say(f"cell [{number}]", "write a sentence before it")
        before = cell


def _code(code, say):
    for number, cell in code:
        where, source = f"cell [{number}]", cell.source
        if re.search(r"^[%!]|pip install|https?://|\bopen\(", source, re.M):
            say(where, "no magic, installation, path or network in a chapter")
        if number == 1 and "set_style()" not in source:
            say(where, "imports, set_style() and the random generator stand here")
        if re.search(r"^\s*assert ", source, re.M):
            say(where, "show what holds: check(holds, 'what holds')")
        if number > 1 and re.search(r"^\s*(?:import|from) |default_rng\(", source, re.M):
            say(where, "imports and the random generator stand in the first code cell")
        lines = folding.code_lines(source) - (folding.import_lines(source) if number == 1 else 0)
        if lines > LINES:
            say(where, f"at most {LINES} lines; {lines} now: divide it, or move a function to kexue_core")
        if any(BARE.match(output.get("data", {}).get("text/plain", "")) for output in cell.get("outputs", ())):
            say(where, "show numbers with table({head: cells, …}) or in a sentence, not as the repr of a container")
        wide = max(map(len, source.splitlines()), default=0)
        if wide > COLUMNS:
            say(where, f"at most {COLUMNS} columns; {wide} now")
        if folding.folds(cell) and not source.lstrip().startswith("#"):
            say(where, "its code is folded: begin it with a comment that says what it does")
        hidden = bool(cell.metadata.get("jupyter", {}).get("source_hidden"))
        if hidden != (folding.folds(cell) or folding.SOLUTION in cell.metadata.get("tags", [])):
            say(where, "what JupyterLab folds is out of date: make rerun")
    median = statistics.median(folding.code_lines(cell.source) for _, cell in code)
    if not MEDIAN[0] <= median <= MEDIAN[1]:
        say("code", f"the median cell must have {MEDIAN[0]} to {MEDIAN[1]} lines; {median:g} now")


def _show(code, say):
    source = "\n".join(cell.source for _, cell in code)
    for call in ("Derivation(", "agreement(", "Explorer(", "reproduce("):
        if call not in source:
            say("code", f"a chapter must hold {call})")
    if len(re.findall(r"\bcheck\(", source)) < 5:
        say("code", "what holds must be shown by at least five check(holds, 'what holds')")
    drawn = [(number, cell) for number, cell in code if "plt.show()" in cell.source]
    for number, cell in drawn:
        if len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) <= 20:
            say(f"cell [{number}]", "say what is seen: cell metadata mystnb.image.alt, more than 20 characters")
    static = [cell for _, cell in drawn if folding.SOLUTION not in cell.metadata.get("tags", [])]
    if not PICTURES[0] <= len(static) <= PICTURES[1]:
        say("pictures", f"{PICTURES[0]} to {PICTURES[1]} static ones; {len(static)} now")
    boxes = [(number, cell) for number, cell in code if folding.ALGORITHM in cell.metadata.get("tags", [])]
    if len(boxes) != 1:
        say("Numerics", f"one cell must have the tag {folding.ALGORITHM!r}, the algorithm box; {len(boxes)} have it")
    for number, cell in boxes:
        if not ALGORITHM_LINES[0] <= folding.code_lines(cell.source) <= ALGORITHM_LINES[1]:
            say(f"cell [{number}]", f"an algorithm box has {ALGORITHM_LINES[0]} to {ALGORITHM_LINES[1]} lines")


def _exercises(code, cells, say):
    solutions = [(number, cell) for number, cell in code if folding.SOLUTION in cell.metadata.get("tags", [])]
    last = {number for number, _ in section(cells, "Exercises")}
    if not 2 <= len(solutions) <= 4:
        say("Exercises", f"two to four solutions, each a cell with the tag {folding.SOLUTION!r}; {len(solutions)} now")
    for number, cell in solutions:
        if number not in last:
            say(f"cell [{number}]", f"only a solution has the tag {folding.SOLUTION!r}")
        if "check(" not in cell.source:
            say(f"cell [{number}]", "a solution must check its result")
