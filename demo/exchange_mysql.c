/*
 * Queries over the protocol of MySQL and MariaDB: sysbench's oltp_point_select
 * without sysbench, whose threads want to be woken one by one by the server.
 *
 *     load_mysql ... USER DATABASE TABLES ROWS
 *
 * A connection logs in without a password and prepares
 *
 *     SELECT c FROM sbtestN WHERE id=?
 *
 * on one of the tables sbtest1 to sbtestTABLES. A message from then on executes
 * it with a random id, and is answered by exactly one row, whose c looks as
 * sysbench makes it, and is what it was when that row came before: a row swapped
 * with another connection's shows.
 *
 *     server                 client
 *     greeting            ->
 *                         <- login
 *     OK | other plugin   ->                  (which is mysql_native_password, again)
 *                         <- COM_STMT_PREPARE
 *     OK, parameter, end, column, end ->
 *                         <- COM_STMT_EXECUTE
 *     1, column, end, row, end ->
 *
 * Bytes are those that sysbench and the server exchange when it is built on
 * MariaDB's client library 3.3: a server that can leaves the column out of the
 * answer when it is as it was when the statement was prepared.
 *
 * Each goes in packets: 3 bytes of length, 1 of number, which counts both sides'
 * packets from the command on, and the payload. Numbers are little-endian.
 */
#include "exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 4
#define REQUEST_MOST_BYTES 512
#define NAME_MOST_BYTES 80
/* What comes of an answer at most before its rest; the longest packet is an error's. */
#define KEPT_MOST_BYTES 2048
#define ROOM_BYTES 4096
/* Ten groups of eleven digits, with dashes between. */
#define VALUE_BYTES 119
#define VALUE_GROUP_BYTES 12

#define PLUGIN "mysql_native_password"
#define PACKET_OK 0x00
#define PACKET_SWITCH 0xfe
#define PACKET_END 0xfe
#define PACKET_ERROR 0xff
#define END_BYTES 5
#define COM_STMT_PREPARE 0x16
#define COM_STMT_EXECUTE 0x17
#define TYPE_LONGLONG 8
#define CHARACTERS_UTF8MB4 45

enum {
	/* One bit that servers of MySQL set and those of MariaDB, which are able to more, do not. */
	CLIENT_MYSQL = 1 << 0,
	CLIENT_LONG_FLAG = 1 << 2,
	CLIENT_CONNECT_WITH_DB = 1 << 3,
	CLIENT_PROTOCOL_41 = 1 << 9,
	CLIENT_TRANSACTIONS = 1 << 13,
	CLIENT_SECURE_CONNECTION = 1 << 15,
	CLIENT_PLUGIN_AUTH = 1 << 19,
	CLIENT_ALL = CLIENT_LONG_FLAG | CLIENT_CONNECT_WITH_DB | CLIENT_PROTOCOL_41 |
		     CLIENT_TRANSACTIONS | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH,
	/* Of MariaDB's further ones: columns are said once. */
	MORE_CACHE_METADATA = 1 << 4,
};

enum stage { GREETING, LOGIN, PREPARE, EXECUTE };

/* A connection's part in it. */
struct talk {
	enum stage stage;     /* whose answer is due */
	unsigned packets;     /* of that answer, so far */
	uint8_t number;       /* the next packet's */
	uint32_t more;        /* what MariaDB's further capabilities are, from LOGIN on */
	uint32_t statement;   /* from EXECUTE on */
	uint32_t row;         /* that the request is for, from EXECUTE on */
	uint64_t through;     /* the latest message whose answer is through */
	bool introduced;      /* a row has come */
	size_t request_bytes; /* of the message that is under way, or the next one */
	size_t kept_bytes;
	uint8_t request[REQUEST_MOST_BYTES];
	uint8_t kept[KEPT_MOST_BYTES]; /* a packet that is not complete */
};

/* What is still to be read of a packet; past its end there are zeros. */
struct payload {
	const uint8_t *at;
	size_t left;
};

const char exchange_options[] = "w:p:s";
const char exchange_usage[] = "load_mysql [-s] [-w WARMUP_SECONDS] [-p SERVER_PID] "
			      "HOST|SOCKET PORT CONNECTIONS SECONDS USER DATABASE TABLES ROWS";

static const char *user;
static const char *database;
static uint32_t tables;
static uint32_t rows;
static struct talk *talks;
static uint64_t *values; /* a hash of each row's, 0 before it was seen */
static uint64_t wrong_bytes;
static char trouble[1024];

