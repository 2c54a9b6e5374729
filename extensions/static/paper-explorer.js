// The tester of the chapter on addresses of papers in a page without Python. Equal to the chapter's `draw` by test.
(() => {
  "use strict";
  const GREEN = "#009e73", RED = "#d55e00", GREY = "#b0b0b0";
  const WIDTH = 50; // cells in a row

  // What the extension of February 2024 takes: the first match of four digits, a dot, four or five digits.
  const loose = (text) => (/[0-9]{4}\.[0-9]{4,5}/.exec(text) || ["none"])[0];

  function draw(text, accepted, good, escape) {
    const cells = [...text].slice(0, 2 * WIDTH);
    const shapes = cells.map((character, place) => {
      const x = 2 + 10 * (place % WIDTH), y = 6 + 34 * Math.floor(place / WIDTH);
      const colour = place < accepted ? GREEN : place === accepted && !good ? RED : GREY;
      return `<rect x="${x}" y="${y}" width="9" height="22" fill="${colour}" fill-opacity="0.35"/>` +
        `<text x="${x + 4.5}" y="${y + 15}" text-anchor="middle" font-size="11" font-family="monospace">${escape(character)}</text>`;
    });
    const style = "flex: 504 0 453.6px; min-width: 453.6px; max-width: 806.4px; overflow: visible";
    return `<svg viewBox="0 0 504 72" style="${style}">${shapes.join("")}</svg>`;
  }

  KexuePapers.explorer = (table) => {
    const papers = KexuePapers.engine(table);
    return ({ text }, kit) => {
      const [paper, reason, accepted] = papers.explain(text);
      const numbers = {
        "published rule": loose(text),
        "exact rule": paper ? `${paper.key}${paper.version === null ? "" : `v${paper.version}`}, ${paper.source}` : "none",
        "because": reason,
        "way back": paper ? (same(papers.explain(papers.source(paper))[0], paper) ? "the same paper" : "lost") : "no paper",
      };
      const alt = `The text ${text}. The published rule reads ${numbers["published rule"]}, the exact one ${numbers["exact rule"]}: ${reason}.`;
      return { numbers, picture: draw(text, accepted, paper, kit.escape), alt };
    };
  };

  const same = (one, other) => one && one.source === other.source && one.key === other.key && one.version === other.version;
})();
