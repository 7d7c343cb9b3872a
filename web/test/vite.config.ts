// The agreement test as one module for node.
import { resolve } from "node:path";
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    ssr: resolve(import.meta.dirname, "agreement.ts"),
    outDir: resolve(import.meta.dirname, "../../build/web"),
    emptyOutDir: false,
    target: "node20",
    rollupOptions: { output: { entryFileNames: "agreement.mjs" } },
  },
});
