import math
from itertools import pairwise

import numpy as np
import pytest

from kexue_core.engineering.inverted_index import InvertedIndex
from kexue_core.engineering.search import bm25_scores, keywords, related, search, snippet, term_impacts
from kexue_core.engineering.tokenizing import token_spans, tokenize

TITLES = [
    "gradient flow exploring the path to the minimum",
    "average loss convergence of sgd",
    "lora with different learning rates",
    "the fourier transform road to the gamma function",
    "understanding riemannian geometry a geometric road",
    "elegant retry code in python",
    "chrome redirect extension for cool papers",
    "a simple site search system for cool papers",
    "attention as a quadratic complexity rnn",
    "the cool papers the papers",
]
INDEX = InvertedIndex(TITLES)
# Each title with the next one as its body.
TWO_FIELDS = InvertedIndex([{"title": a, "body": b} for a, b in zip(TITLES, TITLES[1:] + TITLES[:1])])
NEEDLE_LENGTHS = [10, 39, 40, 41, 42, 45, 60, 100, 101, 150]
NEEDLES = InvertedIndex(["needle" + " x" * (n - 1) for n in NEEDLE_LENGTHS])


def _corpus(seed, n_documents=12, vocabulary=6, longest=15):
    """Random texts over a small vocabulary, some of them empty."""
    rng = np.random.default_rng(seed)
    words = rng.choice(["rope", "sgd", "梯度", "之路", "a1", "papers"][:vocabulary], (n_documents, longest))
    return [" ".join(row[: rng.integers(longest)]) for row in words]


def _slow_scores(texts, query, k1=1.2, b=0.75, idf="lucene", k1_plus_1=True):
    """The formula of the score, one document and one query term at a time, for one field."""
    documents = [tokenize(text) for text in texts]
    average = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for term in tokenize(query):
            n = sum(term in other for other in documents)
            odds = (len(documents) - n + 0.5) / (n + 0.5)
            tf = document.count(term)
            if tf:
                weight = math.log(1 + odds) if idf == "lucene" else math.log(odds)
                s = tf / (tf + k1 * (1 - b + b * len(document) / average))
                score += weight * s * (k1 + 1 if k1_plus_1 else 1)
        scores.append(score)
    return scores


# Frozen runs of tantivy 0.27.0, bm25s 0.3.16 and rank_bm25 0.2.2 with k1 = 1.2, b = 0.75.
@pytest.mark.parametrize(
    ("query", "options", "expected"),
    [
        ("cool papers", {}, {9: 2.908802, 6: 2.320892, 7: 2.047130}),
        ("the road", {}, {3: 2.780012, 9: 1.665203, 4: 1.501418, 0: 1.455695}),
        ("cool papers", {"k1_plus_1": False}, {9: 1.322183, 6: 1.054951, 7: 0.930514}),
        ("the road", {"k1_plus_1": False}, {3: 1.263642, 9: 0.756910, 4: 0.682463, 0: 0.661679}),
        ("cool papers", {"idf": "robertson"}, {9: 1.935946, 6: 1.544664, 7: 1.362463}),
        ("the road", {"idf": "robertson"}, {3: 2.062694, 4: 1.240141, 9: 1.108272, 0: 0.968834}),
        ("cool papers", {"idf": "robertson", "k1_plus_1": False}, {9: 0.879976, 6: 0.702120, 7: 0.619301}),
    ],
    ids=["tantivy", "tantivy", "bm25s lucene", "bm25s lucene", "rank_bm25", "rank_bm25", "bm25s robertson"],
)
def test_scores_equal_those_of_other_libraries(query, options, expected):
    hits = search(INDEX, query, **options)
    assert [document for document, _ in hits] == list(expected)
    np.testing.assert_allclose([score for _, score in hits], list(expected.values()), atol=1e-6)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cool papers", {6: 4.368023, 8: 2.908802, 9: 2.908802, 5: 2.320892, 7: 2.04713}),
        ("the road", {3: 4.28143, 9: 3.120898, 2: 2.780012, 8: 1.665203, 4: 1.501418, 0: 1.455695}),
    ],
)
def test_scores_over_two_fields_equal_those_of_tantivy(query, expected):
    hits = dict(search(TWO_FIELDS, query))
    assert list(hits) == list(expected)
    np.testing.assert_allclose(list(hits.values()), list(expected.values()), atol=1e-6)


