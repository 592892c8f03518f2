"use strict";
// What a table shows, in its order, as Markdown, LaTeX (booktabs) or CSV.
skinbench.copy = (() => {
  const LATEX = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "&": "\\&", "%": "\\%", "$": "\\$",
    "#": "\\#", "_": "\\_", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "≈": "$\\approx$", "◆": "$\\diamond$", "–": "--", "−": "$-$", "±": "$\\pm$", "·": "$\\cdot$",
    "†": "\\dag{}", "‡": "\\ddag{}", "§": "\\S{}", "¶": "\\P{}", "→": "$\\to$", "×": "$\\times$",
  }; // prettier-ignore
  const latex = (text) => [...text].map((c) => LATEX[c] ?? c).join("");
  const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  const markdown = (text) =>
    text
      .replace(/[\\`*_{}[\]|#!~$]/g, "\\$&")
      .replace(/[&<>]/g, (c) => ENTITIES[c])
      .replace(/@/g, "@<!-- -->");
  // A spreadsheet runs what begins like a formula; numbers may begin with a minus.
  const harmless = (text) => (/^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text);
  const csv = (text) => (/[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const INTERVAL = /^\[(-?[\d.]+), (-?[\d.]+)\]$/;

  // Signs of words that a table without its page has no room for.
  const SIGNS = { "◆": "reference", "≈": "not separable" };
  const at = (cell, name) => cell.querySelector(name)?.textContent.trim() ?? "";

  /** A field as {value, number, mark, near, detail, why, claims}; `number` is what it sorts by. */
  function field(cell, shown) {
    if (cell.tagName === "TH") return { value: cell.dataset.sort ?? cell.textContent.trim(), claims: [] };
    if (!cell.querySelector("b")) return { value: cell.textContent.trim(), number: cell.dataset.sort, claims: [] };
    return {
      value: at(cell, "b"),
      mark: at(cell, ".mark"),
      near: at(cell, ".near"),
      detail: shown.intervals ? at(cell, ".detail") : "",
      why: at(cell, ".why"),
      claims: shown.claims ? [...cell.querySelectorAll(".claim")].map((claim) => [claim.firstChild.textContent.trim(), at(claim, "em")]) : [],
    };
  }

  /** What a table shows; how many images it is about is said where it stands without its page. */
  function read(table, everything) {
    const board = table.closest("[data-board]")?.classList;
    const on = (name) => everything || !board?.contains(`no-${name}`);
    const shown = { intervals: on("intervals"), claims: on("claims") };
    const part = table.closest(".test-set");
    const heads = [...table.tHead.rows[0].cells];
    const kept = heads.map((head, index) => [head, index]).filter(([head]) => !head.classList.contains("off") || head.dataset.group === "count");
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    return {
      title: part.dataset.title,
      about: part.dataset.about,
      notes: [...part.querySelectorAll(".note")].map((note) => note.textContent.trim()),
      name: table.id,
      leaks: rows.map((row) => row.dataset.leak !== undefined),
      heads: kept.map(([head]) => ({ text: head.dataset.title, unit: head.dataset.unit, numeric: head.classList.contains("n") })),
      rows: rows.map((row) => kept.map(([, index]) => field(row.cells[index], shown))),
    };
  }

  /** A field in words: value, signs, interval, then what stands below them. */
  function worded({ value, mark, near, detail, why, claims }, escaped, small) {
    const first = [value, mark, near].filter(Boolean).join(" ");
    const below = [why, ...claims.map(([claimed, verdict]) => `${claimed} (${verdict})`)].filter(Boolean).join("; ");
    const rest = [detail, below].filter(Boolean).map(escaped).join("; ");
    return [escaped(first), rest && small(rest)].filter(Boolean).join(" ");
  }

  function toMarkdown({ title, about, notes, heads, rows }) {
    const line = (fields) => `| ${fields.join(" | ")} |`;
    const escaped = (text) => markdown(text).replace(/^\\\[(.*?)\\\]/, "[$1]");
    return [
      `**${markdown(title)}** (${markdown(about)})`,
      "",
      line(heads.map((head) => markdown(head.text))),
      line(heads.map((head) => (head.numeric ? "---:" : "---"))),
      ...rows.map((row) => line(row.map((item) => worded(item, escaped, (text) => text)))),
      ...notes.flatMap((note) => ["", markdown(note)]),
    ].join("\n");
  }

  function toLatex({ title, about, notes, name, heads, rows }) {
    const line = (fields) => `${fields.join(" & ")} \\\\`;
    const small = (text) => `{\\scriptsize ${text}}`;
    return [
      "% \\usepackage{booktabs}",
      "\\begin{table}",
      "\\centering",
      `\\caption{${latex(title)} (${latex(about)}).}`,
      `\\label{tab:${name}}`,
      `\\begin{tabular}{${heads.map((head) => (head.numeric ? "r" : "l")).join("")}}`,
      "\\toprule",
      line(heads.map((head) => latex(head.text))),
      "\\midrule",
      ...rows.map((row) => line(row.map((item) => worded(item, latex, small)))),
      "\\bottomrule",
      "\\end{tabular}",
      ...notes.map((note) => `\\par\\smallskip{\\footnotesize ${latex(note)}}`),
      "\\end{table}",
    ].join("\n");
  }

  const bounds = ({ detail }) => detail?.match(INTERVAL) ?? [];
  const spread = ({ why }) => why?.match(/^seed SD (.+)$/)?.[1] ?? "";
  const FURTHER = [
    ["low", (item) => bounds(item)[1]],
    ["high", (item) => bounds(item)[2]],
    ["seed SD", spread],
    ["compared", ({ near }) => SIGNS[near] ?? ""],
    ["claimed", ({ claims }) => claims.map(([text]) => text.replace(/^claimed /, "")).join("; ")],
    ["claim", ({ claims }) => claims.map(([, verdict]) => verdict).join("; ")],
    ["remark", (item) => (spread(item) ? "" : item.why)],
  ]; // of one field, each a column of its own where any row has it

  /** Numbers alone, their unit in the head; what else a field says in columns of its own. */
  function toCsv({ heads, rows, leaks }) {
    const columns = heads.flatMap(({ text, unit }, index) => {
      const own = ({ value, number }) => (value === "–" ? "" : number ? String(+Number(number).toPrecision(6)) : value.replace(/^\+(?=\d)/, ""));
      const head = unit ? `${text} (${unit})` : text;
      const more = FURTHER.map(([name, of]) => [`${text}, ${name}`, index, of]);
      return [[head, index, own], ...more.filter(([, , of]) => rows.some((row) => of(row[index])))];
    });
    const body = rows.map((row) => columns.map(([, index, of]) => of(row[index]) ?? ""));
    const head = columns.map(([text]) => text);
    if (leaks.some(Boolean)) {
      head.push("leaky split");
      body.forEach((row, n) => row.push(leaks[n] ? "yes" : "no"));
    }
    return [head, ...body].map((fields) => fields.map((f) => csv(harmless(f))).join(",")).join("\r\n");
  }

  async function put(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea"); // where a page from disk has no clipboard
      area.value = text;
      area.className = "hidden";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  const FORMATS = { markdown: toMarkdown, latex: toLatex, csv: toCsv };
  return {
    /** The text of what a table shows. */
    text: (table, format) => `${FORMATS[format](read(table, format === "csv"))}\n`,
    /** The same, put on the clipboard. */
    table(table, format) {
      return put(skinbench.copy.text(table, format));
    },
  };
})();
