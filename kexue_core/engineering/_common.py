"""What tokenizing, index and search share: how a text is folded, what counts as CJK, where a folded character stood."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

# Han with its extensions, iteration mark and zero; kana; Hangul syllables. \w would also take accents and underscores.
CJK = (
    "\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
CHARACTER = re.compile(f"[{CJK}]")
_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega nabla partial delta sum product integral root infinity"
)
NAMES = dict(zip("αβγδεζηθικλμνξοπρστυφχψω∇∂∆∑∏∫√∞", _NAMES.split()))
RUN = re.compile(f"[a-z0-9]+|[{''.join(NAMES)}]|[{CJK}]+")


class _Marks(dict):
    """The table of `str.translate` that drops combining marks, filled as characters come; kana keep their voice."""

    def __missing__(self, code):
        drop = unicodedata.category(chr(code)) == "Mn" and code not in (0x3099, 0x309A)
        self[code] = None if drop else code
        return self[code]


_MARKS = _Marks()


def fold(text: str) -> str:
    """Return the text without compatibility forms, marks and case."""
    if text.isascii():
        return text.lower()
    # In this order: a bold or double-struck capital has no lower case of its own, only its plain letter has.
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_MARKS)
    return unicodedata.normalize("NFC", plain)


def located(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Return the folded text and for each of its characters where in ``text`` it comes from, start and end."""
    if text.isascii():
        return text.lower(), range(len(text)), range(1, len(text) + 1)
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        piece = fold(text[start:end])
        folded.append(piece)
        starts += [start] * len(piece)
        ends += [end] * len(piece)
    return "".join(folded), starts, ends


def is_character(term: str) -> bool:
    """Return whether a term is one CJK character."""
    return len(term) == 1 and CHARACTER.match(term) is not None


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield ``start, end`` of pieces that are normalized independently: a character and what combines with it."""
    start = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or not _joins(text[start:i], text[i]):
            yield start, i
            start = i


def _joins(before, character):
    if character < "\u0300":  # the first combining mark
        return False
    if _MARKS[ord(character)] is None:
        return True
    if unicodedata.combining(unicodedata.normalize("NFKD", character)[0]):  # the voice marks, half-width ones too
        return True
    # Some vowels, those of Hangul among them, compose although their combining class is 0.
    return fold(before + character) != fold(before) + fold(character)
