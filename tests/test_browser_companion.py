"""The JavaScript of paper addresses against Python, and the companion extension in a real browser, without network."""

import itertools
import json
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from extensions import companion
from extensions.page_form import FLAGS
from kexue_core.engineering import (
    _link_table,
    explain_address,
    find_paper_ids,
    pick_paper_ids,
    rank_arxiv,
    render_reader,
    render_search,
    render_source,
    run_automaton,
    unrank_arxiv,
)

pytestmark = pytest.mark.browser
AUTOMATA = _link_table.AUTOMATA
TEXTS = [
    "https://arxiv.org/abs/2402.12354v2",
    "export.arxiv.org/pdf/math.GT/0309136v1.pdf",
    "HTTP://ARXIV.ORG:80/abs/1501.00001/",
    "https://arxiv.org:8080/abs/1501.00001",
    "https://user@arxiv.org/abs/1501.00001",
    "ftp://arxiv.org/abs/1501.00001",
    "https://arxiv.org/abs/hep%2Dth/9901001#x",
    "https://doi.org/10.48550/arXiv.2402.12354",
    "10.48550/ARXIV.2402.12354v1",
    "https://doi.org/10.1145/3292500.3330701",
    "arXiv:2402.12354",
    "2402.1235",
    "2413.12345",
    "0703.0001",
    "1412.0000",
    "https://openreview.net/forum?noteId=1&id=ryQu7f-RZ",
    "https://openreview.net/forum?id=B1-q5Pqxl&id=B1-q5Pqxl",
    "https://openreview.net/group?id=ICLR.cc/2024/Conference",
    "https://aclanthology.org/P19-1001",
    "https://aclanthology.org/2024.acl-long.1.pdf",
    "https://aclanthology.org/events/acl-2024/",
    "2024.acl-long.01",
    "https://www.ijcai.org/proceedings/2023/0012.pdf",
    "https://www.ijcai.org/proceedings/2023/0000.pdf",
    "https://proceedings.mlr.press/v235/hayou24a.html",
    "https://proceedings.mlr.press/v235/hayou24a/hayou24a.pdf",
    "https://proceedings.mlr.press/v235/hayou24a/other24a.pdf",
    "https://papers.cool/venue/12@2023@IJCAI",
    "https://papers.cool/venue/hayou24a%40v235%40PMLR",
    "https://papers.cool/arxiv/2402.12354",
    "x@constructor",
    "@",
    "constructor",
    "https://__proto__/abs/1501.00001",
    "https://evil.example/openreview.net/x?id=AAAA",
    "",
    " ",
    "😀2402.12354",
    "见2402.12354。",
    "solv-int/9901001",
    "cs.SE/0703001v12345",
    "1501.00001v9999",
    "//arxiv.org/abs/1501.00001",
    "\n2402.12354\t",
]


def told(paper):
    return paper and {"source": paper.source, "key": paper.key, "version": paper.version}


@pytest.fixture(scope="module")
def page(browser):
    """Yield an empty page with the engine in it."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    files = companion.files()
    page.add_script_tag(
        content=files["paper-links.js"] + files["table.js"] + "const P = KexuePapers.engine(PAPER_LINKS);"
    )
    yield page
    context.close()


def agree(page, texts):
    """Compare what both engines say of texts, whole and in pieces."""
    code = "(texts) => texts.map((text) => [P.explain(text), P.find(text), P.search(text)])"
    answers = page.evaluate(code, texts)
    for text, (explained, found, search) in zip(texts, answers, strict=True):
        paper, reason, accepted = explain_address(text)
        assert explained == [told(paper), reason, accepted], text
        assert found == [told(one) for one in find_paper_ids(text)], text
        assert search == render_search(text), text


def test_both_engines_agree_on_addresses_and_on_every_cut_of_them(page):
    cuts = {text[:end] for text in TEXTS for end in range(len(text) + 1)}
    cuts |= {text[:i] + c + text[i + 1 :] for text in TEXTS for i in range(len(text)) for c in "0v/@%é"}
    agree(page, sorted(cuts))


def test_both_engines_agree_on_all_short_texts_over_ten_characters(page):
    agree(page, ["".join(text) for n in range(5) for text in itertools.product("019v.-/@aP", repeat=n)])


@pytest.mark.parametrize("name", AUTOMATA)
def test_both_engines_take_every_character_in_every_state_alike(page, name):
    """A walk reads its state and one character: a shortest way to each state, and each character behind it, are all."""
    automaton, ways = AUTOMATA[name], {0: ""}
    for state in range(len(automaton)):
        for character, following in automaton.edges[state].items():
            ways.setdefault(following, ways[state] + character)
    assert set(ways) == set(range(len(automaton)))
    words = [way + character for way in ways.values() for character in [*map(chr, range(128)), "é", "４", "😀"]]
    states = page.evaluate("([name, words]) => words.map((word) => P.walk(name, word))", [name, words])
    assert states == [run_automaton(automaton, word) for word in words]


def test_every_edge_of_every_state_is_the_same(page):
    """With equal edges and ends the walks are equal on every text, however long: a walk reads nothing else."""
    table = json.loads(companion.files()["table.js"].removeprefix("const PAPER_LINKS = ").rstrip(";\n"))
    for name, automaton in AUTOMATA.items():
        packed = table["automata"][name]
        edges = [{c: to for letters, to in moves.items() for c in letters} for moves in packed["edges"]]
        assert edges == list(automaton.edges)
        assert packed["accepting"] == [s for s, ends in enumerate(automaton.accepting) if ends]


def test_ranks_and_addresses_agree(page):
    keys = [unrank_arxiv(rank) for rank in (0, 1, 929_906, 929_907, 10**6, 102_928_886)]
    assert page.evaluate("(keys) => keys.map(P.rank)", keys) == [rank_arxiv(key) for key in keys]
    papers = [paper for paper, *_ in map(explain_address, TEXTS) if paper]
    assert page.evaluate("(papers) => papers.map(P.source)", [told(p) for p in papers]) == [
        render_source(p) for p in papers
    ]
    for branch in (True, False):
        some = [paper for paper in papers if (paper.source == "arxiv") == branch]
        assert page.evaluate("(papers) => P.reader(papers)", [told(p) for p in some]) == [render_reader(some)]


def test_the_zip_holds_the_extension(tmp_path):
    first, second = companion.pack(tmp_path / "a.zip"), companion.pack(tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        held = {name.removeprefix("paper-redirect/"): archive.read(name).decode() for name in archive.namelist()}
    assert held == companion.files()
    manifest = json.loads(held["manifest.json"])
    named = [manifest["background"]["service_worker"], *manifest["content_scripts"][0]["js"]]
    assert manifest["manifest_version"] == 3
    assert set(named) <= set(held)
    assert manifest["permissions"] == ["contextMenus"]
    assert "host_permissions" not in manifest


def test_the_book_offers_the_extension(site):
    with zipfile.ZipFile(site / companion.NAME) as archive:
        assert archive.read("paper-redirect/table.js").decode() == companion.files()["table.js"]
    assert f'href="../{companion.NAME}"' in (site / "chapters" / "papers_redirect.html").read_text(encoding="utf-8")


class Papers(BaseHTTPRequestHandler):
    """A page with a title, whatever is asked."""

    def do_GET(self):
        body = b"<!doctype html><title>t</title><h1 class=title>A paper</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def extended(browser, tmp_path_factory):
    """Yield a browser with the extension, to which arxiv.org is a local server, and nothing else is anywhere."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Papers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = companion.assemble(tmp_path_factory.mktemp("extension"))
    arguments = [
        *FLAGS,
        f"--disable-extensions-except={folder}",
        f"--load-extension={folder}",
        f"--host-resolver-rules=MAP arxiv.org:80 127.0.0.1:{server.server_port}, MAP * ~NOTFOUND",
    ]
    system = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    context = browser.browser_type.launch_persistent_context(
        tmp_path_factory.mktemp("profile"),
        executable_path=system,
        channel=None if system else "chromium",
        headless=True,
        args=arguments,
        ignore_default_args=["--disable-extensions"],
    )
    yield context
    context.close()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def worker(extended):
    """Return the service worker of the extension."""
    return extended.service_workers[0] if extended.service_workers else extended.wait_for_event("serviceworker")


