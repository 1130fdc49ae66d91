/* What java.sh runs beside the server: java Cases; a line for each case, status 1 if one failed. */
import java.io.*;
import java.lang.management.*;
import java.lang.ref.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.stream.*;

class Cases {
	interface Case {
		void run() throws Exception;
	}

	static void hold(boolean fact, Object what) {
		if (!fact)
			throw new AssertionError(String.valueOf(what));
	}

	/** Run a case in so many threads at once and pass on what one throws. */
	static void inThreads(int count, Case work) throws Exception {
		Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
		Thread[] threads = new Thread[count];

		for (int i = 0; i < count; i++) {
			threads[i] = new Thread(() -> {
				try {
					work.run();
				} catch (Throwable e) {
					failures.add(e);
				}
			});
			threads[i].start();
		}
		for (Thread thread : threads)
			thread.join();
		if (!failures.isEmpty())
			throw new Exception(failures.size() + " failed", failures.peek());
	}

	static byte[] hash(byte[] data) {
		try {
			return MessageDigest.getInstance("SHA-256").digest(data);
		} catch (Exception e) {
			throw new AssertionError(e);
		}
	}

	private static int counted;

	static void locksExclude() throws Exception {
		ReentrantLock lock = new ReentrantLock(true);
		ReadWriteLock shared = new ReentrantReadWriteLock();
		StampedLock stamped = new StampedLock();
		Semaphore two = new Semaphore(2);
		AtomicInteger inside = new AtomicInteger(), most = new AtomicInteger();
		int[] counts = new int[3];
		Object monitor = new Object();

		counted = 0;
		inThreads(100, () -> {
			for (int i = 0; i < 200; i++) {
				synchronized (monitor) {
					counted++;
				}
				lock.lock();
				counts[0]++;
				lock.unlock();
				shared.writeLock().lock();
				counts[1]++;
				shared.writeLock().unlock();
				shared.readLock().lock();
				hold(counts[1] > 0, "read");
				shared.readLock().unlock();
				long stamp = stamped.writeLock();
				counts[2]++;
				stamped.unlockWrite(stamp);
			}
			two.acquire();
			most.accumulateAndGet(inside.incrementAndGet(), Math::max);
			Thread.sleep(1);
			inside.decrementAndGet();
			two.release();
		});
		hold(counted == 20000 && Arrays.stream(counts).allMatch(n -> n == 20000),
		     counted + " " + Arrays.toString(counts));
		hold(most.get() <= 2, most);
	}

	static void waitsAndNotifiesMeet() throws Exception {
		Object monitor = new Object();
		int[] turn = {0};
		AtomicInteger next = new AtomicInteger();
		CyclicBarrier barrier = new CyclicBarrier(20);
		Exchanger<Integer> exchanger = new Exchanger<>();
		AtomicInteger sum = new AtomicInteger();

		inThreads(20, () -> {
			int me = next.getAndIncrement();

			for (int round = 0; round < 50; round++)
				synchronized (monitor) {
					while (turn[0] % 20 != me)
						monitor.wait();
					turn[0]++;
					monitor.notifyAll();
				}
			barrier.await(240, TimeUnit.SECONDS);
			sum.addAndGet(exchanger.exchange(me, 240, TimeUnit.SECONDS));
		});
		hold(turn[0] == 1000 && sum.get() == 190, turn[0] + " " + sum);
	}

	static void waitsTimeOutAndNotEarly() throws Exception {
		BlockingQueue<Integer> empty = new LinkedBlockingQueue<>();
		ScheduledExecutorService timers = Executors.newScheduledThreadPool(1);
		Queue<Integer> order = new ConcurrentLinkedQueue<>();

		inThreads(20, () -> {
			Object monitor = new Object();
			long began = System.nanoTime();

			Thread.sleep(20);
			synchronized (monitor) {
				monitor.wait(20);
			}
			hold(empty.poll(20, TimeUnit.MILLISECONDS) == null, "poll");
			LockSupport.parkNanos(1);
			hold(System.nanoTime() - began >= 60_000_000, "early");
		});
		long begin = System.nanoTime() + 1_000_000_000; /* when all of them are there */
		for (int i = 3; i > 0; i--) {
			int number = i;

			timers.schedule(() -> order.add(number),
					begin + i * 40_000_000L - System.nanoTime(), TimeUnit.NANOSECONDS);
		}
		timers.shutdown();
		hold(timers.awaitTermination(240, TimeUnit.SECONDS), "timers");
		hold(List.copyOf(order).equals(List.of(1, 2, 3)), order);
	}

