import { Elysia } from "elysia";
import { port } from "./port.js";
import { answerWork } from "./work.ts";

new Elysia()
  .get("/work", ({ request }) => answerWork(request))
  .post("/upload", ({ request }) => answerWork(request), { parse: "none" })
  .listen(port);