/* --- Settings --- */

/* 0 if it is none from 1 to most. */
static uint32_t count(const char *text, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	return end == text || *end != '\0' || value < 1 || value > most ? 0 : (uint32_t)value;
}

int exchange_choose(int words, char **word, size_t connections)
{
	if (words != 4)
		return -EINVAL;
	user = word[0];
	database = word[1];
	tables = count(word[2], 1000);
	rows = count(word[3], 100000000);
	if (tables == 0 || rows == 0)
		return -EINVAL;
	if (strlen(user) > NAME_MOST_BYTES || strlen(database) > NAME_MOST_BYTES)
		return -ENAMETOOLONG;
	talks = calloc(connections, sizeof(*talks));
	values = calloc((size_t)tables * rows, sizeof(*values));
	return talks == NULL || values == NULL ? -ENOMEM : 0;
}

/* --- What is wrong --- */

__attribute__((format(printf, 1, 2))) static enum exchange_heard broken(const char *format, ...)
{
	va_list words;

	va_start(words, format);
	vsnprintf(trouble, sizeof(trouble), format, words);
	va_end(words);
	return EXCHANGE_BROKEN;
}

const char *exchange_trouble(void)
{
	return trouble;
}

uint64_t exchange_wrong_bytes(void)
{
	return wrong_bytes;
}

/* --- Packets to send --- */

static void put_number(struct talk *t, uint32_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		t->request[t->request_bytes++] = (uint8_t)(value >> 8 * i);
}

static void put_zeros(struct talk *t, size_t bytes)
{
	memset(t->request + t->request_bytes, 0, bytes);
	t->request_bytes += bytes;
}

static void put_text(struct talk *t, const char *text, size_t bytes)
{
	memcpy(t->request + t->request_bytes, text, bytes);
	t->request_bytes += bytes;
}

/* Numbers go on from the packet that is answered, or begin anew with a command. */
static void begin_packet(struct talk *t, uint8_t number)
{
	t->request_bytes = 0;
	put_number(t, 0, HEADER_BYTES);
	t->request[3] = number;
	t->number = (uint8_t)(number + 1);
}

static void end_packet(struct talk *t)
{
	size_t bytes = t->request_bytes;

	t->request_bytes = 0;
	put_number(t, (uint32_t)(bytes - HEADER_BYTES), 3);
	t->request_bytes = bytes;
}

static void ask(struct talk *t, enum stage stage)
{
	end_packet(t);
	t->stage = stage;
	t->packets = 0;
}

static void ask_to_login(struct talk *t)
{
	begin_packet(t, t->number);
	put_number(t, CLIENT_ALL | (t->more != 0 ? 0 : CLIENT_MYSQL), 4);
	put_number(t, 1 << 24, 4); /* the longest packet */
	put_number(t, CHARACTERS_UTF8MB4, 1);
	put_zeros(t, 19);
	put_number(t, t->more, 4);
	put_text(t, user, strlen(user) + 1);
	put_number(t, 0, 1); /* no password */
	put_text(t, database, strlen(database) + 1);
	put_text(t, PLUGIN, sizeof(PLUGIN));
	ask(t, LOGIN);
}

static void ask_to_login_again(struct talk *t)
{
	begin_packet(t, t->number);
	ask(t, LOGIN);
}

static uint32_t table_of(const struct message *m)
{
	return (uint32_t)(m->connection % tables);
}

static void ask_to_prepare(struct talk *t, const struct message *m)
{
	char query[80];
	int bytes = snprintf(query, sizeof(query), "SELECT c FROM sbtest%u WHERE id=?",
			     table_of(m) + 1);

	begin_packet(t, 0);
	put_number(t, COM_STMT_PREPARE, 1);
	put_text(t, query, (size_t)bytes);
	ask(t, PREPARE);
}

/* From 1 to most (the generator is xorshift64*). */
static uint32_t random_up_to(uint32_t most)
{
	static uint64_t state = 0x9e3779b97f4a7c15ULL;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dULL >> 32) * most >> 32) + 1;
}

static void ask_to_execute(struct talk *t)
{
	bool is_first = t->stage != EXECUTE;

	t->row = random_up_to(rows);
	begin_packet(t, 0);
	put_number(t, COM_STMT_EXECUTE, 1);
	put_number(t, t->statement, 4);
	put_number(t, 0, 1);        /* no cursor */
	put_number(t, 1, 4);        /* once */
	put_number(t, 0, 1);        /* the parameter is not NULL */
	put_number(t, is_first, 1); /* and its type follows; the server keeps it */
	if (is_first)
		put_number(t, TYPE_LONGLONG, 2);
	put_number(t, t->row, 4);
	put_zeros(t, 4);
	ask(t, EXECUTE);
}