	static void poolsAndFuturesCarryResults() throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(30);
		List<Future<Integer>> results = new ArrayList<>();

		for (int i = 0; i < 500; i++) {
			int number = i;

			results.add(pool.submit(() -> {
				Thread.sleep(number % 3);
				if (number == 77)
					throw new IllegalStateException("77");
				return number * number;
			}));
		}
		for (int i = 0; i < 500; i++)
			try {
				hold(results.get(i).get(240, TimeUnit.SECONDS) == i * i && i != 77, i);
			} catch (ExecutionException e) {
				hold(i == 77 && e.getCause() instanceof IllegalStateException, e);
			}
		CompletableFuture<Integer> sum = CompletableFuture.completedFuture(0);
		for (int i = 0; i < 100; i++) {
			int number = i;

			sum = sum.thenCombineAsync(CompletableFuture.supplyAsync(() -> number, pool),
						   Integer::sum);
		}
		hold(sum.get(240, TimeUnit.SECONDS) == 4950, sum);
		try {
			new CompletableFuture<Void>().orTimeout(10, TimeUnit.MILLISECONDS).join();
			hold(false, "no timeout");
		} catch (CompletionException e) {
			hold(e.getCause() instanceof TimeoutException, e);
		}
		hold(IntStream.range(0, 200_000).parallel().mapToLong(i -> i).sum() == 19999900000L, "sum");
		pool.shutdown();
		hold(pool.awaitTermination(240, TimeUnit.SECONDS), "pool");
	}

	/* Every thread keeps some of what it makes, and finds it as it was after collections. */
	static void garbageIsCollectedUnderThreads() throws Exception {
		ReferenceQueue<Object> dead = new ReferenceQueue<>();
		List<Reference<?>> references = new ArrayList<>();
		AtomicBoolean done = new AtomicBoolean();
		Thread collector = new Thread(() -> {
			while (!done.get())
				System.gc();
		});

		for (int i = 0; i < 100; i++)
			references.add(new WeakReference<>(new Object(), dead));
		collector.start();
		inThreads(20, () -> {
			Map<Integer, byte[]> kept = new HashMap<>();

			for (int i = 0; i < 3000; i++) {
				byte[] data = new byte[2000 + i % 100];

				data[i % 2000] = (byte)i;
				kept.put(i % 50, data);
				if (i >= 50)
					hold(kept.get((i + 1) % 50)[(i - 49) % 2000] == (byte)(i - 49), i);
			}
		});
		done.set(true);
		collector.join();
		System.gc();
		for (Reference<?> reference : references)
			hold(reference.get() == null, "weak");
		hold(dead.remove(240_000) != null, "queue");
		hold(ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(
			     GarbageCollectorMXBean::getCollectionCount).sum() > 0, "collections");
	}

	static void memoryRunsOutForOneAndIsThereAgain() throws Exception {
		inThreads(3, () -> {
			List<byte[]> all = new ArrayList<>();

			try {
				for (;;)
					all.add(new byte[1 << 20]);
			} catch (OutOfMemoryError e) {
				all = null;
			}
		});
		hold(new byte[1 << 22].length == 1 << 22, "room");
	}

	static int depth(int n) {
		return depth(n + 1) + 1;
	}

	static int lengthOf(String text) {
		return text.length();
	}

	/* Null pointers and stacks that overflow are SIGSEGV, a division by zero SIGFPE. */
	static void faultsBecomeExceptions() throws Exception {
		Case faults = () -> {
			int caught = 0, zero = counted - counted;

			for (int i = 0; i < 5000; i++) {
				try {
					lengthOf(i % 10 == 0 ? null : "text");
				} catch (NullPointerException e) {
					caught++;
				}
				try {
					caught += i / (i % 10 == 0 ? zero : 1) < 0 ? 1 : 0;
				} catch (ArithmeticException e) {
					caught++;
				}
			}
			hold(caught == 1000, caught);
			for (int i = 0; i < 3; i++)
				try {
					depth(0);
				} catch (StackOverflowError e) {
					caught++;
				}
			hold(caught == 1003, caught);
		};

		faults.run();
		inThreads(20, faults);
		Thread small = new Thread(null, () -> {
			try {
				depth(0);
			} catch (StackOverflowError e) {
				counted = -1;
			}
		}, "small", 256 * 1024);
		small.start();
		small.join();
		hold(counted == -1, "small stack");
	}

	/* Loops without a call are stopped at a page that may not be read, when others want it. */
	static void computingThreadsStopForOthers() throws Exception {
		AtomicBoolean done = new AtomicBoolean();
		AtomicLong seen = new AtomicLong();
		Thread[] busy = new Thread[2];

		for (int i = 0; i < busy.length; i++) {
			busy[i] = new Thread(() -> {
				long x = 1;

				while (!done.get())
					for (int k = 0; k < 100_000; k++)
						x = x * 6364136223846793005L + 1442695040888963407L;
				seen.addAndGet(x | 1);
			});
			busy[i].start();
		}
		for (int i = 0; i < 5; i++) {
			System.gc();
			hold(busy[0].getStackTrace().length > 0, "trace");
			hold(Thread.getAllStackTraces().size() >= busy.length, "traces");
			Thread.sleep(1);
		}
		done.set(true);
		for (Thread thread : busy)
			thread.join();
		hold(seen.get() != 0, "seen");
	}

	static void interruptsEndEveryWait() throws Exception {
		ServerSocket listener = new ServerSocket(0);
		ServerSocketChannel channel = ServerSocketChannel.open().bind(null);
		Pipe pipe = Pipe.open();
		Map<String, Case> waits = new LinkedHashMap<>();
		Map<String, String> ends = new ConcurrentHashMap<>();
		Map<String, Thread> threads = new LinkedHashMap<>();

		waits.put("sleep", () -> Thread.sleep(100_000));
		waits.put("wait", () -> {
			synchronized (ends) {
				ends.wait();
			}
		});
		waits.put("take", () -> new LinkedBlockingQueue<Integer>().take());
		waits.put("park", () -> {
			while (!Thread.interrupted())
				LockSupport.park();
			throw new InterruptedException();
		});
		waits.put("join", () -> Thread.currentThread().join());
		waits.put("channel", () -> channel.accept());
		waits.put("pipe", () -> pipe.source().read(ByteBuffer.allocate(1)));
		waits.put("selector", () -> {
			try (Selector selector = Selector.open()) {
				selector.select();
			}
			hold(Thread.interrupted(), "selector");
			throw new InterruptedException();
		});
		waits.put("closed", () -> listener.accept());
		waits.forEach((name, wait) -> threads.put(name, new Thread(() -> {
			try {
				wait.run();
				ends.put(name, "returned");
			} catch (Throwable e) {
				ends.put(name, e.getClass().getSimpleName());
			}
		})));
		threads.values().forEach(Thread::start);
		Thread.sleep(50);
		hold(ends.isEmpty(), ends);
		threads.forEach((name, thread) -> {
			if (!name.equals("closed"))
				thread.interrupt();
		});
		listener.close();
		for (Thread thread : threads.values())
			thread.join(240_000);
		ends.forEach((name, end) -> hold(end.equals(
			name.equals("closed") ? "SocketException"
			: name.equals("channel") || name.equals("pipe") ? "ClosedByInterruptException"
			: "InterruptedException"), name + " " + end));
		hold(ends.size() == waits.size(), ends);
	}

	static void closingASocketWakesItsReader() throws Exception {
		try (ServerSocket listener = new ServerSocket(0, 200, InetAddress.getLoopbackAddress())) {
			inThreads(50, () -> {
				Socket near = new Socket(listener.getInetAddress(), listener.getLocalPort());
				Thread closer = new Thread(() -> {
					try {
						Thread.sleep(20);
						near.close();
					} catch (Exception e) {
						throw new AssertionError(e);
					}
				});
				near.setSoTimeout(10);
				try {
					near.getInputStream().read();
					hold(false, "no timeout");
				} catch (SocketTimeoutException e) {
					near.setSoTimeout(0);
				}
				closer.start();
				try {
					near.getInputStream().read();
					hold(false, "no error");
				} catch (SocketException e) {
					closer.join();
				}
			});
		}
	}

	/* An echo server in one thread with a selector, and clients in threads. */
	static void selectorsServeManyClients() throws Exception {
		ServerSocketChannel listener = ServerSocketChannel.open();
		Selector selector = Selector.open();

		listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 512);
		listener.configureBlocking(false);
		listener.register(selector, SelectionKey.OP_ACCEPT);
		Thread server = new Thread(() -> {
			ByteBuffer buffer = ByteBuffer.allocateDirect(65536);

			try {
				while (listener.isOpen()) {
					selector.select();
					for (SelectionKey key : selector.selectedKeys()) {
						if (key.channel() == listener) {
							SocketChannel connection = listener.accept();
							connection.configureBlocking(false);
							connection.register(selector, SelectionKey.OP_READ);
							continue;
						}
						SocketChannel connection = (SocketChannel)key.channel();
						if (connection.read(buffer.clear()) < 0)
							connection.close();
						else
							for (buffer.flip(); buffer.hasRemaining();)
								connection.write(buffer);
					}
					selector.selectedKeys().clear();
				}
			} catch (ClosedSelectorException | ClosedChannelException e) {
				return;
			} catch (IOException e) {
				throw new UncheckedIOException(e);
			}
		});
		server.start();
		inThreads(100, () -> {
			try (Socket socket = new Socket(InetAddress.getLoopbackAddress(),
							listener.socket().getLocalPort())) {
				byte[] data = new byte[5000];

				for (int i = 0; i < 10; i++) {
					ThreadLocalRandom.current().nextBytes(data);
					socket.getOutputStream().write(data);
					hold(Arrays.equals(socket.getInputStream().readNBytes(5000), data), i);
				}
			}
		});
		listener.close();
		selector.close();
		server.join();
	}

	static void datagramsAndTheirTimeouts() throws Exception {
		try (DatagramSocket one = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
			inThreads(10, () -> {
				try (DatagramSocket other = new DatagramSocket()) {
					byte[] data = new byte[100];
					other.setSoTimeout(10);
					try {
						other.receive(new DatagramPacket(data, 100));
						hold(false, "no timeout");
					} catch (SocketTimeoutException e) {
						other.send(new DatagramPacket(data, 100, one.getLocalSocketAddress()));
					}
				}
			});
			one.setSoTimeout(240_000);
			for (int i = 0; i < 10; i++)
				one.receive(new DatagramPacket(new byte[100], 100));
		}
	}

	static void filesAreReadMappedAndLocked() throws Exception {
		Path file = Files.createTempFile(null, null);
		byte[] data = new byte[1 << 20];

		new Random(1).nextBytes(data);
		Files.write(file, data);
		try {
			inThreads(20, () -> {
				hold(Arrays.equals(Files.readAllBytes(file), data), "read");
				try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ,
									   StandardOpenOption.WRITE)) {
					byte[] found = new byte[data.length];
					channel.map(FileChannel.MapMode.READ_ONLY, 0, data.length).get(found);
					hold(Arrays.equals(found, data), "mapped");
					try (FileLock own = channel.tryLock()) {
						hold(own == null || own.isValid(), "lock");
					} catch (OverlappingFileLockException e) {
						/* Another thread of this process has it. */
					}
					channel.force(true);
				}
			});
		} finally {
			Files.delete(file);
		}
	}

	static void childrenOfThreadsPassBytesAndStatus() throws Exception {
		AtomicInteger next = new AtomicInteger();

		inThreads(10, () -> {
			for (int i = 0; i < 2; i++) {
				int number = next.getAndIncrement();
				byte[] data = new byte[50_000 + number];
				Process child = new ProcessBuilder("sh", "-c", "cat; exit " + number).start();
				Thread writer = new Thread(() -> {
					try (OutputStream out = child.getOutputStream()) {
						out.write(data);
					} catch (IOException e) {
						throw new UncheckedIOException(e);
					}
				});

				Arrays.fill(data, (byte)number);
				writer.start();
				hold(Arrays.equals(child.getInputStream().readAllBytes(), data), number);
				hold(child.waitFor() == number, number);
				writer.join();
			}
		});
		Process sleeper = new ProcessBuilder("sleep", "100").start();
		hold(!sleeper.waitFor(10, TimeUnit.MILLISECONDS), "waitFor");
		sleeper.destroy();
		hold(sleeper.onExit().get(240, TimeUnit.SECONDS).exitValue() == 143, "destroy");
	}

	/* Each thread's processor time is its own. */
	static void threadsAreCountedAndMeasured() throws Exception {
		ThreadMXBean bean = ManagementFactory.getThreadMXBean();
		CountDownLatch release = new CountDownLatch(1), here = new CountDownLatch(200);
		long[] times = new long[2];
		Thread counter = new Thread(() -> {
			try {
				while (here.getCount() > 0)
					Thread.sleep(1);
				hold(bean.getThreadCount() >= 200, bean.getThreadCount());
				hold(bean.dumpAllThreads(true, true).length >= 200, "dump");
				hold(bean.findDeadlockedThreads() == null, "deadlock");
				times[0] = bean.getCurrentThreadCpuTime();
				for (byte[] data = new byte[32]; times[1] < times[0] + 20_000_000;
				     data = hash(data))
					times[1] = bean.getCurrentThreadCpuTime();
			} catch (InterruptedException e) {
				throw new AssertionError(e);
			} finally {
				release.countDown();
			}
		});

		counter.start();
		inThreads(200, () -> {
			here.countDown();
			release.await();
			hold(bean.getCurrentThreadCpuTime() < 1_000_000_000, "another's time");
		});
		counter.join();
		hold(times[0] > 0 && times[1] > times[0], Arrays.toString(times));
	}

	private static boolean holds(String name, Case test) {
		long began = System.nanoTime();

		try {
			test.run();
			System.out.printf("ok %s %d ms%n", name, (System.nanoTime() - began) / 1_000_000);
			return true;
		} catch (Throwable e) {
			System.out.println("failed " + name);
			e.printStackTrace(System.out);
			return false;
		}
	}

	public static void main(String[] args) throws Exception {
		Map<String, Case> all = new LinkedHashMap<>();
		boolean good = true;

		all.put("locksExclude", Cases::locksExclude);
		all.put("waitsAndNotifiesMeet", Cases::waitsAndNotifiesMeet);
		all.put("waitsTimeOutAndNotEarly", Cases::waitsTimeOutAndNotEarly);
		all.put("poolsAndFuturesCarryResults", Cases::poolsAndFuturesCarryResults);
		all.put("garbageIsCollectedUnderThreads", Cases::garbageIsCollectedUnderThreads);
		all.put("memoryRunsOutForOneAndIsThereAgain", Cases::memoryRunsOutForOneAndIsThereAgain);
		all.put("faultsBecomeExceptions", Cases::faultsBecomeExceptions);
		all.put("computingThreadsStopForOthers", Cases::computingThreadsStopForOthers);
		all.put("interruptsEndEveryWait", Cases::interruptsEndEveryWait);
		all.put("closingASocketWakesItsReader", Cases::closingASocketWakesItsReader);
		all.put("selectorsServeManyClients", Cases::selectorsServeManyClients);
		all.put("datagramsAndTheirTimeouts", Cases::datagramsAndTheirTimeouts);
		all.put("filesAreReadMappedAndLocked", Cases::filesAreReadMappedAndLocked);
		all.put("childrenOfThreadsPassBytesAndStatus", Cases::childrenOfThreadsPassBytesAndStatus);
		all.put("threadsAreCountedAndMeasured", Cases::threadsAreCountedAndMeasured);
		for (String name : args.length == 0 ? all.keySet() : Arrays.asList(args))
			good &= holds(name, all.get(name));
		System.exit(good ? 0 : 1);
	}
}
