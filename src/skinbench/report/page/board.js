"use strict";
// The leaderboard: sorted, filtered, with the columns that a reader chose; all of it in the address.
(() => {
  const root = document.querySelector("[data-board]");
  if (!root) return;
  const FACETS = ["run", "dataset", "split", "model", "input", "technique"];
  const narrow = matchMedia("(max-width: 40rem)").matches;
  const DETAILS = { intervals: true, bars: true, claims: !narrow, ranks: false };
  const parts = [...root.querySelectorAll(".test-set")].map((element) => {
    const table = element.querySelector("table");
    table.classList.add("sortable");
    [...table.tBodies[0].rows].forEach((row, index) => (row.dataset.place = index));
    return {
      element,
      table,
      title: element.dataset.title,
      heads: [...table.tHead.rows[0].cells],
      box: table.closest(".box"),
      further: element.querySelector(".further"),
    };
  });
  const tools = root.querySelector(".tools");
  const find = tools.querySelector("input[type=search]");
  const status = tools.querySelector(".status");
  const reset = tools.querySelector(".reset");
  const filters = tools.querySelector(".filters");
  const rows = () => parts.flatMap(({ table }) => [...table.tBodies[0].rows]);
  const columns = new Map(); // key -> {title, group, shown, first}
  for (const { heads } of parts) {
    for (const head of heads.slice(1)) {
      const { key, group, first } = head.dataset;
      if (!columns.has(key)) columns.set(key, { title: head.dataset.title, group, first, shown: !head.classList.contains("off") });
    }
  }
  const several = (values) => [...values].map(encodeURIComponent).join("|") || null;
  const single = (text) => new Set(text ? text.split("|").map(decodeURIComponent) : []);
  const wanted = { sort: "", order: "", text: "", facets: new Map(), columns: new Set(), details: new Set() };
  const usual = new Set([...columns].filter(([, c]) => c.shown).map(([key]) => key));
  const usualDetails = new Set(Object.keys(DETAILS).filter((name) => DETAILS[name]));
  const same = (a, b) => a.size === b.size && [...a].every((item) => b.has(item));

  // --- what is shown ---------------------------------------------------------------------------

  function filter() {
    const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows()) {
      const said = row.cells[0].textContent.toLowerCase() + " " + (row.dataset.run ?? "").toLowerCase();
      row.hidden =
        !words.every((word) => said.includes(word)) ||
        [...wanted.facets].some(([name, values]) => values.size && !values.has(row.dataset[name]));
    }
    for (const { element, table } of parts) {
      element.hidden = ![...table.tBodies[0].rows].some((row) => !row.hidden);
    }
  }

  function choose() {
    for (const { table, heads } of parts) {
      heads.forEach((head, index) => {
        if (!index) return;
        const off = !wanted.columns.has(head.dataset.key);
        if (head.classList.contains("off") === off) return;
        head.classList.toggle("off", off);
        for (const row of table.tBodies[0].rows) row.cells[index].classList.toggle("off", off);
      });
    }
    for (const name of Object.keys(DETAILS)) root.classList.toggle(`no-${name}`, !wanted.details.has(name));
    parts.forEach(hint);
  }

  /** Columns that stand beyond the right edge: how many, and a way there. */
  function hint({ box, heads, further }) {
    const edge = box.getBoundingClientRect().right - 8;
    const beyond = heads.filter((head) => head.getBoundingClientRect().right > edge && head.offsetWidth).length;
    further.hidden = !beyond;
    further.textContent = `${beyond} more column${beyond === 1 ? "" : "s"} →`;
  }

  let sorting = false; // a click of ours is on its way to the library
  function sort() {
    for (const { table, heads } of parts) {
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => a.dataset.place - b.dataset.place)); // ties stay so
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      const head = heads.find((item) => item.dataset.key === wanted.sort);
      if (!head) continue;
      if (wanted.order === "ascending") head.setAttribute("aria-sort", "descending"); // it turns
      sorting = true;
      head.dispatchEvent(new MouseEvent("click", { bubbles: true }));
      sorting = false;
    }
  }

  function tell() {
    const all = rows();
    const shown = all.filter((row) => !row.hidden).length;
    let text = `${shown} of ${all.length} row${all.length === 1 ? "" : "s"}`;
    const tables = parts.filter(({ element }) => !element.hidden).length;
    if (parts.length > 1) text += `, in ${tables} of ${parts.length} test sets`;
    const column = wanted.sort === "row" ? { title: "row" } : columns.get(wanted.sort);
    if (column) {
      text += `; sorted by ${column.title}, ${wanted.order}.`;
      if (columns.get(wanted.sort)?.group !== "made" && wanted.sort !== "row") {
        text += " To choose a row by a number of this table is to choose on test.";
      }
    }
    if (status.textContent !== text) status.textContent = text;
    reset.hidden = !changed();
  }

  const changed = () =>
    wanted.sort || wanted.text || [...wanted.facets.values()].some((v) => v.size) ||
    !same(wanted.columns, usual) || !same(wanted.details, usualDetails);

  function controls() {
    if (find.value !== wanted.text) find.value = wanted.text;
    for (const box of tools.querySelectorAll("input[type=checkbox]")) {
      const { facet, column } = box.dataset;
      if (facet) box.checked = wanted.facets.get(facet)?.has(box.value) ?? false;
      else if (column) box.checked = wanted.columns.has(column);
      else box.checked = wanted.details.has(box.value);
    }
    for (const menu of tools.querySelectorAll("details[data-facet]")) {
      const values = wanted.facets.get(menu.dataset.facet) ?? new Set();
      menu.querySelector(".chosen").textContent = values.size ? String(values.size) : "";
    }
    const used = [...wanted.facets.values()].filter((values) => values.size).length;
    filters.querySelector(".chosen").textContent = used ? String(used) : "";
  }

  // --- the address -----------------------------------------------------------------------------

  function read(parameters) {
    wanted.sort = parameters.get("sort") ?? "";
    wanted.order = parameters.get("order") ?? columns.get(wanted.sort)?.first ?? "ascending";
    if (!["ascending", "descending"].includes(wanted.order)) wanted.order = "ascending";
    wanted.text = parameters.get("find") ?? "";
    wanted.facets = new Map(FACETS.map((name) => [name, single(parameters.get(name))]));
    const chosen = parameters.get("columns");
    wanted.columns = chosen === undefined ? new Set(usual) : single(chosen);
    const details = parameters.get("with");
    wanted.details = details === undefined ? new Set(usualDetails) : single(details);
  }

  function write() {
    skinbench.state.write({
      sort: wanted.sort,
      order: wanted.sort && wanted.order !== (columns.get(wanted.sort)?.first ?? "ascending") ? wanted.order : null,
      find: wanted.text,
      ...Object.fromEntries([...wanted.facets].map(([name, values]) => [name, several(values)])),
      columns: same(wanted.columns, usual) ? null : several(wanted.columns) ?? "none",
      with: same(wanted.details, usualDetails) ? null : several(wanted.details) ?? "none",
    });
  }

  function apply(step) {
    step();
    tell();
    controls();
    write();
  }

  // --- what a reader does ----------------------------------------------------------------------

  function press(head) {
    const { key, first } = head.dataset;
    const other = first === "ascending" ? "descending" : "ascending";
    const now = wanted.sort === key ? wanted.order : "";
    wanted.sort = now === other ? "" : key; // better first, worse first, the suite's order again
    wanted.order = now === first ? other : first;
    apply(sort);
  }

  document.addEventListener(
    "click",
    (event) => {
      const head = event.target.closest?.("table.sortable thead th");
      if (!head || sorting || !root.contains(head)) return;
      event.stopPropagation(); // every table is sorted alike, by a click of our own
      press(head);
    },
    true,
  );

  function checkbox(label, data, value, count) {
    const element = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = value;
    Object.assign(box.dataset, data);
    element.append(box, ` ${label}`);
    if (count) {
      const number = document.createElement("span");
      number.className = "quiet";
      number.textContent = ` ${count}`;
      element.append(number);
    }
    return element;
  }

  function facetMenu(name) {
    const counts = new Map();
    for (const row of rows()) counts.set(row.dataset[name], (counts.get(row.dataset[name]) ?? 0) + 1);
    if (counts.size < 2) return [];
    const menu = document.createElement("details");
    menu.className = "menu";
    menu.dataset.facet = name;
    const summary = document.createElement("summary");
    const chosen = document.createElement("span");
    chosen.className = "chosen";
    summary.append(name[0].toUpperCase() + name.slice(1), chosen);
    const list = document.createElement("div");
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", name);
    for (const [value, count] of counts) list.append(checkbox(value || "(none)", { facet: name }, value, count));
    menu.append(summary, list);
    return [menu];
  }

  function build() {
    tools.querySelector(".facets").append(...FACETS.flatMap(facetMenu));
    for (const [key, { title, group }] of columns) {
      tools.querySelector(`fieldset[data-group="${group}"]`).append(checkbox(title, { column: key }, key));
    }
    for (const field of tools.querySelectorAll("fieldset")) field.hidden = !field.querySelector("input");
    for (const { heads } of parts) {
      for (const head of heads) {
        const button = document.createElement("button");
        button.type = "button";
        button.append(head.firstChild); // its title; the axis stays outside
        head.prepend(button);
      }
    }
    for (const menu of root.querySelectorAll(".copy")) menu.hidden = false;
    for (const part of parts) {
      part.box.addEventListener("scroll", () => hint(part), { passive: true });
      part.further.addEventListener("click", () => {
        const named = part.heads[0].offsetWidth; // stays at the left
        part.box.scrollBy({ left: part.box.clientWidth - named - 40 });
        part.box.focus({ preventScroll: true });
      });
    }
    window.addEventListener("resize", () => parts.forEach(hint));
    filters.hidden = !tools.querySelector("[data-facet]");
    tools.hidden = false;
  }

  tools.addEventListener("change", (event) => {
    const { facet, column } = event.target.dataset;
    const set = facet ? wanted.facets.get(facet) : column ? wanted.columns : wanted.details;
    if (event.target.type !== "checkbox") return;
    if (event.target.checked) set.add(event.target.value);
    else set.delete(event.target.value);
    apply(facet ? filter : choose);
  });
  find.addEventListener("input", () => {
    wanted.text = find.value;
    apply(filter);
  });
  filters.addEventListener("click", () => {
    const open = filters.getAttribute("aria-expanded") === "true";
    filters.setAttribute("aria-expanded", String(!open));
  });
  reset.addEventListener("click", () => {
    read(new Map());
    find.focus();
    everything();
    write();
  });
  root.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const part = parts.find(({ element }) => element.contains(button));
    await skinbench.copy.table(part.table, button.dataset.copy);
    status.textContent = `Copied ${part.title} as ${button.textContent}.`;
    button.closest("details").open = false;
    button.closest("details").querySelector("summary").focus();
  });

  function everything() {
    filter();
    choose();
    sort();
    tell();
    controls();
    parts.forEach(hint);
  }

  build();
  skinbench.view(root.closest("section.view").id, {
    show(parameters) {
      read(parameters);
      everything();
    },
  });
})();
