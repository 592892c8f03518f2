// The page's script: sends an image, shows what the model says. Nothing is kept: no storage, no
// cookies, no request but to this server. Text goes in by textContent alone.
"use strict";

const model = JSON.parse(document.getElementById("data-model").textContent);
const $ = (id) => document.getElementById(id);
const input = $("image");
let answer = null;
let preview = null;

const title = (code) => (model.classes.find((item) => item.code === code) || { title: code }).title;
const make = (tag, text, name) => {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  if (name) node.className = name;
  return node;
};

// 41 %, with a digit more under 10 and above 99: the same rule as in the tables.
function percent(value) {
  const scaled = 100 * value;
  const fine = (scaled > 0 && scaled < 10) || (scaled > 99 && scaled < 100);
  const shown = scaled.toFixed(fine ? 1 : 0);
  const ends = fine ? { "100.0": "over 99.9", "0.0": "under 0.1" } : {};
  return `${ends[shown] || shown.replace(/\.0$/, "")} %`;
}
function spread(item) {
  if (item.low === null || item.high === null) return item.reason ? ` (${item.reason})` : "";
  const bounds = [item.low, item.high].map((value) => percent(value).replace(" %", ""));
  return ` [${bounds.join(", ")}]`;
}
// What a predictive value rests on: those decided so, or at another share recall and specificity.
const basis = (item) => (item.n_positive === null ? `n = ${item.n}` : `n = ${item.n_positive} with it and ${item.n - item.n_positive} without`);

function chosenFile() {
  const file = input.files[0];
  const shown = $("chosen");
  $("sheet").disabled = !file;
  if (preview) URL.revokeObjectURL(preview);
  preview = null;
  shown.hidden = !file;
  shown.replaceChildren();
  if (!file) return;
  shown.append(make("span", `${file.name}, ${file.size < 1e6 ? `${Math.ceil(file.size / 1e3)} kB` : `${(file.size / 1e6).toFixed(1)} MB`}`));
  if (/^image\/(jpeg|png|webp|gif|bmp)$/.test(file.type)) {
    preview = URL.createObjectURL(file);
    const image = make("img");
    image.alt = "Preview of the chosen image";
    image.addEventListener("error", () => image.remove());
    image.src = preview;
    shown.append(image);
  }
}

function complain(message) {
  $("problem").textContent = message || "";
  $("problem").hidden = !message;
}

async function send(path, read) {
  if (!input.files[0]) {
    complain("Choose an image first.");
    input.focus();
    return null;
  }
  complain("");
  $("result").setAttribute("aria-busy", "true");
  $("ask").disabled = $("sheet").disabled = true;
  try {
    const body = new FormData($("form"));
    for (const [name, value] of [...body]) if (value === "") body.delete(name);
    const response = await fetch(path, { method: "POST", body });
    if (response.ok) return await read(response); // all of it: until then it is busy
    const said = await response.json().catch(() => null);
    complain(said && said.error ? `Not answered: ${said.error.message}.` : `Not answered (${response.status}).`);
  } catch {
    complain("The server does not answer. Is skinbench serve still running?");
  } finally {
    $("result").setAttribute("aria-busy", "false");
    $("ask").disabled = false;
    $("sheet").disabled = !input.files[0];
  }
  $("problem").scrollIntoView({ block: "nearest" });
  return null;
}

async function ask(event) {
  event.preventDefault();
  const found = await send("/predict", (response) => response.json());
  if (!found) return;
  answer = found;
  show();
  $("answer").focus();
}

async function sheet() {
  const found = await send("/sheet", async (response) => ({
    named: response.headers.get("content-disposition") || "",
    pages: await response.blob(),
  }));
  if (!found) return;
  const name = /filename="([^"]+)"/.exec(found.named);
  const link = make("a");
  link.href = URL.createObjectURL(found.pages);
  link.download = name ? name[1] : "model-response.pdf";
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function rule() {
  const wanted = $("rule") ? $("rule").value : "argmax";
  return model.rules.find((item) => item.rule === wanted) || model.rules[0];
}

