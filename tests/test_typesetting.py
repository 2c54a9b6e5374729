"""Formulas: the marks around them stay with them, and the process that typesets them is waited for in measure."""

import sys
import time

import lxml.html
import pytest
from docutils import nodes
from docutils.utils import new_document

from extensions import typesetting

# A socket has a name from `bind` on, and refuses everybody until `listen`: the time between is long here.
SLOW = """
import socket, sys, time
door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
time.sleep(0.5)
door.listen()
guest, _ = door.accept()
guest.sendall(guest.recv(100).upper())
"""


class TooLateError(Exception):
    pass


def server(program):
    """Return what `start` asks of a server."""

    class Server:
        timeout_error = TooLateError

        @staticmethod
        def build_command(socket):
            return [sys.executable, "-S", "-c", program, str(socket)]

    return Server


def test_a_server_that_is_slow_to_listen_is_waited_for(tmp_path):
    process, connection = typesetting.start(server(SLOW), tmp_path, 30)
    with process, connection:
        connection.sendall(b"x^2")
        assert connection.recv(100) == b"X^2"
    assert process.returncode == 0


def test_a_server_that_ends_is_not_waited_for(tmp_path):
    begun = time.monotonic()
    with pytest.raises(TooLateError):
        typesetting.start(server("raise SystemExit"), tmp_path, 600)
    assert time.monotonic() - begun < 60


def test_a_server_that_never_listens_is_given_up_and_ended(tmp_path, monkeypatch):
    started, popen = [], typesetting.Popen
    monkeypatch.setattr(
        typesetting, "Popen", lambda *args, **kwargs: started.append(popen(*args, **kwargs)) or started[0]
    )
    with pytest.raises(TooLateError):
        typesetting.start(server("import time; time.sleep(600)"), tmp_path, 0.3)
    assert started[0].wait(timeout=30) != 0


def paragraph(*parts):
    """Return a paragraph of texts and formulas, in turn."""
    made = [nodes.math(part, part) if number % 2 else nodes.Text(part) for number, part in enumerate(parts)]
    return nodes.paragraph("", "", *made)


@pytest.mark.parametrize(
    ("written", "set_"),
    [
        ("of 10 000 draws, 36 864.", "of 10\u202f000 draws, 36\u202f864."),
        ("1 000 000 is 7 % of", "1\u202f000\u202f000 is 7\u00a0% of"),
        ("In 2017 100 of 10 rows, 3.5 000, 12 3456 and 1 200.5", None),
    ],
)
def test_a_number_is_not_torn(written, set_):
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.Text(written), nodes.literal(written, written))
    typesetting.Lines(document).run()
    assert document.astext() == (set_ or written) + written


@pytest.mark.parametrize(
    ("parts", "held"),
    [
        (("so ", "x", ", and"), ["x,"]),
        (("so (", "x", ") is"), ["(x)"]),
        (("so ", "x", " is"), []),
        (("", "x", "-dimensional"), ["x-"]),
        (("of “", "x", "”, not ", "y", "."), ["“x”,", "y."]),
    ],
)
def test_marks_stay_with_a_formula(parts, held):
    whole = paragraph(*parts)
    for formula in list(whole.findall(nodes.math)):
        typesetting.hold(formula)
    assert [inline.astext() for inline in whole.findall(nodes.inline)] == held
    assert whole.astext() == "".join(parts)


@pytest.mark.parametrize("slug", ["smooth_top_k", "cur", "moe_geometry"])
def test_no_line_of_a_chapter_begins_with_the_comma_behind_a_formula(site, slug):
    article = lxml.html.parse(site / "chapters" / f"{slug}.html").xpath("//article")[0]
    short = [
        formula.getparent()
        for formula in article.xpath(".//p//span[@class='katex']")
        if len(formula.xpath("string(.//annotation)")) <= typesetting.SHORT
    ]
    assert len(short) > 50
    loose = [span for span in short if "kx-hold" not in span.getparent().get("class", "")]
    assert len(loose) < len(short)
    assert [span.tail for span in loose if (span.tail or " ")[0] in ",.;:)"] == []
