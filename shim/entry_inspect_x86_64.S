/*
 * Where libweft-preload.so begins when it is run as a program (inspect.c): argc and argv are on the
 * stack, and the loader has made libc ready.
 */
	.text
	.globl	weft__entry_inspect
	.hidden	weft__entry_inspect
	.type	weft__entry_inspect, @function
weft__entry_inspect:
	.cfi_startproc
	.cfi_undefined %rip
	xor	%ebp, %ebp
	mov	(%rsp), %rdi
	lea	8(%rsp), %rsi
	and	$-16, %rsp
	call	weft__inspect
	.cfi_endproc
	.size	weft__entry_inspect, . - weft__entry_inspect

	.section .note.GNU-stack, "", @progbits
