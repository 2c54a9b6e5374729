"""Addresses of papers: exact against a regular expression, total on anything, inverted by what renders them."""

import itertools
import random
import re

import pytest

from kexue_core.engineering import (
    PaperId,
    _link_table,
    explain_address,
    find_paper_ids,
    paper_link_script,
    path_counts,
    pick_paper_ids,
    rank_arxiv,
    render_reader,
    render_search,
    render_source,
    run_automaton,
    unrank_arxiv,
    unrank_word,
)

NEW = _link_table.AUTOMATA["new"]
MONTH = "(?:0[1-9]|1[0-2])"
EXACT = re.compile(
    rf"(?:07(?:0[4-9]|1[0-2])|(?:0[89]|1[0-4]){MONTH})\.(?!0000)[0-9]{{4}}|"
    rf"(?:1[5-9]|[2-9][0-9]){MONTH}\.(?!00000)[0-9]{{5}}"
)
# What an address means, by hand.
NAMED = {
    "https://arxiv.org/abs/hep-th/9901001": ("arxiv", "hep-th/9901001"),
    "http://www.arxiv.org/pdf/math.GT/0309136v2": ("arxiv", "math/0309136", 2),
    "https://export.arxiv.org/abs/2402.12354v1?context=cs": ("arxiv", "2402.12354", 1),
    "https://ar5iv.labs.arxiv.org/html/1706.03762": ("arxiv", "1706.03762"),
    "https://www.alphaxiv.org/abs/1706.03762": ("arxiv", "1706.03762"),
    "https://huggingface.co/papers/2402.12354": ("arxiv", "2402.12354"),
    "https://doi.org/10.48550/arXiv.2402.12354": ("arxiv", "2402.12354"),
    "arXiv:1412.9999v3": ("arxiv", "1412.9999", 3),
    "https://openreview.net/forum?id=ryQu7f-RZ": ("OpenReview", "ryQu7f-RZ"),
    "https://openreview.net/pdf?id=B1-q5Pqxl#page=2": ("OpenReview", "B1-q5Pqxl"),
    "https://aclanthology.org/P19-1001": ("ACL", "P19-1001"),
    "https://aclanthology.org/2024.acl-long.1.pdf": ("ACL", "2024.acl-long.1"),
    "https://www.ijcai.org/proceedings/2023/0012.pdf": ("IJCAI", "2023/12"),
    "https://proceedings.mlr.press/v235/hayou24a/hayou24a.pdf": ("PMLR", "v235/hayou24a"),
    "https://proceedings.mlr.press/v235/hayou24a.html": ("PMLR", "v235/hayou24a"),
    "https://papers.cool/venue/12@2023@IJCAI": ("IJCAI", "2023/12"),
    "https://papers.cool/venue/hayou24a%40v235%40PMLR": ("PMLR", "v235/hayou24a"),
}
NONE = [
    "https://doi.org/10.1145/3292500.3330701",
    "https://openreview.net/group?id=ICLR.cc/2024/Conference",
    "2402.12354v0",
    "https://aclanthology.org/events/acl-2024/",
    "https://www.ijcai.org/proceedings/2023/0000.pdf",
    "phone 5551234.56789",
    "1234.56789",
    "https://arxiv.org/abs/2402.123456",
    "https://openreview.net/forum?id=2024.12345x",
    "1513.00001",
    "https://evil.example/openreview.net/x?id=AAAAAAAA",
    "https://arxiv.org.evil.example/abs/2402.12354",
    "1501.0001",
    "https://a@arxiv.org/abs/2402.12354",
    "javascript:arxiv.org/abs/2402.12354",
    "hep-th/0712001",
    "０７０４.0001",
    "0703.0001",
    "https://arxiv.org:81/abs/2402.12354",
    "https://arxiv.org/abs/24%2e12354",
    "",
    "v235/hayou24a",
    "x/9901001",
    "cs.se/0101001",
]