def test_quantized_lengths_reproduce_tantivy_and_exact_ones_do_not():
    tantivy = [0.070909, 0.055056, 0.054635, 0.054635, 0.053811, 0.053012, 0.047384, 0.038248, 0.038248, 0.030426]
    np.testing.assert_allclose(bm25_scores(NEEDLES, "needle", quantized=True), tantivy, atol=1e-6)
    exact = dict(zip(NEEDLE_LENGTHS, bm25_scores(NEEDLES, "needle")))
    published = {41: 0.054220, 45: 0.052622, 100: 0.037446, 101: 0.037251, 150: 0.029668}
    np.testing.assert_allclose([exact[n] for n in published], list(published.values()), atol=1e-6)


def test_the_index_holds_what_counting_gives():
    for seed in range(3):
        texts = _corpus(seed)
        documents = [tokenize(text) for text in texts]
        index = InvertedIndex(texts)
        assert len(index) == len(texts)
        characters = [[c for c in text if "\u4e00" <= c <= "\u9fff"] for text in texts]
        assert index.terms == tuple(sorted({term for terms in documents + characters for term in terms}))
        assert index.lengths().tolist() == [len(document) for document in documents]
        assert index.average_length() == pytest.approx(np.mean([len(document) for document in documents]))
        for term in index.terms:
            found, counts = index.postings(term)
            bags = characters if "\u4e00" <= term <= "\u9fff" and len(term) == 1 else documents
            expected = [(i, bag.count(term)) for i, bag in enumerate(bags) if term in bag]
            assert list(zip(found.tolist(), counts.tolist())) == expected
            assert index.doc_freq(term) == len(expected)
        for i, document in enumerate(documents):
            assert index.contents(i) == [(term, document.count(term)) for term in sorted(set(document))]


def test_the_fixture_has_the_published_average_length():
    assert INDEX.average_length() == 6.2


def test_the_index_cannot_be_changed_through_what_it_returns():
    for array in (*INDEX.postings("the"), INDEX.lengths()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7


def test_building_and_asking_leave_the_documents_unchanged():
    documents = [{"title": "A b", "body": ""}, {"body": "b", "title": "c"}]
    index = InvertedIndex(documents)
    search(index, "b")
    assert documents == [{"title": "A b", "body": ""}, {"body": "b", "title": "c"}]
    documents[0]["title"] = "z"
    assert index.terms == ("a", "b", "c")


@pytest.mark.parametrize(
    "options", [{}, {"k1": 0}, {"k1": 5, "b": 0}, {"b": 1, "idf": "robertson"}, {"k1_plus_1": False}]
)
def test_scores_agree_with_the_slow_loop(options):
    for seed in range(4):
        texts = _corpus(seed)
        for query in ("rope", "sgd 梯度之路 unknown", "papers rope papers", "rope!! a1 之路"):
            expected = _slow_scores(texts, query, **options)
            np.testing.assert_allclose(bm25_scores(InvertedIndex(texts), query, **options), expected, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"quantized": True}, {"idf": "robertson"}, {"k1_plus_1": False, "b": 0.3}])
@pytest.mark.parametrize("index", [INDEX, TWO_FIELDS])
def test_a_score_is_the_sum_of_the_impacts_of_the_terms(index, options):
    query = "the cool road to the papers nowhere"
    total = np.zeros(len(index))
    for term in tokenize(query):
        documents, contributions = term_impacts(index, term, **options)
        assert (np.diff(documents) > 0).all()
        total[documents] += contributions
    np.testing.assert_allclose(bm25_scores(index, query, **options), total, atol=1e-12)


