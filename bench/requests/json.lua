-- About a kilobyte of JSON, which comes back with a field more.
local items = {}
for id = 1, 20 do
  items[id] = string.format('{"id":%d,"name":"item %d","price":%d.5}', id, id, id)
end
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"items":[' .. table.concat(items, ",") .. "]}"