def canonical(rng):
    """Return a random paper of each source."""
    key = "".join(rng.choices(_link_table.UPPER + "abc-_9", k=rng.randint(8, 12)))
    year, number = rng.randint(1969, 2029), rng.randint(1, 9999)
    return [
        PaperId("arxiv", unrank_arxiv(rng.randrange(102_928_887)), rng.choice([None, 1, 12])),
        PaperId("arxiv", unrank_word(OLD, rng.randrange(path_counts(OLD)[0])).split(".")[0].split("/")[0] + "/9901001"),
        PaperId("OpenReview", key),
        PaperId("ACL", f"{year}.acl-long.{number}"),
        PaperId("ACL", f"P19-{number:04d}"),
        PaperId("IJCAI", f"{year}/{number}"),
        PaperId("PMLR", f"v{number}/li-mu{year % 100:02d}b"),
    ]


OLD = _link_table.AUTOMATA["old"]


def test_new_ids_are_exactly_the_stated_grammar():
    tails = ["0001", "9999", "0000", "12", "00001", "99999", "00000", "123456", "1234v1", "１２３４", ""]
    for prefix, tail in itertools.product(range(10_000), tails):
        text = f"{prefix:04d}.{tail}"
        states = run_automaton(NEW, text)
        found = len(states) == len(text) + 1 and NEW.accepting[states[-1]]
        assert found == bool(EXACT.fullmatch(text)), text


def test_the_automaton_has_24_states_and_as_many_words_as_the_grammar():
    assert len(NEW) == 24
    assert path_counts(NEW)[0] == 93 * 9999 + 1020 * 99999 == 102_928_887


def test_ranks_follow_the_time_and_invert_unrank():
    rng = random.Random(0)
    ranks = sorted({0, 929_906, 929_907, 102_928_886, *(rng.randrange(102_928_887) for _ in range(500))})
    keys = [unrank_arxiv(rank) for rank in ranks]
    assert [rank_arxiv(key) for key in keys] == ranks
    assert keys == sorted(keys)
    for key, rank in zip(keys, ranks):  # by hand: months since the beginning of a scheme
        month, number = (int(key[:2]) * 12 + int(key[2:4]), int(key[5:]) - 1)
        early = len(key) == 9
        assert rank == ((month - 88) * 9999 if early else 929_907 + (month - 181) * 99_999) + number


@pytest.mark.parametrize("address", NAMED)
def test_an_address_names_its_paper(address):
    assert explain_address(address)[0] == PaperId(*NAMED[address])
    assert find_paper_ids(f"（{address}）.") == [PaperId(*NAMED[address][:2])]


@pytest.mark.parametrize("address", NONE)
def test_what_names_no_paper_is_refused(address):
    assert explain_address(address)[0] is None
    assert find_paper_ids(address) == []


def test_what_is_rendered_is_read_back():
    rng = random.Random(1)
    for _ in range(100):
        papers = canonical(rng)
        for paper in papers:
            assert explain_address(render_source(paper))[0] == paper
            again = explain_address(render_source(explain_address(render_source(paper))[0]))[0]
            assert again == paper
        plain = [PaperId(paper.source, paper.key) for paper in papers]
        for some in (plain[:2], plain[2:]):
            assert find_paper_ids(render_reader(some)) == list(dict.fromkeys(some))


def test_no_text_raises_and_accepted_counts_stay_inside():
    rng = random.Random(2)
    marks = [*NAMED, *NONE, "://", "/", "@", "%", "?id=", "v1", "é", "\ud800", "\0", "４", "😀", "[", "https"]
    for _ in range(3000):
        text = "".join(rng.choice(marks)[: rng.randint(1, 30)] for _ in range(rng.randint(0, 6)))
        paper, reason, accepted = explain_address(text)
        assert reason
        assert 0 <= accepted <= len(text)
        for found in [*([paper] if paper else []), *find_paper_ids(text)]:
            assert explain_address(render_source(found))[0] == found
        assert re.fullmatch(
            r"https://papers\.cool/arxiv/search\?highlight=1&query=[\w.~%-]*", render_search(text), re.A
        )


