// One app a call: APP=lecture vite build. Each becomes one classic script, which a page opened from a file may load too:
// browsers load no modules from file://.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

const app = process.env.APP ?? "lecture";
const site = resolve(import.meta.dirname, "../src/elman/web/site", app);

/** The page names its script as a module; from a file it must be a classic one, and wait for the page itself. */
const classicScript: Plugin = {
  name: "classic-script",
  enforce: "post",
  transformIndexHtml: (html) => html.replace(/<script type="module" crossorigin/g, "<script defer").replace(/<link rel="stylesheet" crossorigin/g, '<link rel="stylesheet"'),
};

export default defineConfig({
  root: resolve(import.meta.dirname, app),
  base: "./",
  publicDir: app === "lecture" ? resolve(import.meta.dirname, "../build/web/public") : "public",
  plugins: [svelte({ configFile: resolve(import.meta.dirname, "svelte.config.js") }), classicScript],
  build: {
    outDir: site,
    emptyOutDir: true,
    modulePreload: false,
    cssCodeSplit: false,
    target: "es2022",
    rollupOptions: {
      output: { format: "iife", entryFileNames: "[name].js", assetFileNames: "[name][extname]", inlineDynamicImports: true },
    },
  },
});
