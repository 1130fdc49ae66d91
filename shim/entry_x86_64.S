/*
 * The way from a patched system call site to its handler and back.
 *
 * A stub jumps to weft__entry with every register as at the site, but for rcx, which holds the
 * address of the `syscall` instruction in the stub: a system call destroys rcx and r11 anyway, and
 * nothing else. There are two ways out: to that instruction (native), or past it (answered).
 *
 * Offsets in the frame are those of struct weft__call.
 */
#define CALL_NR      0
#define CALL_ARG     8
#define CALL_RBX    56
#define CALL_RBP    64
#define CALL_R12    72
#define CALL_R13    80
#define CALL_R14    88
#define CALL_R15    96
#define CALL_NATIVE 104
#define CALL_SP     112
#define CALL_PC     120
#define CALL_XMM    128
#define CALL_FD     384
#define CALL_CHILD_SP   392
#define CALL_CHILD_MASK 400
#define CALL_BYTES  416

#define TASK_INSIDE    0
#define TASK_ATTENTION 2

#define CALLS     512
#define RED_ZONE  128

#define NR_RT_SIGPROCMASK 14
#define NR_RT_SIGRETURN 15
#define NR_FORK         57
#define NR_FUTEX       202

	.macro	load_xmm frame
	movaps	CALL_XMM(\frame), %xmm0
	movaps	CALL_XMM + 16(\frame), %xmm1
	movaps	CALL_XMM + 32(\frame), %xmm2
	movaps	CALL_XMM + 48(\frame), %xmm3
	movaps	CALL_XMM + 64(\frame), %xmm4
	movaps	CALL_XMM + 80(\frame), %xmm5
	movaps	CALL_XMM + 96(\frame), %xmm6
	movaps	CALL_XMM + 112(\frame), %xmm7
	movaps	CALL_XMM + 128(\frame), %xmm8
	movaps	CALL_XMM + 144(\frame), %xmm9
	movaps	CALL_XMM + 160(\frame), %xmm10
	movaps	CALL_XMM + 176(\frame), %xmm11
	movaps	CALL_XMM + 192(\frame), %xmm12
	movaps	CALL_XMM + 208(\frame), %xmm13
	movaps	CALL_XMM + 224(\frame), %xmm14
	movaps	CALL_XMM + 240(\frame), %xmm15
	.endm

	.macro	load_arguments
	mov	CALL_ARG(%rbx), %rdi
	mov	CALL_ARG + 8(%rbx), %rsi
	mov	CALL_ARG + 16(%rbx), %rdx
	mov	CALL_ARG + 24(%rbx), %r10
	mov	CALL_ARG + 32(%rbx), %r8
	mov	CALL_ARG + 40(%rbx), %r9
	.endm

	.text
	.globl	weft__entry
	.hidden	weft__entry
	.globl	weft__entry_end
	.hidden	weft__entry_end
	.type	weft__entry, @function
	.p2align 6
weft__entry:
	.cfi_startproc
	.cfi_undefined %rip
	mov	weft__current@gottpoff(%rip), %r11
	cmpq	$0, %fs:(%r11)
	je	foreign
	cmp	$CALLS, %eax
	jae	weft__entry_native
	mov	%eax, %eax
	lea	weft__handlers(%rip), %r11
	mov	(%r11,%rax,8), %r11
	test	%r11, %r11
	jz	weft__entry_native
	.globl	weft__entry_save
	.hidden	weft__entry_save
