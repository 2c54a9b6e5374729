"""Automata: languages against regular expressions, minimality, counts, ranks."""

import itertools
import re

import pytest

from kexue_core.engineering import build_automaton, path_counts, rank_word, run_automaton, unrank_word

CASES = [
    ([[("ab", 1, 2)]], "[ab]{1,2}"),
    ([[("ab", 0, None), ("c", 1, 1)], [("b", 2, None)]], "[ab]*c|b{2,}"),
    (
        [[("a", 0, 1), ("b", 0, 2), ("a", 1, 3)], [("c", 1, 1), ("abc", 0, None), ("c", 1, 1)]],
        "a?b{0,2}a{1,3}|c[abc]*c",
    ),
    ([[("a", 2, None), ("b", 0, 0)], []], "a{2,}|"),
]
TEXTS = ["".join(text) for n in range(8) for text in itertools.product("abc", repeat=n)]


def holds(automaton, text):
    states = run_automaton(automaton, text)
    return len(states) == len(text) + 1 and automaton.accepting[states[-1]]


@pytest.mark.parametrize(("shapes", "expression"), CASES)
def test_a_word_is_what_a_regular_expression_accepts(shapes, expression):
    automaton = build_automaton(shapes)
    for text in TEXTS:
        assert holds(automaton, text) == bool(re.fullmatch(expression, text))


@pytest.mark.parametrize(("shapes", "expression"), CASES)
def test_no_two_states_are_left_by_the_same_words(shapes, expression):
    automaton = build_automaton(shapes)
    behind = set()
    for state in range(len(automaton)):
        words = set()
        for text in TEXTS:
            at = state
            for character in text:
                at = None if at is None else automaton.edges[at].get(character)
            if at is not None and automaton.accepting[at]:
                words.add(text)
        assert words
        behind.add(frozenset(words))
    assert len(behind) == len(automaton)


def test_equal_languages_have_equal_automata():
    assert build_automaton([[("ab", 2, 2)]]) == build_automaton(
        [[("a", 1, 1), ("ba", 1, 1)], [("b", 1, 1), ("ab", 1, 1)]]
    )


@pytest.mark.parametrize(
    ("shape", "words"),
    [([("ab", 2000, 2000)], 2**2000), ([("ab", 0, 2000)], 2**2001 - 1), ([("a", 1, 1)] * 2000, 1)],
)
def test_a_long_shape_has_a_state_for_each_place(shape, words):
    counts = path_counts(build_automaton([shape]))
    assert len(counts) == 2001
    assert counts[0] == words


def test_ranks_count_the_words_before_and_are_inverted():
    automaton = build_automaton([[("a", 0, 1), ("b", 0, 2), ("a", 1, 3)], [("c", 1, 1), ("abc", 0, 2)]])
    words = sorted(text for text in TEXTS if holds(automaton, text))
    assert path_counts(automaton)[0] == len(words)
    assert [rank_word(automaton, word) for word in words] == list(range(len(words)))
    assert [unrank_word(automaton, rank) for rank in range(len(words))] == words


def test_what_is_refused():
    finite, endless = build_automaton([[("ab", 1, 2)]]), build_automaton([[("a", 0, None)]])
    for call, error, message in (
        (lambda: build_automaton([]), ValueError, "shapes must not be empty, got none"),
        (lambda: build_automaton([[("", 1, 1)]]), ValueError, "characters must not be empty, got "),
        (lambda: build_automaton([[("a", 2, 1)]]), ValueError, "high must be at least 2, got 1"),
        (lambda: path_counts(endless), ValueError, "automaton must have finitely many words, got a cycle"),
        (lambda: rank_word(finite, "abc"), ValueError, "word must be accepted by the automaton, got 'abc'"),
        (lambda: unrank_word(finite, 6), ValueError, "rank must be at most 5, got 6"),
        (lambda: run_automaton(finite, 7), TypeError, "text must be a string, got 7"),
        (lambda: run_automaton("x", "a"), TypeError, "automaton must be an Automaton, got 'x'"),
        (lambda: path_counts("x"), TypeError, "automaton must be an Automaton, got 'x'"),
        (lambda: rank_word("x", "a"), TypeError, "automaton must be an Automaton, got 'x'"),
        (lambda: build_automaton([[("a", 1)]]), TypeError, "shapes must hold pieces (characters, low, high), got ("),
        (lambda: build_automaton(3), TypeError, "shapes must be an iterable of iterables of pieces, got 3"),
        (lambda: build_automaton([3]), TypeError, "shapes must be an iterable of iterables of pieces, got 3"),
    ):
        with pytest.raises(error, match=re.escape(message)):
            call()
