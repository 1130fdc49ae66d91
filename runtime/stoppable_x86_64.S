/*
 * A system call that a signal can stop before it has begun.
 *
 * A flag that is looked at before a blocking call may be raised just after the look; the signal
 * that comes with it finds the program counter between weft__stoppable and weft__stoppable_call
 * then, and its handler goes on at weft__stoppable_end with a result of -EINTR (offload.c). The same
 * holds for a call that the kernel is about to start over, and for nothing else. Of the two, only
 * the second has rcx at weft__stoppable_end: that is where a system call leaves its return address.
 */
#define EINTR 4
#define STOP  1 /* enum weft__stop */

	.text

/* long weft__stoppable(const volatile int *stopped, long nr, const long arg[6]) */
	.globl	weft__stoppable
	.hidden	weft__stoppable
	.globl	weft__stoppable_call
	.hidden	weft__stoppable_call
	.globl	weft__stoppable_end
	.hidden	weft__stoppable_end
	.type	weft__stoppable, @function
weft__stoppable:
	.cfi_startproc
	xor	%ecx, %ecx
	cmpl	$STOP, (%rdi)
	je	1f
	mov	%rsi, %rax
	mov	%rdx, %r11
	mov	(%r11), %rdi
	mov	8(%r11), %rsi
	mov	16(%r11), %rdx
	mov	24(%r11), %r10
	mov	32(%r11), %r8
	mov	40(%r11), %r9
weft__stoppable_call:
	syscall
weft__stoppable_end:
	ret
1:	mov	$-EINTR, %rax
	ret
	.cfi_endproc
	.size	weft__stoppable, . - weft__stoppable

	.section .note.GNU-stack, "", @progbits
