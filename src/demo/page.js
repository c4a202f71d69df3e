// Sets trackers like a tracking script, and shows which cookies scripts can read.
"use strict";

const names = () => new Set(document.cookie.split("; ").map((pair) => pair.split("=")[0]));
const random = () => crypto.getRandomValues(new Uint32Array(2)).join("");

// Before this script sets trackers: the cookies of earlier pages and of this page's Set-Cookie headers.
const onArrival = names();
for (const cookie of JSON.parse(document.getElementById("trackers").textContent)) {
  document.cookie = cookie.replace("{random}", random()).replace("{host}", location.hostname);
}

const fill = (cell, isThere) => {
  cell.textContent = isThere ? "yes" : "no";
  cell.className = isThere ? "yes" : "no";
};
let shown;
const show = () => {
  if (document.cookie === shown) return;
  shown = document.cookie;
  const now = names();
  for (const row of document.querySelectorAll("tr[data-name]")) {
    fill(row.querySelector(".on-arrival span"), onArrival.has(row.dataset.name));
    fill(row.querySelector(".now span"), now.has(row.dataset.name));
  }
  const live = document.getElementById("visible-to-scripts");
  if (live) live.textContent = shown.replaceAll("; ", "\n") || "(nothing)";
};
show();
setInterval(show, 1000);

const desks = document.getElementById("desks");
for (const button of document.querySelectorAll("button[data-call]")) {
  button.addEventListener("click", async () => {
    desks.textContent = "…";
    const response = await fetch(button.dataset.call, { headers: { Accept: "application/json" } });
    desks.textContent = `${response.status} ${response.statusText}\n${await response.text()}`;
  });
}
