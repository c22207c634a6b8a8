/*
 * Asks LINE who this is, asks Sala for a fresh link, and goes on to the page that makes the codes.
 * Keeps nothing, shows no picture; LINE's script stays behind on this page.
 */
"use strict";

const LANGUAGES = ["th", "en", "es"];
const said = document.getElementById("said");
const page = JSON.parse(document.getElementById("page").textContent);

function asked(name) {
  const plain = new URLSearchParams(location.search);
  const wrapped = new URLSearchParams(plain.get("liff.state") ?? "");
  return plain.get(name) ?? wrapped.get(name);
}

function language() {
  const own = navigator.languages.map((name) => name.slice(0, 2));
  return [asked("lang"), ...own, "en"].find((name) => LANGUAGES.includes(name));
}

function say(word) {
  const chosen = language();
  document.documentElement.lang = chosen;
  said.textContent = page.texts[chosen][word] ?? page.texts[chosen].failed;
}

async function ticket(token) {
  const answer = await fetch("/line/ticket", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "omit",
    body: JSON.stringify({ id_token: token, language: language(), opens: asked("opens") ?? "hashes" }),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told.ticket;
}

async function open() {
  say("opening");
  await liff.init({ liffId: page.liff });
  if (!liff.isLoggedIn()) {
    say("outside");
    return;
  }
  const token = liff.getIDToken();
  if (!token) throw new Error("not_you");
  location.replace(`/app#${await ticket(token)}`);
}

open().catch((error) => say(error?.message));
