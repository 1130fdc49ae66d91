/*
 * What the load says on its connections and what has to come back: messages of
 * bytes (exchange.c, in load and load_tls), or queries of a database
 * (exchange_mysql.c, in load_mysql).
 */
#ifndef DEMO_EXCHANGE_H
#define DEMO_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCHANGE_MOST_BYTES (1 << 20)

/* One message and its answer: on each connection, one after the other. */
struct message {
	uint64_t connection; /* from 0 */
	uint64_t sequence;   /* on that connection, from 1; 0 before any */
	size_t sent;         /* bytes of it */
	size_t answered;     /* bytes of its answer; the exchange's own */
};

enum exchange_heard {
	EXCHANGE_PART,    /* the answer goes on, or there is none that this belongs to */
	EXCHANGE_THROUGH, /* the answer is complete */
	EXCHANGE_BROKEN,  /* nothing that follows would make sense: see exchange_trouble() */
};

/* The options of the command line, as getopt(3) wants them, and all of it for people. */
extern const char exchange_options[];
extern const char exchange_usage[];

/**
 * Take from the command line what comes behind the time, before the first
 * connection.
 *
 * @param word stays where it is for as long as there are connections
 * @return 0, or -errno: -EINVAL if the words make no sense
 *   -EFBIG    what is to be said is longer than EXCHANGE_MOST_BYTES
 *   -ENODATA  it is empty
 */
int exchange_choose(int words, char **word, size_t connections);

/**
 * What is still to be sent of a message. None is left of one that only waits for
 * what the server says of itself.
 *
 * @return good until the next call
 */
const char *exchange_request(const struct message *message, size_t *left);

/**
 * Room to receive an answer in: more than any takes, so that a whole one is a
 * short read.
 */
size_t exchange_room(void);

/**
 * Take what was received on a connection, by its latest message.
 */
enum exchange_heard exchange_hear(struct message *message, const char *bytes, size_t len);

/**
 * Whether a connection has said all that comes before its first request.
 */
bool exchange_is_introduced(const struct message *message);

/**
 * What broke the exchange that was heard last.
 */
const char *exchange_trouble(void);

uint64_t exchange_wrong_bytes(void);

#endif
