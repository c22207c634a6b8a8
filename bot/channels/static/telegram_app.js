/*
 * Shows Telegram's word for who opened this page to our own server, once, and goes on with the
 * one-time ticket that comes back. Keeps nothing; no script but this one runs here.
 */
"use strict";

const TELEGRAM_WEB = "https://web.telegram.org";

// Read before the address is cleaned.
const opens = new URLSearchParams(location.search).get("opens") ?? "hashes";

function takeInitData() {
  const given = new URLSearchParams(location.hash.slice(1)).get("tgWebAppData");
  history.replaceState(null, "", location.pathname);
  return given ?? "";
}

function tellTelegram(eventType) {
  // On phones, on computers, on the web.
  if (window.TelegramWebviewProxy) window.TelegramWebviewProxy.postEvent(eventType, "{}");
  else if (typeof window.external?.notify === "function") {
    window.external.notify(JSON.stringify({ eventType, eventData: {} }));
  } else if (parent !== window) {
    parent.postMessage(JSON.stringify({ eventType, eventData: {} }), TELEGRAM_WEB);
  }
}

async function ticketFor(initData) {
  const answer = await fetch("/telegram/ticket", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ init_data: initData, language: document.documentElement.lang, opens }),
    credentials: "omit",
    referrerPolicy: "no-referrer",
  });
  if (!answer.ok) throw new Error("no ticket");
  return (await answer.json()).ticket;
}

async function goOn() {
  const initData = takeInitData();
  tellTelegram("web_app_ready");
  tellTelegram("web_app_expand");
  try {
    location.replace(`/app#${await ticketFor(initData)}`);
  } catch {
    document.getElementById("wait").hidden = true;
    document.getElementById("lost").hidden = false;
  }
}

document.getElementById("close").addEventListener("click", () => tellTelegram("web_app_close"));
goOn();
