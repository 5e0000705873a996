// What decorators do, without a compiler.
import "reflect-metadata";
import {
  Controller,
  Get,
  HttpCode,
  Module,
  Post,
  Req,
  Res,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { port } from "./port.js";
import { handle } from "./work_node.js";

class Work {
  answer(request, response) {
    return handle(request, response);
  }

  upload(request, response) {
    return handle(request, response);
  }
}
Controller()(Work);
const routes = {
  answer: [Get("work")],
  upload: [Post("upload"), HttpCode(200)],
};
for (const [name, decorators] of Object.entries(routes)) {
  const descriptor = Object.getOwnPropertyDescriptor(Work.prototype, name);
  for (const decorate of decorators) decorate(Work.prototype, name, descriptor);
  Req()(Work.prototype, name, 0);
  Res()(Work.prototype, name, 1);
}

class App {}
Module({ controllers: [Work] })(App);

const app = await NestFactory.create(App, { bodyParser: false });
app.enableShutdownHooks();
await app.listen(port);
