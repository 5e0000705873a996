// The server of code-server. Its command starts a child process that listens,
// which gets no descriptors; this calls what that child calls.
const { mkdtempSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const process = require("node:process");

const home = mkdtempSync(join(tmpdir(), "listenfds-code-server-"));
Object.assign(process.env, { XDG_CONFIG_HOME: home, XDG_DATA_HOME: home });
const code = join(__dirname, "node_modules/code-server/out/node");
const { parse, readConfigFile, setDefaults } = require(join(code, "cli"));
const { runCodeServer } = require(join(code, "main"));

const { PORT = "3000" } = process.env;
const args = ["--auth", "none", "--bind-addr", `127.0.0.1:${PORT}`];
readConfigFile()
  .then((config) => setDefaults(parse(args), config))
  .then(runCodeServer)
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
