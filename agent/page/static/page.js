// What HTML alone does not do: ages that grow, a word when the page's server is away, a button that copies a command.

const UNITS = [[86400, "days"], [3600, "h"], [60, "min"]];

function age(seconds) {
  const [size, unit] = UNITS.find(([length]) => Math.abs(seconds) >= 2 * length) || [1, "s"];
  return `${Math.round(Math.abs(seconds) / size)} ${unit}`;
}

function told(time) {
  const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
  if ("lasts" in time.dataset) return `for ${age(seconds)}`;
  return seconds < -1 ? `in ${age(seconds)}` : `${age(seconds)} ago`;
}

function tell() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = told(time);
    if (time.textContent !== text) time.textContent = text;
  }
}

const away = document.getElementById("away");
let since = null;

function answered() {
  since = null;
  away.hidden = true;
}

function silent() {
  since = since || new Date();
  away.textContent = `No answer since ${since.toLocaleTimeString()}: what is shown here is of then.`;
  away.hidden = false;
}

document.addEventListener("htmx:afterOnLoad", answered);
document.addEventListener("htmx:sendError", silent);
document.addEventListener("htmx:timeout", silent);
document.addEventListener("htmx:afterSwap", tell);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copies]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
  const text = button.textContent;
  button.textContent = "copied";
  setTimeout(() => (button.textContent = text), 1500);
});
// A file that is no picture has no thumbnail: a place without a picture says as much.
document.addEventListener("error", (event) => event.target.tagName === "IMG" && event.target.classList.add("broken"), true);
setInterval(tell, 1000);
tell();
