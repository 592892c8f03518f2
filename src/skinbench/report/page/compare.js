"use strict";
// Two cells side by side, and the images of one test set on which they differ. Only counts and
// differences of printed numbers are made here; every interval and p comes from the scorecard.
(() => {
  const source = document.getElementById("data-compare");
  const app = document.getElementById("compare-app");
  if (!source || !app) return;
  const FIRST = 10; // scores beside each other; the images that differ stand right below
  const EACH = 24;
  const KINDS = { a: "only A right", b: "only B right", wrong: "both wrong, not alike", all: "all of these" };
  let data = null; // read when the view is first shown

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "text") element.textContent = value;
      else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const count = (n) => n.toLocaleString("en");
  const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
  const fixed = (value, digits = 3) => {
    const text = value.toFixed(digits);
    return Number(text) === 0 ? text.replace("-", "") : text; // with the hyphen of all other tables
  };
  const signed = (value) => (Number(value.toFixed(3)) < 0 ? fixed(value) : `+${fixed(value)}`);
  const bounds = (low, high) => (low === null || high === null ? "" : `[${fixed(low)}, ${fixed(high)}]`);
  const placed = (cell) => cell.dataset + (cell.condition === "none" ? "" : `, ${cell.condition}`);

  // --- which two ----------------------------------------------------------------------------

  function read() {
    const given = skinbench.state.read();
    const named = (key) => data.cells.find((cell) => cell.slug === given.get(key));
    const a = named("a") || partner(named("b")) || data.cells[0];
    const b = named("b") || partner(a) || a;
    const kind = given.get("show") in KINDS ? given.get("show") : "a";
    return { a, b, kind, label: given.get("class") || "", page: Math.max(1, Number(given.get("page")) || 1) };
  }

  /** What a cell is compared with at first: a network on a split without leaks, where there is one. */
  function partner(other) {
    const alone = (cell) => !data.cells.some((one) => one !== cell && one.set === cell.set && one.network && one.condition === "none");
    const wants = (cell) => [other && cell.set !== other.set, cell.leak && !other?.leak, !cell.network, cell.condition !== (other?.condition ?? "none"), !other && alone(cell)];
    const rank = (cell) => wants(cell).reduce((sum, missed) => sum * 2 + (missed ? 1 : 0), 0);
    return data.cells.filter((cell) => cell !== other).sort((x, y) => rank(x) - rank(y))[0];
  }

  function change(values, focus, step) {
    skinbench.state.write(values, step);
    draw(focus);
  }

  function chooser(key, state) {
    const other = key === "a" ? state.b : state.a;
    const box = make("select", { id: `compare-${key}`, on: { change: (event) => change({ a: state.a.slug, b: state.b.slug, [key]: event.target.value, class: null, page: null }, `compare-${key}`, { push: true }) } });
    data.sets.forEach((set, n) => {
      const cells = data.cells.filter((cell) => cell.set === n);
      const title = `${set.dataset}, split ${set.split}: ${plural(set.ids.length, "image")}${other.set === n ? " (comparable)" : ""}`;
      box.append(make("optgroup", { label: title }, cells.map((cell) => {
        const option = make("option", { value: cell.slug, text: cell.row + (cell.condition === "none" ? "" : `, ${cell.condition}`) + (cell.leak ? " † leaky split" : "") });
        option.selected = cell === state[key];
        return option;
      })));
    });
    return make("label", { class: "field" }, make("span", { text: key.toUpperCase() }), box);
  }

  function choosers(state) {
    const swap = make("button", { type: "button", id: "compare-swap", text: "⇄", "aria-label": "Swap A and B", on: { click: () => change({ a: state.b.slug, b: state.a.slug, show: { a: "b", b: "a" }[state.kind] || state.kind }, "compare-swap", { push: true }) } });
    return make("div", { class: "choosers" }, chooser("a", state), swap, chooser("b", state));
  }

  /** Leaks of the two splits, each said once. */
  function leaks(state) {
    const leaky = [["A", state.a], ["B", state.b]].filter(([, cell]) => cell.leak);
    const said = new Map();
    for (const [letter, cell] of leaky) said.set(cell.leak, [...(said.get(cell.leak) || []), letter]);
    return [...said].map(([text, letters]) => make("p", { class: "note stamp" }, make("span", { class: "chip warn", text: `${letters.join(" and ")} † leaky split` }), ` ${text.replace(/^leaky split: /, "")}`));
  }

  // --- tables -------------------------------------------------------------------------------

  function table(caption, heads, rows, about = {}) {
    const head = make("tr", {}, heads.map(([text, numeric]) => make("th", { scope: "col", class: numeric ? "number" : null, text })));
    const body = rows.map((row) => make("tr", {}, row.map((entry, n) => {
      const cell = make(n ? "td" : "th", { scope: n ? null : "row", class: heads[n][1] ? "number" : "text" });
      if (entry instanceof Node) cell.append(entry);
      else cell.textContent = entry;
      return cell;
    })));
    return make("div", { class: "box", tabindex: "0", role: "region", "aria-label": caption, ...about },
      make("table", {}, make("caption", { class: "hidden", text: caption }), make("thead", {}, head), make("tbody", {}, body)));
  }

  const link = (cell) => make("a", { href: `#cell-${cell.slug}`, text: cell.row });

  function settings(state) {
    const [a, b] = [data.settings.rows[state.a.row] || [], data.settings.rows[state.b.row] || []];
    const rows = data.settings.names.map((name, n) => [name, a[n] || "\u2013", b[n] || "\u2013"]).filter((row) => row[1] !== row[2]);
    const cells = [["row", link(state.a), link(state.b)]];
    cells.push(["test images", placed(state.a), placed(state.b)]);
    if (state.a.seeds > 1 || state.b.seeds > 1) cells.push(["seeds", ...[state.a, state.b].map((cell) => `${cell.seeds}; images below: seed ${cell.seed}`)]);
    const said = rows.length ? `${plural(rows.length, "setting")} ${rows.length === 1 ? "differs" : "differ"}.` : "No setting of the two rows differs.";
    return [make("h3", { text: "What they are" }), make("p", { class: "quiet", text: said }),
      table("Settings that differ", [["", false], ["A", false], ["B", false]], [...cells, ...rows], { id: "compare-settings" })];
  }

  function known(state, metric) {
    const { a, b } = state;
    if (a.condition !== b.condition) return null;
    for (const item of data.differences) {
      if (item.metric !== metric || (item.dataset && item.dataset !== a.dataset)) continue;
      if (item.condition ? item.condition !== a.condition : a.condition !== "none") continue;
      const [value, low, high] = item.value;
      if (item.a === a.row && item.b === b.row) return { value, low, high, said: item.said };
      if (item.a === b.row && item.b === a.row) return { value: -value, low: -high, high: -low, said: item.said };
    }
    return null;
  }

  function score(entry) {
    if (!entry) return make("span", { text: "\u2013" }, make("span", { class: "why", text: "not scored" }));
    if (entry[0] === null) return make("span", { text: "\u2013" }, make("span", { class: "why", text: entry[1] }));
    return make("span", {}, make("span", { class: "value", text: fixed(entry[0]) }), make("span", { class: "detail", text: bounds(entry[1], entry[2]) }));
  }

  function difference(state, n) {
    const [a, b] = [state.a.scores[n], state.b.scores[n]];
    if (!a || !b || a[0] === null || b[0] === null) return make("span", { text: "\u2013" });
    const more = known(state, n);
    // The scorecard's own difference where it has one: paired, by lesion.
    return make("span", {}, make("span", { class: "value", text: signed(more ? more.value : b[0] - a[0]) }),
      more ? make("span", { class: "detail", text: bounds(more.low, more.high) }) : null,
      more ? make("span", { class: "why", text: more.said }) : null);
  }

  function metrics(state) {
    const rows = [];
    data.metrics.forEach((title, n) => {
      if (state.a.scores[n] || state.b.scores[n]) rows.push([title, score(state.a.scores[n]), score(state.b.scores[n]), difference(state, n)]);
    });
    const tested = data.metrics.some((_, n) => known(state, n));
    const note = tested
      ? "Differences in brackets come from the scorecard, paired where both were judged on the same images; the others have no interval here. Two intervals that overlap do not say that there is no difference."
      : "These two rows have no interval of their difference in the scorecard: name them under `compare:` in the suite. Two intervals that overlap do not say that there is no difference.";
    const heads = [["metric", false], ["A", true], ["B", true], ["B \u2212 A", true]];
    const more = rows.slice(FIRST);
    return [make("h3", { text: "Scores" }), table("Scores side by side", heads, rows.slice(0, FIRST), { id: "compare-scores" }),
      more.length ? make("details", {}, make("summary", { text: `${plural(more.length, "more score")}` }), make("div", {}, table("More scores side by side", heads, more, { id: "compare-more" }))) : null,
      make("p", { class: "note", text: note })];
  }

  // --- images -------------------------------------------------------------------------------

  function decisions(state) {
    const labels = bytes(data.sets[state.a.set].labels);
    return { labels, a: bytes(state.a.decided), b: bytes(state.b.decided), pa: bytes(state.a.p), pb: bytes(state.b.p) };
  }

  function kindOf(found, i) {
    const [a, b] = [found.a[i] === found.labels[i], found.b[i] === found.labels[i]];
    if (a && b) return "right";
    if (a) return "a";
    if (b) return "b";
    return found.a[i] === found.b[i] ? "same" : "wrong";
  }

  function tally(state, found) {
    const { classes } = data.sets[state.a.set];
    const rows = classes.map((code) => [code, 0, 0, 0, 0, 0, 0]);
    const all = ["all", 0, 0, 0, 0, 0, 0];
    const column = { right: 2, a: 3, b: 4, wrong: 5, same: 6 };
    for (let i = 0; i < found.labels.length; i += 1) {
      for (const row of [rows[found.labels[i]], all]) {
        row[1] += 1;
        row[column[kindOf(found, i)]] += 1;
      }
    }
    const text = (row) => row.map((value, n) => (n ? count(value) : value));
    const heads = ["true class", "images", "both right", "only A right", "only B right", "both wrong, not alike", "both wrong alike"];
    return table("Images by true class and by who is right", heads.map((head, n) => [head, n > 0]), [...rows.filter((row) => row[1]), all].map(text), { id: "compare-tally" });
  }

  function toolbar(state, found) {
    const { classes } = data.sets[state.a.set];
    const counts = { a: 0, b: 0, wrong: 0, all: 0 };
    const ofClass = new Map();
    for (let i = 0; i < found.labels.length; i += 1) {
      const kind = kindOf(found, i);
      if (!(kind in counts)) continue;
      const code = classes[found.labels[i]];
      if (state.kind === "all" || kind === state.kind) ofClass.set(code, (ofClass.get(code) || 0) + 1);
      if (state.label && code !== state.label) continue;
      counts[kind] += 1;
      counts.all += 1;
    }
    const kinds = make("fieldset", { class: "toggle" }, make("legend", { text: "Images" }));
    for (const [kind, text] of Object.entries(KINDS)) {
      const input = make("input", { type: "radio", name: "compare-kind", id: `compare-${kind}-kind`, on: { change: () => change({ show: kind === "a" ? null : kind, page: null }, `compare-${kind}-kind`) } });
      input.checked = kind === state.kind;
      kinds.append(make("label", {}, input, make("span", { text: `${text} (${count(counts[kind])})` })));
    }
    const box = make("select", { id: "compare-class", on: { change: (event) => change({ class: event.target.value || null, page: null }, "compare-class") } });
    for (const code of ["", ...classes]) {
      const option = make("option", { value: code, text: code ? `${code} (${count(ofClass.get(code) || 0)})` : "all classes" });
      option.selected = code === state.label;
      box.append(option);
    }
    return make("div", { class: "choosers" }, kinds, make("label", { class: "field" }, make("span", { text: "True class" }), box));
  }

  function card(state, found, i) {
    const set = data.sets[state.a.set];
    const known_ = skinbench.cases(set.dataset, set.ids[i]);
    const name = known_?.address ? make("a", { class: "id", href: known_.address, text: set.ids[i] }) : make("span", { class: "id", text: set.ids[i] });
    const said = (letter, decided, p) => {
      const right = decided === found.labels[i];
      return make("p", { class: right ? "said right" : "said wrong" }, make("b", { text: `${letter} ` }), make("span", { "aria-hidden": "true", text: right ? "✓ " : "✗ " }), make("span", { class: "hidden", text: right ? "right: " : "wrong: " }), `${set.classes[decided]} ${fixed(p / 255, 2)}`);
    };
    return make("li", {}, known_?.picture ? make("img", { src: known_.picture, alt: `${set.ids[i]}, ${set.classes[found.labels[i]]}`, decoding: "async" }) : null,
      make("div", {}, name, make("p", {}, make("span", { class: "quiet", text: "true " }), make("b", { text: set.classes[found.labels[i]] })),
        said("A", found.a[i], found.pa[i]), said("B", found.b[i], found.pb[i])));
  }

  function list(state, found) {
    const { classes } = data.sets[state.a.set];
    const shown = [];
    for (let i = 0; i < found.labels.length; i += 1) {
      const kind = kindOf(found, i);
      if (state.kind === "all" ? !["a", "b", "wrong"].includes(kind) : kind !== state.kind) continue;
      if (!state.label || classes[found.labels[i]] === state.label) shown.push(i);
    }
    // The one that is surest of its mistake first.
    const sure = (i) => Math.max(found.a[i] === found.labels[i] ? 0 : found.pa[i], found.b[i] === found.labels[i] ? 0 : found.pb[i]);
    shown.sort((x, y) => sure(y) - sure(x) || x - y);
    const pages = Math.max(1, Math.ceil(shown.length / EACH));
    const page = Math.min(state.page, pages);
    const step = (text, to, off, id) => make("button", { type: "button", id, text, disabled: off, on: { click: () => change({ page: to > 1 ? to : null }, id) } });
    const first = (page - 1) * EACH;
    const pager = make("div", { class: "pager", role: "group", "aria-label": "Pages of images" },
      step("‹ Previous", page - 1, page <= 1, "compare-before"),
      make("span", { text: shown.length ? `${count(first + 1)}–${count(Math.min(shown.length, first + EACH))} of ${plural(shown.length, "image")}` : "no image" }),
      step("Next ›", page + 1, page >= pages, "compare-after"));
    return [pager, make("ol", { class: "differing", start: first + 1 }, shown.slice(first, first + EACH).map((i) => card(state, found, i)))];
  }

  function images(state) {
    const found = decisions(state);
    return [make("h3", { text: "Images on which they differ" }), tally(state, found), toolbar(state, found), ...list(state, found),
      make("p", { class: "note", text: "The number is the probability of the decided class. Images are those of the first seed; the surest mistake comes first." })];
  }

  function refusal(state) {
    const [a, b] = [data.sets[state.a.set], data.sets[state.b.set]];
    const ids = new Set(a.ids);
    const both = a.dataset === b.dataset ? b.ids.filter((id) => ids.has(id)).length : 0;
    const of = (set) => `${plural(set.ids.length, "image")} of ${set.dataset} (split ${set.split}; ${set.classes.length} classes)`;
    const why = both === a.ids.length && both === b.ids.length ? "with other labels" : `${plural(both, "image")} ${both === 1 ? "is" : "are"} in both`;
    return make("p", { class: "flag", id: "compare-refused" }, make("strong", { text: "Not compared. " }),
      `A was judged on ${of(a)}, B on ${of(b)}; ${why}. Numbers of different test sets do not compare: choose two cells of one.`);
  }

  function draw(focus) {
    const state = read();
    const same = state.a === state.b;
    const parts = [choosers(state), ...leaks(state)];
    if (same) parts.push(make("p", { class: "quiet", text: data.cells.length > 1 ? "The same cell twice: choose another one." : "The run has one cell with predictions." }));
    else if (state.a.set !== state.b.set) parts.push(refusal(state), ...settings(state));
    else {
      parts.push(make("div", { class: "panels even" }, make("div", {}, settings(state)), make("div", {}, metrics(state))));
      parts.push(...images(state));
    }
    app.replaceChildren(...parts);
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  }

  skinbench.view("compare", {
    show() {
      data = data || JSON.parse(source.textContent);
      draw();
    },
  });
})();
