"""http.server with a thread for each connection: http_threads.py PORT"""
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out by a write each.
    disable_nagle_algorithm = True

    def do_GET(self):
        body = b"Hello from a thread of my own.\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 4096

    def handle_error(self, request, client_address):
        """The load leaves in the midst of requests, which is no news."""


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
