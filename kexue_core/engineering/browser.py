"""The search of an index in JavaScript, for pages without Python: the posting lists, and the few lines that add up."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kexue_core import _checks
from kexue_core.engineering._common import GREEK, RUN
from kexue_core.engineering.bm25 import quantize_length
from kexue_core.engineering.inverted_index import InvertedIndex

__all__ = ["browser_search"]


def browser_search(index: InvertedIndex, names: Sequence[str]) -> str:
    """Return a JavaScript function that searches an index: ``sum_t idf(t) s(tf, |d| / average)`` as in `search`.

    The function is ``(values, kit) => ({numbers, picture, alt})``, the twin of a text box. ``values`` holds ``query``;
    ``k1``; and ``lengths``: "ignored" (``b = 0``), "exact" or "one byte" (``b = 0.75``, without and with
    `quantize_length`). ``numbers`` are the two best documents by name with their scores and how many postings were
    read; ``picture`` shows the best five, each with what every word adds.

    Parameters
    ----------
    index : InvertedIndex
        With a single field.
    names : sequence of str
        What the documents are called, in their order.

    Returns
    -------
    source : str
        It holds the posting lists and lengths, and none of the texts.

    Raises
    ------
    ValueError
        If the index has several fields, or the number of names is not that of its documents.
    TypeError
        If a name is not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Robertson and Zaragoza (2009), as in `inverse_document_frequency`.

    Examples
    --------
    >>> source = browser_search(InvertedIndex(["a road", "no way"]), ["first", "second"])
    >>> source.splitlines()[1].strip()
    'const POSTINGS = new Map(Object.entries({"a":[[0],[1]],"no":[[1],[1]],"road":[[0],[1]],"way":[[1],[1]]}));'
    """
    if len(index.fields) > 1:
        raise ValueError(f"index must have a single field, got {list(index.fields)}")
    names = [_checks.string(f"names[{i}]", name) for i, name in enumerate(names)]
    if len(names) != len(index):
        raise ValueError(f"names must be one for each of the {len(index)} documents, got {len(names)}")
    lengths = index.lengths()
    known = {
        "POSTINGS": {term: [part.tolist() for part in index.postings(term)] for term in index.terms},
        "NAMES": names,
        "LENGTHS": lengths.tolist(),
        "BYTES": quantize_length(lengths).tolist(),
        "AVERAGE": index.average_length() or 1.0,
        "RUN": RUN.pattern,
        "GREEK": GREEK,
    }
    source = _SOURCE
    for name, value in known.items():
        source = source.replace(f"%{name}%", json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return source


# Folding and tokenizing are those of `_common` and `tokenizing`, the sum that of `search`, term by term in its order.
_SOURCE = r"""(() => {
  const POSTINGS = new Map(Object.entries(%POSTINGS%));
  const NAMES = %NAMES%, LENGTHS = %LENGTHS%, BYTES = %BYTES%, AVERAGE = %AVERAGE%;
  const RUN = new RegExp(%RUN%, "gu"), GREEK = new Map(Object.entries(%GREEK%));
  const MARK = /(?![\u3099\u309a])\p{Mn}/gu;
  const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

  function tokenize(text) {
    const lower = text.normalize("NFKD").toLowerCase().replace(/[ßς]/g, (letter) => (letter === "ß" ? "ss" : "σ"));
    const folded = lower.replace(MARK, "").normalize("NFC");
    return [...folded.matchAll(RUN)].flatMap(([run]) => {
      const letters = [...run];
      if (run < "\x80" || letters.length === 1) return [GREEK.get(run) || run];
      return letters.slice(1).map((letter, i) => letters[i] + letter);
    });
  }

  function search({ query, k1, lengths }) {
    const sizes = lengths === "one byte" ? BYTES : LENGTHS, b = lengths === "ignored" ? 0 : 0.75;
    const repeats = new Map(), total = new Map(), parts = [];
    for (const term of tokenize(query)) repeats.set(term, (repeats.get(term) || 0) + 1);
    for (const [term, times] of repeats) {
      const [documents, counts] = POSTINGS.get(term) || [[], []], n = documents.length;
      if (!n) continue;
      const idf = Math.log1p((NAMES.length - n + 0.5) / (n + 0.5)), gains = new Map();
      documents.forEach((d, i) => {
        const half = counts[i] + k1 * (1 - b + b * (sizes[d] / AVERAGE));
        gains.set(d, times * (idf * ((k1 + 1) * (counts[i] / half))));
        total.set(d, (total.get(d) || 0) + gains.get(d));
      });
      parts.push({ term, n, gains });
    }
    const hits = [...total].sort((one, other) => other[1] - one[1] || one[0] - other[0]);
    return { hits: hits.slice(0, 5), parts };
  }

  // In points, as large as the pictures that Python draws
  function draw({ hits, parts }, escape) {
    const left = 118, right = 498, bottom = 166, row = 32;
    const longest = Math.max(6, Math.ceil(hits.length ? hits[0][1] : 0));
    const x = (score) => left + ((right - left) * score) / longest;
    const text = (at, y, words, more) =>
      `<text x="${at}" y="${y}" font-size="10" font-family="sans-serif" ${more}>${escape(words)}</text>`;
    const shapes = [`<path d="M ${left} 3 V ${bottom} H ${right}" fill="none" stroke="#000" stroke-width="0.8"/>`];
    const every = Math.ceil(longest / 8);
    for (let score = 0; score <= longest; score += every) {
      shapes.push(text(x(score), bottom + 15, String(score), 'text-anchor="middle"'));
      shapes.push(`<path d="M ${x(score)} 3 V ${bottom}" stroke="#b0b0b0" stroke-opacity="0.25" stroke-width="0.8"/>`);
    }
    shapes.push(text((left + right) / 2, bottom + 31, "score", 'text-anchor="middle"'));
    hits.forEach(([d], place) => {
      const y = 6 + row * place;
      let start = 0;
      shapes.push(text(left - 6, y + 15, NAMES[d], 'text-anchor="end"'));
      parts.forEach(({ gains }, j) => {
        const gain = gains.get(d) || 0;
        shapes.push(`<rect x="${x(start)}" y="${y}" width="${x(gain) - left}" height="20" fill="${COLORS[j % 6]}"/>`);
        start += gain;
      });
    });
    const named = parts.slice(0, 6);
    named.forEach(({ term, n }, j) => {
      const y = bottom - 10 - 15 * (named.length - 1 - j);
      const colour = `text-anchor="end" fill="${COLORS[j % 6]}"`;
      shapes.push(text(right - 4, y, `${term}: in ${n} of ${NAMES.length}`, colour));
    });
    const style = "flex: 504 0 453.6px; min-width: 453.6px; max-width: 806.4px; overflow: visible";
    return `<svg viewBox="0 0 504 201.6" style="${style}">${shapes.join("")}</svg>`;
  }

  return (values, kit) => {
    const found = search(values);
    const [first, second] = [0, 1].map((place) => found.hits[place] || [-1, 0]);
    const name = ([d]) => NAMES[d] || "none";
    const numbers = {
      first: name(first), "its score": first[1], second: name(second), "score of second": second[1],
      "postings read": found.parts.reduce((sum, { n }) => sum + n, 0),
    };
    const scores = [first, second].map((hit) => kit.format(hit[1]));
    const alt = found.hits.length
      ? `For ${values.query} ${numbers.first} leads with ${scores[0]}, before ${numbers.second} with ${scores[1]}.`
      : `Nothing holds any word of ${values.query}.`;
    return { numbers, picture: draw(found, kit.escape), alt };
  };
})()"""