const char *exchange_request(const struct message *m, size_t *left)
{
	const struct talk *t = &talks[m->connection];

	/* What is there when an answer is through is the next message. */
	*left = m->sequence == t->through ? 0 : t->request_bytes - m->sent;
	return (const char *)t->request + m->sent;
}

/* --- Packets received --- */

static uint32_t get_number(struct payload *p, size_t bytes)
{
	uint32_t value = 0;

	for (size_t i = 0; i < bytes && p->left > 0; i++) {
		value |= (uint32_t)*p->at++ << 8 * i;
		p->left--;
	}
	return value;
}

static void skip(struct payload *p, size_t bytes)
{
	if (bytes > p->left)
		bytes = p->left;
	p->at += bytes;
	p->left -= bytes;
}

/* Up to a zero byte, or all that is left. */
static void skip_text(struct payload *p)
{
	size_t bytes = strnlen((const char *)p->at, p->left);

	skip(p, bytes + 1);
}

static bool is_end(const struct payload *p)
{
	return p->left == END_BYTES && p->at[0] == PACKET_END;
}

static enum exchange_heard hear_error(struct payload *p)
{
	uint32_t number;

	skip(p, 1);
	number = get_number(p, 2);
	if (p->left >= 6 && p->at[0] == '#')
		skip(p, 6);
	return broken("the server says: %.*s (error %u)", (int)p->left, (const char *)p->at,
		      number);
}

static enum exchange_heard hear_greeting(struct talk *t, struct payload *p)
{
	uint32_t wanted = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH;
	uint32_t version = get_number(p, 1);
	uint32_t able;

	if (version != 10)
		return broken("the server speaks version %u of something, not 10 of MySQL",
			      version);
	skip_text(p);       /* its version */
	skip(p, 4 + 8 + 1); /* the connection's number, a part of the salt, filler */
	able = get_number(p, 2);
	skip(p, 1 + 2); /* characters, status */
	able |= get_number(p, 2) << 16;
	if ((able & wanted) != wanted)
		return broken("the server is too old: of capabilities %#x it has %#x", wanted,
			      able & wanted);
	skip(p, 1 + 6); /* how long the salt is, filler */
	if (!(able & CLIENT_MYSQL))
		t->more = get_number(p, 4) & MORE_CACHE_METADATA;
	ask_to_login(t);
	return EXCHANGE_THROUGH;
}

static enum exchange_heard hear_login(struct talk *t, const struct message *m, struct payload *p)
{
	uint32_t kind = get_number(p, 1);

	if (kind == PACKET_OK) {
		ask_to_prepare(t, m);
		return EXCHANGE_THROUGH;
	}
	if (kind != PACKET_SWITCH)
		return broken("the login is answered by packet %#x", kind);
	if (p->left < sizeof(PLUGIN) || memcmp(p->at, PLUGIN, sizeof(PLUGIN)) != 0)
		return broken("%s has to log in by %.*s, which is not " PLUGIN, user,
			      (int)strnlen((const char *)p->at, p->left), (const char *)p->at);
	ask_to_login_again(t);
	return EXCHANGE_THROUGH;
}

static enum exchange_heard hear_prepared(struct talk *t, struct payload *p)
{
	uint32_t columns, parameters;

	switch (t->packets++) {
	case 0:
		if (get_number(p, 1) != PACKET_OK)
			break;
		t->statement = get_number(p, 4);
		columns = get_number(p, 2);
		parameters = get_number(p, 2);
		if (columns != 1 || parameters != 1)
			return broken("a statement of one column and one parameter has %u and %u",
				      columns, parameters);
		return EXCHANGE_PART;
	case 2:
	case 4:
		if (!is_end(p))
			break;
		if (t->packets <= 4)
			return EXCHANGE_PART;
		ask_to_execute(t);
		return EXCHANGE_THROUGH;
	default:
		return EXCHANGE_PART;
	}
	return broken("packet %u of what was prepared is none that belongs there", t->packets);
}

static uint64_t hash_of(const uint8_t *bytes, size_t len)
{
	uint64_t hash = len;
	uint64_t word = 0;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, bytes + i, len - i < sizeof(word) ? len - i : sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return hash | 1;
}

