// Every page of the lecture in a real browser: node test/pages.mjs ADDRESS [FOLDER for screenshots]
// Prints one JSON object: what was found wrong, and what was measured. Needs playwright-core, axe-core, and Chromium.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [address, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SECTIONS = ["why", "unit", "forward", "backprop", "backward", "issues", "learn", "scenarios"];
const SCENARIOS = ["one", "picture", "review", "text", "series", "numbers"].map((kind) => `scenarios?kind=${kind}`);
const WIDTHS = [380, 1200, 1920];
const wrong = [];
const measured = {};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});

async function open(hash, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, ...options });
  const say = (what) => wrong.push(`${hash}: ${what}`);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && say(`console: ${message.text()}`));
  page.on("pageerror", (error) => say(`error: ${error.message}`));
  page.on("request", (request) => !request.url().startsWith(new URL(address).origin) && !request.url().startsWith("data:") && say(`asks elsewhere: ${request.url()}`));
  await page.goto(`${address}#/${hash}`);
  await page.waitForFunction(() => !document.body.innerText.includes("on its way"), null, { timeout: 60000 });
  return { page, say };
}

// Each page at each width, in both themes, by axe.
for (const hash of [...SECTIONS.slice(0, -1), ...SCENARIOS]) {
  const { page, say } = await open(hash);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(80);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) say(`is ${over} pixels wider than ${width}`);
    if (folder) await page.screenshot({ path: `${folder}/${hash.replace("scenarios?kind=", "scenario-")}-${width}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 1200, height: 900 });
  await page.evaluate(axe);
  for (const theme of ["light", "dark"]) {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
    for (const one of violations) say(`axe, ${theme}: ${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} (${(node.any[0] ?? node.all[0] ?? node.none[0])?.message})`).join("; ")}`);
    if (folder && theme === "dark") await page.screenshot({ path: `${folder}/${hash.replace("scenarios?kind=", "scenario-")}-dark.png`, fullPage: true });
  }
  // Every control by keyboard: Tab reaches it, and a slider moves by an arrow.
  const controls = await page.locator("main :is(button:not(:disabled):not([tabindex='-1']), input:not(:disabled):not([type=radio]), textarea)").count();
  await page.locator("#section").focus();
  const reached = new Set();
  for (let i = 0; i < controls + 40; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element?.closest("main") || element.type === "radio" || !element.matches("button, input, textarea")) return null;
      globalThis.numbered ??= new Map();
      if (!globalThis.numbered.has(element)) globalThis.numbered.set(element, globalThis.numbered.size);
      return globalThis.numbered.get(element);
    });
    if (at !== null) reached.add(at);
  }
  if (reached.size < controls) say(`Tab reaches ${reached.size} of ${controls} controls`);
  const sliders = page.locator("main .slider input[type=range]:not(:disabled)");
  for (let i = 0; i < (await sliders.count()); i++) {
    const slider = sliders.nth(i);
    const before = await slider.inputValue();
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    if ((await slider.inputValue()) === before) await page.keyboard.press("ArrowLeft");
    if ((await slider.inputValue()) === before) say(`the slider ${await slider.evaluate((one) => one.labels[0].textContent)} does not move by arrows`);
  }
  await page.waitForTimeout(300);
  if (await sliders.count()) {
    const hashNow = await page.evaluate(() => location.hash);
    if (!hashNow.includes("?")) say("the sliders do not stand in the address");
    // the address alone gives the same page again
    const shown = await page.locator("main .slider output").allInnerTexts();
    await page.reload();
    await page.waitForFunction(() => !document.body.innerText.includes("on its way"));
    const again = await page.locator("main .slider output").allInnerTexts();
    if (shown.join() !== again.join()) say(`the address gives other sliders: ${shown} and then ${again}`);
  }
  await page.close();
}

// Numbers that turn pages, presentation, print.
{
  const { page, say } = await open("why");
  for (let section = 1; section <= SECTIONS.length; section++) {
    await page.keyboard.press(String(section));
    await page.waitForFunction((name) => location.hash.startsWith(`#/${name}`), SECTIONS[section - 1]);
    const shown = (number) => document.querySelector("h1").innerText.startsWith(`${number}.`);
    await page.waitForFunction(shown, section, { timeout: 5000 }).catch(() => say(`key ${section} shows another section`));
  }
  await page.keyboard.press("p");
  await page.waitForFunction(() => document.querySelector("h1").innerText.startsWith("7."));
  await page.keyboard.press("f");
  await page.waitForSelector(".presenting");
  if (folder) await page.screenshot({ path: `${folder}/presenting.png` });
  if (folder) await page.pdf({ path: `${folder}/learn.pdf`, format: "A4" });
  await page.close();
}