def test_the_score_over_all_fields_is_the_sum_over_each_of_them():
    each = [bm25_scores(TWO_FIELDS, "the road", field=field) for field in TWO_FIELDS.fields]
    np.testing.assert_allclose(bm25_scores(TWO_FIELDS, "the road"), sum(each), atol=1e-14)
    np.testing.assert_allclose(each[0], bm25_scores(INDEX, "the road"), atol=1e-14)
    assert search(TWO_FIELDS, "fourier", field="body") == [(2, bm25_scores(INDEX, "fourier")[3])]


def test_every_impact_stays_below_its_upper_bound():
    for term in INDEX.terms:
        _, contributions = term_impacts(INDEX, term)
        assert (contributions > 0).all()
        assert (contributions < 2.2 * math.log(11 / (INDEX.doc_freq(term) + 0.5))).all()


def test_search_is_the_sorted_scores_with_ties_in_document_order():
    index = InvertedIndex(["b a", "c c", "a b", "a b", "a a", "z z"])
    hits = search(index, "a")
    scores = bm25_scores(index, "a")
    assert [document for document, _ in hits] == [4, 0, 2, 3]
    assert [score for _, score in hits] == [scores[document] for document, _ in hits]
    assert search(index, "a", 2) == hits[:2]
    assert [document for document, _ in search(InvertedIndex(["b a", "a b"] * 40), "a", 80)] == list(range(80))


def test_only_documents_with_a_term_are_hits():
    for seed in range(3):
        texts = _corpus(seed, n_documents=20)
        found = {document for document, _ in search(InvertedIndex(texts), "sgd 梯度", 20, idf="robertson")}
        assert found == {i for i, text in enumerate(texts) if {"sgd", "梯度"} & set(tokenize(text))}


@pytest.mark.parametrize("query", ["", "?!", "unknown", "é", "梯"])
def test_a_query_without_a_known_term_finds_nothing(query):
    assert search(INDEX, query) == []
    np.testing.assert_array_equal(bm25_scores(INDEX, query), np.zeros(10))


def test_an_unknown_term_has_empty_arrays():
    documents, contributions = term_impacts(INDEX, "unknown")
    assert documents.shape == contributions.shape == (0,)
    assert documents.dtype.kind == "i"
    assert contributions.dtype == float


def test_a_repeated_term_counts_as_often():
    once, road = bm25_scores(INDEX, "papers"), bm25_scores(INDEX, "road")
    np.testing.assert_allclose(bm25_scores(INDEX, "papers road papers"), 2 * once + road, rtol=1e-14)


def test_a_chinese_query_finds_the_title_that_contains_it():
    index = InvertedIndex(["梯度流：探索通向最小值之路", "伽马函数的傅里叶变换之路", "Cool Papers更新:站内检索系统"])
    assert search(index, "最小值之路")[0][0] == 0
    assert [document for document, _ in search(index, "之路")] == [0, 1]
    assert search(index, "ＰＡＰＥＲＳ检索")[0][0] == 2


def test_every_title_finds_itself_first():
    for document, title in enumerate(TITLES):
        assert search(INDEX, title, 1)[0][0] == document


def test_k1_of_0_counts_presence_only():
    _, contributions = term_impacts(INDEX, "papers", k1=0)
    np.testing.assert_allclose(contributions, math.log(11 / 3.5), rtol=1e-14)


def test_a_large_k1_counts_occurrences_per_length():
    documents, contributions = term_impacts(INDEX, "papers", k1=1e12)
    tf, B = np.array([1, 1, 2]), 0.25 + 0.75 * INDEX.lengths()[documents] / 6.2
    np.testing.assert_allclose(contributions, math.log(11 / 3.5) * tf / B, rtol=1e-9)


