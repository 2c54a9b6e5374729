"""The search in JavaScript: its arguments here, its answers in headless Chromium."""

import json
import random

import pytest

from kexue_core.engineering import InvertedIndex, browser_search, search, tokenize

TEXTS = [
    "the road to the gamma function Γ",
    "梯度流：探索通向最小值之路",
    "RoPE turns pairs; RoPE has one dial, and RoPE is what most models use. " * 5,
    "Padé, Müller, Straße and ＲｏＰＥ-2D; ﬁt the road",
    "",
    "流 alone, constructor and __proto__ and the ガンマ",
]
NAMES = [f"text {i}" for i in range(len(TEXTS))]
DIALS = {"ignored": {"b": 0}, "exact": {"b": 0.75}, "one byte": {"b": 0.75, "quantized": True}}
KIT = "{format: (x) => String(x), escape: (x) => x.replaceAll('<', '&lt;')}"


def by_python(index, query, k1, lengths):
    hits = [(NAMES[d], score) for d, score in search(index, query, 2, k1=k1, **DIALS[lengths])]
    (first, score), (second, other) = [*hits, ("none", 0), ("none", 0)][:2]
    read = sum(index.doc_freq(term) for term in set(tokenize(query)))
    return {"first": first, "its score": score, "second": second, "score of second": other, "postings read": read}


def queries():
    """Return 250 queries: words of the texts, parts of them, and anything."""
    draw = random.Random(10088)
    words = [word for text in TEXTS for word in text.split()]
    letters = "".join(TEXTS) + "ŁøÇςß𝐑ℝ½İıﬀ가한ガ々〇<>&'\"\\`${} "
    some = [" ".join(draw.choices(words, k=draw.randint(1, 4))) for _ in range(100)]
    cut = [word[draw.randint(0, 2) :] for word in draw.choices(words, k=50)]
    return ["", "road road", *some, *cut, *("".join(draw.choices(letters, k=draw.randint(1, 12))) for _ in range(98))]


@pytest.mark.browser
def test_the_browser_answers_as_python_does(browser):
    index = InvertedIndex(TEXTS)
    draw = random.Random(1)
    asked = [
        {"query": query, "k1": draw.choice([0, 0.5, 1.2, 5]), "lengths": draw.choice([*DIALS])} for query in queries()
    ]
    page = browser.new_page()
    source = browser_search(index, NAMES)
    answers = page.evaluate(f"(asked) => {{ const twin = {source}; return asked.map((v) => twin(v, {KIT})); }}", asked)
    page.close()
    assert len(answers) == 250
    assert sum(answer["numbers"]["first"] != "none" for answer in answers) > 130
    for values, answer in zip(asked, answers):
        expected = by_python(index, **values)
        assert list(answer["numbers"]) == list(expected)
        for name, number in expected.items():
            exact = isinstance(number, str)
            assert answer["numbers"][name] == (number if exact else pytest.approx(number, rel=1e-12)), values
        assert answer["picture"].startswith("<svg")
        assert answer["picture"].endswith("</svg>")
        assert answer["alt"]


def test_it_holds_the_posting_lists_and_not_the_texts():
    index = InvertedIndex(TEXTS)
    source = browser_search(index, NAMES)
    assert "%" not in source.replace("% 6", "")
    for term in index.terms:
        assert (
            f"{json.dumps(term, ensure_ascii=False)}:{json.dumps([p.tolist() for p in index.postings(term)])}".replace(
                " ", ""
            )
            in source
        )
    assert TEXTS[1] not in source


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="index must have a single field, got"):
        browser_search(InvertedIndex([{"title": "a", "body": "b"}]), ["a"])
    with pytest.raises(ValueError, match="names must be one for each of the 2 documents, got 1"):
        browser_search(InvertedIndex(["a", "b"]), ["a"])
    with pytest.raises(TypeError, match=r"names\[0\] must be a string"):
        browser_search(InvertedIndex(["a"]), [1])