def test_the_menu_has_one_entry(worker):
    code = "new Promise((done) => chrome.contextMenus.update('redirect', {}, () => done(!chrome.runtime.lastError)))"
    assert worker.evaluate(code)


# Click, as the browser does; tell which addresses were asked for: without the permission "tabs" nobody sees them later.
CLICK = """(info) => {
    const asked = [], create = chrome.tabs.create;
    chrome.tabs.create = (tab) => { asked.push(tab.url); return create.call(chrome.tabs, tab); };
    chrome.contextMenus.onClicked.dispatch(info, {index: 0});
    chrome.tabs.create = create;
    return asked;
}"""
FOUR = {
    "selectionText": "see arXiv:1706.03762v5",
    "linkUrl": "https://openreview.net/forum?id=ryQu7f-RZ",
    "pageUrl": "https://aclanthology.org/P19-1001",
    "frameUrl": "https://proceedings.mlr.press/v235/hayou24a.html",
}


@pytest.mark.parametrize("present", list(itertools.product([False, True], repeat=4)))
def test_the_first_evidence_that_names_a_paper_decides(worker, present):
    dull = {name: "https://example.org/1234.56789" for name in FOUR}
    info = {name: FOUR[name] if there else dull[name] for name, there in zip(FOUR, present)}
    papers = pick_paper_ids(info.values())
    expected = [render_reader(papers)] if papers else [render_search(info["selectionText"])]
    assert worker.evaluate("(info) => addresses(info)", info) == expected
    without = {name: text for name, text in info.items() if text is FOUR[name]}
    assert worker.evaluate("(info) => addresses(info)", without) == ([render_reader(papers)] if papers else [])


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (
            {"selectionText": "2402.12354, 2402.12354v3 and hep-th/9901001"},
            "https://papers.cool/arxiv/2402.12354,hep-th/9901001",
        ),
        ({"linkUrl": "https://openreview.net/forum?id=ryQu7f-RZ"}, "https://papers.cool/venue/ryQu7f-RZ@OpenReview"),
        ({"selectionText": "gradient & flow"}, "https://papers.cool/arxiv/search?highlight=1&query=gradient%20flow"),
    ],
)
def test_a_click_on_the_entry_opens_the_page_of_the_paper(extended, worker, info, expected):
    with extended.expect_page() as opened:
        assert worker.evaluate(CLICK, info) == [expected]
    opened.value.close()


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("abs/2402.12354v2", "https://papers.cool/arxiv/2402.12354"),
        ("abs/math.GT/0309136", "https://papers.cool/arxiv/math/0309136"),
        ("abs/2413.12354", None),
    ],
)
def test_a_page_of_arxiv_gets_one_link_if_its_address_names_a_paper(extended, path, link):
    page = extended.new_page()
    page.goto(f"http://arxiv.org/{path}")
    page.wait_for_timeout(300)
    found = page.locator(".kexue-companion")
    assert [found.nth(i).get_attribute("href") for i in range(found.count())] == ([link] if link else [])
    page.close()
