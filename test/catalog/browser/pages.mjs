// Looks at the catalog's pages in Chromium: node pages.mjs PACKAGES URL PAGES [PICTURES]
//
// PACKAGES has playwright-core and axe-core; PAGES is a file of lines "NAME PATH"; the directory PICTURES, if it is given, gets a picture of each page at two widths
// in both colour schemes. Exits with 1 after saying what is wrong.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";

const [packages, origin, list, pictures] = process.argv.slice(2);
const require = createRequire(packages + "/package.json");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const pages = readFileSync(list, "utf8").trim().split("\n").map((line) => line.split(" "));
if (pictures) mkdirSync(pictures, { recursive: true });

let wrong = 0;
const complain = (where, what) => {
  console.log(`${where}: ${what}`);
  ++wrong;
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// A window, in which pages of the catalog are opened one after the other: a window for each takes most of the time. What a page asks
// other servers for, and what it says of errors, is wrong.
async function window_with(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  let where = "";
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) complain(where, `asks ${request.url()}`);
  });
  page.on("console", (message) => message.type() === "error" && complain(where, message.text()));
  page.on("pageerror", (error) => complain(where, String(error)));
  page.on("dialog", (dialog) => (complain(where, `a dialog: ${dialog.message()}`), dialog.dismiss()));
  const show = async (name, path) => {
    where = name;
    const response = await page.goto(origin + path);
    if (response.status() !== 200) complain(where, `status ${response.status()}`);
  };
  return { context, page, show };
}
async function open(where, path, options) {
  const { context, page, show } = await window_with(options);
  await show(where, path);
  return { context, page };
}

// What axe does not look at: texts in pictures, and whether a page is wider than the screen.
const look = () => {
  const found = [];
  const light = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  if (document.scrollingElement.scrollWidth > innerWidth) found.push(`it is ${document.scrollingElement.scrollWidth} pixels wide on a screen of ${innerWidth}`);
  const shown = [...document.querySelectorAll("svg.map")].filter((map) => map.getBoundingClientRect().width > 0);
  for (const map of shown) {
    const scale = map.getBoundingClientRect().width / map.viewBox.baseVal.width;
    for (const text of map.querySelectorAll("text")) {
      const rect = text.parentElement.querySelector("rect");
      const [a, b] = [light(getComputedStyle(text).fill), light(getComputedStyle(rect).fill)].sort((x, y) => y - x);
      if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`'${text.textContent}' has a contrast of ${(a + 0.05) / (b + 0.05)}`);
      if (parseFloat(getComputedStyle(text).fontSize) * scale < 10) found.push(`'${text.textContent}' is ${parseFloat(getComputedStyle(text).fontSize) * scale} pixels high`);
      if (text.getBoundingClientRect().right > rect.getBoundingClientRect().right + 1) found.push(`'${text.textContent}' leaves its tile`);
    }
  }
  if (document.querySelector(".map") && shown.length !== 1) found.push(`${shown.length} treemaps are shown`);
  for (const table of document.querySelectorAll("table")) if (!table.caption?.textContent.trim()) found.push("a table has no caption");
  for (const name of ["script", "iframe", "object", "embed", "[style]"]) if (document.querySelector(`body ${name}`)) found.push(`there is a ${name}`);
  for (const one of document.querySelectorAll("*"))
    for (const attribute of one.attributes) if (attribute.name.startsWith("on")) found.push(`there is an attribute ${attribute.name}`);
  return found;
};

for (const colorScheme of ["light", "dark"])
  for (const [form, width] of [["phone", 390], ["desktop", 1280]]) {
    const { context, page, show } = await window_with({ colorScheme, viewport: { width, height: 900 }, reducedMotion: "reduce" });
    for (const [name, path] of pages) {
      const where = `${name}, ${colorScheme}, ${form}`;
      await show(where, path);
      for (const problem of await page.evaluate(look)) complain(where, problem);
      await page.evaluate(axe);
      const result = await page.evaluate(() => axe.run());
      for (const violation of result.violations)
        for (const node of violation.nodes) complain(where, `${violation.id}: ${node.failureSummary} at ${node.html}`);
      if (result.passes.length < 10) complain(where, "axe looked at nearly nothing");
      if (await page.evaluate(() => "fooled" in window)) complain(where, "somebody's text was run");
      if (pictures) await page.screenshot({ path: `${pictures}/${name}-${colorScheme}-${form}.png`, fullPage: true });
    }
    await context.close();
  }

// By keyboard, without JavaScript in the page: what has the focus is asked of the browser.
{
  const where = "by keyboard";
  const { context, page } = await open(where, "/", { javaScriptEnabled: false, viewport: { width: 1280, height: 900 } });
  const focused = () => page.locator(":focus");
  await page.keyboard.press("Tab");
  if ((await focused().textContent()) !== "Skip to the content") complain(where, "the first stop does not skip to the content");
  const box = await focused().boundingBox();
  if (!box || box.y < 0) complain(where, "the link that skips cannot be seen when it has the focus");
  await page.keyboard.press("Enter");
  if (!page.url().endsWith("#main")) complain(where, `skipping leads to ${page.url()}`);
  await page.keyboard.press("Tab");
  if ((await focused().getAttribute("id")) !== "q") complain(where, "after skipping, the first stop is not the search");
  await page.keyboard.type("says web");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=says/);
  if ((await page.getByRole("link", { name: "web", exact: true }).count()) !== 1) complain(where, "the search does not find 'web'");
  await page.goto(origin + "/");
  const stops = [];
  for (let i = 0; i < 7; ++i) {
    await page.keyboard.press("Tab");
    stops.push(((await focused().textContent()) || (await focused().getAttribute("id"))).trim());
  }
  const expected = "Skip to the content|Catalog|Packages|Environments|Status|q|Search";
  if (stops.join("|") !== expected) complain(where, `the stops are ${stops.join("|")}`);
  await context.close();
}

// Without JavaScript, with a keyboard's focus: an outline that is seen.
{
  const where = "the focus";
  const { context, page } = await open(where, "/", { viewport: { width: 1280, height: 900 } });
  for (let i = 0; i < 12; ++i) {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => ({ text: document.activeElement.outerHTML, width: parseFloat(getComputedStyle(document.activeElement).outlineWidth), kind: getComputedStyle(document.activeElement).outlineStyle }));
    if (outline.kind === "none" || outline.width < 2) complain(where, `is not seen at ${outline.text.slice(0, 100)}`);
  }
  await context.close();
}

// Every page without JavaScript has its heading and its content.
{
  const { context, page, show } = await window_with({ javaScriptEnabled: false, viewport: { width: 1280, height: 900 } });
  for (const [name, path] of pages) {
    const where = `${name}, without JavaScript`;
    await show(where, path);
    if ((await page.getByRole("heading", { level: 1 }).count()) !== 1) complain(where, "has no heading, or several");
    if ((await page.getByRole("main").innerText()).length < 40) complain(where, "is empty");
  }
  await context.close();
}

await browser.close();
console.log(`${pages.length} pages, ${wrong} complaints`);
process.exit(wrong === 0 ? 0 : 1);