def test_how_far_a_text_was_accepted_is_counted_within_the_text():
    whole = "https://openreview.net/forum?id=ryQu7f-RZ"
    assert explain_address(whole)[2] == len(whole)
    assert explain_address(whole + "&noteId=x#y")[2] == len(whole)
    assert explain_address(whole.replace("?", "?a=1&"))[2] == len(whole) + 4
    assert explain_address(whole[:-1] + "!")[2] == len(whole) - 1
    assert explain_address("https://openreview.net/forum?a=1")[2] == len("https://openreview.net/forum")
    for text in NAMED:
        paper, _, accepted = explain_address(text)
        if paper and "?" not in text and "#" not in text and "%" not in text:
            assert accepted == len(text.strip()), text


def test_the_number_of_steps_grows_with_the_length_only():
    """Counted, not timed: how many characters automata are shown for ever longer texts of each awkward kind."""
    from kexue_core.engineering import _link_reading

    shown, original = [], _link_reading.run_automaton

    def counting(automaton, text):
        shown.append(len(text))
        return original(automaton, text)

    _link_reading.run_automaton = counting
    try:
        for piece in (
            "0",
            "2402.12354 ",
            "openreview.net/?id=",
            "a@",
            "%41",
            "v1",
            "arxiv.org/abs/",
            "-v",
            "//",
            "1@a@IJCAI",
        ):
            for copies in (10, 100, 1000):
                shown.clear()
                find_paper_ids(piece * copies)
                assert sum(shown) <= 8 * len(piece * copies) + 100
    finally:
        _link_reading.run_automaton = original


def test_the_first_evidence_decides():
    texts = ["1706.03762", "https://aclanthology.org/P19-1001", "0704.0001", "0704.0002"]
    for present in itertools.product([False, True], repeat=4):
        given = [text if there else None for text, there in zip(texts, present)]
        first = next((find_paper_ids(text) for text in given if text), [])
        assert pick_paper_ids(given) == first


@pytest.mark.parametrize(
    "paper",
    [
        PaperId("arxiv", "2402.1"),
        PaperId("x", "y"),
        PaperId("IJCAI", "2023/01"),
        PaperId("ACL", "P19-1001", 2),
        PaperId("arxiv", 7),
        PaperId("arxiv", "math.GT/0309136"),
    ],
)
def test_only_canonical_papers_are_rendered(paper):
    for render in (render_source, lambda paper: render_reader([paper])):
        with pytest.raises(ValueError, match=r"^paper must be canonical, got PaperId"):
            render(paper)


def test_what_is_refused():
    for call, error, message in (
        (lambda: explain_address(3), TypeError, "text must be a string, got 3"),
        (lambda: find_paper_ids(None), TypeError, "text must be a string, got None"),
        (lambda: render_source("x"), TypeError, "paper must be a PaperId, got 'x'"),
        (lambda: render_reader([]), ValueError, "papers must be of one branch, got 0 branches"),
        (
            lambda: render_reader(canonical(random.Random(0))),
            ValueError,
            "papers must be of one branch, got 2 branches",
        ),
        (lambda: render_search("a", "x"), ValueError, "branch must be one of 'arxiv', 'venue', got 'x'"),
        (lambda: rank_arxiv("1412.99999"), ValueError, "key must be a new-style id of arXiv, got '1412.99999'"),
        (lambda: unrank_arxiv(102_928_887), ValueError, "rank must be at most 102928886, got 102928887"),
        (lambda: pick_paper_ids(None), TypeError, "evidence must be an iterable of strings and None, got None"),
        (lambda: pick_paper_ids("x"), TypeError, "evidence must be an iterable of strings and None, got 'x'"),
        (lambda: render_reader(3), TypeError, "papers must be an iterable of PaperId, got 3"),
        (lambda: render_source(PaperId(["x"], "2401.00001")), ValueError, "paper must be canonical, got PaperId"),
        (lambda: unrank_arxiv(-1), ValueError, "rank must be at least 0, got -1"),
        (lambda: paper_link_script("x"), ValueError, "template must hold TABLE, got 'x'"),
    ):
        with pytest.raises(error, match=re.escape(message)):
            call()
