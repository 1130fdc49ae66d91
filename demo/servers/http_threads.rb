# WEBrick, a thread for each connection: http_threads.rb PORT
require "socket"
require "webrick"

server = WEBrick::HTTPServer.new(
  BindAddress: "127.0.0.1", Port: ARGV.fetch(0).to_i, MaxClients: 2000,
  # Head and body go out by a write each.
  AcceptCallback: ->(socket) { socket.setsockopt(:TCP, :NODELAY, true) },
  AccessLog: [], Logger: WEBrick::Log.new($stderr, WEBrick::Log::FATAL))
server.listeners.each { |listener| listener.listen(4096) }
server.mount_proc("/") do |_request, response|
  response.content_type = "text/plain"
  response.body = "Hello from a thread of my own.\n"
end
%w[INT TERM].each { |signal| trap(signal) { server.shutdown } }
server.start