def test_b_of_0_ignores_the_lengths():
    scores = bm25_scores(NEEDLES, "needle", b=0)
    np.testing.assert_allclose(scores, math.log(11 / 10.5), rtol=1e-14)
    assert (np.diff(bm25_scores(NEEDLES, "needle", b=1)) < 0).all()


def test_a_document_written_twice_keeps_its_score_at_b_of_1_if_the_average_stays():
    text, filler = "rope base rope", "x " * 10
    once = InvertedIndex([text, filler, "base y"])
    twice = InvertedIndex([f"{text} {text}", "x " * 7, "base y"])
    assert once.average_length() == twice.average_length()
    for b, equal in ((1, True), (0.5, False), (0, False)):
        scores = bm25_scores(once, "rope base", b=b), bm25_scores(twice, "rope base", b=b)
        assert (abs(scores[0] - scores[1])[0] < 1e-14) == equal


def test_both_terms_once_overtake_one_term_often_only_when_counts_saturate():
    index = InvertedIndex(["rope rope rope rope rope rope", "rope base z z z z", "base y y y y y", "x"])
    assert search(index, "rope base", k1=0.5)[0][0] == 1
    assert search(index, "rope base", k1=100)[0][0] == 0


def test_a_term_of_most_documents_lowers_the_rank_with_robertsons_idf_only():
    index = InvertedIndex(["the a", "the b", "the c", "the d", "the needle", "f needle", "h i"])
    assert [document for document, _ in search(index, "the needle", 2, idf="robertson")] == [5, 4]
    assert [document for document, _ in search(index, "the needle", 2)] == [4, 5]
    assert (term_impacts(index, "the", idf="robertson")[1] < 0).all()


def test_empty_documents_count_in_the_average_only():
    index = InvertedIndex(["a b", "", "a"])
    assert index.average_length() == 1
    assert bm25_scores(index, "a", b=1)[1] == 0
    assert search(InvertedIndex(["", ""]), "a") == []
    assert keywords(index, 1) == related(index, 1) == []


@pytest.mark.parametrize("index", [INDEX, TWO_FIELDS])
def test_keywords_are_the_largest_tf_idf(index):
    for document in range(10):
        weights = {}
        for field in index.fields:
            for term in index.terms:
                found, counts = index.postings(term, field)
                tf = dict(zip(found.tolist(), counts.tolist())).get(document, 0)
                weights[term] = weights.get(term, 0) + tf * math.log(11 / (len(found) + 0.5))
        ranked = sorted((-weight, term) for term, weight in weights.items() if weight)
        terms = keywords(index, document, 4)
        assert [term for term, _ in terms] == [term for _, term in ranked[:4]]
        np.testing.assert_allclose([weight for _, weight in terms], [-weight for weight, _ in ranked[:4]], rtol=1e-14)


def test_keywords_prefer_rare_and_repeated_terms_and_can_look_at_one_field():
    assert keywords(INDEX, 9, 1)[0][0] == "papers"
    assert keywords(TWO_FIELDS, 8, 2, field="body") == keywords(INDEX, 9, 2)


def test_related_is_the_search_with_the_keywords_without_the_document():
    for document in range(10):
        query = " ".join(term for term, _ in keywords(INDEX, document, 10))
        expected = [hit for hit in search(INDEX, query, 10) if hit[0] != document]
        assert related(INDEX, document) == expected
        assert related(INDEX, document, 1) == expected[:1]
        assert related(INDEX, document, 2**63 - 1) == expected
    assert [document for document, _ in related(INDEX, 6)] == [7, 9]
    assert related(INDEX, 7, n_keywords=1) == []
    assert related(TWO_FIELDS, 6, field="title") == related(INDEX, 6) != related(TWO_FIELDS, 6)


def _weight(text, weights):
    return math.fsum(weights[term] for term in weights if term in tokenize(text))


