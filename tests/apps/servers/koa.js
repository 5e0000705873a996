// Koa has no shutdown of its own.
import Koa from "koa";
import { port } from "./port.js";
import { handle } from "./work_node.js";

const app = new Koa();
app.use(async (context) => {
  context.status = 200;
  await handle(context.req, context.res);
});
app.listen(port);