weft__entry_save:
save:
	/* r11: the handler. The frame goes below the red zone of whoever made the call. */
	lea	-RED_ZONE(%rsp), %rsp
	push	%rbx
	lea	RED_ZONE + 8(%rsp), %rbx
	sub	$CALL_BYTES, %rsp
	and	$-16, %rsp
	mov	%rax, CALL_NR(%rsp)
	mov	%rdi, CALL_ARG(%rsp)
	mov	%rsi, CALL_ARG + 8(%rsp)
	mov	%rdx, CALL_ARG + 16(%rsp)
	mov	%r10, CALL_ARG + 24(%rsp)
	mov	%r8, CALL_ARG + 32(%rsp)
	mov	%r9, CALL_ARG + 40(%rsp)
	mov	-RED_ZONE - 8(%rbx), %rax
	mov	%rbx, CALL_SP(%rsp)
	mov	%rax, CALL_RBX(%rsp)
	mov	-8(%rcx), %rax
	mov	%rbp, CALL_RBP(%rsp)
	mov	%r12, CALL_R12(%rsp)
	mov	%r13, CALL_R13(%rsp)
	mov	%r14, CALL_R14(%rsp)
	mov	%r15, CALL_R15(%rsp)
	mov	%rcx, CALL_NATIVE(%rsp)
	mov	%rax, CALL_PC(%rsp)
	movaps	%xmm0, CALL_XMM(%rsp)
	movaps	%xmm1, CALL_XMM + 16(%rsp)
	movaps	%xmm2, CALL_XMM + 32(%rsp)
	movaps	%xmm3, CALL_XMM + 48(%rsp)
	movaps	%xmm4, CALL_XMM + 64(%rsp)
	movaps	%xmm5, CALL_XMM + 80(%rsp)
	movaps	%xmm6, CALL_XMM + 96(%rsp)
	movaps	%xmm7, CALL_XMM + 112(%rsp)
	movaps	%xmm8, CALL_XMM + 128(%rsp)
	movaps	%xmm9, CALL_XMM + 144(%rsp)
	movaps	%xmm10, CALL_XMM + 160(%rsp)
	movaps	%xmm11, CALL_XMM + 176(%rsp)
	movaps	%xmm12, CALL_XMM + 192(%rsp)
	movaps	%xmm13, CALL_XMM + 208(%rsp)
	movaps	%xmm14, CALL_XMM + 224(%rsp)
	movaps	%xmm15, CALL_XMM + 240(%rsp)
	/* A caught call (catch.c) begins here, its frame made. */
	.globl	weft__entry_caught
	.hidden	weft__entry_caught
weft__entry_caught:
	mov	%rsp, %rbx
	/*
	 * From here to `leave`, rbx is the frame, and the unwinder walks on as if the handler had
	 * been called from the site itself: CFA = frame->sp, return address = frame->pc.
	 */
	.cfi_escape 0x0f, 0x04, 0x73, 0xf0, 0x00, 0x06	/* CFA: *(rbx + 112) */
	.cfi_escape 0x10, 0x10, 0x03, 0x73, 0xf8, 0x00	/* rip: at rbx + 120 */
	.cfi_escape 0x10, 0x03, 0x02, 0x73, 0x38	/* rbx: at rbx + 56 */
	mov	weft__current@gottpoff(%rip), %rax
	mov	%fs:(%rax), %rax
	test	%rax, %rax
	jz	again
	movw	$1, TASK_INSIDE(%rax)	/* and not restarted */
	.globl	weft__entry_inside
	.hidden	weft__entry_inside
weft__entry_inside:
	cmpb	$0, weft__careful(%rip)
	jne	go_in
again:
	/* r11: the handler; rbx and rsp: the frame. */
	mov	%rbx, %rdi
	call	*%r11
done:
	/*
	 * rax: the handler's result. The task is asked for anew: in a child after fork it is nobody.
	 * A signal that comes once `inside` is 0 is not left waiting.
	 */
	mov	weft__current@gottpoff(%rip), %rcx
	mov	%fs:(%rcx), %rcx
	test	%rcx, %rcx
	jz	leave
	cmpb	$0, weft__careful(%rip)
	jne	go_out
gone_out:
	movb	$0, TASK_INSIDE(%rcx)
	cmpb	$0, TASK_ATTENTION(%rcx)
	jne	attend
leave:
	load_xmm %rbx
	load_arguments
	mov	CALL_NATIVE(%rbx), %rcx
	/* WEFT__PASS, WEFT__VFORK: the two results no call can have. */
	movabs	$0x8000000000000000, %r11
	sub	%rax, %r11
	jz	pass
	inc	%r11
	jz	borrow
	/* The stack pointer goes last: a signal may overwrite what is below it at any time. */
	mov	CALL_SP(%rbx), %r11
	mov	CALL_RBX(%rbx), %rbx
	mov	%r11, %rsp
	.cfi_remember_state
	.cfi_def_cfa %rsp, 0
	.cfi_undefined %rip
	.cfi_restore %rbx
	add	$2, %rcx
	jmp	*%rcx
pass:
	mov	CALL_NR(%rbx), %rax
	mov	CALL_SP(%rbx), %r11
	mov	CALL_RBX(%rbx), %rbx
	mov	%r11, %rsp
	jmp	weft__entry_native
borrow:
	/*
	 * The child runs in this memory until it execs or exits, on another stack maybe, with
	 * this thread pointer: what both need afterwards is kept there. The handler has set the
	 * current task aside, so that the child's calls go to the kernel.
	 */
	mov	weft__vfork_exit@gottpoff(%rip), %r11
	mov	%rcx, %fs:(%r11)
	mov	CALL_NR(%rbx), %rax
	mov	CALL_SP(%rbx), %r11
	mov	CALL_RBX(%rbx), %rbx
	mov	%r11, %rsp
	syscall
	mov	weft__vfork_exit@gottpoff(%rip), %r11
	mov	%fs:(%r11), %rcx
	test	%rax, %rax
	jz	2f
	/* The parent: its call is the handler's, which is given what vfork returned as its number. */
	lea	weft__vfork_end(%rip), %r11
	jmp	save
