// What node.sh runs: a server (see block_client.py for what it answers) that reads files, resolves
// names, derives keys and runs children on libuv's threads, and hashes in a worker thread.
// node_server.js FILE: the port is written to the file.
"use strict";
const { createHash, pbkdf2, pbkdf2Sync } = require("crypto");
const { execFile } = require("child_process");
const dns = require("dns");
const fs = require("fs");
const http = require("http");
const { Worker, isMainThread, parentPort } = require("worker_threads");
const { promisify } = require("util");

const sha256 = (data) => createHash("sha256").update(data).digest();

function block(number) {
	return Buffer.alloc(32 * (200 + (number % 800)), sha256(String(number)));
}

function hold(fact, what) {
	if (!fact)
		throw new Error(`${what} does not hold`);
}

// A worker that hashes what it is sent, with its own event loop and heap.
function work() {
	parentPort.on("message", ({ id, data }) => {
		parentPort.postMessage({ id, digest: sha256(Buffer.from(data)).toString("hex") });
	});
}

class Hasher {
	constructor() {
		this.worker = new Worker(__filename);
		this.waiting = new Map();
		this.next = 0;
		this.worker.on("message", ({ id, digest }) => {
			this.waiting.get(id)(digest);
			this.waiting.delete(id);
		});
	}

	hash(data) {
		return new Promise((resolve) => {
			this.waiting.set(++this.next, resolve);
			this.worker.postMessage({ id: this.next, data });
		});
	}
}

const tried = {
	async "keys are derived in threads"() {
		const derive = promisify(pbkdf2);
		const keys = await Promise.all(
			Array.from({ length: 40 }, (_, i) => derive(`word ${i}`, "salt", 1000, 32, "sha256")));
		keys.forEach((key, i) =>
			hold(key.equals(pbkdf2Sync(`word ${i}`, "salt", 1000, 32, "sha256")), i));
	},
	async "files come back as they were written"(folder) {
		await Promise.all(Array.from({ length: 50 }, async (_, i) => {
			const name = `${folder}/file${i}`;
			await fs.promises.writeFile(name, block(i));
			hold((await fs.promises.readFile(name)).equals(block(i)), name);
			const pieces = [];
			for await (const piece of fs.createReadStream(name, { highWaterMark: 1000 }))
				pieces.push(piece);
			hold(Buffer.concat(pieces).equals(block(i)), name);
			await fs.promises.unlink(name);
		}));
	},
	async "names are resolved"() {
		const found = await Promise.all(
			Array.from({ length: 40 }, () => dns.promises.lookup("localhost", 4)));
		hold(found.every(({ address }) => address === "127.0.0.1"), "localhost");
	},
	async "children pass bytes and status"() {
		await Promise.all(Array.from({ length: 20 }, (_, i) => new Promise((resolve, reject) => {
			const child = execFile("sh", ["-c", `cat; exit ${i}`], { encoding: "buffer" },
				(error, out) => {
					try {
						hold((error ? error.code : 0) === i && out.equals(block(i)), i);
						resolve();
					} catch (fault) {
						reject(fault);
					}
				});
			child.stdin.end(block(i));
		})));
	},
	async "workers share memory and end"() {
		const shared = new Int32Array(new SharedArrayBuffer(4));
		const source = `
			const { workerData, parentPort } = require("worker_threads");
			for (let i = 0; i < 10000; i++)
				Atomics.add(workerData, 0, 1);
			parentPort.postMessage("counted");
			Atomics.wait(workerData, 0, -1);
			setTimeout(() => {}, 1e6);`;
		const workers = Array.from({ length: 4 }, () =>
			new Worker(source, { eval: true, workerData: shared }));
		await Promise.all(workers.map((worker) =>
			new Promise((resolve) => worker.once("message", resolve))));
		hold(shared[0] === 40000, shared[0]);
		const codes = await Promise.all(workers.map((worker) => worker.terminate()));
		hold(codes.every((code) => code === 1), codes);
	},
};

async function answer(request, response, hasher) {
	const pieces = [];
	for await (const piece of request)
		pieces.push(piece);
	let status = 200, body = "";
	if (request.method === "GET" && request.url.startsWith("/block/"))
		body = block(Number(request.url.slice(7)));
	else if (request.method === "POST" && request.url === "/hash")
		body = await hasher.hash(Buffer.concat(pieces));
	else
		status = 404;
	response.writeHead(status, { "Content-Length": body.length });
	response.end(body);
}

async function main(file) {
	for (const [name, run] of Object.entries(tried)) {
		await run(require("path").dirname(file));
		console.log(`ok ${name}`);
	}
	const hasher = new Hasher();
	const server = http.createServer((request, response) => {
		answer(request, response, hasher).catch((error) => {
			if (error.code !== "ECONNRESET")
				console.log(`failed: ${error.stack}`);
		});
	});
	server.listen(0, "127.0.0.1", 511, () => {
		fs.writeFileSync(`${file}.new`, String(server.address().port));
		fs.renameSync(`${file}.new`, file);
	});
	process.on("SIGHUP", async () => {
		server.close();
		server.closeAllConnections();
		await hasher.worker.terminate();
		console.log("ok goodbye");
	});
}

if (isMainThread)
	main(process.argv[2]);
else
	work();
