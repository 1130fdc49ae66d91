/* The beginning and the end of a kernel thread that libc does not know (kernel_thread.c). */
#include <sys/syscall.h>

	.text

/*
 * long weft__kernel_thread_clone(const struct clone_call *call, void (*begin)(void *arg), void *arg)
 *
 * The new thread has the registers of this one but rax, rcx, r11 and the stack pointer, a multiple
 * of 16. begin() does not return.
 */
	.globl	weft__kernel_thread_clone
	.hidden	weft__kernel_thread_clone
	.type	weft__kernel_thread_clone, @function
weft__kernel_thread_clone:
	.cfi_startproc
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbx, -16
	mov	%rdx, %rbx
	mov	%rsi, %r9
	mov	%rdi, %r11
	mov	(%r11), %rax
	mov	8(%r11), %rdi
	mov	16(%r11), %rsi
	mov	24(%r11), %rdx
	mov	32(%r11), %r10
	mov	40(%r11), %r8
	syscall
	test	%rax, %rax
	jz	1f
	pop	%rbx
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
	.cfi_restore_state
	.cfi_undefined %rip
1:	xor	%ebp, %ebp
	mov	%rbx, %rdi
	call	*%r9
	ud2
	.cfi_endproc
	.size	weft__kernel_thread_clone, . - weft__kernel_thread_clone

/* void weft__kernel_thread_leave(void *mapping, size_t bytes): unmap the stack, and end */
	.globl	weft__kernel_thread_leave
	.hidden	weft__kernel_thread_leave
	.type	weft__kernel_thread_leave, @function
weft__kernel_thread_leave:
	.cfi_startproc
	mov	$SYS_munmap, %eax
	syscall
	xor	%edi, %edi
	mov	$SYS_exit, %eax
	syscall
	ud2
	.cfi_endproc
	.size	weft__kernel_thread_leave, . - weft__kernel_thread_leave

	.section .note.GNU-stack, "", @progbits
