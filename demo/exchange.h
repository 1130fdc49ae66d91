/*
 * What the load says on its connections and what has to come back: each message
 * unlike every other and returned as it is, or always the same request and the
 * same answer.
 */
#ifndef DEMO_EXCHANGE_H
#define DEMO_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#define EXCHANGE_MOST_BYTES (1 << 20)

/**
 * Say messages of so many bytes, to be returned.
 */
void exchange_echo(size_t bytes);

/**
 * Say what is in one file, to be answered by what is in another.
 *
 * @return 0, or -errno: -EFBIG if one is longer than EXCHANGE_MOST_BYTES,
 *         -ENODATA if one is empty
 */
int exchange_files(const char *request_path, const char *answer_path);

size_t exchange_request_bytes(void);
size_t exchange_answer_bytes(void);

/**
 * Bytes [from, to) of a connection's message, by the message's number.
 *
 * @return good until the next call
 */
const char *exchange_request(uint64_t connection, uint64_t sequence, size_t from, size_t to);
const char *exchange_answer(uint64_t connection, uint64_t sequence, size_t from, size_t to);

/**
 * How many bytes of the answer may have come when so many of the request were
 * sent: what is returned is so byte by byte, what is answered when all was said.
 */
size_t exchange_answered_most(size_t sent);

#endif
