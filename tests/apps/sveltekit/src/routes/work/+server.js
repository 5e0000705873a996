import { answerWork } from "../../../work.ts";

export const GET = ({ request }) => answerWork(request);
