"use strict";
const cards = [...document.querySelectorAll("article.pair-card")];
const page = document.querySelector("main");
const stored = "skinbench-pairs-" + page.dataset.key;
const others = JSON.parse(page.dataset.others);
let at = -1;

function remembered() {
  try { return JSON.parse(localStorage.getItem(stored)) || {}; } catch { return {}; }
}

function remember() {
  const made = {};
  cards.forEach((card, index) => { made[index] = card.dataset.decision; });
  try { localStorage.setItem(stored, JSON.stringify(made)); } catch { /* a private window */ }
}

function show() {
  for (const card of cards) {
    for (const button of card.querySelectorAll("button[data-say]")) {
      const on = button.dataset.say === card.dataset.decision;
      button.setAttribute("aria-pressed", String(on));
    }
  }
  const count = (say) => cards.filter((card) => card.dataset.decision === say).length;
  const same = count("same"), different = count("different");
  document.getElementById("count").textContent =
    `${same + different} of ${cards.length} decided: ${same} same, ${different} different`;
  document.getElementById("done").value = same + different;
  document.getElementById("save").disabled = same + different + others.length === 0;
  const open = document.getElementById("open-only").checked;
  cards.forEach((card, index) => {
    card.hidden = open && index !== at && card.dataset.decision !== "";
  });
}

function go(index, focus = true) {
  if (index < 0 || index >= cards.length) return;
  at = index;
  cards.forEach((card, n) => card.classList.toggle("current", n === at));
  show();
  if (focus) cards[at].focus({ preventScroll: true });
  cards[at].scrollIntoView({ block: "nearest" });
}

function step(by) {
  let next = at + by;
  while (next >= 0 && next < cards.length && cards[next].hidden) next += by;
  go(next);
}

function say(card, word) {
  const made = card.dataset.decision !== word;
  card.dataset.decision = made ? word : "";
  remember();
  show();
  return made;
}

function field(text) {
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function table() {
  const rows = others.map((row) => row);
  for (const card of cards) {
    const d = card.dataset;
    if (d.decision) rows.push([d.datasetA, d.imageA, d.datasetB, d.imageB, d.decision]);
  }
  const head = "dataset_a,image_id_a,dataset_b,image_id_b,decision";
  return [head, ...rows.map((row) => row.map(field).join(","))].join("\n") + "\n";
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = page.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const before = remembered();
cards.forEach((card, index) => {
  if (typeof before[index] === "string") card.dataset.decision = before[index];
  card.addEventListener("focusin", () => { if (at !== index) go(index, false); });
  for (const button of card.querySelectorAll("button[data-say]")) {
    button.addEventListener("click", () => say(card, button.dataset.say));
  }
});
document.getElementById("save").addEventListener("click", save);
document.getElementById("open-only").addEventListener("change", show);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const word = { s: "same", d: "different" }[event.key];
  if (word && at >= 0) {
    if (say(cards[at], word)) step(1);
  } else if (event.key === "u" && at >= 0) {
    say(cards[at], cards[at].dataset.decision);
  } else if (event.key === "j" || event.key === "ArrowDown") {
    step(1);
  } else if (event.key === "k" || event.key === "ArrowUp") {
    step(-1);
  } else {
    return;
  }
  event.preventDefault();
});
show();
