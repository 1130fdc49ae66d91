# What ruby.sh runs beside puma: ruby_cases.rb [CASE...]; a line for each case, status 1 if one failed.
require "digest/sha2" # at once, and not by the threads that first use it
require "io/wait"
require "monitor"
require "net/http"
require "open3"
require "socket"
require "tempfile"
require "timeout"
require "webrick"

def hold(fact, what = "it")
  raise "#{what.inspect} does not hold" unless fact
end

def in_threads(count, &work)
  Array.new(count) { |i| Thread.new(i, &work) }.map(&:value)
end

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

CASES = {
  "locks exclude and conditions wake" => lambda {
    mutex, monitor, counts = Mutex.new, Monitor.new, [0, 0]
    turn, moved = 0, ConditionVariable.new
    in_threads(20) do |me|
      100.times do
        mutex.synchronize do
          found = counts[0]
          Thread.pass if (found % 50).zero?
          counts[0] = found + 1
        end
        monitor.synchronize { monitor.synchronize { counts[1] += 1 } }
      end
      mutex.synchronize do
        moved.wait(mutex, 30) until turn == me
        turn += 1
        moved.broadcast
      end
    end
    hold counts == [2000, 2000] && turn == 20, [counts, turn]
    mutex.synchronize do
      began = now
      moved.wait(mutex, 0.02)
      hold now - began >= 0.02, "the timeout"
    end
  },
  "queues carry everything once" => lambda {
    tasks, results = SizedQueue.new(8), Queue.new
    workers = Array.new(30) do
      Thread.new do
        while (task = tasks.pop)
          results << [task, Digest::SHA256.hexdigest(task.to_s * 100)]
        end
      end
    end
    3000.times { |i| tasks << i + 1 }
    tasks.close
    workers.each(&:join)
    found = Array.new(results.size) { results.pop }.to_h
    hold found.size == 3000, found.size
    hold found.all? { |task, digest| digest == Digest::SHA256.hexdigest(task.to_s * 100) }
  },
  "threads raise in others and are killed" => lambda {
    ends = in_threads(30) do |i|
      ready = Queue.new
      victim = Thread.new do
        Thread.current.report_on_exception = false
        ready << 1
        case i % 5
        when 0 then sleep
        when 1 then Queue.new.pop
        when 2 then Mutex.new.tap(&:lock).sleep
        when 3 then IO.pipe[0].read
        else loop { i == 4 ? i -= 0 : sleep(0.001) }
        end
      rescue ArgumentError => error
        error.message
      ensure
        ready << 2
      end
      ready.pop
      sleep 0.01
      i.even? ? victim.raise(ArgumentError, "stop #{i}") : victim.kill
      [i, victim.value]
    end
    ends.each { |i, value| hold value == (i.even? ? "stop #{i}" : nil), [i, value] }
  },
  "time runs out for some and not for others" => lambda {
    in_threads(40) do |i|
      began = now
      answer = begin
        Timeout.timeout(i.even? ? 0.05 : 240) { i.even? ? sleep(500) : sleep(0.01) && "slept" }
      rescue Timeout::Error
        "late"
      end
      hold answer == (i.even? ? "late" : "slept"), [i, answer]
      hold now - began >= (i.even? ? 0.05 : 0.01), "the time"
    end
  },
  "threads that compute take turns" => lambda {
    stop = false
    counts = Array.new(4, 0)
    threads = Array.new(4) { |i| Thread.new { counts[i] += 1 until stop } }
    5.times { sleep 0.01 }
    sleep 0.01 until counts.all?(&:positive?)
    stop = true
    threads.each(&:join)
  },
  "children pass bytes and status" => lambda {
    in_threads(10) do |i|
      3.times do |k|
        text = "#{i} #{k} " * 20_000
        out, err, status = Open3.capture3("cat; echo err >&2; exit #{i}", stdin_data: text)
        hold [out == text, err, status.exitstatus] == [true, "err\n", i], [i, k, status]
      end
    end
    in_threads(5) do |i|
      child = fork { Thread.new { exit!(i + 20) }.join }
      hold Process.wait2(child)[1].exitstatus == i + 20, i
      child = Process.spawn("sleep", "100")
      Process.kill(:TERM, child)
      hold Process.wait2(child)[1].termsig == Signal.list["TERM"], "TERM"
    end
    hold `echo back`.chomp == "back", "``"
    hold system("exit 3") == false && $?.exitstatus == 3, "system"
  },
  "traps run while threads wait" => lambda {
    caught = Queue.new
    old = trap("USR1") { caught << :usr1 }
    waiting = Thread.new { caught.pop }
    5.times do
      Process.kill("USR1", Process.pid)
      hold Timeout.timeout(240) { waiting.value } == :usr1
      waiting = Thread.new { caught.pop }
    end
    waiting.kill
    trap("USR1", old)
  },
  "sockets time out, close and resolve" => lambda {
    listener = TCPServer.new("127.0.0.1", 0)
    in_threads(30) do
      near = TCPSocket.new("localhost", listener.addr[1])
      hold near.wait_readable(0.01).nil?, "nothing to read"
      reader = Thread.new do
        near.read
      rescue IOError => error
        error.class
      end
      sleep 0.01
      near.close
      hold reader.value == IOError, "closed"
    end
    hold Addrinfo.getaddrinfo("localhost", 80, :INET).first.ip_address == "127.0.0.1", "a name"
    near, far = Socket.pair(:UNIX, :STREAM)
    hold IO.select([near], [far], nil, 240) == [[], [far], []], "select"
  },
  "files are written and locked by many" => lambda {
    Tempfile.create do |file|
      in_threads(20) do |i|
        File.open(file.path, "a") do |own|
          20.times do
            own.flock(File::LOCK_EX)
            own.write("#{i}\n" * 100)
            own.flush
            own.flock(File::LOCK_UN)
          end
        end
      end
      lines = File.readlines(file.path, chomp: true)
      hold lines.tally.values == [2000] * 20, lines.size
      hold lines.each_slice(100).all? { |slice| slice.uniq.one? }, "in one piece"
    end
  },
  "garbage is collected while threads run" => lambda {
    in_threads(10) do |i|
      kept = {}
      2000.times do |k|
        kept[k % 20] = "#{i} #{k - k % 20} " * 50
        GC.start if k % 1000 == 999
      end
      hold kept.each_value.all? { |text| text == "#{i} 1980 " * 50 }, i
    end
  },
  "webrick serves many clients" => lambda {
    server = WEBrick::HTTPServer.new(
      BindAddress: "127.0.0.1", Port: 0, AccessLog: [], MaxClients: 100,
      Logger: WEBrick::Log.new(File::NULL), RequestTimeout: 240)
    server.mount_proc("/") do |request, response|
      response.body = Digest::SHA256.digest(request.path + request.body.to_s) * 500
    end
    port = server.listeners[0].addr[1]
    serving = Thread.new { server.start }
    in_threads(50) do |i|
      Net::HTTP.start("127.0.0.1", port, nil, nil, read_timeout: 240) do |http|
        5.times do |k|
          body = "#{i} #{k}" * 1000
          right = Digest::SHA256.digest("/#{i}#{body}") * 500
          hold http.post("/#{i}", body).body == right, [i, k]
        end
      end
    end
    server.shutdown
    serving.join
  },
}.freeze

$stdout.sync = true
failed = 0
(ARGV.empty? ? CASES.keys : ARGV).each do |name|
  began = now
  CASES.fetch(name).call
  puts "ok #{name} #{((now - began) * 1000).round} ms"
rescue StandardError => error
  puts "failed #{name}: #{error.full_message(highlight: false)}"
  failed = 1
end
exit failed