def test_no_other_part_of_the_same_width_holds_rarer_terms_than_the_snippet():
    rng = np.random.default_rng(0)
    weights = {term: math.log(11 / (INDEX.doc_freq(term) + 0.5)) for term in tokenize("the cool road 梯度流")}
    for width in (1, 3, 8, 15, 40, 500):
        text = "".join(rng.choice(["the ", "cool, ", "road ", "梯度流", "x ", "filler\n", "ﬁ ", "度"], 25))
        excerpt, highlights = snippet(INDEX, text, "the cool road 梯度流", width=width)
        inside = [
            {term for term, left, right in token_spans(text) if start <= left and right <= start + width}
            for start in range(len(text))
        ]
        best = max(math.fsum(weights[term] for term in weights if term in terms) for terms in inside)
        assert _weight(excerpt, weights) == best
        assert excerpt in text
        assert len(excerpt) <= width
        for left, right in highlights:
            assert set(tokenize(excerpt[left:right])) <= set(weights)
        assert all(a[1] <= b[0] for a, b in pairwise(highlights))


def test_the_first_of_equal_places_is_taken_and_words_at_the_ends_are_whole():
    text = "some introduction, then rope here; more text in between; and rope again"
    assert snippet(INDEX, text, "Rope!", width=16) == ("then rope here;", [(5, 9)])
    assert snippet(INDEX, "a øbase rope", "base rope", width=9) == ("base rope", [(0, 4), (5, 9)])  # ø is in no term


def test_two_distinct_terms_beat_one_repeated():
    text = "rope rope rope rope ... rope and base"
    assert snippet(INDEX, text, "rope base", width=14) == ("rope and base", [(0, 4), (9, 13)])


def test_a_rare_term_beats_a_common_one():
    text = "the start and much more of it, with a gamma at the end"
    assert snippet(INDEX, text, "the gamma", width=9)[0] == "a gamma"


def test_overlapping_bigrams_are_one_highlight():
    excerpt, highlights = snippet(INDEX, "我们来看梯度流：探索通向最小值之路", "梯度流 最小", width=100)
    assert [excerpt[start:end] for start, end in highlights] == ["梯度流", "最小"]


def test_a_highlight_is_a_place_in_the_text_as_given():
    assert snippet(INDEX, "… ½ ﬁt ＲＯＰＥ", "rope fit") == ("… ½ ﬁt ＲＯＰＥ", [(4, 6), (7, 11)])


