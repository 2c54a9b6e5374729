"""Small books, built whole: what authors write, what they get wrong, and what may lie about."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from extensions import book_search, chapters, dependencies, execution, forks, kexue_book, processes, requirements, site
from extensions.toc import read_parts
from kexue_core.notebook.corpus import read_chapters

TOC = """\
format: jb-book
root: chapters/intro
parts:
  - caption: 位置与长度
    chapters:
      - file: chapters/one
        sections:
          - file: chapters/two.five.ipynb
            sections:
              - file: chapters/three
      - url: https://kexue.fm
        title: The blog
      # - file: chapters/one-Copy1
  - chapters:
      - file: chapters/page
"""
CONFIG = """\
title: Small
only_build_toc_files: true
exclude_patterns: [_build, kexue_core, extensions]
execute: {execute_notebooks: "off"}
html: {baseurl: "https://example.org/"}
parse: {myst_enable_extensions: [amsmath, dollarmath]}
sphinx:
  local_extensions: {extensions.kexue_book: "."}
  config: {nb_ipywidgets_js: {}, suppress_warnings: [mystnb.unknown_mime_type]}
"""
BIB = """\
@article{men2024base,
  title = {Base of {RoPE} Bounds Context Length}, author = {Men, Xin and Xu, Mingyu and Wang, Bingning},
  journal = {arXiv:2405.14591}, year = {2024}, url = {https://arxiv.org/abs/2405.14591}
}
"""


def notebook(*cells):
    """Return a notebook: a text that begins with ``>`` is code, another one Markdown."""
    new = [
        nbformat.v4.new_code_cell(text[1:]) if text.startswith(">") else nbformat.v4.new_markdown_cell(text)
        for text in cells
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=new, metadata=metadata)


def write_book(root, **replaced):
    """Write a small book with everything that `_toc.yml` allows, and a stray copy."""
    (root / "chapters").mkdir(parents=True)
    (root / "_toc.yml").write_text(TOC, encoding="utf-8")
    (root / "_config.yml").write_text(CONFIG)
    (root / "requirements.txt").write_text("numpy==2.4.6\n")
    shutil.copytree(chapters.ROOT / "extensions", root / "extensions", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "kexue_core").symlink_to(chapters.ROOT / "kexue_core")
    shutil.copy(chapters.ROOT / "CITATION.cff", root)
    shutil.copy(chapters.ROOT / book_search.KEYWORDS, root / "chapters")
    (root / "chapters" / "references.bib").write_text(BIB)
    (root / "chapters" / "intro.md").write_text("# Small\n\nA book.\n")
    (root / "chapters" / "page.md").write_text("# Page\n\n```{kexue} bibliography\n```\n")
    one = notebook(
        "(label)=\n# One\n\n> **Insight.** It works.",
        'Here,<a id="eq-first"></a>\n\n$$a=b \\tag{1}$$\n\nBy [Men et al. (2024)](http://arxiv.org/pdf/2405.14591v2).',
        ">import os\nplt = os",
        "As [(1)](#eq-first) says.",
        ">1 + 1",
    )
    books = {
        "one": one,
        "one-Copy1": one,
        "two.five": notebook("# Two\n\nSee [(1)](one.ipynb#eq-first)."),
        "three": notebook("# Three\n\nText."),
    }
    for name, content in (books | replaced).items():
        nbformat.write(content, root / "chapters" / f"{name}.ipynb")
    return root


def jupyter_book(root, *options):
    """Build a small book; return exit code, what it said, and where the pages are."""
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [program, "build", ".", "--path-output", "out", "-W", "-n", "--keep-going"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    result = subprocess.run([*command, "-q", *options], cwd=root, env=environment, capture_output=True, text=True)
    said = re.sub(r"\x1b\[[\d;]*m", "", result.stderr).strip()
    builder = options[1] if options else "html"
    return result.returncode, said, root / "out" / "_build" / builder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = write_book(tmp_path_factory.mktemp("small") / "科学 it's")
    (root / "chapters" / "stray.html").write_bytes("<p>é".encode("latin-1"))
    (root / "chapters" / "broken.ipynb").write_text("no notebook")
    return root, *jupyter_book(root)


def test_a_table_of_contents_is_read_as_jupyter_book_reads_it(small):
    root, code, said, pages = small
    assert read_parts(root) == [("位置与长度", ["one", "two.five", "three"]), ("", [])]
    assert (code, said) == (0, "")
    built = {path.stem for path in (pages / "chapters").glob("*.html")}
    assert built == {"intro", "one", "two.five", "three", "page"}


def test_a_chapter_is_named_by_its_heading_and_a_copy_beside_it_counts_nowhere(small, monkeypatch):
    root = small[0]
    monkeypatch.setattr(chapters, "ROOT", root)
    assert chapters.title("one") == "One"
    assert chapters.insight("one") == "It works."
    (root / "chapters" / "broken.ipynb").unlink(missing_ok=True)
    assert [chapter["slug"] for chapter in read_chapters(root / "chapters")] == ["one", "three", "two.five"]


def test_every_builder_yields_all_its_pages_twice_and_a_map_of_them(small):
    root = small[0]
    for _ in range(2):
        code, said, pages = jupyter_book(root, "--builder", "dirhtml")
        assert (code, said) == (0, "")
        built = {path.parent.name for path in (pages / "chapters").glob("*/index.html")}
        assert built == {"intro", "one", "two.five", "three", "page"}
        assert (pages / "sitemap.xml").read_text().count("<loc>https://example.org/chapters/") == 5
        (root / "chapters" / "three.ipynb").touch()


def test_a_page_that_left_the_book_leaves_the_site_and_a_foreign_file_stays(tmp_path):
    root = write_book(tmp_path / "book")
    pages = jupyter_book(root)[2]
    (pages / "chapters" / "mine.html").write_bytes("<p>é".encode("latin-1"))
    toc = root / "_toc.yml"
    toc.write_text(
        toc.read_text(encoding="utf-8")
        .replace("              - file: chapters/three\n", "")
        .replace("            sections:\n", ""),
        encoding="utf-8",
    )
    assert jupyter_book(root)[:2] == (0, "")
    assert {path.stem for path in (pages / "chapters").glob("*.html")} == {"intro", "one", "two.five", "page", "mine"}


def test_links_to_formulas_and_papers_work_in_the_page(small):
    pages = small[3] / "chapters"
    one = (pages / "one.html").read_text(encoding="utf-8")
    assert one.count('id="eq-first"') == 1
    assert 'href="#eq-first"' in one
    assert 'href="one.html#eq-first"' in (pages / "two.five.html").read_text(encoding="utf-8")
    assert 'title="Xin Men, Mingyu Xu, and Bingning Wang. Base of RoPE bounds context length.' in one
    listed = (pages / "page.html").read_text(encoding="utf-8")
    assert listed.count("https://arxiv.org/abs/2405.14591") == 1
    assert 'href="one.html"' in listed


def test_folded_code_says_how_much_it_is_to_everyone(small):
    one = (small[3] / "chapters" / "one.html").read_text(encoding="utf-8")
    summaries = re.findall(r"<summary[^>]*><span.*?</summary>", one[one.index("</h1>") :], re.S)
    assert len(summaries) == 1
    assert "Code (2 lines)" in summaries[0]
    assert "aria-label" not in summaries[0]
    assert "kx-cell-2" in one


def test_all_mistakes_of_authors_are_told_at_once_each_in_one_line_with_its_place(tmp_path):
    wrong = notebook("# One\n\nText $v_{地}$.", "$$\\frac{1}$$", "[nowhere](#eq-none)")
    root = write_book(tmp_path / "book", one=wrong, three=notebook("# Three\n\n$\\undefined$"))
    (root / "chapters" / "page.md").write_text("# Page\n\n```{kexue} part Nothing\n```\n")
    (root / "chapters" / "intro.md").write_text("# Small\n\n```{kexue} notation\n```\n")
    code, said, _ = jupyter_book(root)
    lines = [line for line in said.splitlines() if line.strip()]
    assert code == 1
    for place, words in [
        ("one.ipynb", "formula v_{地}"),
        ("one.ipynb", "formula \\frac{1}"),
        ("one.ipynb", "eq-none"),
        ("three.ipynb", "\\undefined"),
        ("page.md:3", "part must be a caption"),
        ("intro.md:3", "must hold a table of symbols"),
    ]:
        assert any(place in line and words in line for line in lines), (place, words, said)
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("toc", "message"),
    [
        ("format: jb-book\nroot: chapters/intro\nchapters: [{glob: 'chapters/*'}]", "glob is not supported"),
        (
            "format: jb-book\nroot: chapters/intro\nchapters: [{file: other/far}]",
            "must lie in chapters, got 'other/far'",
        ),
        ("format: jb-book\nroot: chapters/intro\nchapters: [{file: chapters/no.ipynb}]", "no such file"),
        ("format: jb-book\nroot: chapters/intro\nchapters: [{title: x}]", "entry does not contain"),
        ("- file: chapters/intro", "not a mapping"),
        ("format: [", "while parsing"),
        ("format: jb-book\nroot: a\nchapters: [{file: a.md}, {file: a.md}]", "multiple times"),
    ],
)
def test_what_the_table_of_contents_must_not_hold_is_refused_by_name_in_one_line(tmp_path, toc, message):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "far.ipynb").touch()
    (tmp_path / "_toc.yml").write_text(toc)
    with pytest.raises(SystemExit, match=re.escape(message)) as refusal:
        read_parts(tmp_path)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("_toc.yml: ")


@pytest.fixture
def forked(monkeypatch):
    """Have kernels be forks, as in a build."""
    factory = KernelProvisionerFactory.instance()
    before = factory.default_provisioner_name
    forks.use_forks()
    yield
    factory.default_provisioner_name = before


@pytest.fixture
def chapter(monkeypatch, tmp_path):
    """Return a function that executes cells as a chapter named ``bad``."""
    (tmp_path / "chapters").mkdir()
    (tmp_path / "extensions").symlink_to(chapters.ROOT / "extensions")
    (tmp_path / "requirements.txt").write_text((chapters.ROOT / "requirements.txt").read_text())
    monkeypatch.setattr(chapters, "ROOT", tmp_path)

    def run(*cells):
        nbformat.write(notebook(*cells), chapters.notebook_path("bad"))
        return execution.execute("bad")

    return run


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        (">raise ValueError('slider 3')", "bad, cell [2]: ValueError: slider 3"),
        (">import os\nos._exit(1)", "bad, cell [2]: the kernel died"),
        (">import warnings\nwarnings.warn('odd')", "bad, cell [2]: mend what it warns of"),
        (">import ipywidgets\nipywidgets.IntSlider()", "bad, cell [2]: this widget is dead without a kernel"),
        (">import yaml", "bad, cell [2]: ModuleNotFoundError: No module named 'yaml'"),
    ],
)
def test_what_must_not_be_published_is_refused_with_chapter_and_cell(forked, chapter, cell, line):
    with pytest.raises(execution.Mistake) as refusal:
        chapter(">1 + 1", "Text.", cell, "More.", ">2 + 2")
    assert str(refusal.value).startswith(line)
    assert "\n" not in str(refusal.value)


def test_a_kernel_has_what_readers_get_and_is_strict(chapter):
    executed, _ = chapter(">import os, scipy, sympy, matplotlib, ipywidgets\nos.environ['KEXUE_STRICT']")
    assert executed.cells[0].outputs[0].data["text/plain"] == "'1'"


def test_a_forked_kernel_differs_from_a_started_one_in_its_imports_only(chapter, request):
    cells = [
        ">import os, signal, sys, threading\nimport matplotlib\nimport numpy as np",
        ">sys.path, os.getcwd(), __name__, sys.flags, sys.stdin, signal.getsignal(signal.SIGCHLD)",
        ">matplotlib.get_backend(), threading.active_count(), sorted(key for key in os.environ if key[:4] != 'JPY_')",
        ">import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        ">np.random.rand()",
    ]
    started, _ = chapter(*cells)
    request.getfixturevalue("forked")
    (one, _), (two, _) = chapter(*cells), chapter(*cells)
    shown = [[cell.outputs for cell in run.cells] for run in (started, one, two)]
    assert shown[0][:4] == shown[1][:4]
    assert len({numbers[4][0].data["text/plain"] for numbers in shown}) == 3


MOVED = """>from kexue_core.notebook import Explorer, Linear, set_style
set_style()
Explorer(lambda ax, x: ax.plot([0, x]) and {"square": x * x}, alt="{x}", name="moved", x=Linear("x", 1, 3, step=1))"""
OUTPUTS = """
import json
from extensions.execution import execute as run
from extensions.generated import executed as read
notebook = {}
print(json.dumps([notebook.metadata, *(cell.outputs for cell in notebook.cells if cell.cell_type == "code")]))"""
KEPT = "from extensions import build, dependencies; print(build.changed(build.get_cache(dependencies.cache_path())))"


def test_a_book_is_built_from_what_nbval_has_found_equal_to_what_is_stored(tmp_path):
    figure = ">import matplotlib.pyplot as plt\nlines = plt.plot([1, 2])"
    chapter = notebook("# One", MOVED, figure, ">print(1)\nprint(2)", ">1 + 1")
    other = notebook("# Two", ">6 * 7")
    root = write_book(tmp_path / "book", one=chapter, **{"two.five": other}, three=notebook("# Three", MOVED))
    shutil.copy(chapters.ROOT / "requirements.txt", root)
    environment = {key: value for key, value in os.environ.items() if key != "KEXUE_BOOK"} | {"PYTHONPATH": str(root)}

    def python(*command):
        return subprocess.run([sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True)

    assert python("-m", "extensions.rerun").returncode == 0
    stored = {name: nbformat.read(root / "chapters" / f"{name}.ipynb", 4) for name in ("one", "two.five", "three")}
    stored["two.five"].cells[1].outputs[0].data["text/plain"] = "43"
    stored["three"].cells[1].source += ".table() and __import__('yaml')"  # and readers do not have it
    for name in ("two.five", "three"):
        nbformat.write(stored[name], root / "chapters" / f"{name}.ipynb")
    books = [f"chapters/{name}.ipynb" for name in stored]
    told = python(
        "-m", "pytest", "-q", "-p", "extensions.validated", "-p", "no:cacheprovider", "--nbval", *books
    ).stdout
    assert "2 failed, 4 passed" in told
    assert "Cell outputs differ" in told
    assert "requirements.txt does not hold it" in told
    assert python("-c", KEPT).stdout == "['two.five', 'three']\n"
    environment["KEXUE_BOOK"] = "1"
    read, run = (json.loads(python("-c", OUTPUTS.format(how)).stdout) for how in ("read('one')", "run('one')[0]"))
    assert read == run  # as when a build executes it
    assert run[0]["language_info"]["pygments_lexer"] == "ipython3"
    assert "kx-explorer" in run[1][0]["data"]["text/html"]
    assert "image/svg+xml" in run[2][0]["data"]


def test_what_readers_install_is_small_and_all_of_it_is_pinned():
    from importlib.metadata import distribution, packages_distributions

    names = requirements.pinned()
    assert {"numpy", "scipy", "matplotlib", "sympy", "ipywidgets", "ipykernel"} <= names
    forbidden = requirements.forbidden()
    assert {"sphinx", "pytest", "yaml", "playwright", "jupyterlab", "nbformat"} <= forbidden
    assert not {"numpy", "kexue_core", "IPython", "PIL", "mpmath"} & forbidden
    installed = {requirements._normal(owner) for owners in packages_distributions().values() for owner in owners}
    size = sum(
        file.size or 0 for name in names & installed for file in distribution(name).files or () if file.suffix != ".pyc"
    )
    assert size < 400e6


def test_the_cache_key_of_a_chapter_follows_the_prose_that_it_reads(monkeypatch, tmp_path):
    root = write_book(tmp_path / "book")
    reader = notebook("# Two")
    reader.metadata["kexue"] = {"reads": ["*.ipynb", "data/*.txt"]}
    nbformat.write(reader, root / "chapters" / "two.five.ipynb")
    monkeypatch.setattr(chapters, "ROOT", root)
    assert dependencies.reads_key("one") == ""
    first = dependencies.reads_key("two.five")
    for name, cells, changes in [
        ("one-Copy1", ["# Other"], False),
        ("one", ["# One\n\n> **Insight.** New."], True),
        ("one", ["# One\n\n> **Insight.** New.", ">1 + 2"], False),
    ]:
        nbformat.write(notebook(*cells), root / "chapters" / f"{name}.ipynb")
        now = dependencies.reads_key("two.five")
        assert (now != first) is changes, (name, cells)
        first = now
    (root / "chapters" / "data").mkdir()
    (root / "chapters" / "data" / "a.txt").write_text("1")
    assert dependencies.reads_key("two.five") != first


def test_one_build_runs_at_a_time(tmp_path):
    with open(tmp_path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="another build of this book runs"), processes.alone(tmp_path):
            pass
    with processes.alone(tmp_path):
        pass


PARENT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a test run in the background ignores
from pathlib import Path
from extensions import processes
with processes.alone(Path(sys.argv[1])):
    processes.run([sys.executable, "-c", "import subprocess, sys; p = subprocess.Popen(['sleep', '300']);"
        f"open({str(Path(sys.argv[1]) / 'child')!r}, 'w').write(str(p.pid)); p.wait()"])
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_ended_build_ends_its_children(tmp_path, how):
    build = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=chapters.ROOT, stderr=subprocess.PIPE)
    child = tmp_path / "child"
    wait(lambda: child.exists() and child.read_text())
    build.send_signal(how)
    build.communicate(timeout=60)
    assert build.returncode != 0
    wait(lambda: not alive(int(child.read_text())))


FORKS = """
import sys
from jupyter_client.manager import start_new_kernel
from extensions import forks
forks.use_forks()
manager, client = start_new_kernel()
print(manager.provisioner.pid, forks._server().pid, flush=True)
client.execute("while True: pass")
sys.stdin.read()
"""


def test_a_forked_kernel_and_the_process_that_forks_end_with_the_one_that_asks():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    worker = subprocess.Popen([sys.executable, "-c", FORKS], cwd=chapters.ROOT, **pipes, text=True)
    started = [int(number) for number in worker.stdout.readline().split()]
    assert len(started) == 2
    assert all(map(alive, started))
    worker.kill()
    worker.communicate()
    wait(lambda: not any(map(alive, started)))


def alive(number):
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait(condition, seconds=60):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_site_that_lacks_a_file_is_found_out(tmp_path):
    (tmp_path / "a.html").write_text('<img src="_images/a.png"><a href="b.html#x">b</a><a href="https://x.org/c">c</a>')
    assert site.missing(tmp_path) == [("a.html", "_images/a.png"), ("a.html", "b.html#x")]
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "a.png").touch()
    (tmp_path / "b.html").write_text('<code>href="nowhere"</code> &lt;img src="no.png"&gt;')
    assert site.missing(tmp_path) == []


def test_pages_made_from_all_chapters_are_read_again_with_any_of_them_and_not_otherwise(monkeypatch):
    made, chapter = {"chapters/intro"}, f"chapters/{chapters.slugs()[0]}"
    env = SimpleNamespace(kexue_pages=made, found_docs={chapter})
    assert kexue_book.outdated(None, env, set(), set(), set()) == sorted(made)  # of an older environment
    assert kexue_book.outdated(None, env, set(), set(), set()) == []
    assert kexue_book.outdated(None, env, set(), {"chapters/cite"}, set()) == sorted(made)
    for name in ("_toc.yml", "extensions/gallery.py", "chapters/parts/experts.md"):
        seen = {str(chapters.ROOT / name)}
        assert seen <= {path for path, _ in env.kexue_tools}
    key = dependencies.chapter_key
    monkeypatch.setattr(dependencies, "chapter_key", lambda slug: key(slug) + "x" * (f"chapters/{slug}" == chapter))
    assert kexue_book.outdated(None, env, set(), set(), set()) == sorted(made | {chapter})
