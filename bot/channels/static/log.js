// What the chat page shows: its words in three languages, and the log with its card. What comes and
// goes is in chat.js.
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

// Who picks the phone up later must not find the PIN in the log.
const hidden = (said) => said.replace(/(?<![\d๐-๙])[\d๐-๙]{3}[ -]?[\d๐-๙]{3}(?![ -]?[\d๐-๙])/g, "••••••");

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

