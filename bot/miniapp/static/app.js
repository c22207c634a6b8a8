/*
 * The page around the frame: it holds the one-time ticket, shows the words, and sends the codes
 * when the person says so. One POST to /app/hashes, and nothing else leaves it. Keeps nothing.
 * With a ticket that opens a PIN there is no frame: it shows the PIN once, from one POST to /app/pin.
 */
"use strict";

const LANGUAGES = { th: "ไทย", en: "English", es: "Español" };
const FINAL = new Set(["unknown", "used", "expired"]);
const VARIANT = /^(file|(stored-)?(512|640|256)(-turn(90|180|270))?(-mirror)?|(self|frame)-[1-9][0-9]?)$/;
const DIGITS = { pdq: /^[0-9a-f]{64}$/, sha256: /^[0-9a-f]{64}$/, md5: /^[0-9a-f]{32}$/ };
const TELEGRAM_WEB = "https://web.telegram.org";

const by = (id) => document.getElementById(id);
const all = JSON.parse(by("texts").textContent);
const frame = by("box");
let ticket = takeTicket();
const opensPin = /^[a-z]{2}-pin-/.test(ticket);
let language = firstLanguage();
let items = [];
let hashing = false;
let sending = false;
let said = "";
let done = null;

function takeTicket() {
  // Telegram appends its own parameters to the fragment; they are not ours and are not kept.
  const found = /^#([\w-]{8,200})(?:[?&].*)?$/.exec(location.hash);
  showInAddress("");
  return found ? found[1] : "";
}

function showInAddress(fragment) {
  history.replaceState(null, "", location.pathname + (fragment && `#${fragment}`));
}

function firstLanguage() {
  const ofTicket = /^(th|en|es)-/.exec(ticket)?.[1];
  const ofBrowser = navigator.languages.map((name) => name.slice(0, 2));
  return [ofTicket, ...ofBrowser, "en"].find((name) => Object.hasOwn(LANGUAGES, name));
}

function words(id, values = {}) {
  return (all[language][id] ?? "").replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

function show() {
  document.documentElement.lang = language;
  document.title = words("title");
  for (const place of document.querySelectorAll("[data-text]")) {
    place.textContent = words(place.dataset.text);
  }
  frame.title = words("box.title");
  by("languages").setAttribute("aria-label", words("languages"));
  for (const button of by("languages").children) {
    button.setAttribute("aria-pressed", String(button.lang === language));
  }
  by("said").textContent = by("pin-said").textContent = words(said);
  by("ask-pin").disabled = sending;
  by("pin-what").hidden = by("ask-pin").hidden = !ticket;
  by("send").disabled = hashing || sending || !items.length || !ticket;
  frame.inert = sending;
  if (done) showDone();
  tellFrame();
}

function tellFrame() {
  const texts = Object.entries(all[language]).filter(([id]) => /^(box|problem)\./.test(id));
  frame.contentWindow?.postMessage({ type: "texts", language, texts: Object.fromEntries(texts) }, "*");
}

function say(id) {
  said = id;
  show();
}

function languageButtons() {
  for (const [code, name] of Object.entries(LANGUAGES)) {
    const button = document.createElement("button");
    button.type = "button";
    button.lang = code;
    button.textContent = name;
    button.addEventListener("click", () => {
      language = code;
      show();
    });
    by("languages").append(button);
  }
}

// ------------------------------------------------------- what the frame may say

function hear(event) {
  if (event.source !== frame.contentWindow || event.origin !== "null") return;
  const { type, items: given, busy: working, height } = event.data ?? {};
  if (type === "ready") tellFrame();
  else if (type === "items") takeItems(given);
  else if (type === "busy") takeBusy(working === true);
  else if (type === "height") frame.height = Math.min(Math.max(Number(height) || 0, 120), 2000);
  else if (type === "stuck") showStuck(true);
}

function takeItems(given) {
  const clean = Array.isArray(given) && given.length <= 10 ? given.map(cleanItem) : [null];
  if (clean.includes(null)) return;
  items = clean;
  showStuck(false);
  say("");
}

function takeBusy(now) {
  hashing = now;
  show();
}

function cleanItem(given) {
  if (given?.media !== "image" && given?.media !== "video") return null;
  if (!Array.isArray(given.hashes) || given.hashes.length > 62) return null;
  const hashes = given.hashes.map(cleanHash);
  return hashes.includes(null) ? null : { media: given.media, hashes };
}

function cleanHash(given) {
  const { kind, variant, value, quality } = given ?? {};
  if (!Object.hasOwn(DIGITS, kind) || !DIGITS[kind].test(value) || !VARIANT.test(variant)) return null;
  if (kind !== "pdq") return { kind, variant: String(variant), value: String(value) };
  if (!Number.isInteger(quality) || quality < 0 || quality > 100) return null;
  return { kind, variant: String(variant), value: String(value), quality };
}

// The in-app browser's own "open in browser" takes the address along: it needs the ticket again.
function showStuck(now) {
  by("stuck").hidden = !now;
  showInAddress(now ? ticket : "");
}

// ------------------------------------------------------- sending

function send() {
  return ask("/app/hashes", { ticket, items }, "sending", "error");
}

function showPin() {
  return ask("/app/pin", { ticket }, "pin.sending", "pin.error");
}

async function ask(where, what, waiting, problem) {
  sending = true;
  say(waiting);
  const answer = await post(where, what);
  sending = false;
  if (typeof answer.case === "string") return finish(answer);
  if (FINAL.has(answer.error)) ticket = "";
  const told = `${problem}.${answer.error}`;
  return say(told in all[language] ? told : `${problem}.network`);
}

async function post(where, what) {
  try {
    const response = await fetch(where, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(what),
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
    });
    return await response.json();
  } catch {
    return { error: "network" };
  }
}

function finish(answer) {
  done = { number: answer.case, pin: answer.pin, images: answer.images };
  ticket = "";
  items = [];
  only("done");
  show();
  by("done-heading").focus();
}

function only(section) {
  frame.remove();
  for (const other of ["make", "show-pin"]) by(other).hidden = true;
  by(section).hidden = false;
}

function showDone() {
  by("done-heading").textContent = words(opensPin ? "pin.heading" : "done.heading");
  by("count").textContent = words("done.count", { n: done.images });
  by("case").textContent = done.number;
  by("pin-line").hidden = !done.pin;
  by("pin").textContent = done.pin ?? "";
  by("pin-note").textContent = words(done.pin ? "done.pin_note" : "done.pin_before");
}

function goodbye() {
  window.TelegramWebviewProxy?.postEvent("web_app_close", "");
  if (parent !== window) parent.postMessage('{"eventType":"web_app_close","eventData":""}', TELEGRAM_WEB);
  window.close();
  by("closed").textContent = words("closed");
}

// ------------------------------------------------------- who else may look at the screen

function blank() {
  ticket = "";
  items = [];
  done = null;
  document.documentElement.replaceChildren();
}

function leave(event) {
  const elsewhere = event.currentTarget.href;
  event.preventDefault();
  blank();
  location.replace(elsewhere);
}

function cover() {
  document.documentElement.classList.toggle("covered", document.visibilityState === "hidden");
}

languageButtons();
by("send").addEventListener("click", send);
by("ask-pin").addEventListener("click", showPin);
by("close").addEventListener("click", goodbye);
by("exit").addEventListener("click", leave);
document.addEventListener("visibilitychange", cover);
addEventListener("message", hear);
addEventListener("pagehide", blank);
addEventListener("pageshow", (event) => event.persisted && location.reload());
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
if (!ticket) only("lost");
else if (opensPin) only("show-pin");
show();
