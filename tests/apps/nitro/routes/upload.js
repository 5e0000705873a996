import { defineEventHandler, toWebRequest } from "h3";
import { answerWork } from "../work.ts";

export default defineEventHandler((event) => answerWork(toWebRequest(event)));
