import { defineConfig } from "vite";

// Everything below dist/assets carries a content hash in its name; `page.py` serves that folder and index.html.
export default defineConfig({
  base: "/graphql/",
  build: {
    target: "es2023",
    assetsInlineLimit: 0, // a data: address would need a wider content security policy
    chunkSizeWarningLimit: 4096, // the editor is one large chunk, loaded from this very server
    reportCompressedSize: false,
    rolldownOptions: {
      // Libraries mark files for React server components; that means nothing in a page built for browsers alone.
      checks: { moduleLevelDirective: false },
    },
  },
  worker: { format: "es" },
});
