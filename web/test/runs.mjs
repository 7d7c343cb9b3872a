// The page of `elman serve` in a real browser: node test/runs.mjs ADDRESS FILES [FOLDER for screenshots]
// FILES is JSON: for each run, a file to give it, or "". Prints one JSON object: what was found wrong.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, given, folder] = process.argv.slice(2);
const files = JSON.parse(given);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
const wrong = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
// the page's own policy allows no script from outside; the checker is one
const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
const checking = await browser.newContext({ viewport: { width: 1200, height: 900 }, bypassCSP: true });
for (const one of [context, checking]) one.setDefaultTimeout(90000);

async function open(tab, run, within = context) {
  const page = await within.newPage();
  const say = (what) => wrong.push(`${run}, ${tab}: ${what}`);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && say(`console: ${message.text()}`));
  page.on("pageerror", (error) => say(`error: ${error.message}`));
  page.on("request", (request) => !/^(blob:|data:)/.test(request.url()) && !request.url().startsWith(new URL(address).origin) && say(`asks elsewhere: ${request.url()}`));
  await page.goto(`${address}#/${tab}?run=${run}`);
  await page.locator("h1").filter({ hasText: run }).waitFor({ timeout: 90000 });
  await page.locator("main :is(.panel, .drop, p)").first().waitFor({ timeout: 90000 });
  return { page, say };
}

/** What a person does with each panel, by keyboard, and what must then stand there. */
const USES = {
  async language(page) {
    await page.getByRole("button", { name: "Write", exact: true }).press("Enter");
    await page.waitForFunction(() => document.querySelector(".written").innerText.length > 300, null, { timeout: 90000 });
  },
  async sentiment(page) {
    await page.getByLabel("Text").fill("the food was bad <script>alert(1)</script>");
    await page.locator(".tokens span").filter({ hasText: "script" }).first().waitFor({ timeout: 90000 });
  },
  async parity(page) {
    for (const bit of ["1", "0", "1"]) await page.getByRole("button", { name: bit, exact: true }).press("Enter");
    await page.getByText(/After 3 bits, 2 of them ones/).waitFor({ timeout: 90000 });
  },
  async translation(page) {
    await page.getByLabel("Text").fill("the a dog u");
    await page.getByRole("button", { name: "Translate" }).press("Enter");
    await page.locator("table.align td").nth(3).waitFor({ timeout: 90000 });
  },
  async series(page, file) {
    await page.locator("input[type=file]").setInputFiles(file);
    await page.locator("meter").first().waitFor({ timeout: 90000 });
  },
  async forecasting(page, file) {
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByText("baseline: last value").waitFor({ timeout: 90000 });
  },
  async captioning(page, file) {
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByText("next best").first().waitFor({ timeout: 90000 });
  },
  async speech(page, file) {
    const heard = page.waitForResponse((answer) => answer.url().endsWith("/stream"));
    await page.locator("input[type=file]").setInputFiles(file);
    if ((await heard).status() !== 200) throw new Error("the recording was not taken");
  },
};

async function look(page, say, name) {
  for (const width of [380, 1200, 1920]) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(250);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) say(`is ${over} pixels wider than ${width}`);
    if (folder) await page.screenshot({ path: `${folder}/${name}-${width}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 1200, height: 900 });
  await page.evaluate(axe);
  for (const theme of ["light", "dark"]) {
    await page.evaluate((to) => (document.documentElement.dataset.theme = to), theme);
    const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), RULES);
    for (const one of violations) say(`axe, ${theme}: ${one.id}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ")}`);
  }
}

const { runs: all } = await (await fetch(`${address}v1/runs`)).json();
const only = process.env.ONLY?.split(",");
const runs = only ? all.filter((run) => only.includes(run.name)) : all;
for (const run of runs) {
  for (const within of [context, checking]) {
    const { page, say } = await open("use", run.name, within);
    await USES[run.task]?.(page, files[run.name]).catch((error) => say(error.message.split("\n")[0]));
    if (within === checking) await look(page, say, run.name);
    await page.close();
  }
}
const looked = runs.find((run) => run.task === "language") ?? runs[0];
for (const [view, text] of [["unrolled", "Gradient flow"], ["units", "Units that track something"], ["state space", "turn"]]) {
  const { page, say } = await open("look", looked.name, checking);
  try {
    await page.getByRole("radio", { name: new RegExp(view) }).check({ force: true });
    if (view === "state space") {
      await page.getByRole("radio", { name: "3-D" }).check({ force: true });
      await page.getByLabel(/fixed and slow/).check();
      await page.getByRole("columnheader", { name: "speed" }).waitFor({ timeout: 90000 });
    }
    await page.getByText(text).first().waitFor({ timeout: 90000 });
    if (view === "units") {
      await page.getByLabel("threshold").press("Home");
      await page.getByText(/units are on throughout/).waitFor({ timeout: 90000 });
      await page.getByLabel("unit", { exact: true }).press("ArrowRight");
      await page.getByRole("heading", { name: /unit 1$/ }).waitFor({ timeout: 90000 });
    }
    await look(page, say, `look-${view.replace(" ", "-")}`);
  } catch (error) {
    say(error.message.split("\n")[0]);
  }
  await page.close();
}
{
  const { page, say } = await open("training", looked.name, checking);
  const seen = page.waitForResponse((answer) => answer.url().endsWith("/metrics"));
  await page.getByLabel(runs[0].name, { exact: true }).check().catch((error) => say(error.message.split("\n")[0]));
  await seen;
  await look(page, say, "training");
  await page.close();
}
await browser.close();
console.log(JSON.stringify({ wrong }));
