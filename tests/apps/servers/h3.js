import { H3, serve } from "h3";
import { port } from "./port.js";
import { answerWork } from "./work.ts";

const app = new H3()
  .get("/work", (event) => answerWork(event.req))
  .post("/upload", (event) => answerWork(event.req));
serve(app, { port });