@pytest.mark.parametrize(
    ("text", "excerpt"), [("", ""), ("short", "short"), ("one two three", "one two"), ("a" * 20, "a" * 9)]
)
def test_without_a_match_the_snippet_is_the_beginning(text, excerpt):
    assert snippet(INDEX, text, "rope", width=9) == (excerpt, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": -0.1}, "k1 must not be negative, got -0.1"),
        ({"k1": np.nan}, "k1 must be finite, got nan"),
        ({"b": 1.01}, r"b must lie in \[0, 1\], got 1.01"),
        ({"b": -0.01}, r"b must lie in \[0, 1\], got -0.01"),
        ({"b": np.nan}, "b must be finite, got nan"),
        ({"idf": "bm25"}, "idf must be one of 'lucene', 'robertson', got 'bm25'"),
        ({"field": "title"}, "field must be one of 'text', got 'title'"),
    ],
)
@pytest.mark.parametrize("query", ["road", "unknown"])
def test_bad_options_are_refused_even_where_nothing_is_found(query, options, message):
    for function in (term_impacts, bm25_scores, search):
        with pytest.raises(ValueError, match=message):
            function(INDEX, query, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: term_impacts(INDEX, "Cool"), "term must be one term as tokenize returns it, got 'Cool'"),
        (lambda: INDEX.postings("cool papers"), "term must be one term as tokenize returns it, got 'cool papers'"),
        (lambda: search(INDEX, "road", 0), "k must be at least 1, got 0"),
        (lambda: keywords(INDEX, 10), "document must be at most 9, got 10"),
        (lambda: keywords(INDEX, -1), "document must be at least 0, got -1"),
        (lambda: related(INDEX, 0, n_keywords=0), "n_keywords must be at least 1, got 0"),
        (lambda: snippet(INDEX, "text", "road", width=0), "width must be at least 1, got 0"),
        (lambda: TWO_FIELDS.lengths(), "field must be one of 'title', 'body', got None"),
        (lambda: InvertedIndex([]), r"documents must hold at least one document with a field, got \[\]"),
        (lambda: InvertedIndex([{}]), "documents must hold at least one document with a field, got"),
        (
            lambda: InvertedIndex([{"title": "a"}, {"titel": "b"}]),
            r"documents\[1\] must have the fields \['title'\] of the first, got \['titel'\]",
        ),
    ],
)
def test_values_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: InvertedIndex("a text"), "documents must be an iterable of texts, .*, got 'a text'"),
        (lambda: InvertedIndex(3), "documents must be an iterable of texts, .*, got 3"),
        (lambda: InvertedIndex(["a", None]), r"documents\[1\] must be a string or a dict of strings, got None"),
        (lambda: InvertedIndex([{"title": 3}]), r"documents\[0\]\['title'\] must be a string, got 3"),
        *((lambda f=f: f("x", "q"), "index must be an InvertedIndex, got 'x'") for f in (search, bm25_scores)),
        (lambda: term_impacts("x", "q"), "index must be an InvertedIndex, got 'x'"),
        (lambda: snippet("x", "text", "q"), "index must be an InvertedIndex, got 'x'"),
        (lambda: keywords("x", 0), "index must be an InvertedIndex, got 'x'"),
        (lambda: search(INDEX, ["road"]), r"query must be a string, got \['road'\]"),
        (lambda: term_impacts(INDEX, ["road"]), r"term must be a string, got \['road'\]"),
        (lambda: search(INDEX, "road", 2.5), "k must be an integer, got 2.5"),
        (lambda: bm25_scores(INDEX, "road", k1="1.2x"), "k1 must be a real number, got '1.2x'"),
        (lambda: snippet(INDEX, None, "road"), "text must be a string, got None"),
        (lambda: snippet(INDEX, "text", None), "query must be a string, got None"),
    ],
)
def test_what_has_the_wrong_type_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


CHINESE = InvertedIndex(["梯度流：探索通向最小值之路", "流Adam", "无关的文本", "上流下流", "Padé by Müller"])


def test_a_single_character_finds_every_place_where_it_stands():
    assert [document for document, _ in search(CHINESE, "流")] == [3, 1, 0]  # the densest first
    documents, counts = CHINESE.postings("流")
    assert (documents.tolist(), counts.tolist()) == ([0, 1, 3], [1, 1, 2])
    assert search(CHINESE, "数") == []


def test_single_characters_count_neither_in_the_length_nor_in_the_contents():
    assert CHINESE.lengths().tolist() == [10, 2, 4, 3, 3]
    assert CHINESE.contents(3) == [("上流", 1), ("下流", 1), ("流下", 1)]


def test_the_snippet_marks_a_single_character_in_a_run():
    excerpt, places = snippet(CHINESE, "探索最小值之路，梯度流与流形", "流", width=30)
    assert [excerpt[a:b] for a, b in places] == ["流", "流"]
    assert snippet(CHINESE, "上流下流", "流 下流")[1] == [(1, 2), (2, 4)]


@pytest.mark.parametrize("query", ["pade", "Padé", "MULLER", "Mu\u0308ller"])
def test_a_name_is_found_with_and_without_its_accents(query):
    assert [document for document, _ in search(CHINESE, query)] == [4]


def test_dials_turned_many_times_give_what_a_fresh_index_gives():
    texts = _corpus(0)
    index = InvertedIndex(texts)
    for _ in range(2):
        for k1 in np.linspace(0, 3, 20):
            fresh = bm25_scores(InvertedIndex(texts), texts[0], k1=k1)
            np.testing.assert_array_equal(bm25_scores(index, texts[0], k1=k1), fresh)
