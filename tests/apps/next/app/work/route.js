import { answerWork } from "../../work.ts";

export const dynamic = "force-dynamic";
export const GET = (request) => answerWork(request);
