// The chat page: a stream in, posts out. It keeps nothing: not in the address, not in storage.
"use strict";

const page = JSON.parse(document.getElementById("page").textContent);
const at = (id) => document.getElementById(id);
const log = at("log"), box = at("box"), note = at("note"), main = document.querySelector("main");

// ---------------------------------------------------------------- words

let language = document.documentElement.lang;
let asked = null; // the language the person switched to, until the answers follow
let noted = "";

const words = (key) => page.texts[language][key];

function speak(next) {
  language = next;
  document.documentElement.lang = next;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = words(one.dataset.text);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", words(one.dataset.label));
  for (const one of document.querySelectorAll("[data-language]")) {
    one.setAttribute("aria-pressed", String(one.dataset.language === next));
  }
  box.placeholder = words("write");
  tell(noted);
}

function tell(key) {
  noted = key;
  note.textContent = key ? words(key) : "";
}

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// ---------------------------------------------------------------- the log

const shown = new Set();
let burst = null; // the first of the entries that came together last
let burstAt = 0;
let following = true;
let atEnd = true;
let lastTold = ""; // what stands last in the log, when it is not the person's
let hushed = false; // a line stands alone: nothing may join it until the person writes again
let helped = false; // the card was shown, and the chat has not answered since

function intoView(newest, own) {
  // What comes together is read from its beginning; whoever has scrolled up to read is left there.
  const now = performance.now();
  if (own || !burst || now - burstAt > 4000) {
    following = own || atEnd;
    burst = newest;
  }
  burstAt = now;
  if (following) main.scrollTop = burst.offsetTop - 8;
  whereabouts();
}

function whereabouts() {
  atEnd = main.scrollTop + main.clientHeight > main.scrollHeight - 24;
  at("more").hidden = atEnd;
}

function entry(kind, who, text, lang) {
  const made = make("li", kind);
  made.lang = lang;
  const said = make("p", "words");
  said.append(make("span", "unseen", words(who) + " "), ...text);
  made.append(said);
  return made;
}

function show(message) {
  acknowledge(message.id);
  if (shown.has(message.id)) return;
  shown.add(message.id);
  follow(message.lang);
  if (message.alone) clear();
  const told = JSON.stringify([message.text, message.choices]);
  if (told === lastTold) return; // the open question again, after the line was broken
  lastTold = told;
  const made = entry("theirs latest", "they", linked(message.text), message.lang);
  const choices = make("div", "choices");
  choices.append(...calls(message.calls || []), ...message.links.flatMap(link), ...message.choices.map(choice));
  if (choices.childElementCount) made.append(choices);
  for (const older of log.querySelectorAll(".latest")) older.classList.remove("latest");
  log.append(made);
  intoView(made, false);
}

function clear() {
  // Not even what could not be sent may come back to the screen.
  log.replaceChildren();
  document.querySelector(".before").hidden = true; // it speaks of someone looking
  for (const item of waiting) item.typed = "";
  burst = null;
  lastTold = "";
  hushed = true;
}

// Marks above and below a letter take no room of their own.
const size = (label) => ([...label.replace(/\p{M}/gu, "")].length <= 14 ? "short" : "");

function choice(one) {
  const made = make("button", size(one.label), one.label);
  made.type = "button";
  made.addEventListener("click", () => {
    if (made.getAttribute("aria-disabled") === "true") return;
    made.setAttribute("aria-disabled", "true");
    const again = () => made.removeAttribute("aria-disabled");
    say({ choice: one.data }, one.label, { done: again });
  });
  return made;
}

function link(one) {
  if (!/^https?:\/\//.test(one.url)) return [];
  return [outside("link", one.label, one.url, one.app ? "noopener" : "noopener noreferrer")];
}

function outside(className, label, url, rel) {
  const made = make("a", className, label);
  made.href = url;
  made.target = "_blank";
  made.rel = rel;
  made.append(make("span", "unseen", " " + words("new_tab")));
  return made;
}

const ADDRESS = /\bhttps:\/\/[a-z\d-]+(?:\.[a-z\d-]+)+(?::\d+)?(?:[/?#](?:[\w.~:/?#@!$&'()*+,;=%-]*[\w/#=&%~+-])?)?/gi;

function linked(text) {
  const parts = [];
  let end = 0;
  for (const { 0: address, index } of text.matchAll(ADDRESS)) {
    parts.push(text.slice(end, index), outside("", address, address, "noopener noreferrer"));
    end = index + address.length;
  }
  return [...parts, text.slice(end)];
}

function calls(all) {
  const numbers = new Map(all.map((one) => [one.url, one.label]));
  return [...numbers].flatMap(([url, label]) => (/^tel:[+*#\d]+$/.test(url) ? [call(label, url)] : []));
}

function call(label, url) {
  const made = make("a", "call " + size(label), label);
  made.href = url.replaceAll("#", "%23");
  made.rel = "noreferrer";
  return made;
}

function follow(lang) {
  if (lang === asked) asked = null;
  if (asked === null && lang !== language && page.texts[lang]) speak(lang);
}

function helpCard() {
  if (left || hushed || helped) return;
  helped = true;
  for (const old of log.querySelectorAll(".card")) old.remove();
  const made = make("li", "card", words("help_card"));
  made.lang = language;
  const choices = make("div", "choices");
  choices.append(...(page.help[language] || []).map(helpLine));
  made.append(choices);
  log.append(made);
  lastTold = "";
  if (atEnd) made.scrollIntoView({ block: "nearest" });
  whereabouts();
}

function helpLine(line) {
  // "Somewhere: 911 / SMS 911 (some areas)": the first number is dialled, the rest stands beside.
  const [, called, number, rest] = /^((?:.*?: )?(\d{2,15}))(?: \/ (.*))?$/.exec(line) || [];
  if (!number) return make("p", "", line);
  const made = call(called, "tel:" + number);
  if (!rest) return made;
  const both = make("p", "call-and");
  both.append(made, make("span", "", rest));
  return both;
}

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
  item.entry = entry("own", "you", [label], language);
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
