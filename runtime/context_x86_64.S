/*
 * Stack switching on x86-64, System V ABI.
 *
 * A suspended stack, from its sp upwards:
 *
 *	 0  mxcsr (4 bytes), x87 control word (2 bytes)
 *	 8  r15  r14  r13  r12  rbx  rbp
 *	56  return address
 *
 * Control words are loaded only where they differ: ldmxcsr and fldcw cost more than the rest of
 * the switch, and two tasks rarely differ in them.
 */
	.text

/* void weft__context_swap(void **save_sp, void *load_sp, uintptr_t fs_base) */
	.globl	weft__context_swap
	.hidden	weft__context_swap
	.type	weft__context_swap, @function
	.p2align 5
weft__context_swap:
	.cfi_startproc
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 56
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	mov	(%rsp), %eax
	movzwl	4(%rsp), %ecx
	mov	%rsp, (%rdi)
	test	%rdx, %rdx
	jz	1f
	wrfsbase %rdx
1:	mov	%rsi, %rsp
	cmp	%eax, (%rsp)
	jne	3f
2:	cmp	%cx, 4(%rsp)
	jne	4f
5:	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	.cfi_restore %rbp
	.cfi_restore %rbx
	.cfi_restore %r12
	.cfi_restore %r13
	.cfi_restore %r14
	.cfi_restore %r15
	ret
	.cfi_restore_state
3:	ldmxcsr	(%rsp)
	jmp	2b
4:	fldcw	4(%rsp)
	jmp	5b
	.cfi_endproc
	.size	weft__context_swap, . - weft__context_swap

/*
 * int weft__context_swap_passing(void **save_sp, void *load_sp, void *value, void **ret_value,
 *				  int error)
 *
 * As above; where the value goes lies between the control words and r15. Value and error stay in
 * their registers on the way.
 *
 * It ends in a jump. What the processor predicts of a return is where it was last called from,
 * which is a place of the stack that it leaves: two coroutines in different functions would be
 * wrong at each switch (6 ns). A jump is predicted by where such jumps have gone before.
 */
	.globl	weft__context_swap_passing
	.hidden	weft__context_swap_passing
	.type	weft__context_swap_passing, @function
	.p2align 5
weft__context_swap_passing:
	.cfi_startproc
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rcx
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 64
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	mov	(%rsp), %eax
	movzwl	4(%rsp), %ecx
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	xor	(%rsp), %eax
	test	$0xffc0, %eax	/* the bits below tell what has happened, and are nobody's */
	jnz	3f
2:	cmp	%cx, 4(%rsp)
	jne	4f
5:	mov	8(%rsp), %rcx
	mov	%r8d, %eax
	test	%eax, %eax
	jnz	6f
	test	%rcx, %rcx
	jz	6f
	mov	%rdx, (%rcx)
6:	add	$16, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	pop	%rcx
	.cfi_remember_state
	.cfi_def_cfa_offset 0
	.cfi_restore %rbp
	.cfi_restore %rbx
	.cfi_restore %r12
	.cfi_restore %r13
	.cfi_restore %r14
	.cfi_restore %r15
	.cfi_register %rip, %rcx
	jmp	*%rcx
	.cfi_restore_state
3:	ldmxcsr	(%rsp)
	jmp	2b
4:	fldcw	4(%rsp)
	jmp	5b
	.cfi_endproc
	.size	weft__context_swap_passing, . - weft__context_swap_passing

/* The same for one that is passed to. */
	.type	context_start_passed, @function
context_start_passed:
	.cfi_startproc
	.cfi_undefined %rip
	mov	%r12, %rdi
	mov	%rdx, %rsi
	mov	%r8d, %edx
	call	*%rbx
	ud2
	.cfi_endproc
	.size	context_start_passed, . - context_start_passed

/* void *weft__context_prepare_passed(void *top, weft__passed_entry *entry, void *arg) */
	.globl	weft__context_prepare_passed
	.hidden	weft__context_prepare_passed
	.type	weft__context_prepare_passed, @function
