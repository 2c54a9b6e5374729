"""Formulas, typeset by KaTeX while the book is built."""

import atexit
import html
import re
import socket
import time
from multiprocessing import util
from subprocess import PIPE, Popen

import sphinxcontrib.katex as katex
from docutils import nodes
from playwright._impl._driver import compute_driver_executable
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from extensions import processes

PATIENCE = 60.0  # seconds for the server to come up, and for one formula, on a busy machine
SHORT = 40  # characters of a formula that is never so wide that it must break
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?!\d|\.\d)")  # as `format_number` sets them, but with a space
logger = logging.getLogger(__name__)


def setup(app):
    """Have formulas typeset by the Node that comes with playwright, so that nobody has to install one."""
    katex.NODEJS_BINARY = str(compute_driver_executable()[0])
    katex.KATEX_DEFAULT_OPTIONS = {"throwOnError": True, "strict": "error"}
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = PATIENCE
    katex.KaTeXServer.start_server_process = classmethod(start)
    katex.html_visit_math = named(katex.html_visit_math)
    katex.html_visit_displaymath = named(katex.html_visit_displaymath)
    app.setup_extension("sphinxcontrib.katex")
    app.add_post_transform(Lines)
    app.connect("config-inited", configure)
    app.connect("build-finished", stop)
    util.register_after_fork(katex.KaTeXServer, own)


class Lines(SphinxPostTransform):
    """Keep together what belongs on one line."""

    default_priority = 900

    def run(self):
        """Put a short formula and the marks around it into one element; no number is torn, or leaves its unit."""
        for text in list(self.document.findall(nodes.Text)):
            literal = isinstance(
                text.parent, nodes.literal | nodes.literal_block | nodes.math | nodes.math_block | nodes.raw
            )
            whole = re.sub(r"(?<=\d) (?=[%°])", "\u00a0", THOUSANDS.sub(lambda m: m[0].replace(" ", "\u202f"), text))
            if whole != text and not literal:
                text.parent.replace(text, nodes.Text(whole))
        for formula in list(self.document.findall(nodes.math)):
            if len(formula.astext()) <= SHORT:
                hold(formula)


def hold(formula):
    """Wrap a formula with the marks that touch it: a line may break around them, but not between."""
    parent, place = formula.parent, formula.parent.index(formula)
    before, after = parent[place - 1] if place else None, parent[place + 1] if place + 1 < len(parent) else None
    opening = re.search(r"[(\[“‘]*$", before)[0] if isinstance(before, nodes.Text) else ""
    closing = re.match(r"(?:[.,;:!?)\]”’]|[-–](?=\w))*", after)[0] if isinstance(after, nodes.Text) else ""
    if not opening + closing:
        return
    held = nodes.inline("", classes=["kx-hold"])
    parent.replace(formula, held)
    held += [nodes.Text(opening), formula, nodes.Text(closing)]
    if opening:
        parent.replace(before, nodes.Text(before[: -len(opening)]))
    if closing:
        parent.replace(after, nodes.Text(after[len(closing) :]))


def configure(app, config):
    """Typeset now, with local files."""
    config.html_math_renderer = "katex"
    config.katex_prerender = True
    config.katex_css_path = "katex/katex.min.css"
    config.html_js_files.append(("katex/copy-tex.min.js", {"defer": "defer"}))


def start(server, rundir, timeout):
    """Start the process that typesets; its socket exists before it listens, so connecting is tried until it works."""
    path = rundir / "katex.sock"
    command = server.build_command(socket=path)
    process = Popen(command, stdin=PIPE, stdout=PIPE, cwd=rundir, preexec_fn=processes.end_with_parent)
    end = time.monotonic() + timeout
    while time.monotonic() < end and process.poll() is None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            time.sleep(0.01)
        else:
            return process, connection
    process.kill()
    raise server.timeout_error(timeout)


def named(visit):
    """Return a visitor that tells on which page a formula is wrong, and goes on to the next one."""

    def visit_or_tell(self, node):
        try:
            visit(self, node)
        except katex.KaTeXError as error:
            reason = " ".join(str(error).split()).removeprefix("KaTeX parse error: ")
            logger.error("formula %s: %s", " ".join(node.astext().split())[:80], reason, location=node)
            self.body.append(html.escape(node.astext()))
            raise nodes.SkipNode from None

    return visit_or_tell


def own(server):
    """Have a process that writes pages beside others typeset by itself: on one socket the answers would mix."""
    server.katex_server = None
    util.Finalize(server, stop, exitpriority=1)


def stop(app=None, exception=None):
    """End the process that typesets: left alone it keeps the pipes of the build open."""
    server = katex.KaTeXServer.katex_server
    if server is not None:
        atexit.unregister(katex.KaTeXServer.terminate)
        server.terminate()
        katex.KaTeXServer.katex_server = None
