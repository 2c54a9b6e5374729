"""Queries as readers type them."""

import itertools
import string

import numpy as np
import pytest

from kexue_core.engineering import (
    InvertedIndex,
    bm25_scores,
    excerpt,
    expand,
    one_edit_apart,
    rank,
    search,
    singular,
    snippet,
    token_spans,
    tokenize,
)

TEXTS = [
    "Sparsemax and its gradients: the threshold of a sparse map",
    "The gamma function Γ(z), its residues and the residue at -k",
    "Matrices that are Monarch, a matrix in two factors; inverted index, BM25",
    "梯度流：探索通向最小值之路, gradient flow",
    "负载均衡 in a mixture of experts, the expert choice",
]
INDEX = InvertedIndex(TEXTS)


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("gradients", "gradient"),
        ("losses", "loss"),
        ("loss", "loss"),
        ("boxes", "box"),
        ("branches", "branch"),
        ("entropies", "entropy"),
        ("ties", "tie"),
        ("gas", "gas"),
        ("radius", "radius"),
        ("analysis", "analysis"),
        ("matrices", "matrix"),
        ("bases", "base"),
        ("biases", "bias"),
        ("bias", "bias"),
        ("bm25", "bm25"),
        ("s", "s"),
    ],
)
def test_regular_plurals_lose_their_ending_and_other_words_keep_it(word, stem):
    assert singular(word) == stem
    assert singular(stem) == stem


def test_words_one_edit_apart_are_those_that_trying_all_edits_reaches():
    letters = "abc"
    words = ["".join(word) for size in range(5) for word in itertools.product(letters, repeat=size)]
    for word in words[:60]:
        reached = {word[:i] + word[i + 1 :] for i in range(len(word))}
        reached |= {word[:i] + c + word[i:] for i in range(len(word) + 1) for c in letters}
        reached |= {word[:i] + c + word[i + 1 :] for i in range(len(word)) for c in letters}
        reached |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
        assert {other for other in words if one_edit_apart(word, other)} == (reached & set(words)) - {word}
        assert all(one_edit_apart(word, other) == one_edit_apart(other, word) for other in words)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("residue", [{"residue": 1, "residues": 0.9}]),
        ("MATRICES map", [{"matrices": 1, "matrix": 0.9}, {"map": 1}]),
        ("Γ", [{"gamma": 1}]),
        ("gamm", [{"gamma": 0.64}]),
        ("sparse map", [{"sparse": 1}, {"map": 1}]),
        ("sparse max", [{"sparse": 1, "sparsemax": 0.8}, {"sparsemax": 0.8}]),
        ("bm 25", [{"bm25": 0.8}, {"bm25": 0.8}]),
        ("inverted_index", [{"inverted": 1}, {"index": 1}]),
        ("invertedindex", [{"inverted": 1}, {"index": 1}]),
        ("experst", [{"expert": 0.6, "experts": 0.6}]),
        ("thrashold map", [{"threshold": 0.6}, {"map": 1}]),
        ("流", [{"流": 1}]),
        ("均衡", [{"均衡": 1}]),
        ("negentropy", [{}]),
        ("mop", [{}]),  # too short for a typing error
        ("", []),
        ("map map", [{"map": 1}]),
    ],
)
def test_words_are_read_as_a_reader_means_them(query, words):
    found = expand(INDEX, query)
    assert [list(readings) for readings in map(sorted, found)] == [sorted(readings) for readings in words]
    for got, wanted in zip(found, words):
        assert got == pytest.approx(wanted)


def test_a_word_that_is_not_the_last_is_not_completed_if_it_is_known_and_nothing_is_when_typing_has_ended():
    assert set(expand(INDEX, "spars map")[0]) == {"sparse", "sparsemax"}
    assert set(expand(INDEX, "sparse map")[0]) == {"sparse"}
    assert set(expand(INDEX, "map sparse")[1]) == {"sparse", "sparsemax"}
    assert set(expand(INDEX, "map sparse", complete=False)[1]) == {"sparse"}


def test_every_reading_is_a_term_of_the_index_with_a_weight_up_to_one():
    rng = np.random.default_rng(3)
    for _ in range(300):
        words = ["".join(rng.choice(list(string.ascii_lowercase[:8] + "梯度"), rng.integers(1, 9))) for _ in range(3)]
        for readings in expand(INDEX, " ".join(words)):
            assert set(readings) <= set(INDEX.terms)
            assert all(0 < weight <= 1 for weight in readings.values())


def test_a_query_that_is_read_in_one_way_is_ranked_as_search_ranks_it():
    words = [{"the": 1.0}, {"map": 1.0}, {"gradient": 1.0}]
    scores = bm25_scores(INDEX, "the map gradient")
    ranked = rank(INDEX, words, 9)
    assert {document: score for document, score, _ in ranked} == pytest.approx(dict(search(INDEX, "the map gradient")))
    assert [document for document, *_ in ranked] == sorted(np.flatnonzero(scores), key=lambda d: -scores[d])


