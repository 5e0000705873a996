// The entry point of a project of create-adonisjs.
import { Ignitor } from "@adonisjs/core";

const APP_ROOT = new URL("../", import.meta.url);
const IMPORTER = (filePath) =>
  filePath.startsWith("./") || filePath.startsWith("../")
    ? import(new URL(filePath, APP_ROOT).href)
    : import(filePath);

await new Ignitor(APP_ROOT, { importer: IMPORTER })
  .tap((app) => {
    app.listen("SIGTERM", () => app.terminate());
    app.listenIf(app.managedByPm2, "SIGINT", () => app.terminate());
  })
  .httpServer()
  .start();
