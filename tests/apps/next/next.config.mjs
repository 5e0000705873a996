// Built twice: for `next start`, and as a standalone program.
const isStandalone = process.env.STANDALONE === "1";

export default {
  ...isStandalone && { output: "standalone", distDir: ".standalone" },
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
};