2:	add	$2, %rcx
	jmp	*%rcx
	.cfi_restore_state
go_in:	/* The handler is kept where it will keep the descriptor. */
	mov	%r11, CALL_FD(%rbx)
	mov	%rbx, %rdi
	call	weft__entry_go_in
	mov	CALL_FD(%rbx), %r11
	jmp	again
go_out:
	push	%rax
	push	%rcx
	call	weft__entry_go_out
	pop	%rcx
	pop	%rax
	jmp	gone_out
attend:
	movb	$1, TASK_INSIDE(%rcx)
	mov	%rbx, %rdi
	mov	%rax, %rsi
	call	weft__attend
	movabs	$0x8000000000000002, %rcx
	cmp	%rcx, %rax
	jne	done
	mov	CALL_NR(%rbx), %rax
	lea	weft__handlers(%rip), %r11
	mov	(%r11,%rax,8), %r11
	jmp	again
	.cfi_endproc

	.cfi_startproc
	.cfi_undefined %rip
foreign:
	lea	weft__foreign_futex(%rip), %r11
	cmp	$NR_FUTEX, %eax
	je	save
	lea	weft__waking_call(%rip), %r11
	cmpb	$0, weft__waking(%rip)
	jne	save
	jmp	*%rcx

/*
 * Let the kernel answer: in the stub; or here, where nothing is caught (catch.c). The way back is
 * kept below the red zone, out of reach of signal handlers, though not of a child on this stack.
 */
	.globl	weft__entry_native
	.hidden	weft__entry_native
weft__entry_native:
	cmpb	$0, weft__catching(%rip)
	jne	4f
	jmp	*%rcx
4:	lea	weft__caught_fork(%rip), %r11
	cmp	$NR_FORK, %eax
	je	save
	cmp	$NR_RT_SIGRETURN, %eax
	je	5f
	lea	-RED_ZONE(%rsp), %rsp
	push	%rcx
	syscall
	pop	%rcx
	lea	RED_ZONE(%rsp), %rsp
	add	$2, %rcx
	jmp	*%rcx
5:	syscall	/* its frame is at the stack pointer */
	ud2

/* A caught `int $0x80`, which keeps all registers: on the stack is where to go on. */
	.globl	weft__entry_int80
	.hidden	weft__entry_int80
weft__entry_int80:
	int	$0x80
	ret	$RED_ZONE

/* void weft__entry_child(struct weft__call *call): on the new stack, with the frame's registers. */
	.globl	weft__entry_child
	.hidden	weft__entry_child
	.type	weft__entry_child, @function
weft__entry_child:
	mov	%rdi, %rbx
	mov	%rdi, %rsp
	mov	CALL_RBP(%rbx), %rbp
	mov	CALL_R12(%rbx), %r12
	mov	CALL_R13(%rbx), %r13
	mov	CALL_R14(%rbx), %r14
	mov	CALL_R15(%rbx), %r15
	xor	%eax, %eax
	jmp	done
	.cfi_endproc
weft__entry_end:
	.size	weft__entry, . - weft__entry

	.macro	push_kept
	.irp	reg, %rbx, %rbp, %r12, %r13, %r14, %r15
	push	\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
	.endr
	.endm

	.macro	pop_kept
	.irp	reg, %r15, %r14, %r13, %r12, %rbp, %rbx
	pop	\reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore \reg
	.endr
	.endm

/* What a call is made with, but for rbx and the number. rbx is the frame and stays. */
	.macro	load_call
	mov	CALL_RBP(%rbx), %rbp
	mov	CALL_R12(%rbx), %r12
	mov	CALL_R13(%rbx), %r13
	mov	CALL_R14(%rbx), %r14
	mov	CALL_R15(%rbx), %r15
	load_arguments
	.endm

/*
 * long weft__clone_for(struct weft__call *call, uintptr_t fs_base): see spawn.c. The child runs in
 * the memory of the task whose call it is, with that one's thread pointer and signal mask, on the
 * stack that the frame says, and goes on where the task would. The frame is there until it does.
 */
	.globl	weft__clone_for
	.hidden	weft__clone_for
	.type	weft__clone_for, @function
weft__clone_for:
	.cfi_startproc
	push_kept
	rdfsbase %rax
	push	%rax
	.cfi_adjust_cfa_offset 8
	mov	%rdi, %rbx
	wrfsbase %rsi
	load_call
	mov	CALL_NR(%rbx), %rax
	syscall
	test	%rax, %rax
	jz	6f
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	wrfsbase %rcx
	pop_kept
	ret
	.cfi_endproc
	.cfi_startproc
	.cfi_undefined %rip
