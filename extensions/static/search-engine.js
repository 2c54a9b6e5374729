// The engine of the book's search: kexue_core.engineering (tokenizing, inverted_index, bm25, queries) in JavaScript, and
// equal to it by test. Nothing here touches the page.
(() => {
  "use strict";
  const CJK = "\\u3005-\\u3007\\u3041-\\u3096\\u30a1-\\u30fa\\u30fc\\u3400-\\u4dbf\\u4e00-\\u9fff\\uac00-\\ud7a3\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
  const CHARACTER = new RegExp(`[${CJK}]`, "gu");
  const ONE = new RegExp(`^[${CJK}]$`, "u");
  const SPOKEN = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega nabla partial delta sum product integral root infinity";
  const SIGNS = "αβγδεζηθικλμνξοπρστυφχψω∇∂∆∑∏∫√∞";
  const NAMES = new Map(SPOKEN.split(" ").map((name, i) => [SIGNS[i], name]));
  const RUN = new RegExp(`[a-z0-9]+|[${SIGNS}]|[${CJK}]+`, "gu");
  const MARK = /(?![\u3099\u309a])\p{Mn}/gu; // the voice marks of kana change the letter
  const PLURAL = 0.9, PREFIX = 0.8, JOINED = 0.8, TYPO = 0.6, CLOSE = 1e-9;
  const K1 = 1.2;
  const IRREGULAR = new Map(Object.entries({
    matrices: "matrix", indices: "index", vertices: "vertex", axes: "axis", bases: "base", biases: "bias", hypotheses: "hypothesis",
  }));

  // Tokenizing

  const ascii = (text) => /^[\x00-\x7f]*$/.test(text);

  function fold(text) {
    if (ascii(text)) return text.toLowerCase();
    const lower = text.normalize("NFKD").toLowerCase().replace(/[ßς]/g, (letter) => (letter === "ß" ? "ss" : "σ"));
    return lower.replace(MARK, "").normalize("NFC");
  }

  function* runs(folded) {
    for (const { 0: run, index } of folded.matchAll(RUN)) {
      if (run < "\x80") {
        yield [run, index, index + run.length];
        continue;
      }
      const letters = [...run];
      const size = Math.min(letters.length, 2);
      let place = index;
      for (let i = 0; i + size <= letters.length; i++) {
        const term = letters.slice(i, i + size).join("");
        yield [NAMES.get(term) || term, place, place + term.length];
        place += letters[i].length;
      }
    }
  }

  const tokenize = (text) => Array.from(runs(fold(text)), ([term]) => term);

  // Where each code unit of the folded text comes from, in letters (code points) of the text.
  function located(letters) {
    let folded = "";
    const starts = [], ends = [];
    for (let start = 0, end; start < letters.length; start = end) {
      let piece = letters[start];
      for (end = start + 1; end < letters.length && joins(piece, letters[end]); end++) piece += letters[end];
      const plain = fold(piece);
      folded += plain;
      for (let i = 0; i < plain.length; i++) starts.push(start), ends.push(end);
    }
    return { folded, starts, ends };
  }

  function joins(before, letter) {
    if (letter < "\u0300") return false;
    if (/^\p{Mn}/u.test(letter.normalize("NFKD"))) return true;
    return fold(before + letter) !== fold(before) + fold(letter);
  }

  // Index: from a term to the documents that hold it, field by field

  function build(documents, fields) {
    const index = { size: documents.length, fields: Object.keys(fields), weights: fields, postings: new Map(), lengths: {}, averages: {} };
    for (const name of index.fields) {
      const lengths = documents.map((document, number) => {
        const folded = fold(document[name]), counts = new Map();
        let length = 0;
        for (const [term] of runs(folded)) {
          length++;
          if (!ONE.test(term)) counts.set(term, (counts.get(term) || 0) + 1);
        }
        if (!ascii(folded)) for (const [letter] of folded.matchAll(CHARACTER)) counts.set(letter, (counts.get(letter) || 0) + 1);
        for (const [term, count] of counts) {
          if (!index.postings.has(term)) index.postings.set(term, {});
          const lists = index.postings.get(term);
          (lists[name] = lists[name] || []).push(number, count);
        }
        return length;
      });
      index.lengths[name] = lengths;
      index.averages[name] = lengths.reduce((sum, n) => sum + n, 0) / lengths.length || 1;
    }
    index.terms = [...index.postings.keys()].sort();
    return index;
  }

  const frequencies = (index, term, name) => (index.postings.get(term) || {})[name] || [];
  const frequency = (index, term, name) => frequencies(index, term, name).length / 2;
  const rarity = (index, n) => Math.log1p((index.size - n + 0.5) / (n + 0.5));
  const idf = (index, term) => index.fields.reduce((sum, name) => sum + rarity(index, frequency(index, term, name)), 0);

  // Queries: what a word may stand for

  function singular(word) {
    if (IRREGULAR.has(word)) return IRREGULAR.get(word);
    if (word.length < 4 || !word.endsWith("s") || /(ss|us|is|bias)$/.test(word)) return word;
    if (word.length > 4 && word.endsWith("ies")) return word.slice(0, -3) + "y";
    return word.slice(0, /(sses|xes|zes|ches|shes)$/.test(word) ? -2 : -1);
  }

  function oneEditApart(first, second) {
    if (first.length > second.length) [first, second] = [second, first];
    if (second.length - first.length > 1 || first === second) return false;
    let same = 0;
    while (same < first.length && first[same] === second[same]) same++;
    const left = first.slice(same), right = second.slice(same);
    if (left.length < right.length) return left === right.slice(1);
    if (left.slice(1) === right.slice(1)) return true;
    return left.length > 1 && left[0] === right[1] && left[1] === right[0] && left.slice(2) === right.slice(2);
  }

  function forms(term, index) {
    const found = new Map();
    if (ascii(term)) {
      const stem = singular(term);
      const others = [stem, stem + "s", stem + "es", stem.slice(0, -1) + "ies"];
      for (const [plural, single] of IRREGULAR) if (single === stem) others.push(plural);
      for (const other of others) if (index.postings.has(other) && singular(other) === stem) found.set(other, PLURAL);
    }
    if (index.postings.has(term)) found.set(term, 1);
    return found;
  }

  function add(readings, more, factor) {
    for (const [term, weight] of more) readings.set(term, Math.max(readings.get(term) || 0, factor * weight));
  }

  function completions(term, index) {
    const found = new Map();
    if (term.length < 2 || !ascii(term)) return found;
    let low = 0, high = index.terms.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (index.terms[middle] <= term) low = middle + 1;
      else high = middle;
    }
    for (; low < index.terms.length && index.terms[low].startsWith(term); low++) {
      found.set(index.terms[low], (PREFIX * term.length) / index.terms[low].length);
    }
    return found;
  }

  function split(term, index) {
    let best = -1, parts = [];
    const spread = (part) => Math.max(-1, ...[...forms(part, index).keys()].flatMap((t) => index.fields.map((name) => frequency(index, t, name))));
    for (let i = 3; ascii(term) && i < term.length - 2; i++) {
      const pair = [term.slice(0, i), term.slice(i)], rarer = Math.min(...pair.map(spread));
      if (rarer > best) [best, parts] = [rarer, pair];
    }
    return parts;
  }

  function corrections(term, index, last) {
    const found = new Map();
    if (!/^[a-z]{5,}$/.test(term)) return found;
    for (const other of index.terms) if (oneEditApart(term, other)) found.set(other, TYPO);
    if (found.size || !last) return found;
    const sizes = [term.length - 1, term.length, term.length + 1];
    for (const other of index.terms) {
      if (other.length > term.length + 1 && other[0] === term[0] && sizes.some((n) => oneEditApart(term, other.slice(0, n)))) {
        found.set(other, (TYPO * term.length) / other.length);
      }
    }
    return found;
  }

  function expand(index, query) {
    const terms = [...new Set(tokenize(query))], words = [];
    terms.forEach((term, place) => {
      const last = place === terms.length - 1;
      let readings = forms(term, index);
      if (last) add(readings, completions(term, index), 1);
      for (let start = Math.max(place - 1, 0); start < Math.min(place + 1, terms.length - 1); start++) {
        const joined = terms[start] + terms[start + 1];
        if (!ascii(joined)) continue;
        add(readings, forms(joined, index), JOINED);
        if (start === terms.length - 2) add(readings, completions(joined, index), JOINED);
      }
      if (!readings.size) readings = completions(term, index);
      if (!readings.size) readings = corrections(term, index, last);
      const parts = readings.size ? [] : split(term, index);
      words.push(...(parts.length ? parts.map((part) => forms(part, index)) : [readings]));
    });
    return words;
  }

  // BM25: what a term adds to each document that holds it in a field

  function impacts(index, term, name, k1 = K1) {
    const list = frequencies(index, term, name), found = new Map();
    const weight = rarity(index, list.length / 2), b = index.weights[name][1];
    for (let i = 0; i < list.length; i += 2) {
      const norm = k1 * (1 - b + b * (index.lengths[name][list[i]] / index.averages[name]));
      found.set(list[i], weight * ((k1 + 1) * (list[i + 1] / (list[i + 1] + norm)))); // in the order of the library
    }
    return found;
  }

  // Ranking: all words first, then any; hits are [document, score, number of words found]

  function rank(index, words) {
    const total = new Float64Array(index.size), found = new Uint16Array(index.size);
    for (const readings of words) {
      const best = new Float64Array(index.size);
      for (const [term, share] of readings) {
        const impact = new Map();
        for (const name of index.fields)
          for (const [document, value] of impacts(index, term, name))
            impact.set(document, (impact.get(document) || 0) + index.weights[name][0] * value);
        for (const [document, value] of impact) best[document] = Math.max(best[document], share * value);
      }
      best.forEach((value, document) => ((total[document] += value), (found[document] += value > 0)));
    }
    const wanted = words.filter((readings) => readings.size).length;
    const hits = Array.from(total, (score, document) => [document, score, found[document]]).filter((hit) => hit[2]);
    const key = (hit) => Math.round(hit[1] / CLOSE);
    return hits.sort((a, b) => (b[2] === wanted) - (a[2] === wanted) || key(b) - key(a) || a[0] - b[0]);
  }

  // Excerpts: the window of a text with the rarest words; spans are [start, end] in letters (code points)

  function excerpt(index, text, words, width = 160) {
    const weighted = words.map((readings) => new Map(Array.from(readings, ([term, share]) => [term, share * idf(index, term)])));
    const letters = [...text];
    const matches = places(letters, new Set(words.flatMap((readings) => [...readings.keys()]))).filter(([, start, end]) => end - start <= width);
    const [first, last] = bestWindow(matches, weighted, width);
    let start = Math.max(0, Math.min(first - Math.floor((width - (last - first)) / 2), letters.length - width));
    let end = Math.min(letters.length, start + width), shorter = end;
    const blank = (i) => /[\s\x1c-\x1f\x85]/.test(letters[i]);
    while (start < first && (blank(start) || withinWord(letters, start))) start++;
    while (shorter > last && (blank(shorter - 1) || withinWord(letters, shorter))) shorter--;
    end = shorter || end;
    const marks = [];
    for (let [, left, right] of matches) {
      if (left < start || right > end) continue;
      left -= start, right -= start;
      if (marks.length && left < marks[marks.length - 1][1]) left = marks.pop()[0];
      marks.push([left, right]);
    }
    return { letters: letters.slice(start, end), start, end, marks, whole: letters.length };
  }

  function places(letters, terms) {
    const { folded, starts, ends } = located(letters);
    const found = [];
    for (const [term, start, end] of runs(folded)) {
      if (terms.has(term) && !ONE.test(term)) found.push([term, starts[start], ends[end - 1]]);
    }
    if (![...terms].some((term) => ONE.test(term))) return found;
    for (const { 0: letter, index } of folded.matchAll(CHARACTER)) {
      if (terms.has(letter)) found.push([letter, starts[index], ends[index]]);
    }
    return found.sort((a, b) => a[1] - b[1] || a[2] - b[2]);
  }

  function bestWindow(matches, words, width) {
    let best = 0, place = [0, 0], left = 0;
    const inside = new Map();
    for (const [term, , end] of matches) {
      inside.set(term, (inside.get(term) || 0) + 1);
      for (; end - matches[left][1] > width; left++) inside.set(matches[left][0], inside.get(matches[left][0]) - 1);
      let weight = 0;
      for (const readings of words) {
        let most = 0;
        for (const [seen, count] of inside) if (count && readings.has(seen)) most = Math.max(most, readings.get(seen));
        weight += most;
      }
      if (weight > best + CLOSE) [best, place] = [weight, [matches[left][1], end]];
    }
    return place;
  }

  function withinWord(letters, i) {
    const inWord = (letter) => /[\p{L}\p{N}]/u.test(letter) && !ONE.test(letter);
    return 0 < i && i < letters.length && inWord(letters[i - 1]) && inWord(letters[i]);
  }

  // The terms of a text with their places, all or the wanted ones; in letters (code points)
  function spans(text, wanted) {
    if (wanted) return places([...text], wanted);
    const { folded, starts, ends } = located([...text]);
    return Array.from(runs(folded), ([term, start, end]) => [term, starts[start], ends[end - 1]]);
  }

  window.KexueEngine = { tokenize, spans, build, impacts, expand, rank, excerpt, singular, oneEditApart };
})();