// The decision, and of a hundred such decisions how many are right.
function decide() {
  const chosen = rule();
  const found = answer.decisions.find((item) => item.rule === chosen.rule && (item.class === null || item.class === model.focus));
  const called = found.decided === model.focus;
  const verdict = $("verdict");
  verdict.replaceChildren(
    called ? `It calls this ${model.focus_title}.` : `It does not call this ${model.focus_title}, but ${title(found.decided)}.`,
    make("span", chosen.threshold === null ? "By the most probable class." : `${chosen.title}: called from a probability of ${chosen.threshold.toPrecision(3)} on.`, "at"),
  );
  const share = $("prevalence").value;
  const values = share === "test" ? chosen.test : chosen.at[String(Number(share))];
  const item = values && (called ? values.positive : values.negative);
  const where = share === "test" ? `At the test set's share of ${percent(model.share)}` : `By prior shift to a share of ${percent(Number(share))}`;
  const worth = $("worth");
  worth.replaceChildren();
  if (chosen.recall && chosen.recall.value !== null) {
    worth.append(`Of true ${model.focus_title} it calls ${percent(chosen.recall.value)}${spread(chosen.recall)} so (n = ${chosen.recall.n}). `);
  } else {
    worth.append(`How many of true ${model.focus_title} it calls so is undefined: ${chosen.recall ? chosen.recall.reason : "not measured"}. `);
  }
  if (!item || item.value === null) {
    worth.append(`${where} the predictive value is undefined${item && item.reason ? `: ${item.reason}` : ""}.`);
  } else if (called) {
    worth.append(`${where}, ${percent(item.value)}${spread(item)} of those called so have it (${basis(item)}).`);
  } else {
    worth.append(`${where}, ${percent(item.value)}${spread(item)} of those not called so do not have it (${basis(item)}).`);
  }
  bars(chosen);
}

function bars(chosen) {
  const rows = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
  $("bars").replaceChildren(...rows.map(([code, value]) => {
    const row = make("li", "", code === model.focus ? "focus" : "");
    const name = make("span", title(code), "name");
    name.append(make("small", code));
    const rail = make("span", "", "rail");
    const fill = make("span", "", "fill");
    fill.style.width = `${100 * value}%`;
    rail.append(fill);
    if (code === model.focus && chosen.threshold !== null && chosen.threshold <= 1) {
      const line = make("span", "", "line");
      line.style.left = `${100 * chosen.threshold}%`;
      line.title = `called from ${chosen.threshold.toPrecision(3)} on`;
      rail.append(line);
    }
    row.append(name, rail, make("span", value.toFixed(3), "number"));
    return row;
  }));
}

function warnings() {
  $("warnings").replaceChildren(...answer.warnings.map((item) => {
    const flag = make("p", "", "flag");
    const alarms = item.false_alarms;
    flag.append(make("b", "This does not look like the training data"), `${item.message} `);
    const rate = alarms.share === null
      ? "How often this is said of images like the training data is not known: there was no val."
      : `Of ${alarms.n} val images, which are like the training data, ${percent(alarms.share)} [${percent(alarms.low).replace(" %", "")}, ${percent(alarms.high).replace(" %", "")}] get this warning too.`;
    flag.append(make("span", rate));
    return flag;
  }));
}

function pictures() {
  const figure = (source, caption, alt) => {
    const node = make("figure");
    const image = make("img");
    image.src = source;
    image.alt = alt;
    node.append(image, make("figcaption", caption));
    return node;
  };
  const size = `${answer.image.width} x ${answer.image.height} pixels`;
  $("pictures").replaceChildren(
    figure(answer.picture, `The image, ${size}`, "The uploaded image"),
    ...answer.heatmaps.map((item) => figure(item.picture, `What speaks for ${title(item.class)}`, `Heatmap of ${title(item.class)} over the image`)),
  );
  $("heatnote").textContent = answer.no_heatmap ||
    "Class activation map: red places raise the class's logit most, dark blue ones not at all. It shows what the network weighs, not where a disease is.";
}

function show() {
  $("empty").hidden = true;
  $("filled").hidden = false;
  warnings();
  decide();
  pictures();
  $("notes").replaceChildren(...answer.notes.map((text) => make("li", text)));
}

$("form").addEventListener("submit", ask);
$("sheet").addEventListener("click", sheet);
input.addEventListener("change", chosenFile);
for (const id of ["rule", "prevalence"]) if ($(id)) $(id).addEventListener("change", () => answer && decide());

const drop = $("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
drop.addEventListener("drop", (event) => {
  if (event.dataTransfer.files.length !== 1) return complain("Drop one image.");
  complain("");
  input.files = event.dataTransfer.files;
  chosenFile();
});
