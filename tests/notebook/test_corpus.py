"""The chapters as a corpus, and the search that a reader uses."""

import nbformat
import pytest

from extensions import chapters
from kexue_core.engineering.inverted_index import InvertedIndex
from kexue_core.engineering.search import search
from kexue_core.notebook.corpus import read_chapters


def test_a_chapter_is_its_title_and_its_prose_without_code(tmp_path):
    cells = [nbformat.v4.new_markdown_cell("# A *title*\n\nProse."), nbformat.v4.new_code_cell("secret = 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "b.ipynb")
    nbformat.write(nbformat.v4.new_notebook(cells=cells[1:]), tmp_path / "a.ipynb")
    assert read_chapters(tmp_path) == [{"slug": "b", "title": "A *title*", "body": "Prose."}]


def test_a_folder_without_chapters_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder must hold at least one notebook with a title, got"):
        read_chapters(tmp_path)


def test_every_title_finds_its_chapter_first():
    corpus = read_chapters(chapters.ROOT / "chapters")
    index = InvertedIndex([{"title": chapter["title"], "body": chapter["body"]} for chapter in corpus])
    for number, chapter in enumerate(corpus):
        assert search(index, chapter["title"], 1)[0][0] == number, chapter["title"]