static bool looks_right(const uint8_t *value)
{
	bool is_right = true;

	for (size_t i = 0; i < VALUE_BYTES; i++) {
		if (i % VALUE_GROUP_BYTES == VALUE_GROUP_BYTES - 1)
			is_right &= value[i] == '-';
		else
			is_right &= value[i] >= '0' && value[i] <= '9';
	}
	return is_right;
}

static enum exchange_heard hear_row(struct talk *t, const struct message *m, struct payload *p)
{
	uint64_t *known = &values[(size_t)table_of(m) * rows + t->row - 1];
	uint64_t hash;

	/* A zero, no NULL among the columns, and a length that takes one byte. */
	if (p->left != 3 + VALUE_BYTES || p->at[0] != 0 || p->at[1] != 0 ||
	    p->at[2] != VALUE_BYTES || !looks_right(p->at + 3)) {
		wrong_bytes += p->left;
		return broken("row %u is not of %d digits and dashes", t->row, VALUE_BYTES);
	}
	hash = hash_of(p->at + 3, VALUE_BYTES);
	if (*known != 0 && *known != hash) {
		wrong_bytes += p->left;
		return broken("row %u is not what it was before", t->row);
	}
	*known = hash;
	return EXCHANGE_PART;
}

static enum exchange_heard hear_executed(struct talk *t, const struct message *m, struct payload *p)
{
	uint32_t columns;

	switch (t->packets++) {
	case 0:
		columns = get_number(p, 1);
		if (columns != 1)
			return broken("one column was asked for, %u come", columns);
		if (t->more != 0 && get_number(p, 1) == 0)
			t->packets++; /* the column is left out */
		return EXCHANGE_PART;
	case 1:
		return EXCHANGE_PART;
	case 2:
		return is_end(p) ? EXCHANGE_PART : broken("no end of columns");
	case 3:
		return is_end(p) ? broken("there is no row %u", t->row) : hear_row(t, m, p);
	default:
		if (!is_end(p))
			return broken("there is more than one row %u", t->row);
		t->introduced = true;
		ask_to_execute(t);
		return EXCHANGE_THROUGH;
	}
}

static enum exchange_heard hear_packet(struct talk *t, const struct message *m, struct payload p)
{
	if (p.left > 0 && p.at[0] == PACKET_ERROR)
		return hear_error(&p);
	if (m->sent < t->request_bytes)
		return broken("an answer comes before the question is out");
	switch (t->stage) {
	case GREETING:
		return hear_greeting(t, &p);
	case LOGIN:
		return hear_login(t, m, &p);
	case PREPARE:
		return hear_prepared(t, &p);
	default:
		return hear_executed(t, m, &p);
	}
}

static enum exchange_heard hear_packets(struct talk *t, const struct message *m, struct payload *p)
{
	enum exchange_heard heard = EXCHANGE_PART;

	while (heard == EXCHANGE_PART && p->left >= HEADER_BYTES) {
		struct payload rest = *p;
		size_t bytes = get_number(&rest, 3);
		uint32_t number = get_number(&rest, 1);

		if (number != t->number)
			return broken("packet %u comes where %u was due", number, t->number);
		if (bytes > KEPT_MOST_BYTES - HEADER_BYTES)
			return broken("a packet of %zu bytes is none that was asked for", bytes);
		if (rest.left < bytes)
			break;
		t->number++;
		skip(p, HEADER_BYTES + bytes);
		rest.left = bytes;
		heard = hear_packet(t, m, rest);
	}
	return heard;
}

enum exchange_heard exchange_hear(struct message *m, const char *bytes, size_t len)
{
	struct talk *t = &talks[m->connection];
	struct payload p = {(const uint8_t *)bytes, len};
	enum exchange_heard heard;

	if (m->sequence == t->through || len > sizeof(t->kept) - t->kept_bytes)
		return broken("the server says more than it was asked for");
	if (t->kept_bytes > 0) {
		memcpy(t->kept + t->kept_bytes, bytes, len);
		p = (struct payload){t->kept, t->kept_bytes + len};
	}
	heard = hear_packets(t, m, &p);
	if (heard == EXCHANGE_THROUGH && p.left > 0)
		return broken("the server says more than it was asked for");
	if (heard == EXCHANGE_THROUGH)
		t->through = m->sequence;
	t->kept_bytes = p.left;
	memmove(t->kept, p.at, p.left);
	return heard;
}

bool exchange_is_introduced(const struct message *m)
{
	return talks[m->connection].introduced;
}

size_t exchange_room(void)
{
	return ROOM_BYTES;
}
