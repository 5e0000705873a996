import router from "@adonisjs/core/services/router";
import { answerNode, answerWork } from "../work.ts";

const handle = ({ request, response }) =>
  answerNode(answerWork, request.request, response.response);
router.get("/work", handle);
router.post("/upload", handle);
