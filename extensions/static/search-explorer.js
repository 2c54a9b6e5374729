// The explorer of the chapter on search in a page without Python: the engine of the search box at work on a small index,
// with the dial k1 and the length of a text ignored, exact or in one byte. Equal to the chapter's `draw` by test.
(() => {
  "use strict";
  const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
  const BEST = 5;

  function search(indices, { query, k1, lengths }) {
    const index = indices[lengths];
    const total = new Map(), parts = [], repeats = new Map();
    for (const term of KexueEngine.tokenize(query)) repeats.set(term, (repeats.get(term) || 0) + 1);
    for (const [term, times] of repeats) {
      const gains = KexueEngine.impacts(index, term, "text", k1);
      for (const [d, gain] of gains) {
        gains.set(d, times * gain);
        total.set(d, (total.get(d) || 0) + times * gain);
      }
      if (gains.size) parts.push({ term, gains });
    }
    const hits = [...total].sort((one, other) => other[1] - one[1] || one[0] - other[0]);
    return { hits: hits.slice(0, BEST), parts };
  }

  // In points, as large as the pictures that Python draws
  function draw({ hits, parts }, names, escape) {
    const left = 118, right = 498, bottom = 166, row = 31.4;
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
      const y = 12.8 + row * place;
      let start = 0;
      shapes.push(text(left - 6, y + 12.5, names[d], 'text-anchor="end"'));
      parts.forEach(({ gains }, j) => {
        const gain = gains.get(d) || 0;
        shapes.push(`<rect x="${x(start)}" y="${y}" width="${x(gain) - left}" height="18" fill="${COLORS[j % 6]}"/>`);
        start += gain;
      });
    });
    const named = parts.slice(0, 6);
    named.forEach(({ term, gains }, j) => {
      const y = bottom - 10 - 15 * (named.length - 1 - j);
      const colour = `text-anchor="end" fill="${COLORS[j % 6]}"`;
      shapes.push(text(right - 4, y, `${term}: in ${gains.size} of ${names.length}`, colour));
    });
    const style = "flex: 504 0 453.6px; min-width: 453.6px; max-width: 806.4px; overflow: visible";
    return `<svg viewBox="0 0 504 201.6" style="${style}">${shapes.join("")}</svg>`;
  }

  // A collection holds names, texts, and their lengths in one byte; `texts` is what Python indexed.
  KexueEngine.explorer = ({ names, texts, bytes }) => {
    const build = (b) => KexueEngine.build(texts.map((text) => ({ text })), { text: [1, b] });
    const indices = { ignored: build(0), exact: build(0.75), "one byte": build(0.75) };
    indices["one byte"].lengths.text = bytes; // the average stays exact
    return (values, kit) => {
      const found = search(indices, values);
      const [first, second] = [0, 1].map((place) => found.hits[place] || [-1, 0]);
      const name = ([d]) => names[d] || "none";
      const numbers = {
        first: name(first), "its score": first[1], second: name(second), "score of second": second[1],
        "postings read": found.parts.reduce((sum, { gains }) => sum + gains.size, 0),
      };
      const scores = [first, second].map((hit) => kit.format(hit[1]));
      const alt = found.hits.length
        ? `For ${values.query} ${numbers.first} leads with ${scores[0]}, before ${numbers.second} with ${scores[1]}.`
        : `Nothing holds any word of ${values.query}.`;
      return { numbers, picture: draw(found, names, kit.escape), alt };
    };
  };
})();
