"use strict";
// What a table shows, in its order, as Markdown, LaTeX (booktabs) or CSV.
skinbench.copy = (() => {
  const LATEX = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "&": "\\&", "%": "\\%", "$": "\\$",
    "#": "\\#", "_": "\\_", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "≈": "$\\approx$", "◆": "$\\diamond$", "–": "--", "−": "$-$", "±": "$\\pm$", "·": "$\\cdot$",
    "†": "\\dag{}", "‡": "\\ddag{}", "§": "\\S{}", "¶": "\\P{}",
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

  /** The field as {text, detail}: the value with its signs, and the interval where it shows one. */
  function field(cell, plain) {
    if (cell.tagName === "TH") return { text: cell.dataset.sort ?? cell.textContent.trim(), detail: "" };
    const part = (name) => cell.querySelector(name)?.textContent.trim() ?? "";
    if (!cell.querySelector("b")) return { text: cell.textContent.trim(), detail: "" };
    const signs = plain ? "" : [part(".mark"), part(".near")].filter(Boolean).join(" ");
    const detail = cell.querySelector(".detail");
    const shown = detail && getComputedStyle(detail).display !== "none";
    return { text: [part("b"), signs].filter(Boolean).join(" "), detail: shown ? part(".detail") : "" };
  }

  function read(table, plain) {
    const heads = [...table.tHead.rows[0].cells];
    const kept = heads.map((head, index) => [head, index]).filter(([head]) => !head.classList.contains("off"));
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    return {
      heads: kept.map(([head]) => ({ text: head.textContent.trim(), numeric: head.classList.contains("n") })),
      rows: rows.map((row) => kept.map(([, index]) => field(row.cells[index], plain))),
    };
  }

  function toMarkdown({ heads, rows }) {
    const line = (fields) => `| ${fields.join(" | ")} |`;
    return [
      line(heads.map((head) => markdown(head.text))),
      line(heads.map((head) => (head.numeric ? "---:" : "---"))),
      ...rows.map((row) =>
        line(row.map(({ text, detail }) => [markdown(text), detail].filter(Boolean).join(" "))),
      ),
    ].join("\n");
  }

  function toLatex({ heads, rows }) {
    const line = (fields) => `${fields.join(" & ")} \\\\`;
    return [
      "% \\usepackage{booktabs}",
      `\\begin{tabular}{${heads.map((head) => (head.numeric ? "r" : "l")).join("")}}`,
      "\\toprule",
      line(heads.map((head) => latex(head.text))),
      "\\midrule",
      ...rows.map((row) =>
        line(row.map(({ text, detail }) => latex(text) + (detail ? ` {\\scriptsize ${latex(detail)}}` : ""))),
      ),
      "\\bottomrule",
      "\\end{tabular}",
    ].join("\n");
  }

  /** Intervals become two columns of their own. */
  function toCsv({ heads, rows }) {
    const split = heads.map((_, index) => rows.some((row) => INTERVAL.test(row[index].detail)));
    const head = heads.flatMap(({ text }, i) => (split[i] ? [text, `${text}, low`, `${text}, high`] : [text]));
    const body = rows.map((row) =>
      row.flatMap(({ text, detail }, i) => {
        const value = text === "–" ? "" : text;
        if (!split[i]) return [value];
        const [, low = "", high = ""] = detail.match(INTERVAL) ?? [];
        return [value, low, high];
      }),
    );
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
