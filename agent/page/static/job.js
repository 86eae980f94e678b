// One job's frames, stepped through by keys: the page of each frame is asked for, and its picture and strip taken over.

const viewer = document.querySelector(".viewer");
const total = Number(viewer.dataset.total);
const strip = () => document.getElementById("strip");
const frame = () => document.getElementById("frame");
let shown = Number(frame().dataset.frame);
let wanted = shown;
let busy = false;

function address(number, more = "") {
  return `${location.pathname}?frame=${number}${more}`;
}

async function ask(number, more) {
  const answer = await fetch(address(number, more), { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function take(found, id) {
  const old = document.getElementById(id);
  const now = found.getElementById(id);
  if (old && now) old.replaceWith(document.adoptNode(now));
}

// The picture that is there stays until the next one has come, so that nothing flickers.
async function loaded(found) {
  const picture = found.getElementById("picture");
  if (!picture) return;
  const ahead = new Image();
  ahead.src = picture.getAttribute("src");
  await Promise.race([ahead.decode().catch(() => {}), new Promise((done) => setTimeout(done, 3000))]);
}

function mark() {
  for (const link of strip()?.querySelectorAll("ol a") ?? []) {
    const here = Number(link.dataset.frame) === shown;
    if (here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    if (here) {
      const row = link.closest("ol"); // not scrollIntoView: that moves the page, too
      row.scrollLeft = link.parentElement.offsetLeft - row.offsetLeft - (row.clientWidth - link.offsetWidth) / 2;
    }
  }
  for (const input of viewer.querySelectorAll(".steps input")) {
    if (input !== document.activeElement || input.type === "number") input.value = shown;
  }
}

function ready() {
  const now = frame();
  for (const source of now.dataset.beside.split(" ").filter(Boolean)) new Image().src = source;
  if ("large" in now.dataset) draw(shown);
}

async function draw(number) {
  const found = await ask(number, "&drawn=1");
  if (number === shown && Number(found.getElementById("frame")?.dataset.frame) === number) take(found, "frame");
}

async function show(again = false) {
  if (busy) return;
  busy = true;
  try {
    while (again || wanted !== shown) {
      again = false;
      const number = wanted;
      const found = await ask(number);
      await loaded(found);
      shown = number;
      take(found, "frame");
      if (strip()?.dataset.first !== found.getElementById("strip")?.dataset.first) take(found, "strip");
      history.replaceState(null, "", address(shown));
      mark();
      document.getElementById("step").textContent = frame().dataset.told;
    }
    ready();
  } catch {
    wanted = shown;
    document.getElementById("step").textContent = "The frame could not be had";
  } finally {
    busy = false;
  }
}

function go(number) {
  wanted = Math.min(Math.max(number, 1), total);
  show();
}

const KEYS = { ArrowLeft: () => wanted - 1, ArrowRight: () => wanted + 1, Home: () => 1, End: () => total };

document.addEventListener("keydown", (event) => {
  const key = KEYS[event.key];
  if (!key || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  go(key());
});

viewer.addEventListener("click", (event) => {
  const link = event.target.closest("#strip a[data-frame]");
  const button = event.target.closest("button[data-step]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    go(Number(link.dataset.frame));
  } else if (button) {
    const step = button.dataset.step;
    go(step === "first" ? 1 : step === "last" ? total : wanted + Number(step));
  }
});

viewer.querySelector(".steps")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const number = viewer.querySelector(".steps input[type=number]");
  number.blur();
  go(Math.round(Number(number.value)) || shown);
});
viewer.querySelector(".steps input[type=range]")?.addEventListener("input", (event) => go(Number(event.target.value)));
for (const hidden of viewer.querySelectorAll(".steps [hidden]")) hidden.hidden = false;

// What the page has heard of the job since: its result has come, or its frames are known.
const facts = () => document.querySelector(".facts")?.dataset ?? {};
const known = () => [facts().result, facts().frames, facts().state].join("|");
let before = known();
document.addEventListener("htmx:afterSettle", () => {
  if (known() === before) return;
  const frames = before.split("|")[1];
  before = known();
  if (facts().frames !== frames) location.reload();
  else show(true);
});

mark();
ready();
