// node:http, ended as Node's documentation shows it.
import { createServer } from "node:http";
import process from "node:process";
import { port } from "./port.js";
import { handle } from "./work_node.js";

const server = createServer(handle).listen(port);
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
