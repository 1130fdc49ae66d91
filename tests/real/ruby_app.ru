# What ruby.sh has puma serve; see block_client.py for what it answers.
require "digest/sha2" # at once, and not by the threads that first use it
require "timeout"

# Puma can hang when it stops, plain too: a thread closes its pipe while another has not come back
# from the write that asked for it (puma's issue 3677). Here, who closes waits for who writes.
module PatientClose
  def <<(text)
    @writing = true
    super
  ensure
    @writing = false
  end

  def close
    sleep 0.01 while @writing
    super
  end
end
Puma::Util.singleton_class.prepend(Module.new do
  def pipe
    super.each { |side| side.extend(PatientClose) }
  end
end)

COUNT = {lock: Mutex.new, locked: 0}

def block(number)
  Digest::SHA256.digest(number.to_s) * (200 + number % 800)
end

# Through a queue and back, by a thread of its own that a condition wakes.
def hash_elsewhere(body)
  results = Queue.new
  thread = Thread.new { results << Digest::SHA256.hexdigest(body) }
  Timeout.timeout(240) { results.pop }
ensure
  thread.join
end

def respond(status, body)
  COUNT[:lock].synchronize { COUNT[:locked] += 1 }
  [status, {"Content-Type" => "application/octet-stream", "Content-Length" => body.bytesize.to_s},
   [body]]
end

run(lambda do |env|
  method, path = env.values_at("REQUEST_METHOD", "PATH_INFO")
  if method == "GET" && path.start_with?("/block/")
    respond(200, block(path.delete_prefix("/block/").to_i))
  elsif method == "POST" && path == "/hash"
    respond(200, hash_elsewhere(env["rack.input"].read))
  else
    respond(404, "")
  end
end)
