/*
 * What java.sh runs: a server with a thread for each connection (see block_client.py for what it
 * answers). java Server FILE: the port is written to the file.
 */
import java.io.*;
import java.net.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

class Server {
	private static final ReentrantLock lock = new ReentrantLock();
	private static final AtomicLong answers = new AtomicLong();
	private static long synchronizedAnswers, lockedAnswers; /* as many, if locks exclude */

	private static byte[] sha256(byte[] data) throws Exception {
		return MessageDigest.getInstance("SHA-256").digest(data);
	}

	private static byte[] block(int number) throws Exception {
		byte[] digest = sha256(Integer.toString(number).getBytes(StandardCharsets.US_ASCII));
		byte[] result = new byte[digest.length * (200 + number % 800)];

		for (int i = 0; i < result.length; i += digest.length)
			System.arraycopy(digest, 0, result, i, digest.length);
		return result;
	}

	private static String readLine(InputStream in) throws IOException {
		StringBuilder line = new StringBuilder();
		int c;

		while ((c = in.read()) != '\n') {
			if (c < 0)
				return null;
			if (c != '\r')
				line.append((char)c);
		}
		return line.toString();
	}

	private static void answer(OutputStream out, String status, byte[] body) throws IOException {
		String head = "HTTP/1.1 " + status + "\r\nContent-Length: " + body.length + "\r\n\r\n";

		answers.incrementAndGet();
		synchronized (Server.class) {
			synchronizedAnswers++;
		}
		lock.lock();
		try {
			lockedAnswers++;
		} finally {
			lock.unlock();
		}
		out.write(head.getBytes(StandardCharsets.US_ASCII));
		out.write(body);
		out.flush();
	}

	/** Answer one request; false when there is none. */
	private static boolean serve(InputStream in, OutputStream out) throws Exception {
		String request = readLine(in), line;
		int length = 0;

		if (request == null)
			return false;
		while ((line = readLine(in)) != null && !line.isEmpty())
			if (line.toLowerCase(Locale.ROOT).startsWith("content-length:"))
				length = Integer.parseInt(line.substring(15).trim());
		if (line == null)
			return false;
		byte[] body = in.readNBytes(length);
		if (body.length < length)
			return false;
		String[] words = request.split(" ");
		if (request.startsWith("GET /block/"))
			answer(out, "200 OK", block(Integer.parseInt(words[1].substring(7))));
		else if (request.startsWith("POST /hash "))
			answer(out, "200 OK", String.format("%064x", new java.math.BigInteger(1, sha256(body)))
						      .getBytes(StandardCharsets.US_ASCII));
		else
			answer(out, "404 Not Found", new byte[0]);
		return true;
	}

	private static void converse(Socket connection) {
		try (connection) {
			InputStream in = new BufferedInputStream(connection.getInputStream());
			OutputStream out = new BufferedOutputStream(connection.getOutputStream());

			while (serve(in, out))
				continue;
		} catch (IOException e) {
			/* The client has left. */
		} catch (Exception e) {
			e.printStackTrace();
		}
	}

	private static synchronized void sayGoodbye() {
		lock.lock();
		System.out.println("answers " + (answers.get() == synchronizedAnswers &&
						 answers.get() == lockedAnswers ? "counted" : "lost"));
	}

	public static void main(String[] args) throws Exception {
		ServerSocket listener = new ServerSocket(0, 512, InetAddress.getLoopbackAddress());
		Path file = Path.of(args[0]), draft = Path.of(args[0] + ".new");

		Runtime.getRuntime().addShutdownHook(new Thread(Server::sayGoodbye));
		Files.writeString(draft, Integer.toString(listener.getLocalPort()));
		Files.move(draft, file);
		for (;;) {
			Socket connection = listener.accept();
			new Thread(() -> converse(connection)).start();
		}
	}
}
