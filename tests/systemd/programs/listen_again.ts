/**
 * A program that knows nothing of the library: it listens on the ports 3000 and
 * 3001, and closes and opens the first one on request.
 */

import http from "node:http";
import process from "node:process";

const web = http.createServer((_, response) => {
  response.end(String(process.pid));
});
web.listen(3000);
http.createServer((request, response) => {
  response.end(String(process.pid));
  if (request.url !== "/again") return;
  web.close(() => web.listen(3000, () => console.log("listening again")));
}).listen(3001);
