/*
 * The frame in which a picture is chosen and turned into codes. It has no network, no storage and
 * no origin (its Content-Security-Policy and sandbox); it tells the page around it codes only,
 * never a picture and never a file's name.
 */

import { alike } from "./forms.js";
import { hashFile, Problem } from "./hashes.js";

const MOST_FILES = 10;
const STUCK_AFTER = 30_000; // some in-app browsers never hand over the chosen file

const by = (id) => document.getElementById(id);
const around = new URL(location.href).origin;
const items = [];
const waiting = [];
const counts = { image: 0, video: 0 };
let texts = {};
let said = null;
let job = null;
let patience = 0;

function tell(message) {
  parent.postMessage(message, around);
}

function words(id, values = {}) {
  return (texts[id] ?? "").replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

function nameOf(item) {
  return words(`box.${item.media}`, { n: item.number });
}

function say(id, item = null) {
  said = { id, item };
  showSaid();
}

function showSaid() {
  // The tile shows it already; it is said for those who listen.
  by("said").classList.toggle("heard", said?.id === "box.made");
  by("said").textContent = said ? words(said.id, { name: said.item ? nameOf(said.item) : "" }) : "";
}

function show() {
  by("tiles").replaceChildren(...items.map(tile));
  for (const media of ["image", "video"]) {
    const another = counts[media] ? "another" : "choose";
    by(`${media}-words`).textContent = words(`box.${another}_${media}`);
  }
  by("turned-words").textContent = words("box.turned");
  by("cancel").textContent = words("box.cancel");
  by("bar").setAttribute("aria-label", words("box.working"));
  showSaid();
}

function tile(item) {
  const line = document.createElement("li");
  const label = document.createElement("span");
  const remove = document.createElement("button");
  label.textContent = words(isExact(item) ? "box.made_exact" : "box.made", { name: nameOf(item) });
  remove.type = "button";
  remove.className = "quiet";
  remove.textContent = words("box.remove");
  remove.setAttribute("aria-label", words("box.remove_this", { name: nameOf(item) }));
  remove.addEventListener("click", () => drop(item));
  line.append(label, remove);
  return line;
}

// A video into which the browser could not look has its file's digests alone.
function isExact(item) {
  return item.hashes.every((hash) => hash.kind !== "pdq");
}

function drop(item) {
  items.splice(items.indexOf(item), 1);
  show();
  say("box.removed", item);
  by("image").focus();
  tellItems();
}

function tellItems() {
  tell({ type: "items", items: items.map(({ media, hashes }) => ({ media, hashes })) });
}

function take(files, media) {
  calm();
  waiting.push(...Array.from(files, (file) => ({ file, media })));
  if (!job) work();
}

async function work() {
  tell({ type: "busy", busy: true });
  by("work").hidden = false;
  while (waiting.length) await add(waiting.shift());
  by("work").hidden = true;
  tell({ type: "busy", busy: false });
}

async function add({ file, media }) {
  const mine = { stopped: false };
  job = mine;
  say(media === "video" ? "box.working_video" : "box.working");
  try {
    if (items.length >= MOST_FILES) throw new Problem("too_many");
    const item = await hashFile(file, {
      seen: isThere,
      near: (hashes) => items.some((item) => alike(hashes, item.hashes)),
      step: (percent) => step(mine, percent),
      turned: by("turned").checked,
    });
    step(mine, 100);
    item.number = ++counts[item.media];
    items.push(item);
    show();
    say(isExact(item) ? "box.exact" : "box.made", item);
    tellItems();
  } catch (problem) {
    say(`problem.${problem instanceof Problem ? problem.id : "unreadable"}`);
  }
  job = null;
}

function step(mine, percent) {
  if (mine.stopped) throw new Problem("cancelled");
  by("bar").value = percent;
}

function isThere(sha256) {
  return items.some((item) => item.hashes.some((hash) => hash.value === sha256));
}

function cancel() {
  waiting.length = 0;
  if (job) job.stopped = true;
}

function calm() {
  clearTimeout(patience);
}

function listenTo(input) {
  input.addEventListener("click", () => {
    calm();
    patience = setTimeout(() => tell({ type: "stuck" }), STUCK_AFTER);
  });
  input.addEventListener("cancel", calm);
  input.addEventListener("change", () => {
    take(input.files, input.id);
    input.value = "";
  });
}

function listenToDrops(area) {
  area.addEventListener("dragover", (event) => {
    event.preventDefault();
    area.classList.add("over");
  });
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    take(event.dataTransfer.files, "image");
  });
}

addEventListener("message", (event) => {
  if (event.source !== parent || event.data?.type !== "texts") return;
  texts = event.data.texts;
  document.documentElement.lang = event.data.language;
  show();
});
listenTo(by("image"));
listenTo(by("video"));
listenToDrops(document.documentElement);
by("cancel").addEventListener("click", cancel);
new ResizeObserver(() => {
  tell({ type: "height", height: Math.ceil(by("all").getBoundingClientRect().height) + 8 });
}).observe(by("all"));
tell({ type: "ready" });
