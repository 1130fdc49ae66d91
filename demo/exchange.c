#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char exchange_options[] = "w:p:c:rsg";
const char exchange_usage[] = "load [-s] [-w WARMUP_SECONDS] [-p SERVER_PID] [-c CA_FILE] "
			      "[-r | --leave | --idle N]\n            [--sources N] [-g] "
			      "HOST PORT CONNECTIONS SECONDS BYTES|REQUEST ANSWER";

struct text {
	size_t len;
	char bytes[EXCHANGE_MOST_BYTES];
};

static struct text request;
static struct text answer;
static bool is_echo;
static uint64_t wrong_bytes;
static uint64_t message[EXCHANGE_MOST_BYTES / 8 + 1];

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

static int choose_echo(const char *bytes)
{
	char *end;
	double value = strtod(bytes, &end);

	if (end == bytes || *end != '\0' || !(value >= 1 && value <= EXCHANGE_MOST_BYTES))
		return -EINVAL;
	is_echo = true;
	request.len = (size_t)value;
	answer.len = (size_t)value;
	return 0;
}

int exchange_choose(int words, char **word, size_t connections)
{
	int err;

	(void)connections;
	if (words == 1)
		return choose_echo(word[0]);
	if (words != 2)
		return -EINVAL;
	err = read_text(word[0], &request);
	return err != 0 ? err : read_text(word[1], &answer);
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

const char *exchange_request(const struct message *m, size_t *left)
{
	*left = request.len - m->sent;
	if (!is_echo)
		return request.bytes + m->sent;
	return message_part(m->connection, m->sequence, m->sent, request.len);
}

size_t exchange_room(void)
{
	return answer.len + 1;
}

/* What is returned comes byte by byte, what is answered when all was said. */
static size_t answered_most(size_t sent)
{
	if (is_echo)
		return sent;
	return sent == request.len ? answer.len : 0;
}

enum exchange_heard exchange_hear(struct message *m, const char *bytes, size_t len)
{
	/* What cannot have come yet is not an answer. */
	size_t due = answered_most(m->sent) - m->answered;
	size_t checked = len < due ? len : due;
	const char *right = is_echo ? message_part(m->connection, m->sequence, m->answered,
						   m->answered + checked)
				    : answer.bytes + m->answered;

	if (memcmp(bytes, right, checked) != 0)
		for (size_t i = 0; i < checked; i++)
			wrong_bytes += bytes[i] != right[i];
	wrong_bytes += len - checked;
	m->answered += checked;
	return checked > 0 && m->answered == answer.len ? EXCHANGE_THROUGH : EXCHANGE_PART;
}

bool exchange_is_introduced(const struct message *m)
{
	(void)m;
	return true;
}

/* Wrong bytes are counted, and the next may be right. */
const char *exchange_trouble(void)
{
	return "";
}

uint64_t exchange_wrong_bytes(void)
{
	return wrong_bytes;
}
