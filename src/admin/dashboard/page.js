// Updates the dashboard and changes tenants through the API. Without this script the page shows the state when it was
// loaded.
"use strict";

const find = (selector, within = document) => within.querySelector(selector);
const [board, hosts, link, announcement, trouble] = ["board", "hosts", "link", "announcement", "trouble"].map((id) => find(`#${id}`));
const search = find("#search");
const confirmation = find("#confirm");
const language = document.body.dataset.lang;

// --- Requests -------------------------------------------------------------------------------------------------------

// The token is kept for this tab only, and sent only in the Authorization header.
const TOKEN = "crumbgate-token";
let held = sessionStorage.getItem(TOKEN);
const token = {
  get: () => held,
  set: (text) => {
    held = text;
    sessionStorage.setItem(TOKEN, text);
  },
  forget: () => {
    held = null;
    sessionStorage.removeItem(TOKEN);
  },
};

// An error response, with the detail of its problem document.
class ApiError extends Error {
  constructor(status, { detail } = {}) {
    super(detail ?? `HTTP ${status}`);
    this.status = status;
  }
}

const request = async (path, { method = "GET", body, match } = {}) => {
  const headers = {};
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  if (body) headers["Content-Type"] = "application/json";
  if (match) headers["If-Match"] = `"${match}"`;
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => undefined));
  return answer;
};

const address = (path, parameters) => `${path}?${new URLSearchParams({ lang: language, ...parameters })}`;
const fill = (text, values) => text.replaceAll(/\{(\w+)\}/g, (_, name) => values[name]);

// --- Updates --------------------------------------------------------------------------------------------------------

const PERIOD_MS = 2000;
const REQUEST_TIMEOUT_MS = 10_000;
const shown = new Map();
let timer;
let turn = 0;
let lastAnswer = new Date();
let isLost = false;

const setLink = (state, text) => {
  link.dataset.state = state;
  if (link.textContent !== text) link.textContent = text;
};

const setTrouble = (text) => {
  if (trouble.textContent !== text) trouble.textContent = text;
  trouble.hidden = !text;
};

const found = () => {
  isLost = false;
  lastAnswer = new Date();
  document.body.classList.remove("lost");
  setLink("live", link.dataset.live);
  setTrouble("");
};

const lose = (error) => {
  const time = lastAnswer.toLocaleTimeString(language, { hour12: false });
  isLost = true;
  document.body.classList.add("lost");
  setLink("lost", fill(link.dataset.lost, { time }));
  setTrouble(error instanceof ApiError ? `${link.dataset.refused} ${error.message}` : link.dataset.detail);
};

const isEditing = () => Boolean(find(".editor", hosts)) || confirmation.open;

const show = (answer) => {
  document.title = answer.title;
  for (const [place, html] of Object.entries(answer.panels)) {
    if (shown.get(place) === html) continue;
    const slot = find(`[data-slot="${place}"]`);
    // Keep details open or closed, and keep the focus.
    const open = find("details", slot)?.open;
    const hadFocus = slot.contains(document.activeElement);
    slot.innerHTML = html;
    const details = find("details", slot);
    if (details && open !== undefined) details.open = open;
    if (hadFocus) find("summary", slot)?.focus();
    shown.set(place, html);
  }
};

const update = async () => {
  clearTimeout(timer);
  if (document.hidden) return;
  turn += 1;
  const mine = turn;
  try {
    const answer = await (await request(address("/dashboard/panels"))).json();
    if (mine !== turn) return;
    // A gateway of another version has taken over: load its page and script.
    if (answer.version !== document.body.dataset.version && !isEditing()) return location.reload();
    show(answer);
    if (answer.tenants !== find(".found", hosts)?.dataset.version && !isEditing()) await list();
    found();
    admit();
  } catch (error) {
    if (mine !== turn) return;
    if (error.status === 401) return askForToken(Boolean(token.get()));
    lose(error);
  }
  timer = setTimeout(update, PERIOD_MS);
};

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    turn += 1;
    clearTimeout(timer);
    if (!isLost) setLink("paused", link.dataset.paused);
  } else if (!isAsking()) {
    update();
  }
});

// --- Tokens ---------------------------------------------------------------------------------------------------------

const asking = find("#token");
const forget = find("#forget");
const isAsking = () => Boolean(asking) && !asking.hidden;

const askForToken = (isWrong) => {
  // A reload of the gateway has introduced tokens since this page was loaded.
  if (!asking) return location.reload();
  turn += 1;
  searches += 1;
  clearTimeout(timer);
  token.forget();
  // Remove everything that was shown with the old token.
  if (confirmation.open) confirmation.close();
  for (const slot of [...document.querySelectorAll("[data-slot]"), hosts]) slot.replaceChildren();
  shown.clear();
  document.title = "Crumbgate";
  board.hidden = true;
  forget.hidden = true;
  asking.hidden = false;
  link.textContent = "";
  delete link.dataset.state;
  setTrouble("");
  find("#token-wrong").textContent = isWrong ? find("#token-wrong").dataset.wrong : "";
  find("#token-text").focus();
};

