import { answerWork } from "../../work.ts";

export const POST = (request) => answerWork(request);
