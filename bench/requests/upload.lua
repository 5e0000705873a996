-- A megabyte, sent to the server.
wrk.method = "POST"
wrk.body = string.rep("x", 1024 * 1024)
