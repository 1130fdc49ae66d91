/*
 * The sites of the vDSO (vdso(7)): clocks that only the kernel can read.
 *
 * Where the machine's time source is one of these, weft's own looks at CLOCK_MONOTONIC come by
 * here as well, from the middle of a handler. So only what may be a thread's clock goes on to the
 * handler: CLOCK_THREAD_CPUTIME_ID, and the numbers that are made of a thread's id.
 */
#define CLOCK_THREAD_CPUTIME_ID 3
#define LAST_KNOWN_CLOCK 63 /* above those of any kernel, below those of any task */

	.text
	.globl	weft__entry_clock
	.hidden	weft__entry_clock
	.type	weft__entry_clock, @function
	.p2align 4
weft__entry_clock:
	.cfi_startproc
	.cfi_undefined %rip
	cmp	$CLOCK_THREAD_CPUTIME_ID, %edi
	je	weft__entry
	cmp	$LAST_KNOWN_CLOCK, %edi
	ja	weft__entry
	jmp	weft__entry_native
	.cfi_endproc
	.size	weft__entry_clock, . - weft__entry_clock

	.section .note.GNU-stack, "", @progbits
