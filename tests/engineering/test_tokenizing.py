import unicodedata

import numpy as np
import pytest

from kexue_core.engineering.tokenizing import token_spans, tokenize

# The articles' titles; the lengths are fixture C of the chapter.
CHINESE_TITLES = {
    "让炼丹更科学一些(一):SGD的平均损失收敛": 15,
    "梯度流：探索通向最小值之路": 10,
    "配置不同的学习率,LoRA还能再涨一点?": 13,
    "伽马函数的傅里叶变换之路": 11,
    "【理解黎曼几何】1. 一条几何之路": 11,
    "旁门左道之如何让Python的重试代码更加优雅": 16,
    "更便捷的Cool Papers打开方式:Chrome重定向扩展": 13,
    "Cool Papers更新:简单搭建了一个站内检索系统": 15,
}
# Latin, full-width, ligature, accent composed or not, stacked marks, superscript, fraction, bold, Han, kana with voice
# marks of both widths, Hangul as syllables or letters, a sign that is a whole word, emoji.
TRICKY = "aZ9 _-Ｒ２ﬁé\u0301\u0323q²½𝐁ßİK梯度々〇ガカ\u3099ｶﾞー한\u1112\u1161\u11ab㈱㎏㍿😀\U00020000"


def _plain(text):
    """No compatibility forms, no case, and of the marks only the two voice marks of kana."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    kept = [c for c in letters if unicodedata.category(c) != "Mn" or "VOICED SOUND MARK" in unicodedata.name(c)]
    return unicodedata.normalize("NFC", "".join(kept))


def _slow_tokenize(text):
    """Character by character, with the Unicode names as the oracle of what is CJK."""
    terms, run, kind = [], "", None

    def flush():
        terms.extend([run] if kind == "word" or len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)])

    for c in _plain(text) + " ":
        name = unicodedata.name(c, "").split()
        cjk = (
            name[:1] in (["CJK"], ["HIRAGANA"], ["KATAKANA"], ["IDEOGRAPHIC"], ["KATAKANA-HIRAGANA"]) and c.isalnum()
        ) or name[:2] == [
            "HANGUL",
            "SYLLABLE",
        ]
        new = "word" if c.isascii() and c.isalnum() else "cjk" if cjk else None
        if new != kind and run:
            flush()
            run = ""
        run, kind = run + c if new else "", new
    return terms


def test_a_chinese_title_becomes_overlapping_bigrams_that_do_not_cross_the_colon():
    assert " ".join(tokenize("梯度流：探索通向最小值之路")) == "梯度 度流 探索 索通 通向 向最 最小 小值 值之 之路"


def test_the_eight_chinese_titles_have_the_published_lengths():
    lengths = [len(tokenize(title)) for title in CHINESE_TITLES]
    assert lengths == list(CHINESE_TITLES.values())
    assert np.mean(lengths) == 13


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("?! _", []),
        ("Images, image_2", ["images", "image", "2"]),
        ("路", ["路"]),
        ("路 a 径", ["路", "a", "径"]),
        ("LoRA的路", ["lora", "的路"]),
        ("ＢＭ２５", ["bm25"]),
        ("x² ﬁt ℝ 𝐁𝐌", ["x2", "fit", "r", "bm"]),
        ("Straße", ["strasse"]),
        ("Γ(x), ς", ["gamma", "x", "sigma"]),
        ("∇²f=∂f/∂x", ["nabla", "2f", "partial", "f", "partial", "x"]),
        ("∑√n ∏∫∬∞∆", ["sum", "root", "n", "product", "integral", "integral", "integral", "infinity", "delta"]),
        ("Poincaré", ["poincare"]),
        ("Müller, Re\u0301nyi, Padé", ["muller", "renyi", "pade"]),
        ("Łukasz Øre", ["ukasz", "re"]),
        ("ガラスとｶﾞﾗｽ", ["ガラ", "ラス", "スと", "とガ", "ガラ", "ラス"]),
        ("モデル", ["モデ", "デル"]),
        ("한국어", ["한국", "국어"]),
    ],
)
def test_words_stay_whole_cjk_runs_become_bigrams_and_all_else_separates(text, terms):
    assert tokenize(text) == terms


def test_random_texts_agree_with_the_slow_tokenizer():
    rng = np.random.default_rng(0)
    for size in range(1, 60):
        text = "".join(rng.choice(list(TRICKY), size))
        assert tokenize(text) == _slow_tokenize(text), text


def test_terms_joined_by_spaces_are_the_same_terms():
    rng = np.random.default_rng(1)
    for size in range(60):
        terms = tokenize("".join(rng.choice(list(TRICKY), size)))
        assert tokenize(" ".join(terms)) == terms


def test_a_query_of_two_or_more_characters_finds_every_place():
    assert set(tokenize("最小值")) <= set(tokenize("梯度流：探索通向最小值之路"))


def test_an_accent_changes_no_term():
    rng = np.random.default_rng(3)
    for size in range(1, 60):
        letters = rng.choice(list("aeouncz9 Ñ流"), size)
        marked = "".join(c + rng.choice(["", "\u0301", "\u0308", "\u0327"]) for c in letters)
        assert tokenize(marked) == tokenize(unicodedata.normalize("NFC", marked)) == tokenize("".join(letters))


def test_spans_hold_the_terms_of_tokenize_in_order_and_each_span_folds_to_its_term():
    rng = np.random.default_rng(2)
    for size in range(80):
        text = "".join(rng.choice(list(TRICKY), size))
        spans = token_spans(text)
        assert [term for term, _, _ in spans] == tokenize(text), text
        for term, start, end in spans:
            assert term in _plain(text[start:end])
        assert [start for _, start, _ in spans] == sorted(start for _, start, _ in spans)
        assert [end for _, _, end in spans] == sorted(end for _, _, end in spans)


def test_a_span_counts_characters_of_the_text_as_given():
    assert token_spans("½ e\u0301x 梯度流") == [
        ("1", 0, 1),
        ("2", 0, 1),
        ("ex", 2, 5),
        ("梯度", 6, 8),
        ("度流", 7, 9),
    ]
    assert token_spans("") == []


@pytest.mark.parametrize("function", [tokenize, token_spans])
def test_what_is_not_a_string_is_refused(function):
    with pytest.raises(TypeError, match="text must be a string, got b'rope'"):
        function(b"rope")
