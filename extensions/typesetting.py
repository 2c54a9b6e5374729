"""Formulas, typeset by KaTeX while the book is built."""

import atexit
import html
import socket
import time
from subprocess import PIPE, Popen

import sphinxcontrib.katex as katex
from docutils import nodes
from playwright._impl._driver import compute_driver_executable
from sphinx.util import logging

from extensions import processes

PATIENCE = 60.0  # seconds for the server to come up, and for one formula, on a busy machine
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
    app.connect("config-inited", configure)
    app.connect("build-finished", stop)


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


def stop(app, exception):
    """End the process that typesets: left alone it keeps the pipes of the build open."""
    server = katex.KaTeXServer.katex_server
    if server is not None:
        atexit.unregister(katex.KaTeXServer.terminate)
        server.terminate()
        katex.KaTeXServer.katex_server = None