6:	mov	$NR_RT_SIGPROCMASK, %eax
	mov	$2, %edi	/* SIG_SETMASK */
	lea	CALL_CHILD_MASK(%rbx), %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	syscall
	load_xmm %rbx
	load_arguments
	mov	CALL_NATIVE(%rbx), %rcx
	mov	CALL_CHILD_SP(%rbx), %rsp
	mov	CALL_RBX(%rbx), %rbx
	xor	%eax, %eax
	add	$2, %rcx
	jmp	*%rcx
	.cfi_endproc
	.size	weft__clone_for, . - weft__clone_for

/*
 * long weft__clone_apart(struct weft__call *call): see catch.h. The child has all registers of the
 * call, but for what it is given; where it goes on is in the red zone of its stack: the parent's
 * frame may be gone when it looks.
 */
	.globl	weft__clone_apart
	.hidden	weft__clone_apart
	.type	weft__clone_apart, @function
weft__clone_apart:
	.cfi_startproc
	push_kept
	load_xmm %rdi
	mov	CALL_NR(%rdi), %rax
	mov	CALL_ARG + 8(%rdi), %rsi
	mov	CALL_ARG + 16(%rdi), %rdx
	mov	CALL_ARG + 24(%rdi), %r10
	mov	CALL_ARG + 32(%rdi), %r8
	mov	CALL_ARG + 40(%rdi), %r9
	mov	CALL_RBX(%rdi), %rbx
	mov	CALL_RBP(%rdi), %rbp
	mov	CALL_R12(%rdi), %r12
	mov	CALL_R13(%rdi), %r13
	mov	CALL_R14(%rdi), %r14
	mov	CALL_R15(%rdi), %r15
	mov	CALL_ARG(%rdi), %rdi
	syscall
	test	%rax, %rax
	jz	7f
	pop_kept
	ret
	.cfi_endproc
	.cfi_startproc
	.cfi_undefined %rip
7:	mov	-8(%rsp), %rcx
	jmp	*%rcx
	.cfi_endproc
	.size	weft__clone_apart, . - weft__clone_apart

/* void weft__call_handler(handler, signal, info, ucontext, stack_top): see deliver.h */
	.globl	weft__call_handler
	.hidden	weft__call_handler
	.type	weft__call_handler, @function
weft__call_handler:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	test	%r8, %r8
	cmovnz	%r8, %rsp
	and	$-16, %rsp
	mov	%rdi, %r8
	mov	%esi, %edi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	xor	%eax, %eax
	call	*%r8
	leave
	.cfi_def_cfa %rsp, 8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size	weft__call_handler, . - weft__call_handler

/*
 * Where weft's signal handlers return to. No unwind information: unwinders know a signal frame by
 * exactly these instructions.
 */
	.globl	weft__restorer
	.hidden	weft__restorer
	.type	weft__restorer, @function
	nop
weft__restorer:
	mov	$15, %rax
	syscall
	.size	weft__restorer, . - weft__restorer

/*
 * Access to memory that may not be there. A fault between weft__guarded and weft__guarded_end goes
 * on at weft__guarded_fault. None of these touches the stack.
 */
	.globl	weft__guarded
	.hidden	weft__guarded
	.globl	weft__guarded_end
	.hidden	weft__guarded_end
	.globl	weft__guarded_fault
	.hidden	weft__guarded_fault
weft__guarded:
/* long weft__copy(void *to, const void *from, size_t n) */
	.globl	weft__copy
	.hidden	weft__copy
	.type	weft__copy, @function
weft__copy:
	.cfi_startproc
	mov	%rdx, %rcx
	rep movsb
	xor	%eax, %eax
	ret
/* long weft__load(uintptr_t address, uint32_t *value) */
	.globl	weft__load
	.hidden	weft__load
	.type	weft__load, @function
weft__load:
	mov	(%rdi), %eax
	mov	%eax, (%rsi)
	xor	%eax, %eax
	ret
/* long weft__exchange(uintptr_t address, uint32_t expected, uint32_t desired, uint32_t *found) */
	.globl	weft__exchange
	.hidden	weft__exchange
	.type	weft__exchange, @function
weft__exchange:
	mov	%esi, %eax
	lock cmpxchg %edx, (%rdi)
	mov	%eax, (%rcx)
	xor	%eax, %eax
	ret
weft__guarded_end:
weft__guarded_fault:
	mov	$-14, %rax
	ret
	.cfi_endproc

	.section .note.GNU-stack, "", @progbits