const admit = () => {
  board.hidden = false;
  if (!asking) return;
  const wasAsking = isAsking();
  asking.hidden = true;
  forget.hidden = false;
  find("#token-text").value = "";
  if (wasAsking) find("#dashboard").focus();
};

asking?.addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(find("#token-text").value.trim());
  update();
});

forget.addEventListener("click", () => askForToken(false));

// --- Tenants --------------------------------------------------------------------------------------------------------

let searches = 0;

const list = async () => {
  searches += 1;
  const mine = searches;
  const answer = await request(address("/dashboard/tenants", { q: search.elements.q.value }));
  const html = await answer.text();
  if (mine !== searches || isEditing()) return;
  const focused = hosts.contains(document.activeElement) && document.activeElement.closest("tr")?.dataset.host;
  hosts.innerHTML = html;
  if (focused) buttonOf(focused)?.focus();
};

const buttonOf = (host) => find(`tr[data-host="${CSS.escape(host)}"] .edit`, hosts);

// The next update reports errors.
const listAgain = () => list().catch(() => undefined);

const searchAgain = async () => {
  leave();
  await listAgain();
  announcement.textContent = find(".foot, .empty", hosts)?.textContent ?? "";
};

let typing;
search.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(searchAgain, 150);
});
search.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  searchAgain();
});

// Closes the open editor, if any.
const leave = () => {
  const editor = find(".editor", hosts);
  if (!editor) return;
  const place = editor.closest("tr");
  const row = place.previousElementSibling;
  row.classList.remove("edited");
  place.remove();
};

const edit = async (button) => {
  leave();
  const row = button.closest("tr");
  const { host } = row.dataset;
  const editor = find("#editor").content.cloneNode(true).firstElementChild;
  const label = find("label", editor);
  const input = find("input", editor);
  label.textContent = fill(label.dataset.label, { host });
  input.value = find(".session", row).textContent;
  row.classList.add("edited");
  const place = row.parentElement.insertRow(row.sectionRowIndex + 1);
  place.className = "editing";
  place.insertCell().append(editor);
  place.cells[0].colSpan = row.cells.length;
  input.focus();
  input.select();
  // The change is based on the tenant as it is now, so that another operator's change is not overwritten.
  let reading;
  const tenant = () => {
    reading ??= request(`/v1/tenants/${encodeURIComponent(host)}`).then((answer) => answer.json());
    reading.catch(() => { reading = undefined; });
    return reading;
  };
  tenant();
  editor.addEventListener("submit", async (event) => {
    event.preventDefault();
    await propose(editor, host, tenant);
  });
  const back = () => {
    leave();
    button.focus();
    listAgain();
  };
  find(".cancel", editor).addEventListener("click", back);
  editor.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    back();
  });
};

hosts.addEventListener("click", (event) => {
  const button = event.target.closest(".edit");
  if (button) edit(button);
});

// Simulates the change, then asks the operator to confirm it.
const propose = async (editor, host, tenant) => {
  const refusal = find(".refusal", editor);
  const input = find("input", editor);
  refusal.textContent = "";
  input.removeAttribute("aria-invalid");
  try {
    const { keys, etag } = await tenant();
    const change = { method: "PUT", body: { ...keys, session: input.value.trim() }, match: etag };
    const path = `/v1/tenants/${encodeURIComponent(host)}`;
    const { before, after } = await (await request(`${path}?dry_run=true`, change)).json();
    if (before?.session_s === after.session_s) {
      refusal.textContent = refusal.dataset.same;
      input.focus();
      return;
    }
    confirm({ host, before: before?.session, after: after.session, make: () => request(path, change) });
  } catch (error) {
    showError(refusal, error);
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
};

// Error texts of the API are in English.
const showError = (place, error) => {
  const isFromApi = error instanceof ApiError;
  place.lang = isFromApi ? "en" : language;
  place.textContent = isFromApi ? error.message : link.dataset.detail;
};

let pending;

const confirm = (change) => {
  pending = change;
  find(".host", confirmation).textContent = change.host;
  find(".before", confirmation).textContent = change.before ?? "–";
  find(".after", confirmation).textContent = change.after;
  find(".refusal", confirmation).textContent = "";
  confirmation.showModal();
  find(".do", confirmation).focus();
};

find("form", confirmation).addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "do") return;
  event.preventDefault();
  const { host, after, make } = pending;
  const button = find(".do", confirmation);
  if (button.disabled) return;
  button.disabled = true;
  try {
    await make();
    confirmation.close("done");
    leave();
    await listAgain();
    announcement.textContent = fill(confirmation.dataset.changed, { host, session: after });
    const row = buttonOf(host)?.closest("tr");
    row?.classList.add("changed");
    buttonOf(host)?.focus();
  } catch (error) {
    showError(find(".refusal", confirmation), error);
  } finally {
    button.disabled = false;
  }
});

// Back to the input, which keeps its text.
confirmation.addEventListener("close", () => {
  find(".editor input", hosts)?.focus();
});

// --- Start ----------------------------------------------------------------------------------------------------------

if (asking && !token.get()) askForToken(false);
else update();
