import { answerWork } from "../../work.ts";

export default defineEventHandler((event) => answerWork(toWebRequest(event)));
