// The handler of the servers that are made of node:http.
import { answerNode, answerWork } from "./work.ts";

export const handle = (request, response) =>
  answerNode(answerWork, request, response);
