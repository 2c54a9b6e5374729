// The reader's half of kexue_core/notebook/packing.py: unpack the pictures of an explorer, and show one of them by
// patching what differs. Elements stay: a picture that is put in anew costs the styles of a whole page.
(() => {
  "use strict";
  const SLOT = "\u0001";

  // Undo the prediction of one group: the inverse of `_smallest` in packing.py.
  function coordinates(group, planes, offset) {
    const frames = group.frames.length;
    const columns = group.fixed.filter((value) => value === null).length;
    const size = frames * columns;
    const rows = Array.from({ length: frames }, () => new Int32Array(columns));
    for (let i = 0; i < size; i++) {
      const zigzag = planes[offset + i] | (planes[offset + size + i] << 8) | (planes[offset + 2 * size + i] << 16);
      const row = group.transposed ? i % frames : Math.floor(i / columns);
      const column = group.transposed ? Math.floor(i / frames) : i % columns;
      rows[row][column] = (zigzag >> 1) ^ -(zigzag & 1);
    }
    for (let pass = 0; pass < group.order; pass++)
      for (const row of rows)
        for (let column = group.stride; column < columns; column++) row[column] += row[column - group.stride];
    if (group.time)
      for (let frame = 1; frame < frames; frame++)
        for (let column = 0; column < columns; column++) rows[frame][column] += rows[frame - 1][column];
    return { rows, used: 3 * size };
  }

  // Return the data of an explorer; `data.where` leads from a frame to its template and its coordinates.
  async function unpack(text) {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    data.where = new Map();
    let offset = 4 + length;
    for (const { template, ...group } of data.groups) {
      const { rows, used } = coordinates(group, bytes, offset);
      offset += used;
      const shared = { pieces: template.split(SLOT), fixed: group.fixed };
      group.frames.forEach((frame, i) => data.where.set(frame, { group: shared, row: rows[i] }));
    }
    return data;
  }

  const number = (tenths) => String(tenths / 10);

  function whole({ group, row }) {
    let svg = group.pieces[0];
    let moving = 0;
    group.fixed.forEach((value, i) => (svg += number(value === null ? row[moving++] : value) + group.pieces[i + 1]));
    return svg;
  }

  // Find where the moving coordinates of a template stand: element by element, attribute by attribute.
  function slots(group) {
    const text = group.pieces.reduce((all, piece, i) => all + SLOT + (i - 1) + SLOT + piece);
    const box = document.createElement("template");
    box.innerHTML = text; // inert: nothing of it is styled
    const found = [];
    const moves = [];
    let count = 0;
    group.fixed.forEach((value, i) => (moves[i] = value === null ? count++ : -1));
    [...box.content.querySelectorAll("*")].forEach((element, index) => {
      for (const { name, value } of element.attributes) {
        if (!value.includes(SLOT)) continue;
        const parts = value.split(SLOT); // text, slot, text, slot, …, text
        const places = parts.map((part, i) => (i % 2 ? Number(part) : -1));
        if (places.every((place) => place < 0 || moves[place] < 0)) continue;
        const pieces = parts.map((part, i) => {
          if (i % 2 === 0) return part;
          return moves[part] < 0 ? number(group.fixed[part]) : moves[part];
        });
        found.push({ index, name, pieces });
      }
    });
    return found;
  }

  // Make `now` equal to `next`, changing as little as possible.
  function morph(now, next) {
    if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName) return now.replaceWith(next);
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.data !== next.data) now.data = next.data;
      return;
    }
    for (const { name, value } of [...next.attributes]) if (now.getAttribute(name) !== value) set(now, name, value);
    for (const { name } of [...now.attributes]) if (!next.hasAttribute(name)) now.removeAttribute(name);
    if (now.childNodes.length === next.childNodes.length) {
      const others = [...next.childNodes];
      [...now.childNodes].forEach((child, i) => morph(child, others[i]));
    } else now.replaceChildren(...next.childNodes);
  }

  function set(element, name, value) {
    if (name.startsWith("xlink:")) element.setAttributeNS("http://www.w3.org/1999/xlink", name, value);
    else element.setAttribute(name, value);
  }

  // Return a function that shows a frame in a box; the box holds a picture already.
  function shower(box, data) {
    let group = null;
    let elements = [];
    const show = (frame) => {
      const next = data.where.get(frame);
      if (next.group !== group) {
        const picture = document.createElement("div");
        picture.innerHTML = whole(next);
        if (box.childNodes.length === picture.childNodes.length)
          [...picture.childNodes].forEach((child, i) => morph(box.childNodes[i], child));
        else box.replaceChildren(...picture.childNodes);
        group = next.group;
        group.slots ??= slots(group);
        elements = [...box.querySelectorAll("*")];
        return;
      }
      for (const { index, name, pieces } of group.slots) {
        let value = "";
        pieces.forEach((piece, i) => (value += i % 2 && typeof piece === "number" ? number(next.row[piece]) : piece));
        if (elements[index].getAttribute(name) !== value) set(elements[index], name, value);
      }
    };
    show.forget = () => (group = null); // something else was put into the box
    return show;
  }

  window.KexueFrames = { unpack, shower };
})();