// What the pages check by themselves: gradients against finite differences, shares against the kernel's sum; bad addresses.
for (const expression of ["tanh(w*tanh(w*h + u*x) + u*y)", "a*a*a/(b + exp(a)) - sqrt(c^2 + 1)", "-log(sigmoid(w*x + b))", "relu(a) + sin(b)*cos(a)"]) {
  const { page, say } = await open(`backprop?e=${encodeURIComponent(expression)}&at=40`);
  const rows = await page.locator("tbody tr td:last-child").allInnerTexts();
  if (!rows.length || rows.some((text) => text !== "yes")) say(`finite differences: ${rows}`);
  await page.close();
}
for (const cut of [0, 2]) {
  const { page, say } = await open(`backward?text=recurrent&at=12&cut=${cut}&trained=40`);
  const text = await page.locator(".facts").innerText();
  if (!text.includes("differ by 0.000")) say(`the shares are not the kernel's sum: ${text}`);
  await page.close();
}
for (const hash of ["nosuch", "unit?a=x&t=1e99", "forward?text=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&units=3.7", "backprop?e=((((", "issues?kept=x~1_2&f=no&T=7.5", "learn?plan=1:2_x:y&task=no", "scenarios?kind=no&numbers=1e308"]) {
  const { page, say } = await open(hash);
  page.on("dialog", (dialog) => (say("a dialog"), dialog.dismiss()));
  await page.waitForTimeout(200);
  if (/has stopped|undefined|NaN/.test(await page.locator("main").innerText())) say("a bad address shows");
  await page.close();
}

// First picture, parity, the same run again, and writing.
{
  const { page } = await open("unit");
  measured.first_paint_ms = Math.round(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  await page.close();
}
{
  const { page, say } = await open("learn");
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const solved = page.locator("[data-solved]");
  await solved.waitFor({ timeout: 120000 }).catch(() => say("parity was not learned in two minutes"));
  if (await solved.count()) [measured.parity_seconds, measured.parity] = [Number(await solved.getAttribute("data-solved")), await solved.innerText()];
  await page.getByRole("button", { name: "Pause" }).click();
  await page.close();
  const losses = [];
  for (let turn = 0; turn < 2; turn++) {
    const again = await open("learn?at=120&plan=60:0.01:1");
    await again.page.getByText("Paused at step 120").waitFor({ timeout: 30000 });
    losses.push(await again.page.locator(".facts").innerText().then((text) => text.replace(/Time\s[\d.]+ s/, "")));
    await again.page.close();
  }
  if (losses[0] !== losses[1]) say(`the same address gives two runs: ${losses}`);
}
{
  // what is done to a run while it trains stands in the address too
  const { page, say } = await open("learn");
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  for (const name of ["Break it: rate × 40", "Mend it: first rate, clip at 1", "Pause"]) {
    if (name.startsWith("Break")) await press("Train");
    const step = Number(await page.locator(".facts b").first().innerText());
    await page.waitForFunction((before) => Number(document.querySelector(".facts b").innerText) > before + 20, step);
    await press(name);
  }
  const facts = async (of) => (await of.locator(".facts").innerText()).replace(/Time\s[\d.]+ s/, "");
  await page.getByText(/^Paused/).waitFor();
  await page.waitForTimeout(300);
  const there = await page.evaluate(() => location.hash.slice(2));
  const before = await facts(page);
  await page.close();
  if (there.match(/%3A/g)?.length !== 4) say(`the address holds not two changes: ${there}`);
  const again = await open(there);
  await again.page.getByText(/^Paused/).waitFor({ timeout: 60000 });
  if ((await facts(again.page)) !== before) say(`${there} gives ${await facts(again.page)}, and gave ${before}`);
  await again.page.close();
}
{
  const { page, say } = await open("scenarios?kind=text&length=5000");
  await page.getByRole("button", { name: "Write", exact: true }).click();
  await page.getByText(/^Written/).waitFor({ timeout: 30000 });
  measured.characters_per_second = Math.round(Number(await page.locator("[data-speed]").getAttribute("data-speed")));
  if ((await page.locator(".written").innerText()).length < 4900) say("fewer characters than asked for");
  await page.close();
}
await browser.close();
console.log(JSON.stringify({ wrong, measured }));
