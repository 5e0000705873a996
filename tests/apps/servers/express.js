import express from "express";
import process from "node:process";
import { port } from "./port.js";
import { handle } from "./work_node.js";

const app = express();
app.get("/work", handle);
app.post("/upload", handle);
const server = app.listen(port);
// As in the guide "Health Checks and Graceful Shutdown".
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
});
