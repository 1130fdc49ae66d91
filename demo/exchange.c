#include "exchange.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

struct text {
	size_t len;
	char bytes[EXCHANGE_MOST_BYTES];
};

static struct text request;
static struct text answer;
static bool is_echo;
static uint64_t message[EXCHANGE_MOST_BYTES / 8 + 1];

void exchange_echo(size_t bytes)
{
	is_echo = true;
	request.len = bytes;
	answer.len = bytes;
}

static int read_text(const char *path, struct text *text)
{
	FILE *file = fopen(path, "re");
	int err = 0;

	if (file == NULL)
		return -errno;
	text->len = fread(text->bytes, 1, sizeof(text->bytes), file);
	if (ferror(file))
		err = -EIO;
	else if (text->len == 0)
		err = -ENODATA;
	else if (fgetc(file) != EOF)
		err = -EFBIG;
	fclose(file);
	return err;
}

int exchange_files(const char *request_path, const char *answer_path)
{
	int err = read_text(request_path, &request);

	is_echo = false;
	return err != 0 ? err : read_text(answer_path, &answer);
}

size_t exchange_request_bytes(void)
{
	return request.len;
}

size_t exchange_answer_bytes(void)
{
	return answer.len;
}

/*
 * The whole is a row of 64-bit words, each a hash of connection, sequence and
 * place (the mixing function of splitmix64), so that any part can be made again
 * to compare.
 */
static const char *message_part(uint64_t connection, uint64_t sequence, size_t from, size_t to)
{
	uint64_t seed = (connection << 40) ^ (sequence << 8);

	for (size_t word = from / 8; word * 8 < to; word++) {
		uint64_t x = (seed + word + 1) * 0x9e3779b97f4a7c15ULL;

		x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
		x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
		message[word] = x ^ (x >> 31);
	}
	return (const char *)message + from;
}

const char *exchange_request(uint64_t connection, uint64_t sequence, size_t from, size_t to)
{
	return is_echo ? message_part(connection, sequence, from, to) : request.bytes + from;
}

const char *exchange_answer(uint64_t connection, uint64_t sequence, size_t from, size_t to)
{
	return is_echo ? message_part(connection, sequence, from, to) : answer.bytes + from;
}

size_t exchange_answered_most(size_t sent)
{
	if (is_echo)
		return sent;
	return sent == request.len ? answer.len : 0;
}
