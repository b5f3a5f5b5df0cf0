// The current web UI of Prometheus, built of the sources in its Go module.
//
// Upstream builds it as a workspace of three packages, each with its own tools; here Vite builds them in one go.
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  root: path("mantine-ui"),
  // Relative: Prometheus may serve it below a path.
  base: "",
  plugins: [react()],
  resolve: {
    alias: {
      "@prometheus-io/codemirror-promql": path("module/codemirror-promql/src/index.ts"),
      "@prometheus-io/lezer-promql": path("module/lezer-promql/src/parser.js"),
    },
  },
  build: {
    license: { fileName: "assets/third-party-licenses.txt" },
    // Types that a file passes on are gone when it is compiled by itself.
    rolldownOptions: { shimMissingExports: true },
  },
});
