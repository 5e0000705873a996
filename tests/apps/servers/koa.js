// Koa has no shutdown of its own.
import Koa from "koa";
import { port } from "./port.js";
import { handle } from "./work_node.js";

const app = new Koa();
app.use(async ({ req, res }) => {
  await handle(req, res);
});
app.listen(port);
