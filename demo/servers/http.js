// node's own HTTP server: http.js PORT
const http = require('http');

const server = http.createServer((request, response) => {
	response.setHeader('Content-Type', 'text/plain');
	response.end('Hello from a loop.\n');
});
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