def test_of_the_readings_of_a_word_the_best_one_counts():
    both = dict((d, s) for d, s, _ in rank(INDEX, [{"matrix": 0.5, "matrices": 0.25}], 9))
    alone = dict((d, s) for d, s, _ in rank(INDEX, [{"matrix": 0.5}], 9))
    assert both == pytest.approx(alone)
    assert both[2] == pytest.approx(0.5 * bm25_scores(INDEX, "matrix")[2])


def test_documents_with_all_words_come_first_and_each_says_how_many_it_holds():
    index = InvertedIndex(
        ["rare", "rare rare rare", "common rare and much else that makes it long", "common", "common"]
    )
    hits = rank(index, [{"rare": 1.0}, {"common": 1.0}], 9)
    assert hits[0][0] == 2
    assert [found for *_, found in hits] == [2, 1, 1, 1, 1]
    assert rank(index, [{"rare": 1.0}, {"common": 1.0}], 2) == hits[:2]
    assert rank(index, [{"rare": 1.0}, {}], 9)[0][0] == 1  # an unknown word leads nowhere, and stands in no way


def test_fields_count_by_their_weights_and_empty_ones_do_not_punish_where_b_is_zero():
    rows = [{"title": "gate", "text": "door"}, {"title": "door", "text": "gate gate"}, {"title": "", "text": "x"}]
    index = InvertedIndex(rows)
    words = [{"gate": 1.0}]
    for fields in ({"title": (3, 0.75), "text": (1, 0.75)}, {"title": (1, 0), "text": (0.5, 0.3)}):
        expected = sum(w * bm25_scores(index, "gate", b=b, field=name) for name, (w, b) in fields.items())
        assert {d: s for d, s, _ in rank(index, words, 9, fields=fields)} == pytest.approx(
            {d: s for d, s in enumerate(expected) if s}
        )
    assert [d for d, *_ in rank(index, words, fields={"text": (1, 0.75)})] == [1]


def test_an_excerpt_of_plain_words_is_the_snippet():
    rng = np.random.default_rng(4)
    for _ in range(200):
        text = " ".join(rng.choice(["map", "gamma", "of", "Γ", "the", "梯度流", "long", "sparse"], rng.integers(1, 40)))
        query = " ".join(rng.choice(["map", "gamma", "梯度", "sparse"], 2))
        words = [{term: 1.0} for term in dict.fromkeys(tokenize(query))]
        assert excerpt(INDEX, text, words, width=30) == snippet(INDEX, text, query, width=30)


def test_marks_are_whole_terms_and_a_better_reading_is_preferred():
    text = "gradients here. " + "x " * 60 + "the gradient there and overgradient"
    words = [{"gradient": 1.0, "gradients": 0.5}]
    piece, marks = excerpt(InvertedIndex(["gradient", "gradients", "other"]), text, words, width=40)
    assert [piece[start:end] for start, end in marks] == ["gradient"]
    terms = {term: (start, end) for term, start, end in token_spans(piece)}
    assert marks == [terms["gradient"]]


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match="query must be a string, got 5"):
        expand(INDEX, 5)
    for call in (lambda: expand("x", "q"), lambda: rank("x", []), lambda: excerpt("x", "text", [])):
        with pytest.raises(TypeError, match="index must be an InvertedIndex, got 'x'"):
            call()
    for words in (3, "x", [3], [["x"]]):
        for call in (lambda words=words: rank(INDEX, words), lambda words=words: excerpt(INDEX, "text", words)):
            with pytest.raises(TypeError, match="words must be a list of readings as from expand, got"):
                call()
    with pytest.raises(TypeError, match="fields must be a Mapping, got 3"):
        rank(INDEX, [], fields=3)
    with pytest.raises(TypeError, match="word must be a string"):
        singular(None)
    with pytest.raises(TypeError, match="second must be a string"):
        one_edit_apart("a", 1)
    with pytest.raises(ValueError, match="fields must be"):
        rank(INDEX, [{"map": 1.0}], fields={"titel": (1, 0.75)})
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        rank(INDEX, [{"map": 1.0}], fields={"text": (-1, 0.75)})
    with pytest.raises(ValueError, match=r"b must lie in \[0, 1\]"):
        rank(INDEX, [{"map": 1.0}], fields={"text": (1, 1.75)})
    with pytest.raises(ValueError, match="k must be"):
        rank(INDEX, [{"map": 1.0}], 0)
    with pytest.raises(ValueError, match="width must be"):
        excerpt(INDEX, "map", [{"map": 1.0}], width=0)
    with pytest.raises(TypeError, match="text must be a string"):
        excerpt(INDEX, None, [{"map": 1.0}])
