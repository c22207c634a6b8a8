// The chat page: a stream in, posts out. It keeps nothing: not in the address, not in storage. What it
// shows is in log.js.
"use strict";

// ---------------------------------------------------------------- posts

const waiting = []; // not accepted yet, in order
let ready = false;
let opened = false;
let posting = false;
let left = false;
let later = 0;

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const json = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  credentials: "same-origin",
});

async function post(path, body) {
  const stop = new AbortController();
  const tooSlow = setTimeout(() => stop.abort(), 15000);
  try {
    return (await fetch(path, { ...json(body), signal: stop.signal })).status;
  } catch {
    return 0;
  } finally {
    clearTimeout(tooSlow);
  }
}

function say(what, label, { done = () => {}, help = false } = {}) {
  const item = { path: "/chat/say", body: { id: newId(), ...what }, done, help, typed: what.text };
  if (new Blob([JSON.stringify(item.body)]).size > page.most) return giveBack(item, "too_long");
  item.entry = entry("own", "you", [hidden(label)], language);
  item.state = make("p", "state");
  item.entry.append(item.state);
  log.append(item.entry);
  lastTold = "";
  hushed = false;
  intoView(item.entry, true);
  if (moved) connect();
  waiting.push(item);
  const slow = setTimeout(() => late(item), 1500);
  item.accepted = () => clearTimeout(slow);
  if (help) helped = false;
  if (help && !ready) helpCard();
  return drain();
}

function late(item) {
  if (!waiting.includes(item)) return;
  item.state.textContent = words("sending");
  if (item.help || !ready) helpCard();
}

async function drain() {
  clearTimeout(later);
  if (posting) return;
  posting = true;
  while (ready && waiting.length) {
    const item = waiting[0];
    const status = await post(item.path, item.body);
    if (!settled(item, status)) break;
  }
  posting = false;
}

// True when the next may follow; what was not accepted is kept and posted again with the same id.
function settled(item, status) {
  if (status === 204) {
    remove(item);
    if (item.path === "/chat/open") opened = true;
    helped = false;
    tell("");
    return true;
  }
  if (status === 413) return giveBack(item, "too_long");
  if (status === 400 || status === 403 || status === 415) return giveBack(item, "not_sent");
  helpCard();
  tell(status === 429 ? "slow_down" : "waiting");
  if (status === 401) again();
  else later = setTimeout(drain, status === 429 ? 5000 : 3000);
  return false;
}

function remove(item) {
  const place = waiting.indexOf(item);
  if (place >= 0) waiting.splice(place, 1);
  if (item.accepted) item.accepted();
  if (item.state) item.state.remove();
  if (item.done) item.done();
}

function giveBack(item, key) {
  remove(item);
  if (item.entry) item.entry.remove();
  if (item.entry === burst) burst = null;
  if (item.typed && !item.help) box.value = box.value ? item.typed + "\n" + box.value : item.typed;
  grow();
  tell(key);
  return true;
}

let toAcknowledge = [];

function acknowledge(id) {
  if (!toAcknowledge.length) setTimeout(sendSeen, 30);
  toAcknowledge.push(id);
}

function sendSeen() {
  const ids = toAcknowledge.splice(0, 100);
  post("/chat/seen", { ids });
  if (toAcknowledge.length) setTimeout(sendSeen, 30);
}

// ---------------------------------------------------------------- the stream

let source = null;
let connecting = false;
let moved = false;
let tries = 0;
let next = 0;
let quiet = 0;

async function connect() {
  clearTimeout(next);
  if (connecting || left) return;
  connecting = true;
  moved = false;
  hangUp();
  tell("connecting");
  const status = await post("/chat/visit", {});
  connecting = false;
  if (left) return;
  if (status !== 204) return again();
  source = new EventSource("/chat/stream");
  source.addEventListener("ready", onReady);
  source.addEventListener("message", (event) => { alive(); show(JSON.parse(event.data)); });
  source.addEventListener("tick", alive);
  source.addEventListener("moved", onMoved);
  source.addEventListener("error", again);
  alive();
}

function hangUp() {
  ready = false;
  clearTimeout(quiet);
  if (source) source.close();
  source = null;
}

function again() {
  hangUp();
  if (left) return;
  tell("connecting");
  if (tries) helpCard();
  clearTimeout(next);
  next = setTimeout(connect, Math.min(30000, 1000 * 2 ** tries) * (0.7 + 0.6 * Math.random()));
  tries = Math.min(tries + 1, 6);
}

function alive() {
  // A line can die without a word, as when a phone changes networks.
  clearTimeout(quiet);
  quiet = setTimeout(again, 50000);
}

function onReady() {
  alive();
  tries = 0;
  helped = false;
  ready = true;
  tell("");
  const unsent = waiting.find((item) => item.path === "/chat/open");
  if (!unsent) waiting.unshift({ path: "/chat/open", body: { id: newId(), language } });
  drain();
}

function onMoved() {
  hangUp();
  moved = true;
  tell("moved");
}

function hurry() {
  if (left || ready || moved || document.visibilityState === "hidden") return;
  if (!source) connect();
}

// ---------------------------------------------------------------- the person

function grow() {
  box.style.height = "";
  if (box.scrollHeight > box.clientHeight) box.style.height = box.scrollHeight + 2 + "px";
}

main.addEventListener("scroll", whereabouts, { passive: true });
new ResizeObserver(() => {
  if (atEnd) main.scrollTop = main.scrollHeight;
  whereabouts();
}).observe(main);
at("more").addEventListener("click", () => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  main.scrollBy({ top: main.clientHeight * 0.8, behavior: still ? "auto" : "smooth" });
  whereabouts();
});

function fit() {
  // iOS lays its keyboard over the page and pushes the top, with the way out, from sight.
  if (visualViewport.scale > 1.01) return;
  document.body.style.height = visualViewport.height + "px";
  scrollTo(0, 0);
}

function sendBox() {
  const text = box.value.trim();
  if (!text) return;
  box.value = "";
  grow();
  tell(ready ? "" : noted);
  say({ text }, text);
}

function leave(event) {
  event.preventDefault();
  left = true;
  document.body.hidden = true;
  document.body.replaceChildren();
  hangUp();
  fetch("/chat/leave", { ...json({}), keepalive: true }).catch(() => {});
  location.replace(page.exit);
}

at("exit").addEventListener("click", leave);
at("help").addEventListener("click", () => {
  const word = words("help_now_word");
  say({ text: word }, word, { help: true });
});
at("say").addEventListener("submit", (event) => { event.preventDefault(); sendBox(); box.focus(); });
box.addEventListener("input", grow);
box.addEventListener("focus", () => { if (moved) connect(); });
box.addEventListener("keydown", (event) => {
  const desktop = matchMedia("(hover: hover) and (pointer: fine)").matches;
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !desktop) return;
  event.preventDefault();
  sendBox();
});
for (const one of document.querySelectorAll("[data-language]")) {
  one.addEventListener("click", () => {
    if (one.dataset.language === language) return;
    speak(one.dataset.language);
    if (!opened) return;
    asked = language;
    say({ text: words("language_name") }, words("language_name"));
  });
}
if (window.visualViewport) visualViewport.addEventListener("resize", fit);
addEventListener("online", hurry);
addEventListener("offline", helpCard);
document.addEventListener("visibilitychange", hurry);
addEventListener("pageshow", (event) => { if (event.persisted && left) location.replace(page.exit); });

speak(language);
connect();