weft__context_prepare_passed:
	.cfi_startproc
	and	$-16, %rdi
	lea	-72(%rdi), %rax
	xor	%ecx, %ecx
	stmxcsr	(%rax)
	movl	%ecx, 4(%rax)
	fnstcw	4(%rax)
	mov	%rcx, 8(%rax)
	mov	%rcx, 16(%rax)
	mov	%rcx, 24(%rax)
	mov	%rcx, 32(%rax)
	mov	%rdx, 40(%rax)
	mov	%rsi, 48(%rax)
	mov	%rcx, 56(%rax)
	lea	context_start_passed(%rip), %rcx
	mov	%rcx, 64(%rax)
	ret
	.cfi_endproc
	.size	weft__context_prepare_passed, . - weft__context_prepare_passed

/* The first frame of a stack: rbx holds the entry, r12 its argument. Unwinding ends here. */
	.type	context_start, @function
context_start:
	.cfi_startproc
	.cfi_undefined %rip
	mov	%r12, %rdi
	call	*%rbx
	ud2
	.cfi_endproc
	.size	context_start, . - context_start

/* void *weft__context_prepare(void *top, void (*entry)(void *), void *arg) */
	.globl	weft__context_prepare
	.hidden	weft__context_prepare
	.type	weft__context_prepare, @function
weft__context_prepare:
	.cfi_startproc
	and	$-16, %rdi
	lea	-64(%rdi), %rax
	xor	%ecx, %ecx
	stmxcsr	(%rax)
	movl	%ecx, 4(%rax)
	fnstcw	4(%rax)
	mov	%rcx, 8(%rax)
	mov	%rcx, 16(%rax)
	mov	%rcx, 24(%rax)
	mov	%rdx, 32(%rax)
	mov	%rsi, 40(%rax)
	mov	%rcx, 48(%rax)
	lea	context_start(%rip), %rcx
	mov	%rcx, 56(%rax)
	ret
	.cfi_endproc
	.size	weft__context_prepare, . - weft__context_prepare

/*
 * The same for one that leaves when its entry returns, which says in rax for which context: all that
 * has been called on its stack has returned by then. Whoever it goes back to is predicted by the
 * calls that led there as if it had not been away, if it is left by a jump.
 */
	.type	context_start_ending, @function
context_start_ending:
	.cfi_startproc
	.cfi_undefined %rip
	mov	%r12, %rdi
	call	*%rbx
	sub	$16, %rsp
	.cfi_adjust_cfa_offset 16
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	mov	8(%rax), %rdx
	mov	(%rax), %rsi
	mov	(%rsp), %eax
	movzwl	4(%rsp), %ecx
	test	%rdx, %rdx
	jz	1f
	wrfsbase %rdx
1:	mov	%rsi, %rsp
	cmp	%eax, (%rsp)
	jne	3f
2:	cmp	%cx, 4(%rsp)
	jne	4f
5:	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	pop	%rcx
	jmp	*%rcx
3:	ldmxcsr	(%rsp)
	jmp	2b
4:	fldcw	4(%rsp)
	jmp	5b
	.cfi_endproc
	.size	context_start_ending, . - context_start_ending

/* void *weft__context_prepare_ending(void *top, weft__ending_entry *entry, void *arg) */
	.globl	weft__context_prepare_ending
	.hidden	weft__context_prepare_ending
	.type	weft__context_prepare_ending, @function
weft__context_prepare_ending:
	.cfi_startproc
	and	$-16, %rdi
	lea	-64(%rdi), %rax
	xor	%ecx, %ecx
	stmxcsr	(%rax)
	movl	%ecx, 4(%rax)
	fnstcw	4(%rax)
	mov	%rcx, 8(%rax)
	mov	%rcx, 16(%rax)
	mov	%rcx, 24(%rax)
	mov	%rdx, 32(%rax)
	mov	%rsi, 40(%rax)
	mov	%rcx, 48(%rax)
	lea	context_start_ending(%rip), %rcx
	mov	%rcx, 56(%rax)
	ret
	.cfi_endproc
	.size	weft__context_prepare_ending, . - weft__context_prepare_ending

	.section .note.GNU-stack, "", @progbits
