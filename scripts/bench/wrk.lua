-- Sends the bytes of a file as each request, and tells what was counted.

function wrk.init(args)
  local file = assert(io.open(args[1], "rb"))
  local request = file:read("*a")
  file:close()
  wrk.request = function() return request end
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    "counted %d %d %d %d %d %d %d %d\n",
    summary.duration, summary.requests, summary.bytes, errors.connect,
    errors.read, errors.write, errors.status, errors.timeout
  ))
end
