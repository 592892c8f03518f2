"use strict";
// The gallery: cases of one set, a page at a time. Pictures are decoded when their page is shown.
(() => {
  const source = document.getElementById("data-gallery");
  const app = document.getElementById("gallery-app");
  if (!source || !app) return;
  const SIZES = [12, 24, 48];
  let data = null; // read when the gallery is first shown
  let pictures = null;
  let shown = []; // positions of the cases that the filters leave, in order
  let page = 0;
  let parts = null; // the elements that change
  let dialog = null;
  let opened = false; // the case is a step of ours, which closing takes back
  let left = null; // the case that was looked at last

  // --- elements ---------------------------------------------------------------------------

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "text") element.textContent = value;
      else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function picture(key, alt) {
    return make("img", { src: pictures[key], alt, decoding: "async", draggable: "false" });
  }

  function outline(lines) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    for (const [name, value] of Object.entries({ viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true", class: "outline" })) svg.setAttribute(name, value);
    for (const kind of ["under", "line"]) {
      for (const points of lines) {
        const polygon = document.createElementNS(space, "polygon");
        polygon.setAttribute("points", points.join(" "));
        polygon.setAttribute("class", kind);
        svg.append(polygon);
      }
    }
    return svg;
  }

  /** A rule in words, with the model whose answer it looks at: "mel called nv by B, most ...". */
  function worded(text, by) {
    const cut = text.indexOf(", ");
    return by ? (cut < 0 ? `${text} by ${by}` : `${text.slice(0, cut)} by ${by}${text.slice(cut)}`) : text;
  }

  const percent = (p) => p.toFixed(2);
  const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

  // --- state ------------------------------------------------------------------------------

  function read() {
    const given = skinbench.state.read();
    const set = data.sets[Number(given.get("set") || 0)] || data.sets[0];
    const model = set.letters.indexOf(given.get("model"));
    const each = Number(given.get("each"));
    return {
      set,
      setAt: data.sets.indexOf(set),
      model, // -1: all of them
      rule: given.get("rule") || "",
      label: given.get("class") in set.classes ? given.get("class") : "",
      answer: given.get("answer") || "",
      heat: given.get("heat") || "overlay",
      outline: given.get("outline") !== "off",
      page: Math.max(0, Number(given.get("page") || 1) - 1) || 0,
      each: SIZES.includes(each) ? each : SIZES[1],
      case: given.get("case") || "",
    };
  }

  function change(values, { keepPage = false } = {}) {
    skinbench.state.write(keepPage ? values : { page: null, ...values });
    draw();
  }

  /** Rules with this text that look at the chosen model, at any model, or at all together. */
  function rulesOf(state) {
    return state.set.rules.filter((r) => r.text === state.rule && (state.model < 0 || r.row < 0 || r.row === state.model));
  }

  function answersOf(state, item) {
    return state.model < 0 ? item.answers : item.answers.filter((a) => a.row === state.model);
  }

  function kept(state) {
    let order = state.set.cases.map((_, index) => index);
    if (state.rule) {
      const seen = new Set();
      const lists = rulesOf(state).map((rule) => rule.shown);
      for (let at = 0; lists.some((list) => at < list.length); at += 1) {
        for (const list of lists) if (at < list.length) seen.add(list[at]);
      }
      order = [...seen];
    }
    return order.filter((index) => {
      const item = state.set.cases[index];
      if (state.label && item.label !== state.label) return false;
      const own = answersOf(state, item);
      if (state.answer === "right") return own.every((a) => a.decided === item.label);
      if (state.answer === "wrong") return own.some((a) => a.decided !== item.label);
      if (state.answer === "flagged") return own.some((a) => a.flags);
      return true;
    });
  }

  // --- toolbar ----------------------------------------------------------------------------

  function select(label, key, options, value) {
    const box = make("select", { on: { change: (event) => change({ [key]: event.target.value || null, ...(key === "set" ? { rule: null, class: null, model: null, answer: null } : {}) }) } });
    for (const [code, text] of options) {
      const option = make("option", { value: code, text });
      option.selected = code === value;
      box.append(option);
    }
    return make("label", { class: "field" }, make("span", { text: label }), box);
  }

  function choices(state) {
    const { set } = state;
    const texts = [...new Set(set.rules.filter((r) => state.model < 0 || r.row < 0 || r.row === state.model).map((r) => r.text))];
    const rules = [["", `all rules (${set.cases.length})`]];
    for (const text of texts) rules.push([text, `${text} (${kept({ ...state, rule: text, label: "", answer: "" }).length})`]);
    const counts = new Map();
    for (const item of set.cases) counts.set(item.label, (counts.get(item.label) || 0) + 1);
    const classes = [["", "all classes"]];
    for (const [code, title] of Object.entries(set.classes)) {
      if (counts.has(code)) classes.push([code, `${code === title ? code : `${code}, ${title}`} (${counts.get(code)})`]);
    }
    return { rules, classes };
  }

  function toggle(group, name, options, value, key) {
    const box = make("fieldset", { class: "toggle" }, make("legend", { text: group }));
    for (const [code, text] of options) {
      const input = make("input", { type: "radio", name, value: code, on: { change: () => change({ [key]: code === options[0][0] ? null : code }, { keepPage: true }) } });
      input.checked = code === value;
      box.append(make("label", {}, input, make("span", { text })));
    }
    return box;
  }

  function toolbar(state) {
    const { rules, classes } = choices(state);
    const { set } = state;
    const fields = make("div", { class: "fields" });
    if (data.sets.length > 1) {
      fields.append(select("Test set", "set", data.sets.map((one, n) => [n ? String(n) : "", `${one.dataset}${one.split ? `, ${one.split}` : ""}: ${one.rows.length === 1 ? one.rows[0] : plural(one.rows.length, "model")}`]), state.setAt ? String(state.setAt) : ""));
    }
    fields.append(
      select("Rule", "rule", rules, state.rule),
      select("True class", "class", classes, state.label),
      select("Answer", "answer", [["", "any"], ["right", state.model < 0 ? "right by all" : "right"], ["wrong", state.model < 0 ? "wrong by any" : "wrong"], ["flagged", "heat flagged"]], state.answer),
    );
    if (set.rows.length > 1) fields.append(select("Model", "model", [["", "all models"], ...set.rows.map((row, n) => [set.letters[n], `${set.letters[n]} ${row}`])], state.model < 0 ? "" : set.letters[state.model]));
    const looks = make("div", { class: "looks" });
    if (set.cases.some((item) => item.picture || item.answers.some((a) => a.overlay))) {
      looks.append(toggle("Heat", "gallery-heat", [["overlay", "over the image"], ["alone", "alone"]], state.heat, "heat"));
      if (set.cases.some((item) => item.outline)) {
        const input = make("input", { type: "checkbox", on: { change: (event) => change({ outline: event.target.checked ? null : "off" }, { keepPage: true }) } });
        input.checked = state.outline;
        looks.append(make("label", { class: "check" }, input, make("span", { text: "lesion outline" })));
      }
      looks.append(make("span", { class: "scale" }, make("span", { text: "no heat" }), make("i", { "aria-hidden": "true" }), make("span", { text: "most" })));
    }
    return [fields, looks];
  }

  // --- cases ------------------------------------------------------------------------------

  /** A picture in its own shape; heat lies over the original, stretched as the network saw it. */
  function stack(item, layers, alt, lines) {
    const box = make("span", { class: "stack" });
    if (item.size) box.style.aspectRatio = `${item.size[0]} / ${item.size[1]}`;
    layers.forEach(([key, kind], index) => {
      const layer = picture(key, index === layers.length - 1 ? alt : "");
      layer.className = kind;
      box.append(layer);
    });
    if (lines) box.append(outline(lines));
    return box;
  }

  function none(item, text) {
    const box = make("span", { class: "stack none", text });
    if (item.size) box.style.aspectRatio = `${item.size[0]} / ${item.size[1]}`;
    return box;
  }

  function named(set, code) {
    const title = set.classes[code] || code;
    return title === code ? code : `${code} (${title})`;
  }

  function original(state, item, marked) {
    if (!item.picture) return none(item, "no picture");
    const alt = `${item.id}, ${named(state.set, item.label)}${marked && item.outline ? ", lesion outlined" : ""}`;
    return stack(item, [[item.picture, "base"]], alt, marked && item.outline);
  }

  function heat(state, item, answer, { alone, ofLabel = false, marked }) {
    const code = ofLabel ? item.label : answer.decided;
    const key = ofLabel ? answer.heatOfLabel : answer.heat;
    const over = ofLabel ? answer.overlayOfLabel : answer.overlay;
    const alt = `heat for ${named(state.set, code)} ${alone ? "of" : "over"} ${item.id}, by ${state.set.rows[answer.row]}`;
    const lines = marked && item.outline;
    if (key && !alone && (answer.seen || item.picture)) return stack(item, [[answer.seen || item.picture, "base"], [key, "over"]], alt, lines);
    if (key) return stack(item, [[key, "base"]], alt, lines);
    if (over) return stack(item, [[over, "base"]], alt, null);
    return none(item, "no heat");
  }

  function verdict(item, answer) {
    const right = answer.decided === item.label;
    return make("span", { class: right ? "said right" : "said wrong" }, make("span", { "aria-hidden": "true", text: right ? "✓ " : "✗ " }), make("span", { class: "hidden", text: right ? "right: " : "wrong: " }), `${answer.decided} ${percent(answer.p)}`);
  }

  function flags(answer) {
    if (!answer.flags) return null;
    return make("span", { class: "flags" }, ...answer.flags.map((code) => make("span", { class: "artefact", text: data.artefacts[code] || code })));
  }

  /** What the metadata did to the decided class's probability: a bar each, from 0 to both sides. */
  function fields(answer, most) {
    if (!answer.fields) return null;
    const widest = Math.max(...answer.fields.map(([, effect]) => Math.abs(effect)), 0.05);
    return make("span", { class: "fields" }, ...answer.fields.slice(0, most).map(([name, effect]) => {
      const bar = make("i", { class: effect < 0 ? "against" : "for", "aria-hidden": "true" });
      bar.style.setProperty("--w", Math.abs(effect) / widest);
      return make("span", { class: "moves" }, make("span", { text: name }), bar, make("span", { class: "by", text: `${effect < 0 ? "" : "+"}${effect.toFixed(2)}` }));
    }));
  }

  function card(state, index, position) {
    const item = state.set.cases[index];
    const own = answersOf(state, item);
    const row = make("div", { class: "strip" });
    row.append(make("figure", {}, original(state, item, state.outline), make("figcaption", {}, make("b", { text: item.label }), " true")));
    for (const answer of own) {
      const sign = state.set.rows.length > 1 ? make("b", { class: "letter", text: state.set.letters[answer.row], title: state.set.rows[answer.row] }) : null;
      row.append(make("figure", {}, heat(state, item, answer, { alone: state.heat === "alone", marked: state.outline }), make("figcaption", {}, sign, sign ? " " : "", verdict(item, answer), flags(answer), fields(answer, 3))));
    }
    const by = item.row >= 0 && state.set.rows.length > 1 ? state.set.letters[item.row] : "";
    const button = make("button", { type: "button", class: "enlarge", "aria-haspopup": "dialog", tabindex: position ? "-1" : "0", on: { click: () => enlarge(index), focus: (event) => rove(event.target) } }, make("span", { class: "id", text: item.id }), make("span", { class: "hidden", text: `: enlarge case ${index + 1}` }));
    const article = make("article", { class: "case", "data-at": index, "aria-label": `Case ${item.id}` }, make("header", {}, button, make("span", { class: "why-chosen", text: worded(item.rule, by) })), row);
    row.addEventListener("click", () => { button.focus(); enlarge(index); });
    return article;
  }

  function counts(state) {
    const { set } = state;
    const list = make("ul", { class: "counts" });
    for (const rule of rulesOf(state)) {
      const by = rule.row < 0 ? "" : `${set.rows.length > 1 ? `${set.letters[rule.row]} ` : ""}${set.rows[rule.row]}`;
      list.append(make("li", { text: `${rule.shown.length.toLocaleString("en")} of ${plural(rule.images, "image")} (${plural(rule.groups, "lesion")}) shown: ${worded(rule.text, by)}` }));
    }
    return list;
  }

  function legend(state) {
    const { set } = state;
    if (set.rows.length < 2) return null;
    const list = make("dl", { class: "models" });
    set.rows.forEach((row, n) => {
      if (state.model >= 0 && n !== state.model) return;
      list.append(make("div", {}, make("dt", { text: set.letters[n] }), make("dd", { text: row })));
    });
    return list;
  }

  function pager(state) {
    const pages = Math.max(1, Math.ceil(shown.length / state.each));
    const go = (to) => change({ page: to ? to + 1 : null }, { keepPage: true });
    const step = (text, to, off) => make("button", { type: "button", text, disabled: off, on: { click: () => { go(to); parts.head.scrollIntoView({ block: "start", behavior: "instant" }); } } });
    const first = shown.length ? page * state.each + 1 : 0;
    const last = Math.min(shown.length, (page + 1) * state.each);
    return make("div", { class: "pager", role: "group", "aria-label": "Pages of cases" },
      step("‹ Previous", page - 1, page === 0),
      make("span", { text: `${first}–${last} of ${plural(shown.length, "case")}` }),
      step("Next ›", page + 1, page + 1 >= pages),
      select("Per page", "each", SIZES.map((n) => [String(n), String(n)]), String(state.each)));
  }

  function draw() {
    const state = read();
    shown = kept(state);
    const pages = Math.max(1, Math.ceil(shown.length / state.each));
    page = Math.min(state.page, pages - 1);
    const active = document.activeElement;
    const kept_ = active && app.contains(active) ? [...app.querySelectorAll("select, input, .pager button")].indexOf(active) : -1;
    parts.tools.replaceChildren(...toolbar(state));
    parts.head.replaceChildren(...[legend(state), state.rule ? counts(state) : null, pager(state)].filter(Boolean));
    const cards = shown.slice(page * state.each, (page + 1) * state.each).map((index, n) => card(state, index, n));
    parts.list.replaceChildren(...(cards.length ? cards : [make("p", { class: "quiet", text: "No case fits." })]));
    const tiles = 1 + (state.model < 0 ? state.set.rows.length : 1);
    parts.list.style.setProperty("--tiles", Math.min(6, tiles));
    const bare = !state.set.cases.some((item) => item.picture || item.answers.some((a) => a.heat || a.overlay));
    parts.list.classList.toggle("bare", bare);
    parts.foot.replaceChildren(shown.length > 12 ? pager(state) : "");
    parts.said.textContent = `${plural(shown.length, "case")}, page ${page + 1} of ${pages}`;
    if (kept_ >= 0) refocus([...app.querySelectorAll("select, input, .pager button")], kept_);
  }

  /** The keyboard stays at a control that was drawn anew; of Next on the last page, at Previous. */
  function refocus(controls, at) {
    const near = [controls[at], controls[at - 1], controls[at + 1]];
    near.find((control) => control && !control.disabled)?.focus({ preventScroll: true });
  }

  // --- keyboard ---------------------------------------------------------------------------

  const buttons = () => [...parts.list.querySelectorAll(".enlarge")];

  function rove(target) {
    for (const button of buttons()) button.tabIndex = button === target ? 0 : -1;
  }

  function turn(by) {
    const state = read();
    const to = page + by;
    if (to < 0 || to * state.each >= shown.length) return false;
    skinbench.state.write({ page: to ? to + 1 : null });
    draw();
    return true;
  }

  function arrows(event) {
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const top = (n) => all[n].closest(".case").offsetTop;
    const across = Math.max(1, all.findIndex((_, n) => top(n) !== top(0)) < 0 ? all.length : all.findIndex((_, n) => top(n) !== top(0)));
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -at, End: all.length - 1 - at }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    if (at + step < 0) { if (turn(-1)) buttons().at(-1).focus(); }
    else if (at + step >= all.length) { if (turn(1)) buttons()[0].focus(); }
    else all[at + step].focus();
  }

  // --- one case, large --------------------------------------------------------------------

  function large(state, index) {
    const item = state.set.cases[index];
    const figure = (body, ...words) => make("figure", {}, body, make("figcaption", {}, ...words));
    const top = make("div", { class: "strip" }, figure(original(state, item, false), "original"));
    if (item.outline && item.picture) top.append(figure(original(state, item, true), "lesion outline, from the mask"));
    const body = make("div", { class: "large" }, top);
    for (const answer of item.answers) {
      const right = answer.decided === item.label;
      const strip = make("div", { class: "strip" });
      if (answer.heat || answer.overlay) {
        strip.append(figure(heat(state, item, answer, { alone: false, marked: true }), `heat for ${answer.decided}, decided`));
        if (answer.heat) strip.append(figure(heat(state, item, answer, { alone: true, marked: true }), "the same alone"));
      }
      if (answer.heatOfLabel || answer.overlayOfLabel) {
        strip.append(figure(heat(state, item, answer, { alone: false, ofLabel: true, marked: true }), `heat for ${item.label}, the true class`));
        if (answer.heatOfLabel) strip.append(figure(heat(state, item, answer, { alone: true, ofLabel: true, marked: true }), "the same alone"));
      }
      const name = (state.set.rows.length > 1 ? `${state.set.letters[answer.row]} ` : "") + state.set.rows[answer.row];
      body.append(make("section", {}, make("h4", { text: name }), make("p", {}, verdict(item, answer), right ? "" : `, true class ${item.label} ${percent(answer.pOfLabel)}`, flags(answer)), strip,
        answer.fields ? make("p", { class: "quiet moved", text: `How far each field of the metadata moves the probability of ${answer.decided}, beside that of a typical image:` }) : null, fields(answer, answer.fields?.length)));
    }
    return body;
  }

  function fill(index) {
    const state = read();
    const item = state.set.cases[index];
    const at = shown.indexOf(index);
    const by = item.row >= 0 ? state.set.rows[item.row] : "";
    dialog.dataset.at = index;
    dialog.querySelector("h3").textContent = item.id;
    dialog.querySelector(".about").textContent = `${named(state.set, item.label)}. Chosen as: ${worded(item.rule, by)}.`;
    dialog.querySelector(".body").replaceChildren(large(state, index));
    dialog.querySelector(".body").scrollTop = 0;
    dialog.querySelector(".place").textContent = `${at + 1} of ${shown.length}`;
    dialog.querySelector(".before").disabled = at <= 0;
    dialog.querySelector(".after").disabled = at + 1 >= shown.length;
    skinbench.state.write({ case: index + 1 }, { push: !dialog.open && !state.case });
    if (!dialog.open && !state.case) opened = true;
  }

  function step(by) {
    const at = shown.indexOf(Number(dialog.dataset.at)) + by;
    if (at >= 0 && at < shown.length) fill(shown[at]);
  }

  function enlarge(index) {
    if (!dialog) {
      dialog = make("dialog", { class: "case-dialog", "aria-labelledby": "case-title" },
        make("header", {}, make("div", {}, make("h3", { id: "case-title" }), make("p", { class: "about quiet" })),
          make("div", { class: "pager" }, make("button", { type: "button", class: "before", "aria-label": "Previous case", text: "‹", on: { click: () => step(-1) } }), make("span", { class: "place", "aria-live": "polite" }), make("button", { type: "button", class: "after", "aria-label": "Next case", text: "›", on: { click: () => step(1) } }), make("button", { type: "button", class: "close", "aria-label": "Close", text: "✕", on: { click: () => dialog.close() } }))),
        make("div", { class: "body", tabindex: "0", role: "region", "aria-label": "Pictures of the case" }));
      dialog.addEventListener("keydown", (event) => {
        if (event.key === "ArrowLeft") step(-1);
        else if (event.key === "ArrowRight") step(1);
        else return;
        event.preventDefault();
      });
      dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
      dialog.addEventListener("close", closed);
      app.append(dialog);
    }
    fill(index);
    if (!dialog.open) dialog.showModal();
    dialog.querySelector(".body").focus();
  }

  /** Back to the page that holds the case that was looked at last. */
  function closed() {
    left = Number(dialog.dataset.at);
    if (opened && read().case) history.back(); // `show` goes on
    else comeBack();
    opened = false;
  }

  function comeBack() {
    const index = left;
    left = null;
    const to = Math.floor(Math.max(0, shown.indexOf(index)) / read().each);
    skinbench.state.write({ case: null, page: to ? to + 1 : null });
    if (to !== page) draw();
    parts.list.querySelector(`[data-at="${index}"] .enlarge`)?.focus();
  }

  function begin() {
    data = JSON.parse(source.textContent);
    pictures = JSON.parse(document.getElementById("data-gallery-pictures").textContent);
    parts = {
      tools: make("div", { class: "gallery-tools" }),
      head: make("div", { class: "gallery-head" }),
      list: make("div", { class: "cases", on: { keydown: arrows } }),
      foot: make("div", { class: "gallery-foot" }),
      said: make("p", { class: "hidden", role: "status" }),
    };
    app.append(parts.tools, parts.head, parts.list, parts.foot, parts.said);
  }

  skinbench.view("gallery", {
    show() {
      if (!data) begin();
      draw();
      const state = read();
      const index = Number(state.case) - 1;
      if (state.case && state.set.cases[index]) enlarge(index);
      else if (dialog?.open) dialog.close();
      else if (left !== null) comeBack();
    },
  });
})();
