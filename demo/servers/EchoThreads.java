import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Echo server, a thread for each connection: EchoThreads PORT */
public final class EchoThreads {
	private static void echo(Socket socket) {
		byte[] buf = new byte[4096];

		try (socket) {
			InputStream in = socket.getInputStream();
			OutputStream out = socket.getOutputStream();
			int n;

			socket.setTcpNoDelay(true);
			while ((n = in.read(buf)) > 0)
				out.write(buf, 0, n);
		} catch (IOException e) {
			// The other side left: so does this thread.
		}
	}

	public static void main(String[] args) throws IOException {
		int port = Integer.parseInt(args[0]);
		ServerSocket listener = new ServerSocket(port, 4096, InetAddress.getLoopbackAddress());

		System.out.println("listening on " + listener.getLocalPort());
		for (;;) {
			Socket socket = listener.accept();

			new Thread(() -> echo(socket)).start();
		}
	}
}
